"""Rules for the batch as a whole: each stops the night before anything is scored, unless it is allowed by name.

Those that can be told from the files alone are told by `find_dump` (`on_arrival`), the others by `validate`
(`once_judged`). Who runs the night may allow what a rule would stop, with a reason, which is kept with the run.
A dump without a column for the text is refused earlier, and nobody can allow that.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import chain
from pathlib import PurePath
from typing import Any

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.errors import DumpRefusedError, ParameterError
from sentiment.runs import opening
from sentiment.runs.model import Run
from sentiment.settings import Settings

RECENT_NIGHTS = 14
MIN_RECENT_NIGHTS = 3
MIN_USUAL_ROWS = 50
"""Where nights are smaller than this, a few reviews more or less say nothing."""


class BatchRule(StrEnum):
    """A rule that can be allowed."""

    dump_date = "dump_date"
    same_dump = "same_dump"
    schema_change = "schema_change"
    row_count = "row_count"
    quarantine_share = "quarantine_share"


Broken = Mapping[BatchRule, str]
"""Rule that would stop the night -> what is wrong, in words."""


@dataclass(frozen=True)
class Schema:
    """What columns a dump has, and which of them each column of the contract is read from."""

    columns: tuple[str, ...]
    mapped: Mapping[str, str]


@dataclass(frozen=True)
class Arrival:
    """A dump as it came, before any of its records has been looked at."""

    names: tuple[str, ...]
    n_records: int
    schema: Schema
    manifest_date: date | None = None
    is_full: bool = False
    """Whether it lists every review there is, so that it hardly ever shrinks."""

    def dates(self) -> dict[str, date]:
        """What its names and its manifest date it, by where they do."""
        found = {PurePath(name).name: date_in(PurePath(name).name) for name in self.names} | {
            "its manifest": self.manifest_date
        }
        return {where: day for where, day in found.items() if day}


def check_allowed(allow: Collection[str], reason: str | None) -> None:
    """Raise ParameterError for a rule there is not, and where no reason is given for allowing one."""
    unknown = sorted(set(allow) - set(BatchRule))
    if unknown:
        raise ParameterError(
            f"allow is {', '.join(unknown)}; expected some of {', '.join(BatchRule)}.",
            f"make nightly DUMP=… DATE=… ALLOW={BatchRule.row_count} REASON='why'",
        )
    if allow and not (reason or "").strip():
        raise ParameterError(
            "allow needs a reason, in words.",
            f"make nightly DUMP=… DATE=… ALLOW={','.join(sorted(allow))} REASON='why'",
        )


def on_arrival(run: Run, arrival: Arrival, config: Settings) -> tuple[Broken, dict[str, Any]]:
    """Judge what the files alone tell: what is broken, and what the step's detail keeps for later nights."""
    before = _schema_of_the_night_before(run)
    told, gone = schema_change(before, arrival.schema) if before else ([], [])
    low, high = bounds(_recent(run, "rows_read"), config, arrival.is_full)
    broken = {
        BatchRule.dump_date: dated_otherwise(arrival.dates(), run.night),
        BatchRule.same_dump: _published_before(run),
        BatchRule.schema_change: f"columns the night before had are gone: {', '.join(gone)}" if gone else "",
        BatchRule.row_count: row_count("records", arrival.n_records, low, high),
    }
    schema = {"columns": list(arrival.schema.columns), "mapped": dict(arrival.schema.mapped)}
    return broken, {"schema": schema, "told": told, "bounds": [low, high]}


def once_judged(run: Run, counts: Mapping[str, int], reasons: Mapping[str, int], config: Settings) -> Broken:
    """Judge how many reviews are left, and how many were refused, before they are scored.

    `counts` are `accepted`, `quarantined` and `duplicate`; `reasons` those of refused rows that are a fault of the
    dump.
    """
    low, high = bounds(_recent(run, "rows_accepted"), config)
    return {
        BatchRule.quarantine_share: quarantine_share(counts, reasons, config.max_quarantine_share),
        BatchRule.row_count: row_count("accepted reviews", counts["accepted"], low, high),
    }


def stop_unless_allowed(run: Run, broken: Broken, allow: Collection[str]) -> list[str]:
    """What was broken but allowed, in words; DumpRefusedError, naming all that was not allowed."""
    found = {rule: words for rule, words in broken.items() if words}
    stopping = [rule for rule in found if rule not in allow]
    if stopping:
        raise DumpRefusedError(
            "; ".join(f"{rule}: {found[rule]}" for rule in stopping) + ".",
            opening.rerun_command(run, allow=[*allow, *stopping]),
        )
    return [f"{rule}: {words}" for rule, words in found.items()]


# The rules themselves, each in words where it is broken, else empty.

_DATES = (
    r"(?<!\d)(?P<year>\d{4})(?P<sep>[-_.]?)(?P<month>\d{2})(?P=sep)(?P<day>\d{2})(?!\d)",
    r"(?<!\d)(?P<day>\d{2})(?P<sep>[-_.])(?P<month>\d{2})(?P=sep)(?P<year>\d{4})(?!\d)",
)
_YEARS = range(1990, 2100)


def date_in(name: str) -> date | None:
    """The one date that a file's name holds, like 2026-11-22, 20261122 or 22-11-2026; None for none or several."""
    found = {day for pattern in _DATES for match in re.finditer(pattern, name) if (day := _date(match))}
    return found.pop() if len(found) == 1 else None


def _date(match: re.Match[str]) -> date | None:
    year, month, day = (int(match[part]) for part in ("year", "month", "day"))
    try:
        return date(year, month, day) if year in _YEARS else None
    except ValueError:
        return None


def dated_otherwise(dates: Mapping[str, date], night: date) -> str:
    """A dump that its name or its manifest dates, but not for the night."""
    other = [f"{where} says {day}" for where, day in dates.items() if day != night]
    more = f", and {len(other) - 1} more say otherwise too" if len(other) > 1 else ""
    return f"{other[0]}, the night is {night}{more}" if other else ""


def schema_change(before: Schema, now: Schema) -> tuple[list[str], list[str]]:
    """What changed, column by column in words, and the columns whose going stops the night.

    A column of the contract that is read from another column than before is told; one that is read from none is
    what stops it.
    """
    gone = [ours for ours in before.mapped if ours not in now.mapped]
    moved = {ours: theirs for ours, theirs in now.mapped.items() if before.mapped.get(ours, theirs) != theirs}
    used = {theirs: ours for ours, theirs in chain(before.mapped.items(), now.mapped.items())}
    told = [
        *(f"column {name} is new{_use(name, used)}" for name in now.columns if name not in before.columns),
        *(f"column {name} is gone{_use(name, used)}" for name in before.columns if name not in now.columns),
        *(f"{ours} is read from {theirs}, before from {before.mapped[ours]}" for ours, theirs in moved.items()),
    ]
    return told, [f"{before.mapped[ours]} ({ours})" for ours in gone]


def _use(name: str, used: Mapping[str, str]) -> str:
    return f" ({used[name]})" if name in used else " (not used)"


def bounds(recent: Sequence[int], config: Settings, is_full: bool = False) -> tuple[int | None, int | None]:
    """Least and most rows of a night by the median of recent ones; none where those, or their rows, are too few."""
    usual = statistics.median(recent) if len(recent) >= MIN_RECENT_NIGHTS else 0
    if usual < MIN_USUAL_ROWS:
        return None, None
    least = config.min_full_share if is_full else config.min_night_share
    return round(least * usual), round(config.max_night_share * usual)


def row_count(what: str, n: int, low: int | None, high: int | None) -> str:
    """Far fewer or far more rows than recent nights had."""
    if low is None or high is None or low <= n <= high:
        return ""
    return f"{n:,} {what}, where by the median of recent nights {low:,} to {high:,} are expected"


def quarantine_share(counts: Mapping[str, int], reasons: Mapping[str, int], most: float) -> str:
    """Too many refused records."""
    read = sum(counts.values())
    share = counts["quarantined"] / max(read, 1)
    if share <= most:
        return ""
    told = ", ".join(f"{name} {n:,}" for name, n in sorted(reasons.items()))
    return f"{counts['quarantined']:,} of {read:,} records ({share:.0%}) failed a rule, more than {most:.0%}: {told}"


# What they ask the ledger.


def _recent(run: Run, column: str) -> list[int]:
    query = (
        f"SELECT max({column}) FROM sentiment.run WHERE source = :source AND status = 'published' AND night <> :night "
        f"AND {column} > 0 GROUP BY night ORDER BY night DESC LIMIT :n"
    )
    with transaction() as c:
        values = {"source": run.source, "night": run.night, "n": RECENT_NIGHTS}
        return list(c.execute(sa.text(query), values).scalars())


def _published_before(run: Run) -> str:
    query = (
        "SELECT night, run_id FROM sentiment.run WHERE source = :source AND dump_id = :dump_id "
        "AND status = 'published' AND night <> :night ORDER BY night DESC LIMIT 1"
    )
    with transaction() as c:
        values = {"source": run.source, "dump_id": run.dump_id, "night": run.night}
        row = c.execute(sa.text(query), values).first()
    return f"night {row.night} was published from the very same dump (run {row.run_id})" if row else ""


def _schema_of_the_night_before(run: Run) -> Schema | None:
    query = (
        "SELECT detail -> 'schema' FROM sentiment.run JOIN sentiment.run_step USING (run_id) WHERE source = :source "
        "AND status = 'published' AND night < :night AND step = 'find_dump' AND state = 'done' "
        "ORDER BY night DESC, token DESC LIMIT 1"
    )
    with transaction() as c:
        found = c.execute(sa.text(query), {"source": run.source, "night": run.night}).scalar()
    return Schema(tuple(found["columns"]), found["mapped"]) if found else None


def told(run_id: str) -> list[str]:
    """What a run's batch rules noticed but let pass, in sentences."""
    query = (
        "SELECT DISTINCT ON (step) detail FROM sentiment.run_step WHERE run_id = :run_id AND state = 'done' "
        "AND step IN ('find_dump', 'validate') ORDER BY step, token DESC"
    )
    with transaction() as c:
        details = c.execute(sa.text(query), {"run_id": run_id}).scalars().all()
    changes = [words for detail in details for words in detail.get("told", [])]
    allowed = [words for detail in details for words in detail.get("allowed", [])]
    sentences = {"Since the night before": changes, "Allowed": allowed}
    return [f"{begin}: {'; '.join(words)}" for begin, words in sentences.items() if words]
