"""A night waits until nobody writes its dump any more, and then until no other night of its source is at work."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.execution_time.context import set_current_context
from sentiment.dump import arrival, receive
from sentiment.errors import InfrastructureError, NightAtWorkError, ParameterError, SetupError
from sentiment.orchestration import ingesting
from sentiment.orchestration.ingesting import Request
from sentiment.runs import opening
from sentiment.settings import Settings

from tests.dags import contexts, loading
from tests.kit import nights
from tests.kit.rows import remove_source, run_sql, scalar

SOURCE, NIGHT, OTHER = "waiting", date(2026, 3, 2), date(2026, 3, 3)


@pytest.fixture
def dag(ready: object) -> Any:
    return loading.load("nightly_reviews")


@pytest.fixture(autouse=True)
def _no_rows(server: object) -> Iterator[None]:
    yield
    remove_source(SOURCE)


@pytest.fixture
def dumps(set_settings: Callable[..., Settings], tmp_path: Path) -> Path:
    """The folder in which a scheduled night looks for its dump."""
    set_settings(dumps=f"{tmp_path}/{{night}}.jsonl")
    return tmp_path


def requested(dag: Any, **conf: object) -> Any:
    now = datetime.now(UTC)
    return contexts.requested(dag, now, now, **{"source": SOURCE, "night": str(NIGHT), **conf})


def poke(context: Any) -> Any:
    with set_current_context(context):
        return context["task"].poke(context)


def test_a_dump_that_is_being_written_is_waited_for(
    dag: Any, dumps: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    context, dump = requested(dag), dumps / f"{NIGHT}.jsonl"
    dump.write_bytes(nights.dump(NIGHT, 1).read_bytes()[:100])

    def write_on(_: float) -> None:
        dump.write_bytes(nights.dump(NIGHT, 1).read_bytes())

    monkeypatch.setattr(arrival, "at_rest", partial(arrival.at_rest, wait=write_on))
    with caplog.at_level(logging.INFO, "sentiment"):
        assert poke(context).is_done is False
    assert str(dump) in caplog.text
    os.utime(dump, (0, 0))
    ready = poke(context)
    assert ready.is_done
    assert [state[:2] for state in ready.xcom_value] == [[str(dump), dump.stat().st_size]]


def test_find_dump_opens_no_file(dag: Any, tmp_path: Path) -> None:
    dump = tmp_path / "dump.jsonl"
    dump.write_bytes(b"\x00not a dump")
    assert poke(requested(dag, dump=str(dump))).is_done


@pytest.mark.parametrize(
    ("conf", "error"),
    [
        ({"night": "2999-01-01"}, ParameterError),
        ({"model": "none"}, ParameterError),
        ({"profile": "no"}, ParameterError),
    ],
)
def test_wrong_parameters_are_refused_while_there_is_no_dump(
    dag: Any, dumps: Path, conf: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        poke(requested(dag, **conf))


def test_an_old_schema_is_refused_while_there_is_no_dump(
    dag: Any, dumps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentiment.store.migrate.head", lambda: "9999")
    with pytest.raises(SetupError, match="9999"):
        poke(requested(dag))


def test_a_dump_that_changed_since_is_an_infrastructure_error_at_the_first_try(dag: Any, tmp_path: Path) -> None:
    dump = tmp_path / "dump.jsonl"
    content = nights.dump(NIGHT, 1).read_bytes()
    dump.write_bytes(content[: content.index(b"\n") + 1])
    context = requested(dag, dump=str(dump))
    files = poke(context).xcom_value
    dump.write_bytes(content)
    contexts.to_ingest(context, files)
    with pytest.raises(InfrastructureError, match=r"dump\.jsonl"):
        contexts.run_first_task(context)
    context["ti"].try_number = 2
    run = contexts.run_first_task(context)
    assert scalar("SELECT rows_read FROM sentiment.run WHERE run_id = :r", r=run["run_id"]) == nights.RECORDS


def test_a_dump_that_grows_while_it_is_read_opens_no_run(
    dag: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump, receive_dump = tmp_path / "dump.jsonl", receive.receive
    dump.write_bytes(nights.dump(NIGHT, 1).read_bytes())

    def receive_and_grow(*arguments: Any) -> receive.Dump:
        received = receive_dump(*arguments)
        with dump.open("ab") as out:
            out.write(b'{"review": "Un de plus."}\n')
        return received

    monkeypatch.setattr(receive, "receive", receive_and_grow)
    context = requested(dag, dump=str(dump))
    contexts.to_ingest(context, poke(context).xcom_value)
    with pytest.raises(InfrastructureError, match=r"dump\.jsonl"):
        contexts.run_first_task(context)
    assert scalar("SELECT count(*) FROM sentiment.run WHERE source = :s", s=SOURCE) == 0


def test_another_night_of_the_source_waits_its_turn(
    dag: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = ingesting.ingest(Request(NIGHT, SOURCE, nights.MODEL, str(nights.dump(NIGHT, 1))))
    other = Request(OTHER, SOURCE, nights.MODEL, str(nights.dump(OTHER, 1)))
    with monkeypatch.context() as patch:
        patch.setattr(receive, "receive", None)  # it is not read
        with pytest.raises(NightAtWorkError):
            ingesting.ingest(other)
    context = requested(dag, night=str(OTHER), dump=other.dump)
    contexts.to_ingest(context, poke(context).xcom_value)
    with caplog.at_level(logging.INFO, "sentiment"):
        assert poke(context).is_done is False
    assert first.run_id in caplog.text
    run_sql("UPDATE sentiment.run SET status = 'published' WHERE run_id = :r", r=first.run_id)
    opened = poke(context)
    assert opened.is_done
    assert opening.get_run(opened.xcom_value["run_id"]).night == OTHER


def test_of_two_that_receive_at_once_one_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [Request(night, SOURCE, nights.MODEL, str(nights.dump(night, 1))) for night in (NIGHT, OTHER)]
    receive_dump = receive.receive

    def overtaken(*arguments: Any) -> receive.Dump:
        monkeypatch.setattr(receive, "receive", receive_dump)
        ingesting.ingest(requests[0])
        return receive_dump(*arguments)

    monkeypatch.setattr(receive, "receive", overtaken)
    with pytest.raises(NightAtWorkError):
        ingesting.ingest(requests[1])
    assert scalar("SELECT count(*) FROM sentiment.run WHERE source = :s", s=SOURCE) == 1


def test_the_next_attempt_of_the_same_night_does_not_wait() -> None:
    request = Request(NIGHT, SOURCE, nights.MODEL, str(nights.dump(NIGHT, 1)))
    assert ingesting.ingest(request).run_id == ingesting.ingest(request).run_id
