"""The copy that a model is scored with is made once, and again where what makes it has changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sentiment
from pyspark.sql import SparkSession
from sentiment import settings
from sentiment.scoring import registry, served

CHANGE_MODULES = """
import json
from pathlib import Path
from sentiment.scoring import folders, registry, served

model = registry.read("cinema-fr", folders.BUNDLED / "cinema-fr")
before, changing = served.key(model, ["le"]), []
for path in sorted(Path(served.__file__).parent.glob("*.py")):
    source = path.read_text("utf-8")
    path.write_text(source + "# changed", "utf-8")
    if served.key(model, ["le"]) != before:
        changing.append(path.name)
    path.write_text(source, "utf-8")
print(json.dumps(changing))
"""


def test_the_key_changes_with_the_modules_that_make_a_copy_and_with_no_other(tmp_path: Path) -> None:
    package = Path(sentiment.__path__[0])
    shutil.copytree(package, tmp_path / "sentiment", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", CHANGE_MODULES], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout) == ["first_row.py", "graph.py", "saved.py", "served.py"]


def test_the_key_changes_with_shielding_and_with_onnx_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = registry.find("cinema-fr", settings.load())
    keys = [served.key(bundled, ["le", "\ue000t\ue001"]), served.key(bundled, ["le", "été"])]
    monkeypatch.setattr(served, "version", lambda name: f"later {name}")
    keys.append(served.key(bundled, ["le", "été"]))
    assert len(set(keys)) == 3


def test_a_copy_is_used_again_until_another_key_has_its_own(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = registry.find("cinema-fr", settings.load())
    first = served.served_copy(spark, bundled, tmp_path)
    os.utime(first, (0, 0))
    assert served.served_copy(spark, bundled, tmp_path) == first
    assert first.stat().st_mtime > 0, "so that maintain_store leaves it"
    monkeypatch.setattr(served, "version", lambda name: f"later {name}")
    later = served.served_copy(spark, bundled, tmp_path)
    assert sorted(path.name for path in later.iterdir()) == ["assets", "model.onnx"]
    assert set(tmp_path.iterdir()) == {first, later}, "a running job may hand out the first to new executors"
