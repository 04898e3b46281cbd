"""Alarms as people meet them: opened once, followed, acknowledged with a reason, closed; each with its sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.drift import attribution, history, sentences
from sentiment.drift.reference import Reference
from sentiment.drift.sentences import FACTS, Cause, Change, Facts
from sentiment.drift.watched import MAIN_SERIES, REST, Key
from sentiment.errors import ParameterError, quoted
from sentiment.sql import statement


@dataclass(frozen=True)
class Alarm:
    """One alarm of one series."""

    key: Key
    side: int
    """-1 fallen, 1 risen."""
    channel: str
    """`shewhart` or `cusum`: what opened it."""
    began: date
    """The night on which the change most likely began."""
    opened: date
    closed: date | None = None
    """None while it is open."""

    def alarm_id(self, reference: Reference) -> str:
        """Return 16 hex characters that depend on stream, reference, series and opening night alone.

        So a replay that raises the alarm again updates its row.
        """
        identity = (*reference.stream.keys.values(), reference.reference_id, *self.key, self.opened.isoformat())
        return hashlib.sha256("\x1f".join(identity).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Acknowledgement:
    """A person's acknowledgement of a series' alarm, from a night on."""

    key: Key
    night: date

    def holds(self, opened: date, night: date) -> bool:
        """Return whether it holds on `night` for the alarm that opened on `opened`."""
        return opened <= self.night <= night


def acknowledgements(c: sa.Connection, reference: Reference) -> dict[Key, list[Acknowledgement]]:
    """Return the acknowledgements of the reference's stream, by series."""
    by_series: dict[Key, list[Acknowledgement]] = {}
    for row in c.execute(statement("drift/alarms/acknowledgements"), reference.stream.keys):
        key = history.key_of(row)
        by_series.setdefault(key, []).append(Acknowledgement(key, row.night))
    return by_series


def open_before(c: sa.Connection, reference: Reference, night: date) -> dict[Key, Alarm]:
    """Return the alarms that were open after the night before `night`, by series."""
    rows = c.execute(statement("drift/alarms/open_before"), {**_keys(reference), "night": night})
    return {history.key_of(row): _of_row(row) for row in rows}


def _keys(reference: Reference) -> dict[str, Any]:
    return {**reference.stream.keys, "reference_id": reference.reference_id}


def _of_row(row: sa.Row[Any]) -> Alarm:
    return Alarm(history.key_of(row), row.side, row.channel, row.began, row.opened)


def withdraw(c: sa.Connection, reference: Reference, first: date, last: date, standing: Iterable[Alarm]) -> None:
    """Withdraw the alarms that opened from `first` to `last` and are not among the `standing` ones."""
    ids = [alarm.alarm_id(reference) for alarm in standing]
    params = {**_keys(reference), "first": first, "last": last, "standing": ids}
    c.execute(statement("drift/alarms/withdraw"), params)


def write(c: sa.Connection, reference: Reference, alarms: Iterable[Alarm], run_id: str) -> None:
    """Insert or renew alarms, each with its course and sentence. Their nights' comparisons must be stored already."""
    for alarm in alarms:
        course = _course(c, reference, alarm)
        facts = facts_of(c, reference, alarm, course)
        params = {
            **_keys(reference),
            **history.as_columns(alarm.key),
            **asdict(course),
            "alarm_id": alarm.alarm_id(reference),
            "side": alarm.side,
            "channel": alarm.channel,
            "began": alarm.began,
            "opened": alarm.opened,
            "closed": alarm.closed,
            "sentence": sentences.sentence(facts),
            "facts": FACTS.dump_json(facts).decode(),
            "run_id": run_id,
        }
        c.execute(statement("drift/alarms/upsert"), params)


@dataclass(frozen=True)
class Course:
    """The judged nights of an alarm."""

    n_nights: int
    last_night: date
    effect: float
    """Mean effect since the alarm began, as of the last night, in the column's unit."""


def _course(c: sa.Connection, reference: Reference, alarm: Alarm) -> Course:
    params = {**_keys(reference), **history.as_columns(alarm.key), "opened": alarm.opened}
    return Course(**c.execute(statement("drift/alarms/course"), params).one()._mapping)


def facts_of(c: sa.Connection, reference: Reference, alarm: Alarm, course: Course) -> Facts:
    """Return what happened since the alarm began, and what makes it."""
    before = float(reference.model.mean[reference.series.index(alarm.key)])
    slice_key, slice_value, column = alarm.key
    if slice_key == "film" and slice_value != REST:
        slice_value = history.title(c, reference.stream.source, slice_value)
    after = before + course.effect
    change = Change(column, slice_key, slice_value, alarm.began, course.last_night, before, after)
    cause = _cause(c, reference, alarm, course.last_night) if alarm.key == MAIN_SERIES else None
    return Facts(change, cause)


def _cause(c: sa.Connection, reference: Reference, alarm: Alarm, last_night: date) -> Cause | None:
    nights = history.nights_between(c, reference.stream, alarm.began, last_night)
    change = attribution.between(c, reference.stream, reference.nights, nights)
    split = change.split
    # The split compares plain shares; the alarm's effect is weekday-adjusted and may point the other way.
    if not split.total or np.sign(split.total) != alarm.side:
        return None
    parts = split.by_film / split.total
    most = int(parts.argmax())
    return Cause(
        split.mix / split.total, history.title(c, reference.stream.source, change.films[most]), float(parts[most])
    )


def closed(alarm: Alarm, night: date) -> Alarm:
    """Return the alarm as closed on `night`."""
    return replace(alarm, closed=night)


@dataclass(frozen=True)
class Shown:
    """An alarm in the list of `sentiment drift show`."""

    alarm_id: str
    status: str
    """`alarm`, `acknowledged` or `closed`."""
    opened: date
    closed: date | None
    sentence: str
    reason: str | None
    """Why it was acknowledged; None where it was not."""


def listed(source: str | None, since: date | None, only_open: bool) -> list[Shown]:
    """Return standing alarms, the newest first: of one source or of all, followed on a night from `since` on."""
    with transaction() as c:
        params = {"source": source, "since": since, "only_open": only_open}
        return [Shown(**row._mapping) for row in c.execute(statement("drift/alarms/list"), params)]


@dataclass(frozen=True)
class Acknowledged:
    """Where an acknowledgement was stored: its stream and the night from which on it holds."""

    stream: history.Stream
    night: date


def acknowledge(alarm_id: str, reason: str, person: str) -> Acknowledged:
    """Store that a person has taken note of an open alarm, and why.

    Raises ParameterError for a blank reason, an unknown alarm, and one that is closed.
    """
    if not reason.strip():
        raise ParameterError(
            "--reason is blank; expected why.", f"sentiment drift ack {quoted(alarm_id)} --reason 'why'"
        )
    with transaction() as c:
        row = c.execute(statement("drift/alarms/find"), {"alarm_id": alarm_id}).one_or_none()
        if row is None:
            raise ParameterError(f"There is no alarm {alarm_id!r}.", "sentiment drift show")
        if row.closed is not None:
            raise ParameterError(f"Alarm {alarm_id} closed on {row.closed}.", "sentiment drift show")
        series = {"source": row.source, "model_id": row.model_id, **history.as_columns(history.key_of(row))}
        params = {**series, "night": row.last_night, "reason": reason.strip(), "person": person}
        c.execute(statement("drift/alarms/acknowledge"), params)
    return Acknowledged(history.Stream(row.source, row.model_id), row.last_night)
