"""The copy of a model that Spark NLP loads: a fused graph and a shielded vocabulary, made once and used again."""

from __future__ import annotations

import inspect
import os
import shutil
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from sentiment.scoring import first_row, graph, saved
from sentiment.scoring.preparation import shield_text
from sentiment.scoring.registry import Model

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MAKERS = (sys.modules[__name__], graph, first_row, saved)
"""The modules whose code makes a copy."""


def served_copy(spark: SparkSession, model: Model, scratch: Path) -> Path:
    """Return the folder, below `scratch`, of the copy that is scored with; make it where there is none of its `key`.

    The copy has a fused graph (a copy of what Spark NLP saved keeps its graph) and a shielded vocabulary.
    """
    pieces = [shield_text(piece) for piece in model.vocabulary()]
    target = scratch / key(model, pieces)
    if target.is_dir():
        os.utime(target)  # `maintain_store` removes what has not been used for long
        return target
    scratch.mkdir(parents=True, exist_ok=True)
    beside = scratch / uuid4().hex
    if model.saved_folder:
        saved.with_fields(spark, model.saved_folder, beside, {"vocabulary": pieces, "labels": list(model.labels)})
    else:
        (beside / "assets").mkdir(parents=True)
        graph.fuse(model.folder / "model.onnx", beside / "model.onnx")
        shutil.copyfile(model.folder / "assets" / "labels.txt", beside / "assets" / "labels.txt")
        (beside / "assets" / "vocab.txt").write_text("\n".join(pieces) + "\n", "utf-8")
    try:
        # A rename, so that a folder by this name is complete; it fails where another process was faster.
        beside.rename(target)
    except OSError:
        shutil.rmtree(beside)
    return target


def key(model: Model, pieces: list[str]) -> str:
    """Return the name of the model's copy with these wordpieces; it changes with whatever makes the copy otherwise.

    That is the model's files, the shielded wordpieces themselves (so that neither the code that shields nor Python's
    Unicode tables need a version), the code of `MAKERS`, and ONNX Runtime, whose tools fuse.
    """
    sources = [inspect.getsource(module) for module in MAKERS]
    digest = sha256("\0".join([*pieces, *sources, version("onnxruntime")]).encode())
    return f"{model.fingerprint}.{digest.hexdigest()[:12]}"
