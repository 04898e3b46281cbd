"""Models by name: the bundled one, and those added below the models folder."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.errors import ParameterError
from sentiment.scoring import saved
from sentiment.scoring.chunks import CHUNK_RULE, MAX_WORDPIECES
from sentiment.scoring.onnx_folder import lines
from sentiment.scoring.preparation import PREPARATION_VERSION
from sentiment.settings import Settings

log = logging.getLogger(__name__)

BUNDLED = Path(__file__).parent / "bundled"
CANARY = BUNDLED / "canary.jsonl"
LOCK_REGISTERING = "SELECT pg_advisory_xact_lock(hashtext('sentiment.register_model'))"
FIRST_IS_CURRENT = (
    "UPDATE sentiment.model SET is_current = true "
    "WHERE model_id = :model_id AND NOT EXISTS (SELECT 1 FROM sentiment.model WHERE is_current)"
)
SAVED = "saved"
POSITIVE_LABELS = ("pos", "positive", "positif")
NEGATIVE_LABELS = ("neg", "negative", "négatif", "negatif")


@dataclass(frozen=True)
class Model:
    """A model that can score: its files and what it says."""

    model_id: str
    folder: Path
    labels: tuple[str, ...]
    fingerprint: str

    @property
    def saved_folder(self) -> Path | None:
        """The folder as Spark NLP saved it; None for a plain ONNX graph."""
        folder = self.folder / SAVED
        return folder if folder.is_dir() else None

    @property
    def engine(self) -> saved.Engine:
        """What runs its graph."""
        found = self.saved_folder
        return "tensorflow" if found and any(found.glob("*_tensorflow")) else "onnx"

    @property
    def positive_label(self) -> str | None:
        """The label whose probability is `p_positive`; None where the model has none."""
        return next((label for label in self.labels if label.lower() in POSITIVE_LABELS), None)

    @property
    def negative_label(self) -> str | None:
        """The label that a negative review has, beside the positive one; None where the model has none."""
        return next((label for label in self.labels if label.lower() in NEGATIVE_LABELS), None)

    def vocabulary(self) -> list[str]:
        """Wordpieces in id order."""
        return lines(self.folder / "assets" / "vocab.txt")


def known(config: Settings) -> dict[str, Path]:
    """Model id -> folder, for every model that is here."""
    marks = (mark for place in (BUNDLED, config.models) for mark in sorted(place.glob("[!.]*/assets/labels.txt")))
    return {mark.parents[1].name: mark.parents[1] for mark in marks}


def find(model_id: str, config: Settings) -> Model:
    """The model of this name; ParameterError, listing those there are, where there is none."""
    folder = known(config).get(model_id)
    if folder is None:
        there = ", ".join(sorted(known(config)))
        raise ParameterError(f"There is no model {model_id!r}; there are: {there}.", "sentiment model list")
    return read(model_id, folder)


def read(model_id: str, folder: Path) -> Model:
    """The model in this folder, wherever it lies."""
    return Model(model_id, folder, tuple(lines(folder / "assets" / "labels.txt")), _fingerprint(folder))


RULES = f"{MAX_WORDPIECES} {CHUNK_RULE} {PREPARATION_VERSION}"
EARLIER_RULES = (
    "512 cut-at-512 1",
    "512 510 at sentence ends, else spaces; logits by length; 1 2",
    "512 510 at sentence ends, else spaces; logits by length; 1 3",
)
"""What `RULES` was in earlier editions of this code."""


def _fingerprint(folder: Path, rules: str = RULES) -> str:
    digest = hashlib.sha256()
    networks = saved.graphs(folder / SAVED) or [folder / "model.onnx"]
    for path in (*networks, folder / "assets" / "vocab.txt", folder / "assets" / "labels.txt"):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    digest.update(rules.encode())
    return digest.hexdigest()


def canary_fingerprint(model: Model) -> str:
    """Of the network and of the sentences: another of either opens a new canary."""
    return hashlib.sha256(f"{model.fingerprint} {CANARY.read_text('utf-8')}".encode()).hexdigest()


def register(model: Model, source_uri: str = "", scores: bool = True) -> None:
    """Write the model down; the first one that `scores` becomes current.

    Raises ParameterError where another network is registered under the same name, or the model is retired.
    """
    with transaction() as c:
        c.exec_driver_sql(LOCK_REGISTERING)
        c.execute(
            sa.text(
                "INSERT INTO sentiment.model (model_id, name, language, engine, fingerprint, labels, positive_label, "
                "source_uri, spark_nlp_version, is_current) VALUES (:model_id, :model_id, 'fr', :engine, :fingerprint, "
                ":labels, :positive, :uri, :version, false) ON CONFLICT DO NOTHING"
            ),
            {
                "model_id": model.model_id,
                "fingerprint": model.fingerprint,
                "labels": list(model.labels),
                "positive": model.positive_label,
                "engine": model.engine,
                "uri": source_uri or str(model.folder),
                "version": version("spark-nlp"),
            },
        )
        if scores:
            c.execute(sa.text(FIRST_IS_CURRENT), {"model_id": model.model_id})
        registered = c.execute(
            sa.text("SELECT fingerprint, retired_at FROM sentiment.model WHERE model_id = :model_id"),
            {"model_id": model.model_id},
        ).one()
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


def current(c: sa.Connection) -> str:
    """The model that the views show."""
    model_id: str = c.execute(sa.text("SELECT model_id FROM sentiment.model WHERE is_current")).scalar_one()
    return model_id


def _renew(model: Model) -> None:
    """The same files, fed by newer rules: its texts are scored anew, and a new canary opens."""
    log.warning(
        "%s is fed by newer rules than when it was registered: its texts are scored anew as nights bring them",
        model.model_id,
    )
    with transaction() as c:
        c.execute(
            sa.text("UPDATE sentiment.model SET fingerprint = :fingerprint WHERE model_id = :model_id"),
            {"model_id": model.model_id, "fingerprint": model.fingerprint},
        )


SCORES_REMOVED = """
SELECT EXISTS (SELECT 1 FROM sentiment.run WHERE model_id = :id AND status = 'published' AND rows_published > 0)
  AND NOT EXISTS (SELECT 1 FROM sentiment.film_night WHERE model_id = :id)"""


def retire(model_id: str, undo: bool = False) -> None:
    """Mark a registered model as retired now, or no longer; ParameterError for the current one and unknown ones."""
    with transaction() as c:
        row = c.execute(
            sa.text("SELECT is_current FROM sentiment.model WHERE model_id = :id FOR UPDATE"), {"id": model_id}
        ).one_or_none()
        if row is None:
            raise ParameterError(f"No model {model_id!r} has scored here.", "sentiment model list")
        if row.is_current and not undo:
            raise ParameterError(f"{model_id} is the current model; the views show it.", "sentiment model list")
        if undo and c.execute(sa.text(SCORES_REMOVED), {"id": model_id}).scalar_one():
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
