"""A place for a new model: it is made out of sight, and seen whole and registered, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sentiment.errors import ParameterError
from sentiment.scoring import registry
from sentiment.scoring.registry import Model
from sentiment.settings import Settings


@dataclass(frozen=True)
class Place:
    """Where a model is made: `folder` is the model's own, not there yet, in one that is gone afterwards."""

    folder: Path
    target: Path
    undo: ExitStack

    def put(self, model: Model, source_uri: str) -> Model:
        """Let everyone see the model that was made in `folder`; it scores nothing yet."""
        self.folder.rename(self.target)
        self.undo.callback(shutil.rmtree, self.target)
        put = replace(model, folder=self.target)
        registry.register(put, source_uri, scores=False)
        return put


@contextmanager
def place(model_id: str, config: Settings, try_next: str) -> Iterator[Place]:
    """Make room for a model of this name; what was put there is taken away again where anything is raised.

    Raises ParameterError where the name is taken.
    """
    if model_id in registry.known(config):
        raise ParameterError(f"There is a model {model_id!r} already.", try_next)
    config.models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=config.models, prefix=".adding-") as beside, ExitStack() as undo:
        yield Place(Path(beside) / model_id, config.models / model_id, undo)
        undo.pop_all()
