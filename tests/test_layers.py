"""Dependencies point one way, and DAG files stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "include" / "sentiment"
GROUND = {"settings", "errors"}
BASE = {"contract", "workspace", "runs", "database", "runtime", "samples"}
ROOMS = {"dump", "quality", "scoring", "store", "drift", "evaluation"}
ENTRIES = {"jobs", "orchestration", "embedded", "cli"}
HEAVY = {"pyspark", "sparknlp", "great_expectations", "scipy", "pandas", "onnxruntime"}


def imports(path: Path) -> set[str]:
    """Names of our own rooms that a file imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "sentiment":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return found


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if "migrations" not in p.parts and p.name != "__init__.py")


def allowed(room: str) -> set[str]:
    if room in GROUND:
        return GROUND
    if room in BASE:
        return GROUND | BASE
    if room in ROOMS:
        return GROUND | BASE | {room}
    return GROUND | BASE | ROOMS | ENTRIES


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert room in GROUND | BASE | ROOMS | ENTRIES
    assert imports(path) <= allowed(room)


def test_every_dag_file_is_light_to_parse() -> None:
    code = (
        "import sys, runpy, glob\n"
        "for path in glob.glob('dags/*.py'): runpy.run_path(path)\n"
        f"print(sorted(m for m in {sorted(HEAVY)!r} if m in sys.modules))"
    )
    root = PACKAGE.parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
