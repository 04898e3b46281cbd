"""The pages under Airflow's other auth manager, FAB's: who reads, who acts, and the way by the login and back."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from sentiment import settings
from sentiment.drift.history import Stream
from sentiment.embedded import airflow
from sentiment.embedded.machine import Machine

from tests.kit import browsers, commands, stored_nights

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

STREAM = Stream("fab", "cinema-fr")
DRIFT, RUNS = f"/sentiment/drift?source={STREAM.source}", "/api/v2/dags/acknowledge_alarm/dagRuns"
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


@pytest.fixture(scope="module")
def alarm_id(server: object, _database_of_the_module: None) -> str:
    """Return an open alarm of a tenth fewer positive reviews."""
    stored_nights.fallen(STREAM)
    return stored_nights.alarm_of(STREAM)


@pytest.fixture(scope="module")
def url(alarm_id: str, ready: Machine) -> Iterator[str]:
    """Start Airflow's api-server with FAB's auth manager and a user of each role; yield its address."""
    port = browsers.free_port()
    address = f"http://127.0.0.1:{port}"
    env = commands.airflow_env(ready) | {
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__BASE_URL": address,
    }
    users = [sys.executable, "-P", "-c", ADD_USERS, PASSWORD, "Admin", "Viewer", "Public"]
    for command in (users, [*airflow.command(), "dags", "reserialize"]):
        subprocess.run(command, env=env, check=True, capture_output=True, timeout=200)
    server = subprocess.Popen(
        [*airflow.command(), "api-server"], env=env, cwd=settings.load().home, stdout=subprocess.DEVNULL,
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
