"""Batch checks: each looks at a night's dump as one batch and stops the night before anything is scored.

`ingest` makes those that need the files alone (`check_arrival`), `validate` those that need every record judged
(`check_judged`). Whoever runs the night may allow a failed check by name, with a reason that is stored with the run.
A dump without a column for the text is refused earlier (`dump.receive`), and nothing allows it.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import PurePath
from typing import TYPE_CHECKING

from sentiment.database import transaction
from sentiment.errors import DumpRefusedError, ParameterError
from sentiment.quality.batch_check import BatchCheck
from sentiment.runs import opening
from sentiment.runs.handoff import DumpColumns, ReceivedDump
from sentiment.runs.model import Run
from sentiment.settings import Settings
from sentiment.sql import statement

if TYPE_CHECKING:
    from sentiment.quality.unread import Unread

RECENT_NIGHTS = 14
"""Published nights whose median is the usual number of rows."""
MIN_RECENT_NIGHTS = 3
# Smallest median that bounds are derived from: of a smaller one chance alone makes multiples.
MIN_USUAL_ROWS = 50


Findings = Mapping[BatchCheck, str]
"""Check -> what is wrong, as part of a sentence; empty where the batch passed."""


@dataclass(frozen=True)
class Schema:
    """A dump's columns, and `mapped`: column of the contract -> the dump's column that it is read from."""

    columns: tuple[str, ...]
    mapped: Mapping[str, str]


@dataclass(frozen=True)
class SchemaChange:
    """The columns of a dump compared with those of the night before."""

    before: Schema
    now: Schema

    @property
    def new(self) -> list[str]:
        """Return the dump's columns that the night before didn't have."""
        return [column for column in self.now.columns if column not in self.before.columns]

    @property
    def gone(self) -> list[str]:
        """Return the columns that only the night before had."""
        return [column for column in self.before.columns if column not in self.now.columns]

    @property
    def moved(self) -> list[str]:
        """Return the contract's columns that are read from another column than before."""
        before, now = self.before.mapped, self.now.mapped
        return [name for name in now if before.get(name, now[name]) != now[name]]

    @property
    def unmapped(self) -> list[str]:
        """Return the contract's columns that were read from the dump before and are read from no column now."""
        return [name for name in self.before.mapped if name not in self.now.mapped]

    def sentences(self) -> list[str]:
        """Return each change as part of a sentence, with the contract's column that it is about."""
        before, now = self.before.mapped, self.now.mapped
        uses = {column: name for name, column in chain(before.items(), now.items())}
        use = {column: f" ({uses[column]})" if column in uses else " (not used)" for column in self.new + self.gone}
        return [
            *(f"column {column} is new{use[column]}" for column in self.new),
            *(f"column {column} is gone{use[column]}" for column in self.gone),
            *(f"{name} is read from {now[name]}, before from {before[name]}" for name in self.moved),
        ]


@dataclass(frozen=True)
class Arrival:
    """A dump before any of its records is judged."""

    names: tuple[str, ...]
    """Address of the dump as requested, and of its files."""
    n_records: int
    schema: Schema
    manifest_date: date | None = None
    """The night in the dump's `manifest.json`; None where there is none."""
    is_full: bool = False
    """Whether the dump lists every review there is, so that a later one is hardly ever smaller."""
    fixed: Mapping[str, str] | None = None
    """`Schema.mapped` when the source's identity rule was fixed; None where it is not yet."""

    def dates(self) -> dict[str, date]:
        """Return the dates in the dump's names and in its manifest, by where they stand."""
        dates = {PurePath(name).name: date_in(PurePath(name).name) for name in self.names} | {
            "its manifest": self.manifest_date
        }
        return {where: day for where, day in dates.items() if day}


def check_allowed(allow: Collection[str], reason: str | None) -> None:
    """Raise ParameterError for an unknown check, and where a check is allowed without a reason."""
    unknown = sorted(set(allow) - set(BatchCheck))
    if unknown:
        raise ParameterError(
            f"allow is {', '.join(unknown)}; expected some of {', '.join(BatchCheck)}.",
            f"make nightly DUMP=… DATE=… ALLOW={BatchCheck.row_count} REASON='why'",
        )
    if allow and not (reason or "").strip():
        raise ParameterError(
            "allow needs a reason, in words.",
            f"make nightly DUMP=… DATE=… ALLOW={','.join(sorted(allow))} REASON='why'",
        )


def check_arrival(run: Run, arrival: Arrival, config: Settings, received: ReceivedDump) -> Findings:
    """Check what needs the files alone: date, repetition, columns and number of records.

    Returns the findings. `received` is given what is stored with them: the columns, which the next night's are
    compared with, their changes, and the bounds of the number of records.
    """
    before = _previous_schema(run)
    change = SchemaChange(before or arrival.schema, arrival.schema)
    low, high = bounds(_recent_rows("quality/recent_rows_read", run), config, arrival.is_full)
    received.dump_columns = DumpColumns(columns=list(arrival.schema.columns), mapped=dict(arrival.schema.mapped))
    received.schema_changes, received.record_bounds = change.sentences(), (low, high)
    return {
        BatchCheck.dump_date: dated_otherwise(arrival.dates(), run.night),
        BatchCheck.same_dump: _published_before(run),
        BatchCheck.schema_change: "; ".join(
            filter(None, (unmapped_columns(change), moved_identity(arrival.fixed or {}, arrival.schema.mapped)))
        ),
        BatchCheck.row_count: row_count("records", arrival.n_records, low, high),
    }


def check_judged(
    run: Run,
    counts: Mapping[str, int],
    reasons: Mapping[str, int],
    examples: Callable[[], Sequence[str]],
    unread: Sequence[Unread],
    config: Settings,
) -> Findings:
    """Check how many reviews were accepted, which share was refused, and what of optional columns can't be read.

    `counts` has the records `accepted`, `quarantined` and `duplicate`; `reasons` has rule -> records that failed it,
    `examples` returns some of these. None counts what is no fault of the batch: records that a person asked to have
    removed, and those without text.
    """
    low, high = bounds(_recent_rows("quality/recent_rows_accepted", run), config)
    return {
        BatchCheck.quarantine_share: quarantine_share(counts, reasons, config.max_quarantine_share, examples),
        BatchCheck.row_count: row_count("accepted reviews", counts["accepted"], low, high),
        BatchCheck.unread_share: "; ".join(column.sentence(config.max_unread_share) for column in unread),
    }


def stop_unless_allowed(run: Run, findings: Findings, allow: Collection[str], encoding: str | None = None) -> list[str]:
    """Return the findings that are allowed, as `check: what is wrong`.

    Raises DumpRefusedError with all findings that are not allowed, so that one rerun can allow them together. What may
    be the cause comes first: `encoding` is the one in which the records seem to be that can't be read.
    """
    failed = {check: message for check, message in findings.items() if message}
    stopping = [check for check in failed if check not in allow]
    if stopping:
        again = opening.rerun_command(run, allow=[*allow, *stopping])
        if BatchCheck.unread_share in stopping:
            again = f"mend how the source profile reads that column; only where its values may be missing: {again}"
        if encoding:
            again = opening.rerun_command(run, allow, encoding=encoding)
        elif BatchCheck.quarantine_share in stopping:
            command = f"sentiment quarantine list --run {run.run_id}"
            again = f"{command}; only where what it lists may be missing: {again}"
        raise DumpRefusedError("; ".join(f"{check}: {failed[check]}" for check in stopping) + ".", again)
    return [f"{check}: {message}" for check, message in failed.items()]


# The checks themselves: what is wrong as part of a sentence, empty where the batch passes.

_DATES = (
    r"(?<!\d)(?P<year>\d{4})(?P<sep>[-_.]?)(?P<month>\d{2})(?P=sep)(?P<day>\d{2})(?!\d)",
    r"(?<!\d)(?P<day>\d{2})(?P<sep>[-_.])(?P<month>\d{2})(?P=sep)(?P<year>\d{4})(?!\d)",
)
# Digits in names are often no date: 18001231 is a number, 2026-0520 has one separator only.
_YEARS = range(1990, 2100)


def date_in(name: str) -> date | None:
    """Return the date in a file's name, like 2026-11-22, 20261122 or 22-11-2026; None for no date or several."""
    days = {day for pattern in _DATES for match in re.finditer(pattern, name) if (day := _date(match))}
    return days.pop() if len(days) == 1 else None


def _date(match: re.Match[str]) -> date | None:
    year, month, day = (int(match[part]) for part in ("year", "month", "day"))
    try:
        return date(year, month, day) if year in _YEARS else None
    except ValueError:
        return None


def dated_otherwise(dates: Mapping[str, date], night: date) -> str:
    """Check that every date in the dump's names and manifest is the night's; a dump without dates passes."""
    other = [f"{where} is dated {day}" for where, day in dates.items() if day != night]
    more = f", and {len(other) - 1} more differ too" if len(other) > 1 else ""
    return f"{other[0]}, the night is {night}{more}" if other else ""


def unmapped_columns(change: SchemaChange) -> str:
    """Check that every column of the contract that was read the night before is read from some column now."""
    columns = [f"{change.before.mapped[name]} ({name})" for name in change.unmapped]
    return f"columns the night before had are gone: {', '.join(columns)}" if columns else ""


def moved_identity(fixed: Mapping[str, str], mapped: Mapping[str, str]) -> str:
    """Check that item and id are read from the columns from which they were read at the source's first night."""
    moved = [
        f"{name} is read from {mapped[name]}, at the source's first night from {fixed[name]}"
        for name in ("own_id", "item_id")
        if name in fixed and name in mapped and mapped[name].lower() != fixed[name].lower()
    ]
    return ", ".join(moved)


def bounds(recent: Sequence[int], config: Settings, is_full: bool = False) -> tuple[int | None, int | None]:
    """Return the least and most rows that a night should have, by the median of recent nights' rows.

    (None, None) where there are fewer than three nights, or their median is below 50.
    """
    usual = statistics.median(recent) if len(recent) >= MIN_RECENT_NIGHTS else 0
    if usual < MIN_USUAL_ROWS:
        return None, None
    least = config.min_full_share if is_full else config.min_night_share
    return round(least * usual), round(config.max_night_share * usual)


def row_count(what: str, n: int, low: int | None, high: int | None) -> str:
    """Check that `n` rows are within bounds, both included; any number passes where a bound is None.

    Returns what is wrong, empty where nothing is; `what` names the rows in it.
    """
    if low is None or high is None or low <= n <= high:
        return ""
    return f"{n:,} {what}, where by the median of recent nights {low:,} to {high:,} are expected"


def quarantine_share(
    counts: Mapping[str, int], reasons: Mapping[str, int], most: float, examples: Callable[[], Sequence[str]] = list
) -> str:
    """Check that the share of quarantined among all records is at most `most`, from 0 to 1."""
    read = sum(counts.values())
    share = counts["quarantined"] / max(read, 1)
    if share <= most:
        return ""
    # Looked for only now, as of most nights they are not needed.
    shown = f"; for example {'; '.join(refused)}" if (refused := examples()) else ""
    failed = f"{counts['quarantined']:,} of {read:,} records ({share:.0%}) failed a rule, more than {most:.0%}"
    return f"{failed}: {by_rule(reasons)}{shown}"


def by_rule(counts: Mapping[str, int]) -> str:
    """Return counts by rule for people, like `date_readable 12, rating_in_range 3`."""
    return ", ".join(f"{rule} {n:,}" for rule, n in sorted(counts.items()))


# What the checks read from the ledger.


def _recent_rows(query: str, run: Run) -> list[int]:
    params = {"source": run.source, "night": run.night, "n": RECENT_NIGHTS}
    with transaction() as c:
        return list(c.execute(statement(query), params).scalars())


def _published_before(run: Run) -> str:
    params = {"source": run.source, "dump_id": run.dump_id, "night": run.night}
    with transaction() as c:
        row = c.execute(statement("quality/published_before"), params).first()
    return f"night {row.night} was published from the very same dump (run {row.run_id})" if row else ""


def _previous_schema(run: Run) -> Schema | None:
    with transaction() as c:
        params = {"source": run.source, "night": run.night}
        schema = c.execute(statement("quality/previous_schema"), params).scalar()
    # Nights of before the check was introduced have no schema in their detail.
    return Schema(tuple(schema["columns"]), schema["mapped"]) if schema else None


def notices(run_id: str) -> list[str]:
    """Return what a run's batch checks noticed without stopping it: changed columns, and what was allowed.

    At most two sentences, without their full stop.
    """
    with transaction() as c:
        details = c.execute(statement("quality/step_details"), {"run_id": run_id}).scalars().all()
    changes = [change for detail in details for change in detail.get("told", [])]
    allowed = [finding for detail in details for finding in detail.get("allowed", [])]
    sentences = {"Since the night before": changes, "Allowed": allowed}
    return [f"{begin}: {'; '.join(parts)}" for begin, parts in sentences.items() if parts]
