"""Preview how a dump would be read, by the first records of its files; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sentiment.dump import profiles
from sentiment.dump.encoding import Suggestion
from sentiment.dump.layout import SNIFFED_RECORDS, open_records, sniff_format
from sentiment.dump.locate import locate
from sentiment.dump.profiles import Profile
from sentiment.dump.receive import profiles_and_encoding
from sentiment.dump.stream import DumpStream
from sentiment.runs.model import Layout, Reading
from sentiment.settings import Settings


@dataclass(frozen=True)
class Look:
    """One file by its first 100 records."""

    path: Path
    layout: Layout
    compression: str
    profile: Profile
    """The source profile that fits best."""
    n_looked_at: int
    problems: list[tuple[int, str, str]]
    """(record number, problem, detail) of records that can't be read."""
    suggested_encoding: str | None
    """Detected from records that are not UTF-8; None where all are, or no encoding was detected."""


def look(uri: str, config: Settings, reading: Reading) -> list[Look]:
    """Preview every file of the dump; raise what `receive` would raise for its beginning."""
    candidates, encoding = profiles_and_encoding(reading, config)
    looks = []
    for path in locate(uri):
        stream = DumpStream(path, config.max_decompression_ratio, config.max_record_bytes, encoding)
        layout, records = open_records(stream, sniff_format(stream))
        # Of JSON and CSV no more is read than these records; a Parquet file is read from its end.
        first, suggestion = list(islice(records, SNIFFED_RECORDS)), Suggestion()
        bad = [r for r in first if r.problem]
        for record in bad:
            if record.problem == "not_utf8":
                suggestion.add(record.raw)
        profile = profiles.best_fitting(layout.columns, candidates, reading.source, str(path))
        problems = [(r.record_no, r.problem or "", r.problem_detail or "") for r in bad]
        looks.append(Look(path, layout, stream.compression, profile, len(first), problems, suggestion.best))
    return looks
