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
from sentiment.drift.history import Key
from sentiment.drift.reference import Reference
from sentiment.drift.sentences import Cause, Change
from sentiment.drift.watched import MAIN_SERIES, REST
from sentiment.errors import ParameterError


@dataclass(frozen=True)
class Alarm:
    """One alarm of one series; `side` -1 fallen, 1 risen; `closed` None while it is open."""

    key: Key
    side: int
    channel: str
    began: date
    opened: date
    closed: date | None = None

    def alarm_id(self, reference: Reference) -> str:
        """The same alarm has the same id, however often it is told."""
        said = "\x1f".join(
            (*reference.stream.keys.values(), reference.reference_id, *self.key, self.opened.isoformat())
        )
        return hashlib.sha256(said.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Acknowledgement:
    """A person took note of a series' alarm on that night."""

    key: Key
    night: date

    def holds(self, opened: date, night: date) -> bool:
        """Whether it is of the alarm that opened then, on `night`."""
        return opened <= self.night <= night


def acknowledgements(c: sa.Connection, reference: Reference) -> dict[Key, list[Acknowledgement]]:
    """By series."""
    rows = c.execute(
        sa.text(
            "SELECT slice_key, slice_value, column_name, night FROM drift.acknowledgement "
            "WHERE source = :source AND model_id = :model_id ORDER BY night"
        ),
        reference.stream.keys,
    )
    found: dict[Key, list[Acknowledgement]] = {}
    for row in rows:
        key = history.key_of(row)
        found.setdefault(key, []).append(Acknowledgement(key, row.night))
    return found


def open_before(c: sa.Connection, reference: Reference, night: date) -> dict[Key, Alarm]:
    """Alarms that were open after the night before `night`."""
    rows = c.execute(
        sa.text(
            "SELECT * FROM drift.alarm WHERE source = :source AND model_id = :model_id "
            "AND reference_id = :reference_id AND withdrawn_at IS NULL "
            "AND opened < :night AND (closed IS NULL OR closed >= :night)"
        ),
        {**reference.stream.keys, "reference_id": reference.reference_id, "night": night},
    )
    return {history.key_of(row): _of_row(row) for row in rows}


def _of_row(row: sa.Row[Any]) -> Alarm:
    return Alarm(history.key_of(row), row.side, row.channel, row.began, row.opened)


def withdraw_from(c: sa.Connection, reference: Reference, first: date, last: date, still: Iterable[Alarm]) -> None:
    """Mark alarms that opened in the replayed nights and are not told again."""
    c.execute(
        sa.text(
            "UPDATE drift.alarm SET withdrawn_at = now() WHERE source = :source AND model_id = :model_id "
            "AND reference_id = :reference_id AND opened BETWEEN :first AND :last AND withdrawn_at IS NULL "
            "AND NOT alarm_id = ANY(:still)"
        ),
        {
            **reference.stream.keys,
            "reference_id": reference.reference_id,
            "first": first,
            "last": last,
            "still": [a.alarm_id(reference) for a in still],
        },
    )


def write(c: sa.Connection, reference: Reference, alarms: Iterable[Alarm], run_id: str) -> None:
    """Insert or renew, with what the judged nights since it opened say. Their rows must be written already."""
    for alarm in alarms:
        lasted = _lasted(c, reference, alarm)
        values = (
            asdict(alarm)
            | asdict(lasted)
            | reference.stream.keys
            | {"reference_id": reference.reference_id, "run_id": run_id}
        )
        values |= history.as_columns(alarm.key)
        values |= {"alarm_id": alarm.alarm_id(reference), "sentence": sentence(c, reference, alarm, lasted)}
        c.execute(sa.text(UPSERT), {name: values[name] for name in COLUMNS})


@dataclass(frozen=True)
class Lasted:
    """The judged nights of an alarm: how many, the last one, and the mean effect since it began, after that."""

    n_nights: int
    last_night: date
    effect: float


def _lasted(c: sa.Connection, reference: Reference, alarm: Alarm) -> Lasted:
    keys = history.as_columns(alarm.key)
    values = {**reference.stream.keys, **keys, "reference_id": reference.reference_id, "opened": alarm.opened}
    return Lasted(**c.execute(sa.text(LASTED), values).one()._mapping)


LASTED = """
SELECT count(*) AS n_nights, max(night) AS last_night, (array_agg(effect ORDER BY night DESC))[1] AS effect FROM (
  SELECT DISTINCT ON (night) night, effect, alarm_opened, status FROM drift.drift_metrics
  WHERE granularity = 'day' AND drift_type = 'BASELINE' AND source = :source AND model_id = :model_id
    AND reference_id = :reference_id AND slice_key = :slice_key AND slice_value = :slice_value
    AND column_name = :column_name AND night >= :opened ORDER BY night, revision DESC) AS newest
WHERE alarm_opened = :opened AND status <> 'insufficient_data'"""

COLUMNS = (
    *("alarm_id", "source", "model_id", "reference_id", "slice_key", "slice_value", "column_name", "side", "channel"),
    *("began", "opened", "last_night", "closed", "n_nights", "effect", "sentence", "run_id"),
)
_NAMES = ", ".join(COLUMNS)
_SAID = [name for name in COLUMNS if name not in {"alarm_id", "run_id"}]
UPSERT = (
    f"INSERT INTO drift.alarm AS a ({_NAMES}) VALUES ({', '.join(':' + n for n in COLUMNS)}) "
    f"ON CONFLICT (alarm_id) DO UPDATE SET {', '.join(f'{n} = excluded.{n}' for n in (*_SAID, 'run_id'))}, "
    "withdrawn_at = NULL "
    f"WHERE a.withdrawn_at IS NOT NULL OR ({', '.join('a.' + n for n in _SAID)}) IS DISTINCT FROM "
    f"({', '.join('excluded.' + n for n in _SAID)})"
)


def sentence(c: sa.Connection, reference: Reference, alarm: Alarm, lasted: Lasted) -> str:
    """What happened since the alarm began, for a person."""
    series = reference.series.index(alarm.key)
    before = float(reference.model.mean[series])
    slice_key, slice_value, column = alarm.key
    name = slice_value
    if slice_key == "film" and slice_value != REST:
        name = history.title(c, reference.stream.source, slice_value)
    told = Change(column, slice_key, name, alarm.began, lasted.last_night, before, before + lasted.effect)
    return sentences.sentence(
        told, _cause(c, reference, alarm, lasted.last_night) if alarm.key == MAIN_SERIES else None
    )


def _cause(c: sa.Connection, reference: Reference, alarm: Alarm, last_night: date) -> Cause | None:
    nights = history.nights_between(c, reference.stream, alarm.began, last_night)
    before = history.by_film(c, reference.stream, reference.nights)
    after = history.by_film(c, reference.stream, nights)
    films = sorted(before.keys() | after.keys())
    counts = [np.array([side.get(f, (0, 0)) for f in films], dtype=np.float64).T for side in (before, after)]
    split = attribution.split(counts[0][0], counts[0][1], counts[1][0], counts[1][1])
    if not split.total or np.sign(split.total) != alarm.side:
        return None
    parts = split.by_film / split.total
    most = int(parts.argmax())
    return Cause(split.mix / split.total, history.title(c, reference.stream.source, films[most]), float(parts[most]))


def closed(alarm: Alarm, night: date) -> Alarm:
    """The alarm, ended by that night."""
    return replace(alarm, closed=night)


@dataclass(frozen=True)
class Shown:
    """An alarm in the list of `sentiment drift show`."""

    alarm_id: str
    status: str
    opened: date
    closed: date | None
    sentence: str
    reason: str | None


def listed(source: str | None, since: date | None, only_open: bool) -> list[Shown]:
    """Standing alarms, the newest first."""
    with transaction() as c:
        rows = c.execute(
            sa.text(
                "SELECT alarm_id, status, opened, closed, sentence, reason FROM drift.v_alarm "
                "WHERE source = coalesce(:source, source) AND last_night >= coalesce(:since, '-infinity'::date) "
                "AND (NOT :only_open OR closed IS NULL) ORDER BY last_night DESC, opened DESC, alarm_id"
            ),
            {"source": source, "since": since, "only_open": only_open},
        )
        return [Shown(**row._mapping) for row in rows]


@dataclass(frozen=True)
class Acknowledged:
    """Where an acknowledgement was written: its stream and the night from which on it holds."""

    stream: history.Stream
    night: date


def acknowledge(alarm_id: str, reason: str, who: str) -> Acknowledged:
    """Write down that a person has taken note of an open alarm, and why.

    Raises ParameterError for a reason that says nothing, for no such alarm, and for one that is closed.
    """
    if not reason.strip():
        raise ParameterError("--reason is blank; expected why, in words.", f"sentiment drift ack {alarm_id} --reason …")
    with transaction() as c:
        row = c.execute(
            sa.text("SELECT * FROM drift.alarm WHERE alarm_id = :id AND withdrawn_at IS NULL"), {"id": alarm_id}
        ).one_or_none()
        if row is None:
            raise ParameterError(f"There is no alarm {alarm_id!r}.", "sentiment drift show")
        if row.closed is not None:
            raise ParameterError(f"Alarm {alarm_id} closed on {row.closed}.", "sentiment drift show")
        c.execute(
            sa.text(
                "INSERT INTO drift.acknowledgement (source, model_id, slice_key, slice_value, column_name, night, "
                "reason, acknowledged_by) VALUES (:source, :model_id, :slice_key, :slice_value, :column_name, :night, "
                ":reason, :who) ON CONFLICT (source, model_id, slice_key, slice_value, column_name, night) "
                "DO UPDATE SET reason = excluded.reason, acknowledged_by = excluded.acknowledged_by, "
                "acknowledged_at = now()"
            ),
            {**row._mapping, "night": row.last_night, "reason": reason.strip(), "who": who},
        )
    return Acknowledged(history.Stream(row.source, row.model_id), row.last_night)
