"""Each figure of tools/code_figures.py, on sources of a few lines."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tools import code_figures, code_modules, code_sql
from tools.code_modules import Module

PATH = "include/sentiment/store/rows.py"
LIST = code_figures.Glossary({"place": "position", "found": "rows"}, {"NotFoundError": "idiom"}, {"says": "reports"})


def module(source: str, path: str = PATH) -> Module:
    return Module(path, dedent(source))


def sql(*sources: str, path: str = PATH) -> list[str]:
    """Mechanisms of what builds SQL in the last source; those before are modules a, b, … beside it."""
    others = [module(s, f"include/sentiment/store/{name}.py") for name, s in zip("abc", sources[:-1], strict=False)]
    return [s.what for s in code_sql.sql_sites([*others, module(sources[-1], path)]) if s.path == path]


def names(source: str) -> list[str]:
    return sorted(site.what for site in code_figures.Names(module(source)).sites.values())


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("include/sentiment/store/roles.py", "production"),
        ("include/sentiment/store/migrations/versions/0001_begin.py", None),
        ("dags/nightly.py", "production"),
        ("plugins/a.py", "production"),
        ("include/sentiment/bench/night.py", "tools and bench"),
        ("bench/night.py", "tools and bench"),
        ("tests/kit/night.py", "tools and bench"),
        ("tools/a.py", "tools and bench"),
        ("tests/bench/test_night.py", "tests"),
        ("docs/conf.py", None),
    ],
)
def test_groups(path: str, group: str | None) -> None:
    assert code_modules.group_of(path) == group


def test_lines_of_a_function_start_at_def_and_count_the_docstring() -> None:
    [f] = code_figures.measured(module('@cache\ndef f() -> None:\n    """Do.\n\n    More.\n    """\n    g()\n'))
    assert (f.lines, f.site.line) == (6, 2)


@pytest.mark.parametrize(
    ("body", "complexity"),
    [
        ("return a and b or c", 1),
        ("return [x for x in a if x]", 1),
        ("if a: b()\nelif c: d()\nelse: e()", 3),
        ("for x in a:\n  if x: b()", 3),
        ("while a: b()", 2),
        ("try: a()\nexcept B: c()\nexcept D: e()\nelse: f()\nfinally: g()", 4),
        ("with a: b()", 1),
        ("def g():\n  if a: b()\nreturn g", 3),
        ("match a:\n  case 1: b()\n  case 2: c()\n  case _: d()", 3),
        ("match a:\n  case 1: b()\n  case 2: c()", 3),
        ("return lambda: a if b else c", 1),
    ],
)
def test_complexity(body: str, complexity: int) -> None:
    source = "def f():\n" + "".join(f"    {line}\n" for line in body.splitlines())
    assert code_figures.measured(module(source))[0].complexity == complexity


def test_complexity_is_that_of_ruff(tmp_path: Path) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        pytest.skip("ruff is not installed beside this Python")
    text = Path(code_sql.__file__).read_text("utf-8")
    shutil.copy(code_sql.__file__, tmp_path / "copy.py")
    options = ["--isolated", "--select", "C901", "--config", "lint.mccabe.max-complexity=0", "--output-format", "json"]
    done = subprocess.run(
        [ruff, "check", "--no-cache", *options, tmp_path], capture_output=True, text=True, check=False
    )
    by_ruff = {d["location"]["row"]: d["message"] for d in json.loads(done.stdout)}
    functions = code_figures.measured(Module("tools/copy.py", text))
    assert len(by_ruff) == len(functions) > 5
    for function in functions:
        assert f"({function.complexity} > 0)" in by_ruff[function.site.line], function


@pytest.mark.parametrize(
    ("source", "typed"),
    [
        ("def f(a: int, *b: int, c: int, **d: int) -> int: ...", True),
        ("def f(a: int): ...", False),
        ("def f(a) -> int: ...", False),
        ("def f(*a) -> int: ...", False),
        ("def f(*, a) -> int: ...", False),
        ("def f(**a) -> int: ...", False),
        ("class A:\n  def f(self, a: int) -> int: ...", True),
        ("class A:\n  def f(self, a) -> int: ...", False),
        ("class A:\n  @staticmethod\n  def f(a) -> int: ...", False),
        ("def f(self) -> int: ...", False),
    ],
)
def test_typed(source: str, typed: bool) -> None:
    assert [f.typed for f in code_figures.measured(module(source))] == [typed]


def test_public_docstrings() -> None:
    source = '''
        def bare(): ...
        def _private(): ...
        class Shown:
            """Shown."""
            def method(self):
                """Do."""
                def nested(): ...
            def __init__(self): ...
            def other(self): ...
        class _Hidden:
            def method(self): ...
    '''
    rows = {site.what: has for site, has in code_figures.documented(module(source))}
    assert rows == {"module rows": False, "bare": False, "Shown": True, "Shown.method": True, "Shown.other": False}
    assert code_figures.documented(module(source, "tests/test_a.py")) == []
    assert code_figures.documented(module(source, "tools/_a.py")) == []
    assert (
        code_figures.documented(module('"""A."""', "include/sentiment/store/__init__.py"))[0][0].what == "module store"
    )


def test_comments_and_lines_of_code() -> None:
    head = "#!/usr/bin/env python\n# coding: utf-8\n\n# Why.\n"
    read = module(head + 'a = """\n# text\n"""  # noqa: E501\nb = 1  # Why not.\n# fmt: off\n')
    assert [c.what for c in read.comments] == ["# Why.", "# Why not."]
    assert read.code_lines == 4
    assert code_figures.figures([read], LIST)["comments per 100 lines of code"] == 50.0


@pytest.mark.parametrize(
    ("source", "mechanisms"),
    [
        ('f"SELECT {a} FROM b"', ["f-string"]),
        ('"INSERT INTO %s VALUES (1)" % a', ["percent"]),
        ('"UPDATE {} SET a = 1".format(a)', ["format"]),
        ('"DELETE FROM a " + b', ["concatenation"]),
        ('"DROP TABLE a".replace("a", b)', ["concatenation"]),
        ('" UNION ALL ".join(a)', ["concatenation"]),
        ('", ".join(f"SELECT {x} FROM a" for x in b)', ["concatenation"]),
        ('a += " ORDER BY b"', ["concatenation"]),
        ('c.execute(sa.text(f"SET LOCAL a = {b}"))', ["f-string"]),
        ('f"BEGIN; SET LOCAL a = {b}"', ["f-string"]),
        ('sql.SQL("ALTER ROLE {} SET a").format(b)', ["format"]),
        ('f"CREATE UNLOGGED TABLE {a} (b int)"', ["f-string"]),
        ('f"{a} WHERE {b}"', ["f-string"]),
        ('f"WITH a AS (TABLE {b}) TABLE a"', ["f-string"]),
        ('f"SELECT {a} FROM b" + f"WHERE {c}"', ["concatenation"]),
        ('(f"SELECT {a} FROM b", "x %s" % c, f"ANALYZE {d}")', ["f-string", "f-string"]),
        ('A = "SELECT %s FROM b"\nA % c', ["percent"]),
        ('A = {"x": "SELECT {y} FROM b"}\nA["x"].format(y=1)', ["format"]),
        ('def f(b):\n  a = "SELECT 1 FROM c"\n  return f"{a}{b}"', ["f-string"]),
        ('def f():\n  a = "SELECT 1 FROM c"\ndef g(a, b):\n  return f"{a}{b}"', []),
        ('q = "SELECT 1"\nq = q + x', ["concatenation"]),
        ('"SELECT a FROM b"', []),
        ('f"SELECT 1 FROM b"', []),
        ('f"Select {a} from the list, or update it and set {b}"', []),
        ('raise ValueError(f"SELECT {a} FROM b failed")', []),
        ('logger.info(f"SELECT {a} FROM b")', []),
        ('option("--a", help=f"SELECT {a} FROM b")', []),
        ('parser.add_argument("--a", f"SELECT {a} FROM b")', []),
        ("a % 7 + b", []),
    ],
)
def test_sql(source: str, mechanisms: list[str]) -> None:
    assert sql(source) == mechanisms


@pytest.mark.parametrize(
    ("source", "mechanisms"),
    [
        ('from psycopg2 import sql\nsql.SQL("ALTER ROLE {} SET a").format(b)', []),
        ('from psycopg2.sql import SQL\nSQL("DELETE FROM {}").format(b)', []),
        ('from psycopg2.sql import SQL as S\nS(" UNION ALL ").join(b)', []),
        ('from psycopg2.sql import SQL\nt = SQL("DELETE FROM {}") if a else SQL("ANALYZE {}")\nt.format(b)', []),
        ('from psycopg2.sql import SQL\nt = SQL("DELETE FROM {}")\nt = "DELETE FROM {}"\nt.format(b)', ["format"]),
        ('from psycopg2.sql import SQL\nT = {"a": SQL("DELETE FROM {}")}\nT[a].format(b)', []),
        (
            'from psycopg2.sql import SQL\nT = {"a": SQL("DELETE FROM {}"), "b": "ANALYZE {}"}\nT[a].format(b)',
            ["format"],
        ),
        ('from psycopg2.sql import SQL\nSQL(f"DELETE FROM {a}").format(b)', ["f-string"]),
        ('from psycopg2.sql import SQL\nSQL("DELETE FROM {}").format(f"a WHERE {b}")', ["f-string"]),
        ('from psycopg2.sql import SQL\n"DELETE FROM {}".format(b)', ["format"]),
        ('from elsewhere import SQL\nSQL("DELETE FROM {}").format(b)', ["format"]),
    ],
)
def test_identifiers_put_in_by_psycopg2_build_no_sql(source: str, mechanisms: list[str]) -> None:
    assert sql(source) == mechanisms


def test_sql_of_other_modules() -> None:
    constant = 'QUERY = "SELECT {} FROM a"'
    assert sql(constant, "from sentiment.store import a\na.QUERY.format(1)") == ["format"]
    assert sql(constant, "from sentiment.store.a import QUERY as Q\nQ.format(1)") == ["format"]
    assert sql(constant, "from elsewhere.a import QUERY\nQUERY.format(1)") == []


def test_sql_of_spark_is_exempt() -> None:
    spark = next(iter(code_sql.SPARK_SQL))
    assert sql('f"CASE WHEN {a} THEN 1 END"') == ["f-string"]
    assert sql('f"CASE WHEN {a} THEN 1 END"', path=spark) == []


def test_names_are_counted_once_in_a_scope_where_they_are_defined() -> None:
    source = """
        import numpy as np, os
        try: ...
        except E as error: ...
        class A:
            field: int
            def f(self, first, *rest, key=1, **more):
                self.own = first.other = 2
                for a, b in rest: a = 1
                a += 1
                self.own = lambda x: x
                return call(keyword=1)
            def g(self): self.own = 1
    """
    expected = [
        "A",
        "a",
        "b",
        "error",
        "f",
        "field",
        "first",
        "g",
        "key",
        "more",
        "np",
        "own",
        "rest",
        "rows",
        "self",
        "self",
        "x",
    ]
    assert names(source) == expected
    assert names("def f():\n  a = 1\ndef g():\n  a = 1") == ["a", "a", "f", "g", "rows"]


def test_split_name() -> None:
    assert code_figures.split_name("HTTPServer_isFound2places") == ["http", "server", "is", "found", "2", "places"]


@pytest.mark.parametrize(
    ("name", "against"),
    [
        *[("place", True), ("PLACE", True), ("next_place", True), ("byPlace", True), ("FoundError", True)],
        *[("replace", False), ("placeholder", False), ("NotFoundError", False)],
    ],
)
def test_names_against_the_glossary(name: str, against: bool) -> None:
    assert LIST.against(code_modules.Site(PATH, 1, name)) == against


def test_phrases_of_docstrings_comments_and_helps() -> None:
    read = module('"""A.\n\nIt says b.\n"""\na = "says"  # Says c; who essays?\nb(help="says", c="says")\n')
    lists = code_figures.lists([read], LIST)
    assert [(s.line, s.what) for s in lists["prose"]] == [(3, "says"), (5, "Says")]
    assert [s.line for s in lists["helps"]] == [6]
    phrase = code_figures.Glossary({}, {}, {"fence token": "fencing token"})
    assert len(code_figures.lists([module("# a fence token\n")], phrase)["prose"]) == 1
    assert code_figures.lists([read], code_figures.Glossary({}, {}, {}))["prose"] == []


def test_percentile() -> None:
    values = list(range(11, 0, -1))
    assert [code_figures.percentile(values, part) for part in (0.5, 0.9, 1.0)] == [6, 10, 11]
    assert code_figures.percentile([], 0.5) == 0


def test_long_files() -> None:
    long, short, vocabulary = "a = 1\n" * 401, "a = 1\n" * 400, PATH.replace("rows", "sample_vocabulary")
    modules = [module(short), module(long, "include/long.py"), module(long, vocabulary)]
    assert list(map(str, code_figures.lists(modules, LIST)["files"])) == ["include/long.py:1 401 lines"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of three files, one of them a migration."""
    texts = {
        "include/sentiment/a.py": 'def shown(place: int = 1) -> int:\n    """Return it."""\n    return place\n',
        "include/sentiment/store/migrations/b.py": "def b(): ...\n",
        "tests/test_a.py": 'def test_a(c):\n    c(f"SELECT {c} FROM a")\n',
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def test_json(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code_figures.main([str(checkout), "--json"])
    rows = json.loads(capsys.readouterr().out)
    production, tests = rows["production"], rows["tests"]
    assert [production["files"], production["functions"], production["functions fully typed, %"]] == [1, 1, 100]
    assert [production["public definitions"], production["public with docstring, %"]] == [2, 50]
    assert [production["names defined"], production["names against the glossary"]] == [3, 1]
    assert [tests["functions fully typed, %"], tests["public with docstring, %"]] == [0, None]
    assert [tests["expressions that build Postgres SQL"], tests["  by f-string"]] == [1, 1]
    assert rows["tools and bench"]["files"] == 0


def test_list_and_sample(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code_figures.main([str(checkout), "--list", "sql"])
    assert capsys.readouterr().out == "tests/test_a.py:2 f-string\n"
    code_figures.main([str(checkout), "--list", "names", "--json"])
    assert json.loads(capsys.readouterr().out) == [{"path": "include/sentiment/a.py", "line": 1, "what": "place"}]
    code_figures.main([str(checkout), "--sample-docstrings", "3", "--seed", "1"])
    shown = "include/sentiment/a.py:1\ndef shown(place: int=1) -> int\n    Return it.\n"
    assert capsys.readouterr().out.strip() == shown.strip()


def test_it_runs_as_a_script(checkout: Path) -> None:
    command = [sys.executable, code_figures.__file__, str(checkout)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    assert "expressions that build Postgres SQL" in done.stdout
    empty = subprocess.run([*command[:2], str(checkout / "dags")], capture_output=True, text=True, check=False)
    assert (empty.returncode, "no Python files" in empty.stderr) == (2, True)


def test_the_glossary_reads() -> None:
    glossary = code_figures.Glossary.read(code_figures.GLOSSARY)
    assert glossary.instead["place"].startswith("position")
    assert glossary.prose["fence token"] == "fencing token"
    assert all(code_figures.split_name(word) == [word] for word in glossary.instead)
