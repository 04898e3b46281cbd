"""Data Docs need nothing of another host, in folders of earlier versions too."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sentiment.quality import expectations
from sentiment.quality.data_docs import page
from sentiment.quality.expectations import Limits
from sentiment.quality.rules import Rule

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RULES = (
    Rule("text_present", "text", "text IS NOT NULL", "the text is missing"),
    Rule("text_without_tags", "text", "true", "the text has tags", is_warning=True),
)
STYLE_ADDRESS = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]?([^'\";]+)")


class Addresses(HTMLParser):
    """Collects what a page has a browser fetch, and what it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.linked: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses of one tag."""
        self.scripts += tag == "script"
        values = {name: value or "" for name, value in attrs}
        linked = tag in ("a", "area")
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            if name in values:
                (self.linked if linked else self.fetched).append(values[name])
        self.fetched += self.of_styles(values.get("style", ""))

    def handle_data(self, data: str) -> None:
        """Note the addresses of a style sheet in the page."""
        if self.lasttag == "style":
            self.fetched += self.of_styles(data)

    @staticmethod
    def of_styles(text: str) -> list[str]:
        """Return the addresses in a style sheet."""
        return [one or other for one, other in STYLE_ADDRESS.findall(text)]


def pages(folder: Path) -> dict[Path, Addresses]:
    read = {}
    for path in page(folder).parent.rglob("*.html"):
        read[path] = Addresses()
        read[path].feed(path.read_text("utf-8"))
    return read


def judge(spark: SparkSession, folder: Path, run_id: str) -> expectations.Verdict:
    rows = [(n > 2, n > 6) for n in range(10)]
    verdicts = spark.createDataFrame(rows, "rule_text_present boolean, rule_text_without_tags boolean")
    return expectations.judge(verdicts, RULES, run_id, Limits(0.3, 0.3, 10, 10), folder)


def assert_offline(folder: Path) -> None:
    """Assert that every page fetches nothing, and links only to pages and sections that are there."""
    read = pages(folder)
    assert len(read) >= 3
    for path, addresses in read.items():
        assert addresses.fetched == []
        assert addresses.scripts == 0
        text = path.read_text("utf-8")
        assert not re.search(r"newsletter|cdn|cloudflare|amazonaws|https?://", text)
        for linked in addresses.linked:
            name, _, section = linked.partition("#")
            assert not name or (path.parent / name).resolve() in read, (path, linked)
            assert not section or f'id="{section}"' in text or f"id={section}" in text, (path, linked)


def test_a_warning_is_shown_and_no_fault_of_the_batch(spark: SparkSession, tmp_path: Path) -> None:
    verdict = judge(spark, tmp_path, "20261122-00000001")
    assert (verdict.success, verdict.failed) == (True, [])
    assert_offline(tmp_path)
    (of_run,) = (path for path in pages(tmp_path) if "20261122-00000001" in str(path))
    text = of_run.read_text("utf-8")
    assert all(shown in text for shown in ("text_without_tags", "70% unexpected", "30% unexpected"))
    index = verdict.page.read_text("utf-8")
    assert "20261122-00000001" in index
    assert str(of_run.relative_to(verdict.page.parent)) in index


def test_pages_of_earlier_versions_are_written_anew(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expectations, "_use_own_pages", lambda *_: None)
        judge(spark, tmp_path, "20261121-00000001")
    before = pages(tmp_path)
    assert any(addresses.scripts for addresses in before.values())
    assert any("://" in one for addresses in before.values() for one in addresses.fetched)
    judge(spark, tmp_path, "20261122-00000002")
    assert set(before) < set(pages(tmp_path))
    assert_offline(tmp_path)
    assert not (page(tmp_path).parent / "static").exists()
