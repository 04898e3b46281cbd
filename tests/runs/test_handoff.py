"""Rows that earlier versions stored are read, and what is stored now has their keys."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from sentiment.errors import InfrastructureError
from sentiment.runs import handoff
from sentiment.runs.handoff import (
    CanaryPrediction,
    ComparedCanary,
    DumpColumns,
    Handoff,
    JudgedNight,
    ReceivedDump,
    Report,
    RescoredNight,
    ScoredNight,
    TrackedDrift,
)
from sentiment.runs.model import Layout, Reading
from sentiment.workspace import Part

# As commit ed0ba86 stored them.
RECEIVED = """
{"allow": ["row_count"], "allowed": ["row_count: 9 records, where 20 to 500 are expected"],
 "asked": {"encoding": null, "profile": "usual", "source": "allocine"}, "bounds": [20, 500],
 "layouts": [{"columns": ["id", "review"], "delimiter": ",", "encoding": "utf-8", "format": "jsonl",
              "suggested_encoding": null}],
 "manifest_night": "2026-11-20", "profile": {"name": "usual", "about": "made up", "columns": {"text": ["review"]}},
 "received": "dump=00ff/as=utf-8.2", "schema": {"columns": ["id", "review"], "mapped": {"text": "review"}},
 "sentences": true, "told": ["column id is new (own_id)"]}"""
JUDGED = """
{"allowed": [], "data_docs": "/home/data_docs/index.html", "gx_failed": ["readable"], "gx_success": false,
 "languages": {"fr": 275, "undetermined": 24}, "reasons": {"text_present": 2}, "rules": ["readable", "text_present"]}"""
SCORED = """
{"baseline": "20261119-0a1b2c3d", "canary": [{"label": "pos", "score": 0.5207998, "sentence_no": 1}],
 "left_s": 0, "rows_per_s": 13.2,
 "scored": {"checksum": "123456789012345678901", "files": ["scored/a.parquet"], "rows": 294}}"""
RESCORED = """
{"baseline": null, "canary": "canary unchanged (60 sentences)", "left_s": 0, "rows_per_s": 13.2,
 "scored": {"checksum": "1", "files": [], "rows": 2}, "versions_not_kept": 1}"""
ROWS: list[tuple[type[Handoff], str]] = [
    (ReceivedDump, RECEIVED),
    (JudgedNight, JUDGED),
    (ScoredNight, SCORED),
    (RescoredNight, RESCORED),
    (ComparedCanary, '{"canary": "canary unchanged (60 sentences)"}'),
    (TrackedDrift, '{"statuses": {"insufficient_data": 35}}'),
    (Report, '{"words": "Night 2026-11-20 of allocine"}'),
]
PACE = {"left_s", "rows_per_s"}
"""Keys that belong to an attempt's progress, not to what it hands on."""
LATER: dict[str, object] = {"escape": "", "sheet": "", "other_sheets": [], "inferred": {}, "file_title": None}
"""Keys of a layout that later versions add, as they are of files of then."""


@pytest.mark.parametrize(("model", "row"), ROWS, ids=lambda value: getattr(value, "__name__", ""))
def test_rows_of_earlier_versions_are_read_and_keep_their_keys(model: type[Handoff], row: str) -> None:
    stored = json.loads(row)
    loaded = handoff.load(model, stored, "a test")
    if "layouts" in stored:
        stored["layouts"] = [layout | LATER for layout in stored["layouts"]]
    assert loaded.stored() == {key: value for key, value in stored.items() if key not in PACE}


def test_stored_values_are_typed() -> None:
    dump = handoff.load(ReceivedDump, json.loads(RECEIVED), "a test")
    assert dump.layouts == [Layout("jsonl", ["id", "review"])]
    assert dump.reading == Reading("allocine", "usual")
    assert (dump.records_key, dump.manifest_night) == ("dump=00ff/as=utf-8.2", date(2026, 11, 20))
    assert dump.record_bounds == (20, 500)
    assert dump.dump_columns == DumpColumns(columns=["id", "review"], mapped={"text": "review"})
    night = handoff.load(ScoredNight, json.loads(SCORED), "a test")
    assert night.part() == Part(["scored/a.parquet"], 294, "123456789012345678901")
    assert night.canary == [CanaryPrediction(sentence_no=1, label="pos", score=0.5207998)]
    assert night.novelty_base_run == "20261119-0a1b2c3d"


def test_rows_that_lack_what_came_later_are_read() -> None:
    dump = handoff.load(ReceivedDump, {"layouts": [], "profile": {}}, "a test")
    assert (dump.allow, dump.sentences, dump.reading) == ([], False, Reading())
    with pytest.raises(InfrastructureError):
        _ = dump.records_key
    with pytest.raises(InfrastructureError):
        handoff.load(ScoredNight, {"baseline": None}, "a test").part()


def test_a_row_that_does_not_fit_is_named() -> None:
    stored: dict[str, Any] = {"layouts": [{"format": "jsonl"}]}
    with pytest.raises(InfrastructureError, match=r"attempt 7 .*ReceivedDump.*layouts\.0\.columns"):
        handoff.load(ReceivedDump, stored, "attempt 7 of find_dump")


def test_what_is_set_by_then_is_stored() -> None:
    night = ScoredNight(novelty_base_run=None)
    assert night.stored() == {"baseline": None}
    night.canary = [CanaryPrediction(sentence_no=1, label="pos", score=0.5)]
    assert night.stored() == {"baseline": None, "canary": [{"sentence_no": 1, "label": "pos", "score": 0.5}]}
