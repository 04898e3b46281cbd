"""Print figures of a checkout's Python code, read from its syntax trees, to compare before and after.

    python tools/code_figures.py                              # this checkout, as a table
    python tools/code_figures.py /tmp/old --json              # another one, for a script
    python tools/code_figures.py --list complexity | head     # the functions with the most branches
    python tools/code_figures.py --sample-docstrings 5 --seed 1

Nothing is imported from the checkout that is read. Definitions of the figures:

- Groups: production is include/, dags/ and plugins/ without migrations; "tools and bench" is tools/, bench/,
  include/sentiment/bench/ and tests/kit/; tests is the rest of tests/. Migrations are never counted.
- Lines of a function run from its def line to its last line, docstring included, decorators not.
- Complexity is McCabe's as `ruff check --select C901` computes it: 1, plus 1 for each if, elif, loop, except,
  try-else, case that can fail to match and nested function. Boolean operators and comprehensions add nothing.
- The 90th percentile is the smallest value that at least 90 % of the functions don't exceed.
- Lines of code are neither blank nor only a comment; lines of docstrings are lines of code here.
- What builds SQL is counted once, as the outermost f-string, %, +, +=, .format(), .replace() or .join() whose constant
  text, constants named in it included, has a keyword of Postgres SQL in upper case. Text of errors, logs and helps is
  not looked at. SPARK_SQL in tools/code_sql.py names the files left out. psycopg2's SQL("…").format(…) and .join(…)
  aren't counted: they quote the identifiers and literals that they put in.
- A name is counted once in each scope that defines it: functions, classes, parameters, variables, attributes of self,
  import aliases, module files. Its words are those between underscores and humps; tests/glossary.toml has the list.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import random
import re
import sys
import textwrap
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))  # run as a script, Python looks in tools/ only

from tools.code_modules import DEFINITIONS, GROUPS, HELPS, Function, Module, Site, definitions, group_of, read  # noqa: E402
from tools.code_sql import MECHANISMS, sql_sites  # noqa: E402

GLOSSARY = CHECKOUT / "tests" / "glossary.toml"
LONG_FILE = 400


@dataclass(frozen=True)
class Measured:
    """A function's figures; `lines` count the docstring, `typed` is about every parameter and the return."""

    site: Site
    lines: int
    complexity: int
    typed: bool


def branches(body: Sequence[ast.AST]) -> int:
    """Count what statements add to the complexity of the function they stand in, as ruff's C901 does."""
    return sum(_added(node) + branches(list(ast.iter_child_nodes(node))) for node in body)


def _added(node: ast.AST) -> int:
    if isinstance(node, ast.Try | ast.TryStar):
        return len(node.handlers) + bool(node.orelse)
    if isinstance(node, ast.Match):
        last = node.cases[-1]
        always = last.guard is None and isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None
        return len(node.cases) - always
    return isinstance(node, ast.If | ast.For | ast.AsyncFor | ast.While | ast.FunctionDef | ast.AsyncFunctionDef)


def is_typed(function: Function, in_class: bool) -> bool:
    """Return whether every parameter but self or cls, and the return, has an annotation."""
    a = function.args
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list)
    positional = (a.posonlyargs + a.args)[1 if in_class and not static else 0 :]
    others = [p for p in (a.vararg, a.kwarg) if p]
    return function.returns is not None and all(p.annotation for p in positional + a.kwonlyargs + others)


def measured(module: Module) -> list[Measured]:
    """Measure every function of a module, nested ones and methods included."""
    return [
        Measured(
            Site(d.path, d.node.lineno, d.name),
            (d.node.end_lineno or d.node.lineno) - d.node.lineno + 1,
            1 + branches(d.node.body),
            is_typed(d.node, d.in_class),
        )
        for d in definitions(module.path, module.tree)
        if not isinstance(d.node, ast.ClassDef)
    ]


def documented(module: Module) -> list[tuple[Site, bool]]:
    """Return the module, its public classes and functions, and whether each has a docstring; nothing of tests."""
    if module.name.startswith("_") or group_of(module.path) == "tests":
        return []
    rows = [(Site(module.path, 1, f"module {module.name}"), ast.get_docstring(module.tree) is not None)]
    for d in definitions(module.path, module.tree):
        if d.public:
            rows.append((Site(d.path, d.node.lineno, d.name), ast.get_docstring(d.node) is not None))
    return rows


class Names(ast.NodeVisitor):
    """Collects the names that a module defines, once per scope."""

    def __init__(self, module: Module) -> None:
        self.module, self.scope, self.owner = module, 0, 0
        self.sites: dict[tuple[int, str], Site] = {}
        self.add(1, module.name, scope=-1)
        self.visit(module.tree)

    def add(self, line: int, name: str, scope: int | None = None) -> None:
        """Record a name unless its scope has it already."""
        key = (self.scope if scope is None else scope, name)
        self.sites.setdefault(key, Site(self.module.path, line, name))

    def generic_visit(self, node: ast.AST) -> None:
        """Record what the node defines, then what is inside it."""
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self.add(node.lineno, node.name)
            case ast.arg(arg=name, lineno=line):
                self.add(line, name)
            case ast.Name(id=name, ctx=ast.Store(), lineno=line):
                self.add(line, name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store(), lineno=line):
                self.add(line, name, self.owner)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                for alias in aliases:
                    if alias.asname:
                        self.add(alias.lineno, alias.asname)
            case ast.ExceptHandler(name=str(name), lineno=line) | ast.MatchAs(name=str(name), lineno=line):
                self.add(line, name)
        before = self.scope, self.owner
        if isinstance(node, (*DEFINITIONS, ast.Lambda)):
            self.scope = id(node)
        if isinstance(node, ast.ClassDef):
            self.owner = id(node)
        super().generic_visit(node)
        self.scope, self.owner = before


def split_name(name: str) -> list[str]:
    """Return the words of an identifier in lower case: those between underscores and humps."""
    return [w.lower() for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+", name)]


@dataclass(frozen=True)
class Glossary:
    """Words that names, and phrases that docstrings and comments, don't use, each with what to write instead."""

    instead: dict[str, str]
    exceptions: dict[str, str]
    prose: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Glossary:
        """Read the tables of a TOML file."""
        tables = tomllib.loads(path.read_text("utf-8"))
        return cls(*(tables.get(name, {}) for name in ("instead", "exceptions", "prose")))

    def against(self, name: Site) -> bool:
        """Return whether a name has a word of the list and isn't one of the exceptions."""
        return name.what not in self.exceptions and not self.instead.keys().isdisjoint(split_name(name.what))

    def phrases(self, texts: Sequence[Site]) -> list[Site]:
        """List every phrase of the list that the texts have, at the line it's on."""
        if not self.prose:
            return []
        pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, self.prose))})\b".replace("\\ ", r"\s+"), re.IGNORECASE)
        return [
            Site(t.path, t.line + t.what.count("\n", 0, m.start()), m[0])
            for t in texts
            for m in pattern.finditer(t.what)
        ]


def docstrings(module: Module) -> list[Site]:
    """Return every string that stands as a statement: docstrings, and those below constants and fields."""
    return [
        Site(module.path, n.lineno, n.value.value)
        for n in ast.walk(module.tree)
        if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant) and isinstance(n.value.value, str)
    ]


def helps(module: Module) -> list[Site]:
    """Return the help texts: what is passed as help, description, epilog or doc_md."""
    return [
        Site(module.path, n.lineno, n.value)
        for keyword in ast.walk(module.tree)
        if isinstance(keyword, ast.keyword) and keyword.arg in HELPS
        for n in ast.walk(keyword.value)
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]


def percentile(values: Sequence[int], share: float) -> int:
    """Return the smallest of `values` that at least `share` of them don't exceed, 0 of none."""
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1] if values else 0


def replaced_names(modules: Sequence[Module], glossary: Glossary) -> list[Site]:
    """Return names that have a word which the glossary replaces."""
    return [n for m in modules for n in Names(m).sites.values() if glossary.against(n)]


def lists(modules: Sequence[Module], glossary: Glossary) -> dict[str, list[Site]]:
    """Return what --list prints for a group, the worst first where there is an order."""
    functions = [f for m in modules for f in measured(m)]

    def ranked(size: Callable[[Measured], int]) -> list[Site]:
        ordered = sorted(functions, key=size, reverse=True)
        return [Site(f.site.path, f.site.line, f"{f.site.what} {size(f)}") for f in ordered]

    by_size = sorted(((len(m.text.splitlines()), m) for m in modules), key=lambda pair: -pair[0])
    return {
        "files": [Site(m.path, 1, f"{n} lines") for n, m in by_size if n > LONG_FILE and "vocabulary" not in m.name],
        "functions": ranked(lambda f: f.lines),
        "complexity": ranked(lambda f: f.complexity),
        "untyped": [f.site for f in functions if not f.typed],
        "undocumented": [site for m in modules for site, has in documented(m) if not has],
        "comments": [c for m in modules for c in m.comments],
        "sql": sql_sites(modules),
        "names": replaced_names(modules, glossary),
        "prose": glossary.phrases([t for m in modules for t in docstrings(m) + m.comments]),
        "helps": glossary.phrases([t for m in modules for t in helps(m)]),
    }


def figures(modules: Sequence[Module], glossary: Glossary) -> dict[str, float | None]:
    """Return the figures of a group by their titles; shares are in percent, None where the figure isn't taken."""
    sites = lists(modules, glossary)
    functions = [f for m in modules for f in measured(m)]
    public = [has for m in modules for _, has in documented(m)]
    names = sum(len(Names(m).sites) for m in modules)
    code = sum(m.code_lines for m in modules)
    mechanisms = Counter(site.what for site in sites["sql"])
    return {
        "files": len(modules),
        "lines": sum(len(m.text.splitlines()) for m in modules),
        "lines of code": code,
        f"files over {LONG_FILE} lines": len(sites["files"]),
        "functions": len(functions),
        **spread("lines per function", [f.lines for f in functions]),
        **spread("complexity", [f.complexity for f in functions]),
        "functions fully typed, %": share(sum(f.typed for f in functions), len(functions)),
        "public definitions": len(public) or None,
        "public with docstring, %": share(sum(public), len(public)),
        "comments per 100 lines of code": share(len(sites["comments"]), code),
        "expressions that build Postgres SQL": len(sites["sql"]),
        **{f"  by {mechanism}": mechanisms[mechanism] for mechanism in MECHANISMS},
        "names defined": names,
        "names against the glossary": len(sites["names"]),
        "names against the glossary, %": share(len(sites["names"]), names),
        "phrases against it, docstrings and comments": len(sites["prose"]),
        "phrases against it, help texts": len(sites["helps"]),
    }


def spread(title: str, values: Sequence[int]) -> dict[str, int]:
    """Return the median, the 90th percentile and the maximum, each under its title."""
    points = {"median": 0.5, "90th percentile": 0.9, "maximum": 1.0}
    return {f"{title}, {point}": percentile(values, part) for point, part in points.items()}


def share(part: int, of: int) -> float | None:
    """Return `part` in percent of `of`, to one decimal, None of nothing."""
    return round(100 * part / of, 1) if of else None


def sample(modules: Sequence[Module], n: int, seed: int) -> list[str]:
    """Return `n` public functions and classes at random: position, signature and docstring of each."""
    public = [
        d for m in modules for d in definitions(m.path, m.tree) if d.public and ast.get_docstring(d.node) is not None
    ]
    texts = []
    for d in random.Random(seed).sample(public, min(n, len(public))):
        if isinstance(d.node, ast.ClassDef):
            signature = f"class {d.name}({', '.join(map(ast.unparse, d.node.bases))})"
        else:
            returns = f" -> {ast.unparse(d.node.returns)}" if d.node.returns else ""
            signature = f"def {d.name}({ast.unparse(d.node.args)}){returns}"
        docstring = textwrap.indent(ast.get_docstring(d.node) or "", "    ")
        texts.append(f"{d.path}:{d.node.lineno}\n{signature}\n{docstring}\n")
    return texts


def table(by_group: dict[str, dict[str, float | None]]) -> str:
    """Return the figures as text, one column per group."""
    width = max(len(title) for rows in by_group.values() for title in rows)
    lines = [" " * width + "".join(f"{group:>17}" for group in by_group)]
    for title in next(iter(by_group.values())):
        values = (rows[title] for rows in by_group.values())
        lines.append(f"{title:<{width}}" + "".join(f"{'-' if value is None else value:>17}" for value in values))
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the figures, a list of what they count, or a sample of docstrings."""
    parser = argparse.ArgumentParser(description="Print figures of a checkout's Python code.")
    choices = list(lists([], Glossary({}, {}, {})))
    parser.add_argument("root", nargs="?", type=Path, default=CHECKOUT, help="the checkout (default: this one)")
    parser.add_argument("--list", choices=choices, help="print what a figure counts, one a line")
    parser.add_argument("--group", choices=GROUPS, help="one group only (default: all; of a sample: production)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--glossary", type=Path, default=GLOSSARY, help="the list of words (default: this checkout's)")
    parser.add_argument("--sample-docstrings", type=int, metavar="N", help="print N public docstrings, at random")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample (default: 0)")
    args = parser.parse_args(argv)
    by_group = read(args.root)
    if not any(by_group.values()):
        parser.error(f"no Python files under {args.root}")
    glossary = Glossary.read(args.glossary)
    groups = [args.group] if args.group else list(GROUPS)
    if args.sample_docstrings is not None:
        print("\n".join(sample(by_group[args.group or "production"], args.sample_docstrings, args.seed)))
    elif args.list:
        sites = [site for group in groups for site in lists(by_group[group], glossary)[args.list]]
        print(json.dumps([asdict(s) for s in sites], indent=1) if args.json else "\n".join(map(str, sites)))
    else:
        rows = {group: figures(by_group[group], glossary) for group in groups}
        print(json.dumps(rows, indent=1) if args.json else table(rows))
        if not args.json:
            sites = [site for group in groups for site in lists(by_group[group], glossary)["files"]]
            print(f"\nFiles over {LONG_FILE} lines:", *sites, sep="\n")


if __name__ == "__main__":
    main()
