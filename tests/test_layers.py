"""Imports go one way, from entry points to settings, and DAG files stay light to parse."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "include" / "sentiment"

GROUND = {"settings", "errors", "labels"}
BASE = {
    "contract",
    "arrow_functions",
    "text_patterns",
    "schemas",
    "spreadsheet",
    "sql",
    "workspace",
    "runs",
    "database",
    "runtime",
    "samples",
}
MIDDLE = {"dump", "quality", "scoring", "store", "drift", "evaluation"}
SHARED = GROUND | BASE | MIDDLE
ALLOWED = {
    **dict.fromkeys(GROUND, GROUND),
    **dict.fromkeys(BASE, GROUND | BASE),
    **{component: GROUND | BASE | {component} for component in MIDDLE},
    "orchestration": SHARED | {"orchestration"},
    "embedded": SHARED | {"embedded"},
    "dashboard": SHARED | {"dashboard"},
    "jobs": SHARED | {"jobs", "orchestration"},
    "local": SHARED | {"local", "orchestration", "embedded"},
    "demo": SHARED | {"demo", "local", "jobs", "orchestration", "embedded"},
    "cli": SHARED | {"cli", "dashboard", "demo", "local", "jobs", "orchestration", "embedded"},
}
"""Component of the package -> components it may import, lowest layers first; docs/architecture.md draws the same."""
DAG_SIDE = SHARED | {"orchestration", "dashboard"}
"""What DAG files and plugins may import: a cluster's Airflow has none of what only one machine needs."""
OUTSIDE = {"bench", "tests", "tools", "dags", "plugins"}
HEAVY = {"pyspark", "sparknlp", "great_expectations", "scipy", "pandas", "onnxruntime"}


def imported_modules(source: str) -> set[str]:
    """Return the dotted names that a file imports, at its top, inside functions or for types alone."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # A relative import would name no component; ruff's TID252 allows none beyond siblings.
            assert node.level == 0, "relative import"
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


def imported_components(source: str) -> set[str]:
    """Return the components of `sentiment` that a file imports."""
    dotted = (name.split(".") for name in imported_modules(source))
    return {parts[1] for parts in dotted if parts[0] == "sentiment" and len(parts) > 1}


def component(path: Path) -> str:
    """Return the package or module directly below `sentiment` that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def package_files() -> list[Path]:
    """Return every Python file of the package, but for `sentiment/__init__.py`, which belongs to no component."""
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def name(path: Path) -> str:
    """Return a file's path in the repository."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", package_files(), ids=name)
def test_component_imports_only_what_lies_below_it(path: Path) -> None:
    assert component(path) in ALLOWED, "a component that no layer names; docs/architecture.md"
    assert imported_components(path.read_text("utf-8")) <= ALLOWED[component(path)]


@pytest.mark.parametrize("path", package_files(), ids=name)
def test_package_never_imports_what_is_not_installed_with_it(path: Path) -> None:
    assert not {module.split(".")[0] for module in imported_modules(path.read_text("utf-8"))} & OUTSIDE


@pytest.mark.parametrize("path", sorted([*ROOT.glob("dags/*.py"), *ROOT.glob("plugins/**/*.py")]), ids=name)
def test_dags_and_plugins_need_nothing_of_one_machine(path: Path) -> None:
    assert imported_components(path.read_text("utf-8")) <= DAG_SIDE


def test_components_form_no_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for path in package_files():
        importing = component(path)
        graph.setdefault(importing, set()).update(imported_components(path.read_text("utf-8")) - {importing})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize(
    "statement",
    [
        "import sentiment.embedded.airflow",
        "from sentiment import embedded",
        "from sentiment.embedded import airflow",
        "from sentiment.embedded.airflow import environment",
        "def later():\n    from sentiment.embedded import airflow",
        "if TYPE_CHECKING:\n    from sentiment.embedded.airflow import environment",
    ],
)
def test_no_form_of_import_escapes(statement: str) -> None:
    assert imported_components(statement) == {"embedded"}
    assert not imported_components(statement) <= ALLOWED["orchestration"]


def test_every_dag_file_is_light_to_parse() -> None:
    code = (
        "import sys, runpy, glob\n"
        "for path in glob.glob('dags/*.py'): runpy.run_path(path)\n"
        f"print(sorted(m for m in {sorted(HEAVY)!r} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "module", ["local.nights", "dump.receive", "drift.tracking", "drift.renewal", "store.forgetting"]
)
def test_what_runs_without_spark_imports_no_pandas(module: str) -> None:
    code = f"import sys, sentiment.{module}; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
