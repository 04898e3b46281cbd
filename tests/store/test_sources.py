"""What is fixed of a source at its first published night, and who may change it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from sentiment import cli, settings
from sentiment.database import transaction
from sentiment.errors import ParameterError
from sentiment.runs import attempts, opening
from sentiment.runs.handoff import ReceivedDump
from sentiment.runs.model import FIRST_RULE, IdentityRule
from sentiment.scoring import registry
from sentiment.store import sources
from sentiment.store.sources import Proposed
from typer.testing import CliRunner

from tests.kit import nights
from tests.kit.nights import NightSpec, publish_without_spark
from tests.kit.rows import remove_source, rows

SOURCE, NIGHT = "fixed_here", date(2026, 3, 2)
BY_ID, BY_ITEM = IdentityRule(("own_id",)), IdentityRule(("item_id", "own_id"))


@pytest.fixture
def source(server: object) -> Iterator[str]:
    registry.register(registry.find("cinema-fr", settings.load()))
    yield SOURCE
    remove_source(SOURCE)


def publish(source: str, days: int) -> str:
    night = NIGHT + timedelta(days=days)
    publish_without_spark(NightSpec(source, night, nights.dump(night, 5)))
    return str(rows("SELECT run_id FROM sentiment.run WHERE source = :s AND night = :n", s=source, n=night)[0][0])


def fix(source: str, run_id: str, rule: IdentityRule) -> None:
    with transaction() as c:
        sources.fix(c, opening.get_run(run_id), Proposed(rule, {"own_id": "id"}, {}))


def test_the_first_night_fixes_the_rule_and_only_it_may_change_it(source: str) -> None:
    assert sources.fixed(source) is None
    first = publish(source, 0)
    fixed = sources.fixed(source)
    assert fixed is not None
    assert (fixed.rule, fixed.run_id, fixed.night, fixed.n_nights) == (BY_ID, first, NIGHT, 1)
    fix(source, first, BY_ITEM)
    assert sources.rules(source) == [BY_ID, BY_ITEM]
    fix(source, first, BY_ITEM)
    assert sources.rules(source) == [BY_ID, BY_ITEM]
    fix(source, first, BY_ID)
    assert sources.rules(source) == [BY_ID, BY_ITEM, BY_ID]
    second = publish(source, 1)
    with pytest.raises(ParameterError, match=rf"own_id, since night {NIGHT} .*by item_id, own_id") as refused:
        fix(source, second, BY_ITEM)
    assert f"SOURCE={source}_2" in refused.value.try_next


def test_a_night_that_an_earlier_version_received_fixes_the_rule_of_then(source: str) -> None:
    spec = NightSpec(source, NIGHT, nights.dump(NIGHT, 5))
    run = nights.open_night(spec)
    with attempts.attempt(run.run_id, "ingest") as attempt:
        attempt.handoff = ReceivedDump(layouts=[])
    publish_without_spark(spec)
    assert sources.rules(source) == [FIRST_RULE]


def test_the_command_shows_it_beside_a_profile_that_still_loads(source: str) -> None:
    first = publish(source, 0)
    shown = CliRunner().invoke(cli.app, ["source", "show", source])
    assert shown.exit_code == 0
    assert [part for part in ("own_id", first, str(NIGHT), "1 nights") if part not in shown.stderr] == []
    assert shown.stdout == ""
    profile = CliRunner().invoke(cli.app, ["source", "show", "usual"])
    assert profile.stdout.startswith("about = ")
    assert profile.stderr == ""
