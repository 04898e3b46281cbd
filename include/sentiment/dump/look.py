"""What the pipeline would make of a dump, told without taking it in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sentiment.dump import profiles
from sentiment.dump.encoding import Suggestion
from sentiment.dump.locate import locate
from sentiment.dump.profiles import Profile
from sentiment.dump.receive import SNIFFED_RECORDS, opened, readable_as, sniff_format
from sentiment.dump.stream import DumpStream
from sentiment.runs.model import Layout, Reading
from sentiment.settings import Settings


@dataclass(frozen=True)
class Look:
    """One file by its first records: how it is written, which profile fits, and what can't be read."""

    path: Path
    layout: Layout
    compression: str
    profile: Profile
    n_looked_at: int
    problems: list[tuple[int, str, str]]
    """(record number, problem, detail)"""
    suggested_encoding: str | None


def look(uri: str, config: Settings, reading: Reading) -> list[Look]:
    """A look at each file of the dump; raises what `receive` would for its beginning."""
    candidates, encoding = readable_as(reading, config)
    found = []
    for path in locate(uri):
        stream = DumpStream(path, config.max_decompression_ratio, config.max_record_bytes, encoding)
        layout, records = opened(stream, sniff_format(stream))
        first, suggestion = list(islice(records, SNIFFED_RECORDS)), Suggestion()
        bad = [r for r in first if r.problem]
        for record in bad:
            if record.problem == "not_utf8":
                suggestion.look(record.raw)
        profile = profiles.best_fitting(layout.columns, candidates, reading.source, str(path))
        problems = [(r.record_no, r.problem or "", r.problem_detail or "") for r in bad]
        found.append(Look(path, layout, stream.compression, profile, len(first), problems, suggestion.best))
    return found
