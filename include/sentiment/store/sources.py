"""What is fixed of a source at its first published night: the identity rule of its reviews, and its columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.errors import ParameterError
from sentiment.runs.model import IdentityRule, Run
from sentiment.sql import statement


@dataclass(frozen=True)
class FixedRule:
    """The identity rule of a source, and what was read from where when it was fixed."""

    rule: IdentityRule
    mapped: Mapping[str, str] | None
    """Column of the contract -> the dump's column; None of sources that earlier versions published."""
    labels: Mapping[str, list[str]]
    """Words of labels, as `dump.labels.inferred` returns them; empty where they are the profile's."""
    run_id: str
    night: date
    n_nights: int
    """Published nights of the source."""


@dataclass(frozen=True)
class Proposed:
    """The identity rule by which a dump was read, and its columns."""

    rule: IdentityRule
    mapped: Mapping[str, str]
    """Column of the contract -> the dump's column."""
    labels: Mapping[str, list[str]]
    """As `FixedRule.labels`."""


def fix(c: sa.Connection, run: Run, proposed: Proposed) -> None:
    """Fix the source's rule by a run that publishes its only night; ParameterError where others have another rule.

    To be called by a publisher, who holds the lock.
    """
    now = _fixed(c, run.source)
    others = c.execute(statement("store/sources/other_nights"), {"source": run.source, "night": run.night}).scalar_one()
    if now and others:
        if now.rule != proposed.rule:
            raise other_rule(run.source, now, proposed.rule)
        return
    if now and (now.rule, now.mapped, now.labels) == (proposed.rule, proposed.mapped, proposed.labels):
        return
    if now:
        _check_ids(c, run.source, now, proposed)
    rule = {"identity": list(proposed.rule.columns), "version": proposed.rule.version}
    read = {"mapped": json.dumps(dict(proposed.mapped)), "labels": json.dumps(dict(proposed.labels))}
    values = {"source": run.source, "run_id": run.run_id, **read, **rule}
    c.execute(statement("store/sources/fix"), values)


def _check_ids(c: sa.Connection, source: str, now: FixedRule, proposed: Proposed) -> None:
    """Raise ParameterError where ids come from another column, while what was removed is known by the old ones."""
    before, after = (now.mapped or {}).get("own_id"), proposed.mapped.get("own_id")
    query = sa.text("SELECT EXISTS (SELECT FROM sentiment.forgotten WHERE kind = 'review')")
    if before and after and before != after and c.execute(query).scalar_one():
        raise ParameterError(
            f"Reviews of {source} had their ids from {before!r}, now from {after!r}, and some were removed on request: "
            "by other ids they would come back.",
            f"publish as another source: make nightly SOURCE={source}_2 …",
        )


def other_rule(source: str, fixed: FixedRule, proposed: IdentityRule) -> ParameterError:
    """Return the error of a dump that is to be read by another identity rule than its source's."""
    again = f"publish as another source: make nightly SOURCE={source}_2 …"
    if fixed.n_nights == 1:
        again = f"replace the source's only night: make nightly DATE={fixed.night} SUPERSEDE='why' …"
    return ParameterError(
        f"Reviews of {source} are identified by {described(fixed.rule)}, since night {fixed.night} (run "
        f"{fixed.run_id}); this dump would be read by {described(proposed)}, and every review would be new.",
        f"take `identity` out of the source profile, or {again}",
    )


def described(rule: IdentityRule) -> str:
    """Return a rule for people."""
    if rule.version == 1:
        return "their own id, else item, author, date and text, else position (the rule of earlier versions)"
    return ", ".join(rule.columns)


def rules(source: str) -> list[IdentityRule]:
    """Return every identity rule that a source has had, the one that holds last."""
    with transaction() as c:
        rows = c.execute(statement("store/sources/rules"), {"source": source}).all()
    return [IdentityRule(tuple(row.identity), row.version) for row in rows]


def fixed(source: str) -> FixedRule | None:
    """Return what is fixed of a source; None before its first published night."""
    with transaction() as c:
        return _fixed(c, source)


def _fixed(c: sa.Connection, source: str) -> FixedRule | None:
    row = c.execute(statement("store/sources/fixed"), {"source": source}).one_or_none()
    if row is None:
        return None
    rule = IdentityRule(tuple(row.identity), row.version)
    return FixedRule(rule, row.mapped, row.labels, row.run_id, row.night, row.n_nights)
