"""Find models by name, bundled or added below the models folder, and register them in Postgres."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.errors import ParameterError
from sentiment.scoring import saved
from sentiment.scoring.chunks import CHUNK_RULE, MAX_WORDPIECES
from sentiment.scoring.folders import BUNDLED, known
from sentiment.scoring.onnx_folder import lines
from sentiment.scoring.preparation import PREPARATION_VERSION
from sentiment.settings import Settings
from sentiment.sql import statement

log = logging.getLogger(__name__)

CANARY = BUNDLED / "canary.jsonl"
"""Sentences whose predictions are compared with a model's first ones each night."""
LOCK_REGISTERING = "SELECT pg_advisory_xact_lock(hashtext('sentiment.register_model'))"
"""Held until the transaction's end by whoever registers a model or removes what belongs to unregistered ones."""
SAVED = "saved"
"""Folder, inside a model's, of a classifier that Spark NLP has saved."""
POSITIVE_LABELS = ("pos", "positive", "positif")
NEGATIVE_LABELS = ("neg", "negative", "négatif", "negatif")


@dataclass(frozen=True)
class Model:
    """A model that can score: its files and labels."""

    model_id: str
    folder: Path
    labels: tuple[str, ...]
    """In the order of the network's outputs."""
    fingerprint: str
    """SHA-256 over the files' hashes and `RULES`: equal fingerprints give equal scores."""

    @property
    def saved_folder(self) -> Path | None:
        """The folder as Spark NLP saved it; None for a plain ONNX graph."""
        folder = self.folder / SAVED
        return folder if folder.is_dir() else None

    @property
    def engine(self) -> saved.Engine:
        """The library that runs the model's graph."""
        folder = self.saved_folder
        return "tensorflow" if folder and any(folder.glob("*_tensorflow")) else "onnx"

    @property
    def positive_label(self) -> str | None:
        """The label whose probability is `p_positive`; None where the model has none."""
        return next((label for label in self.labels if label.lower() in POSITIVE_LABELS), None)

    @property
    def negative_label(self) -> str | None:
        """The label of a negative review; None where the model has none."""
        return next((label for label in self.labels if label.lower() in NEGATIVE_LABELS), None)

    def vocabulary(self) -> list[str]:
        """Return the wordpieces in the order of their ids, from 0."""
        return lines(self.folder / "assets" / "vocab.txt")


def find(model_id: str, config: Settings) -> Model:
    """Return the model of this name; raise ParameterError, listing the models there are, where there is none."""
    models = known(config)
    folder = models.get(model_id)
    if folder is None:
        names = ", ".join(sorted(models))
        raise ParameterError(f"There is no model {model_id!r}; there are: {names}.", "sentiment model list")
    return read(model_id, folder)


def read(model_id: str, folder: Path) -> Model:
    """Return the model in a folder, which need not be below a models folder."""
    return Model(model_id, folder, tuple(lines(folder / "assets" / "labels.txt")), _fingerprint(folder))


# What beside its files decides a model's scores. It is hashed into fingerprints, so its spelling must not change.
RULES = f"{MAX_WORDPIECES} {CHUNK_RULE} {PREPARATION_VERSION}"
EARLIER_RULES = (
    "512 cut-at-512 1",
    "512 510 at sentence ends, else spaces; logits by length; 1 2",
    "512 510 at sentence ends, else spaces; logits by length; 1 3",
)
"""Values of `RULES` in earlier versions of this code."""


def _fingerprint(folder: Path, rules: str = RULES) -> str:
    digest = hashlib.sha256()
    networks = saved.graphs(folder / SAVED) or [folder / "model.onnx"]
    for path in (*networks, folder / "assets" / "vocab.txt", folder / "assets" / "labels.txt"):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    digest.update(rules.encode())
    return digest.hexdigest()


def canary_fingerprint(model: Model) -> str:
    """Return the SHA-256 over fingerprint and canary sentences; where it changes, a new canary baseline begins."""
    return hashlib.sha256(f"{model.fingerprint} {CANARY.read_text('utf-8')}".encode()).hexdigest()


def register(model: Model, source_uri: str = "", scores: bool = True) -> None:
    """Register the model in `sentiment.model`; the first one that `scores` becomes the current model.

    `source_uri` is where the model came from, by default its folder. A model registered by earlier `RULES` gets its
    new fingerprint. Raises ParameterError where another network is registered under the same name, or the model is
    retired.
    """
    registered = _insert(model, source_uri, scores)
    if registered.retired_at is not None:
        raise ParameterError(
            f"Model {model.model_id!r} is retired since {registered.retired_at:%Y-%m-%d}.",
            f"sentiment model retire --undo {model.model_id}",
        )
    if registered.fingerprint == model.fingerprint:
        return
    if registered.fingerprint in {_fingerprint(model.folder, rules) for rules in EARLIER_RULES}:
        _renew(model)
    else:
        raise ParameterError(
            f"The files of model {model.model_id!r} changed since it was registered "
            f"({registered.fingerprint[:12]} then, {model.fingerprint[:12]} now).",
            "add the changed network under another name",
        )


def _insert(model: Model, source_uri: str, scores: bool) -> sa.Row[Any]:
    """Return fingerprint and retired_at of the row by this name, inserted now or before."""
    row = {
        "model_id": model.model_id,
        "fingerprint": model.fingerprint,
        "labels": list(model.labels),
        "positive_label": model.positive_label,
        "engine": model.engine,
        "source_uri": source_uri or str(model.folder),
        "spark_nlp_version": version("spark-nlp"),
    }
    with transaction() as c:
        # Two first models at the same time would each see no current one.
        c.exec_driver_sql(LOCK_REGISTERING)
        c.execute(statement("scoring/insert_model"), row)
        if scores:
            c.execute(statement("scoring/make_first_model_current"), {"model_id": model.model_id})
        query = sa.text("SELECT fingerprint, retired_at FROM sentiment.model WHERE model_id = :model_id")
        return c.execute(query, {"model_id": model.model_id}).one()


def current(c: sa.Connection) -> str:
    """Return the id of the model that the views show; raise sqlalchemy's NoResultFound where none has scored yet."""
    model_id: str = c.execute(sa.text("SELECT model_id FROM sentiment.model WHERE is_current")).scalar_one()
    return model_id


def _renew(model: Model) -> None:
    # A new fingerprint is all it takes: score cache and canary baseline are kept by fingerprint.
    log.warning(
        "%s is fed by newer rules than when it was registered: its texts are scored anew as nights bring them",
        model.model_id,
    )
    with transaction() as c:
        c.execute(
            sa.text("UPDATE sentiment.model SET fingerprint = :fingerprint WHERE model_id = :model_id"),
            {"model_id": model.model_id, "fingerprint": model.fingerprint},
        )


def retire(model_id: str, undo: bool = False) -> None:
    """Mark a registered model as retired from now on, or with `undo` no longer.

    Raises ParameterError for an unknown model, for the current one, and with `undo` for a model whose scores were
    removed since.
    """
    with transaction() as c:
        row = c.execute(
            sa.text("SELECT is_current FROM sentiment.model WHERE model_id = :id FOR UPDATE"), {"id": model_id}
        ).one_or_none()
        if row is None:
            raise ParameterError(f"No model {model_id!r} has scored here.", "sentiment model list")
        if row.is_current and not undo:
            raise ParameterError(f"{model_id} is the current model; the views show it.", "sentiment model list")
        if undo and c.execute(statement("scoring/scores_were_removed"), {"model_id": model_id}).scalar_one():
            raise ParameterError(
                f"The scores of {model_id} were removed since it was retired, and its nights count as scored.",
                "sentiment model add FOLDER --name ANOTHER, then: sentiment rescore",
            )
        c.execute(
            sa.text(
                "UPDATE sentiment.model SET retired_at = CASE WHEN :undo THEN NULL ELSE now() END WHERE model_id = :id"
            ),
            {"id": model_id, "undo": undo},
        )
