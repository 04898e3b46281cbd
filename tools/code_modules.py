"""Read the Python files of a checkout and their definitions, for tools/code_figures.py."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

FOLDERS = ("include", "dags", "plugins", "bench", "tools", "tests")
GROUPS = ("production", "tests", "tools and bench")
TOOLS = ("tools/", "bench/", "include/sentiment/bench/", "tests/kit/")
HELPS = {"help", "description", "epilog", "doc_md"}
MARKERS = re.compile(r"#\s*(type:|noqa|fmt:|!|-\*-|coding[:=])|#!")

Function = ast.FunctionDef | ast.AsyncFunctionDef
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Site:
    """A position in the checkout and what is there."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.what}"


@dataclass(frozen=True)
class Definition:
    """A function or class. It's public when no name on the way to it starts with _ and no function encloses it."""

    path: str
    node: Function | ast.ClassDef
    name: str
    public: bool
    in_class: bool


@dataclass
class Module:
    """One Python file of the checkout, parsed; `path` is relative to the root, with slashes."""

    path: str
    text: str
    tree: ast.Module = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.text, self.path)

    @property
    def name(self) -> str:
        """Return the module's own name; a package has that of its folder."""
        path = Path(self.path)
        return path.parent.name if path.name == "__init__.py" else path.stem

    @property
    def dotted(self) -> str:
        """Return the name that other modules import it by."""
        return self.path.removeprefix("include/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def comments(self) -> list[Site]:
        """Return the comments for readers, without those that only tools read."""
        return [Site(self.path, t.start[0], t.string) for t in self._comment_tokens if not MARKERS.match(t.string)]

    @cached_property
    def code_lines(self) -> int:
        """Count the lines that are neither blank nor only a comment."""
        alone = {t.start[0] for t in self._comment_tokens if t.line.lstrip().startswith("#")}
        return sum(bool(line.strip()) for n, line in enumerate(self.text.splitlines(), 1) if n not in alone)

    @cached_property
    def _comment_tokens(self) -> list[tokenize.TokenInfo]:
        return [t for t in tokenize.generate_tokens(io.StringIO(self.text).readline) if t.type == tokenize.COMMENT]


def group_of(path: str) -> str | None:
    """Return the group of a file, None for migrations and for files outside the six folders."""
    if path.startswith(TOOLS):
        return "tools and bench"
    if path.startswith("tests/"):
        return "tests"
    folder, *inner = path.split("/")
    return "production" if folder in FOLDERS and "migrations" not in inner else None


def read(root: Path) -> dict[str, list[Module]]:
    """Parse the Python files under `root` and return them by group."""
    modules: dict[str, list[Module]] = {group: [] for group in GROUPS}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            group = group_of(name)
            if group:
                modules[group].append(Module(name, path.read_text("utf-8")))
    return modules


def definitions(
    path: str, node: ast.AST, prefix: str = "", public: bool = True, in_class: bool = False
) -> Iterator[Definition]:
    """Yield the functions and classes under `node`, nested ones included."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, DEFINITIONS):
            is_public = public and not child.name.startswith("_")
            yield Definition(path, child, prefix + child.name, is_public, in_class)
            is_class = isinstance(child, ast.ClassDef)
            yield from definitions(path, child, f"{prefix}{child.name}.", is_public and is_class, is_class)
        else:
            yield from definitions(path, child, prefix, public, in_class)
