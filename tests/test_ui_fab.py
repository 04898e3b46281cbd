"""The pages under Airflow's other auth manager, FAB's, with their reviews on a server of its own.

Who reads, who acts, the way by the login and back; and what visitors get while that server is stopped.
"""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest
from sentiment import database, settings
from sentiment.drift.history import Stream
from sentiment.embedded import airflow, machine
from sentiment.embedded.machine import Machine

from tests.kit import browsers, commands, databases, stored_nights
from tests.kit.homes import own_home

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

STREAM = Stream("fab", "cinema-fr")
DRIFT, RUNS = f"/sentiment/drift?source={STREAM.source}", "/api/v2/dags/acknowledge_alarm/dagRuns"
VISITORS = 50
PASSWORD = "for this test alone"
ADD_USERS = """
import sys
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
with get_application_builder() as builder:
    builder.add_permissions(update_perms=True)
    builder.sm.sync_roles()
    for role in sys.argv[2:]:
        name = role.lower()
        assert builder.sm.add_user(name, name, name, f"{name}@localhost", builder.sm.find_role(role), sys.argv[1])
"""


@dataclass(frozen=True)
class Reviews:
    """A reviews database on a server of its own, for an Airflow that has its own tables elsewhere."""

    alarm_id: str
    """An open alarm of a tenth fewer positive reviews."""
    airflow_home: Path
    env: dict[str, str]
    """Environment of an Airflow process whose pages read these reviews."""
    server: psutil.Process
    """The server's first process, whose children are all others."""


@pytest.fixture(scope="module")
def reviews(ready: Machine, _database_of_the_module: None) -> Iterator[Reviews]:
    airflow_home, env = settings.load().home, commands.airflow_env(ready)
    with own_home() as config:
        stored_nights.fallen(STREAM)
        env |= {"SENTIMENT_READER_URL": database.url("reader").render_as_string(hide_password=False)}
        server = databases.postmaster(machine.postgres(config))
        yield Reviews(stored_nights.alarm_of(STREAM), airflow_home, env, server)


@pytest.fixture(scope="module")
def alarm_id(reviews: Reviews) -> str:
    return reviews.alarm_id


@pytest.fixture(scope="module")
def url(reviews: Reviews) -> Iterator[str]:
    """Start Airflow's api-server with FAB's auth manager and a user of each role; yield its address."""
    port = browsers.free_port()
    address = f"http://127.0.0.1:{port}"
    env = reviews.env | {
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__BASE_URL": address,
    }
    users = [sys.executable, "-P", "-c", ADD_USERS, PASSWORD, "Admin", "Viewer", "Public"]
    for command in (users, [*airflow.command(), "dags", "reserialize"]):
        subprocess.run(command, env=env, check=True, capture_output=True, timeout=200)
    server = subprocess.Popen(
        [*airflow.command(), "api-server"], env=env, cwd=reviews.airflow_home, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for_answer(f"{address}/api/v2/version", server)
    yield address
    server.terminate()
    server.wait(60)


def wait_for_answer(address: str, server: subprocess.Popen[bytes], within_s: float = 200) -> None:
    """Wait until the server answers; fail where it ends, or after `within_s` seconds."""
    end = time.monotonic() + within_s
    while True:
        assert server.poll() is None, "the api-server has ended"
        assert time.monotonic() < end, f"no answer from {address}"
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return


@pytest.fixture(scope="module")
def visit(url: str) -> Iterator[Callable[[str, str], Page]]:
    """Return a function that opens a path as a new visitor of a role, who is sent to the login and comes back."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = browsers.launch(playwright)

        def visited(role: str, path: str) -> Page:
            page = browser.new_context(base_url=url).new_page()
            page.goto(path)
            page.locator("input[name=username]").fill(role.lower())
            page.locator("input[name=password]").fill(PASSWORD)
            page.locator("input[name=password]").press("Enter")
            page.wait_for_url(f"**{path}")
            return page

        yield visited
        browser.close()


def timed(client: httpx.Client, path: str) -> tuple[int, float, str]:
    began = time.monotonic()
    answer = client.get(path)
    return answer.status_code, time.monotonic() - began, answer.text


@contextmanager
def stopped(processes: list[psutil.Process]) -> Iterator[None]:
    """Stop processes by SIGSTOP; let them go on afterwards."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def test_visitors_of_a_stopped_database_hold_up_nobody(
    visit: Callable[[str, str], Page], url: str, reviews: Reviews
) -> None:
    cookies = {c["name"]: c["value"] for c in visit("Viewer", DRIFT).context.cookies()}
    # One client for all: each would take the time of making a TLS context from the others.
    client = httpx.Client(base_url=url, cookies=cookies, timeout=30, limits=httpx.Limits(max_connections=None))
    # The second is where tasks leave their heartbeats. Of either the first answer takes Airflow a second, whoever asks.
    addresses = ("/api/v2/monitor/health", "/execution/health")
    assert [timed(client, path)[0] for path in addresses] == [200, 200]
    with stopped([reviews.server, *reviews.server.children()]), ThreadPoolExecutor(VISITORS) as visitors:
        pages = [visitors.submit(timed, client, DRIFT) for _ in range(VISITORS)]
        time.sleep(0.3)
        health = [timed(client, path) for path in addresses * 4]
        answers = [page.result() for page in pages]
    assert {status for status, _, _ in health} == {200}
    assert max(seconds for _, seconds, _ in health) < 1
    assert {status for status, _, _ in answers} == {503}
    # Three seconds at most where nothing else is at work, as other tests are.
    assert max(seconds for _, seconds, _ in answers) < 10
    assert all("reviews database" in text or "visitors" in text for _, _, text in answers)
    end = time.monotonic() + 10
    while timed(client, DRIFT)[0] != 200:
        assert time.monotonic() < end, "the pages don't come back by themselves"
        time.sleep(0.2)


def test_a_viewer_reads_and_is_refused_to_act(visit: Callable[[str, str], Page], alarm_id: str) -> None:
    page = visit("Viewer", DRIFT)
    assert page.get_by_text(f"sentiment drift ack {alarm_id}").count()
    assert page.locator("[data-trigger]").count() == 0
    conf = {"alarm": alarm_id, "reason": "not for me"}
    assert page.request.post(RUNS, data={"logical_date": None, "conf": conf}).status == 403


def test_an_admins_action_has_their_name(visit: Callable[[str, str], Page], alarm_id: str) -> None:
    page = visit("Admin", DRIFT)
    browsers.acknowledge(page, alarm_id, "the critics are on strike")
    runs = page.request.get(RUNS).json()["dag_runs"]
    assert [run["triggering_user_name"] for run in runs if run["conf"].get("alarm") == alarm_id] == ["admin"]


def test_who_may_not_read_runs_is_refused(visit: Callable[[str, str], Page]) -> None:
    assert "ask who administers this Airflow" in visit("Public", DRIFT).content()
