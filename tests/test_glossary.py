"""Names, docstrings, comments, help texts and the pages of docs use the words of tests/glossary.toml."""

from __future__ import annotations

import re

import pytest
from sentiment.settings import PROJECT_ROOT, Settings

from tools import code_figures, code_modules
from tools.code_modules import Module, Site

GLOSSARY = code_figures.Glossary.read(code_figures.GLOSSARY)
# The data dictionary is made from the database's comments, which migrations set once and for all.
GENERATED = {PROJECT_ROOT / "docs" / "data-dictionary.md"}
PAGES = [PROJECT_ROOT / "README.md", *sorted({*(PROJECT_ROOT / "docs").glob("**/*.md")} - GENERATED)]
CODE = re.compile(r"^ *(```|~~~).*?^ *\1|`[^`\n]*`", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    """Read include, dags, plugins, bench, tools and tests, migrations left out."""
    return [module for group in code_modules.read(PROJECT_ROOT).values() for module in group]


def test_no_name_has_a_word_that_the_glossary_replaces(modules: list[Module]) -> None:
    assert {module.path.split("/")[0] for module in modules} >= {"include", "dags", "bench", "tools", "tests"}
    assert list(map(str, code_figures.replaced_names(modules, GLOSSARY))) == []


def test_no_docstring_comment_or_help_text_has_a_phrase_that_the_glossary_replaces(modules: list[Module]) -> None:
    texts = [text for m in modules for text in code_figures.docstrings(m) + m.comments + code_figures.helps(m)]
    assert phrases(texts) == []


def test_no_page_has_a_phrase_that_the_glossary_replaces() -> None:
    assert phrases([Site(str(page.relative_to(PROJECT_ROOT)), 1, page.read_text("utf-8")) for page in PAGES]) == []


def phrases(texts: list[Site]) -> list[str]:
    """List the phrases at their lines; code in backticks is left out: names of folders, settings and columns stay."""
    prose = [Site(t.path, t.line, CODE.sub(lambda code: "\n" * code[0].count("\n"), t.what)) for t in texts]
    return list(map(str, GLOSSARY.phrases(prose)))


def test_settings_that_are_exceptions_are_settings() -> None:
    assert {"lake", "keep_lake_days"} <= GLOSSARY.exceptions.keys() & Settings.model_fields.keys()
