"""Make the folder of a new model out of sight: it appears complete and registered, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sentiment.errors import ParameterError
from sentiment.scoring import folders, registry
from sentiment.scoring.registry import Model
from sentiment.settings import Settings


@dataclass(frozen=True)
class NewFolder:
    """A model's folder while it is being made."""

    path: Path
    """Where to make it; not there yet, inside a temporary folder that is removed afterwards."""
    target: Path
    """Where it will be, below the models folder."""
    undo: ExitStack
    """What to take back where anything is raised later on."""

    def publish(self, model: Model, source_uri: str) -> Model:
        """Move the finished folder to its target and register the model, which has scored nothing yet."""
        self.path.rename(self.target)
        self.undo.callback(shutil.rmtree, self.target)
        published = replace(model, folder=self.target)
        # The row last: a model that is listed can score.
        registry.register(published, source_uri, scores=False)
        return published


@contextmanager
def new_folder(model_id: str, config: Settings, try_next: str) -> Iterator[NewFolder]:
    """Yield the folder of a model to be made; what was published of it is removed again where anything is raised.

    Raises ParameterError, with `try_next`, where the name is taken.
    """
    if model_id in folders.known(config):
        raise ParameterError(f"There is a model {model_id!r} already.", try_next)
    config.models.mkdir(parents=True, exist_ok=True)
    # On the disk of the models folder, so that the rename is atomic; the dot hides it from `folders.known`.
    with tempfile.TemporaryDirectory(dir=config.models, prefix=".adding-") as parent, ExitStack() as undo:
        yield NewFolder(Path(parent) / model_id, config.models / model_id, undo)
        undo.pop_all()
