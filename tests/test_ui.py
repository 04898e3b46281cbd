"""The running UI: anonymous is refused, the REST call and the form in a real browser each publish a night."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import sqlalchemy as sa
from sentiment import settings
from sentiment.database import transaction
from sentiment.embedded import airflow
from sentiment.samples import sample_dump

from tests.kit.commands import SENTIMENT as CLI

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium")
DAG = "nightly_reviews"
TURNS = """
SELECT max(s.finished_at) FILTER (WHERE s.step = 'ingest') AS ingested,
  max(s.finished_at) FILTER (WHERE s.step = 'publish') AS published
FROM sentiment.run r JOIN sentiment.run_step s USING (run_id)
WHERE r.airflow_run_id = ANY(:runs) GROUP BY r.run_id ORDER BY published
"""
NEW_TWICE = """
SELECT count(*) FROM (
  SELECT FROM sentiment.night_review JOIN sentiment.run USING (run_id)
  WHERE airflow_run_id = ANY(:runs) AND novelty = 'new' GROUP BY review_id HAVING count(*) > 1) AS twice
"""
"""Reviews that two nights took for new, as if neither had followed the other."""


@dataclass(frozen=True)
class Ui:
    """The running UI: its address, and the password that `sentiment up` printed."""

    url: str
    password: str

    def call(self, method: str, path: str, body: object = None, token: str = "") -> Any:
        """Return the decoded JSON of a REST call; HTTPError where it is refused."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def token(self) -> str:
        """Return a new token of the user admin."""
        answer = self.call("POST", "/auth/token", {"username": "admin", "password": self.password})
        return str(answer["access_token"])


@pytest.fixture(scope="module")
def first_start(ready: object, home: Path, warm_nights: None) -> Iterator[Ui]:
    """Start the UI for the first time, which is when its password is printed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    os.environ["SENTIMENT_AIRFLOW_PORT"] = port
    settings.load.cache_clear()
    kill_a_night(home)
    done = subprocess.run([CLI, "up"], capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    password = re.search(r"password (\S+)", done.stdout)
    assert password
    yield Ui(f"http://127.0.0.1:{port}", password[1])
    airflow.down(settings.load(), services_only=True)
    del os.environ["SENTIMENT_AIRFLOW_PORT"]
    settings.load.cache_clear()


@pytest.fixture
def ui(first_start: Ui) -> Ui:
    """Return the running UI, started again where the test before stopped it."""
    if not airflow.processes(settings.load(), services_only=True):
        subprocess.run([CLI, "up"], capture_output=True, check=True, timeout=200)
    return first_start


def kill_a_night(home: Path) -> None:
    """Kill a night with SIGKILL: what it leaves in Airflow's database must not keep the UI's runs waiting."""
    night = date(2026, 9, 30)
    command = [CLI, "nightly", "--dump", str(dump_of(night, home)), "--date", night.isoformat(), "--source", "gone"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    wait_for(lambda: n_runs("gone") or process.poll() is not None, "the night that is to be killed")
    assert process.poll() is None, f"the night ended before it was killed: exit code {process.returncode}"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def is_opened(airflow_run_id: str) -> bool:
    with transaction() as c:
        query = sa.text("SELECT 1 FROM sentiment.run WHERE airflow_run_id = :run")
        return c.execute(query, {"run": airflow_run_id}).first() is not None


def n_runs(source: str) -> int:
    query = "SELECT count(*) FROM sentiment.run WHERE source = :source"
    with transaction() as c:
        return int(c.execute(sa.text(query), {"source": source}).scalar_one())


def dump_of(night: date, home: Path, known_share: float = 0.1) -> Path:
    path = home / "dumps" / f"ui-{night}.jsonl"
    sample_dump.write(sample_dump.SampleDump(night=night, n_reviews=60, known_share=known_share), path)
    return path


def n_published(night: date) -> int:
    query = (
        "SELECT coalesce(sum(rows_published), 0) FROM sentiment.v_runs WHERE night = :night AND status = 'published'"
    )
    with transaction() as c:
        return int(c.execute(sa.text(query), {"night": night}).scalar_one())


def wait_for(condition: Callable[[], object], event: str, within_s: float = 420) -> None:
    """Look every 0.5 s until the condition holds; fail after `within_s` seconds."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, f"waited more than {within_s:.0f} s for {event}"
        time.sleep(0.5)


def test_the_password_is_printed_once_and_anonymous_is_refused(ui: Ui) -> None:
    sessions = settings.load().home / "airflow" / "sessions.json"
    before = sessions.read_text()
    again = subprocess.run([CLI, "up"], capture_output=True, text=True, check=False, timeout=200)
    assert again.returncode == 0
    assert sessions.read_text() == before, "no service is started a second time"
    assert ui.password not in again.stdout
    with pytest.raises(urllib.error.HTTPError) as refused:
        ui.call("GET", f"/api/v2/dags/{DAG}")
    assert refused.value.code == 401


def test_a_wrong_param_is_refused_before_anything_starts(ui: Ui) -> None:
    for conf in ({"night": "yesterday"}, {"model": "../../etc"}, {"dry_run": "perhaps"}, {"source": "A B"}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            ui.call("POST", f"/api/v2/dags/{DAG}/dagRuns", {"logical_date": None, "conf": conf}, ui.token())
        assert refused.value.code in {400, 422}
        assert next(iter(conf)) in refused.value.read().decode()


def test_two_manual_nights_go_through_one_by_one_while_a_scheduled_one_waits(ui: Ui, home: Path) -> None:
    token, runs = ui.token(), f"/api/v2/dags/{DAG}/dagRuns"
    ui.call("PATCH", f"/api/v2/dags/{DAG}", {"is_paused": False}, token)
    waiting = f"{runs}/~/taskInstances?task_id=find_dump&state=up_for_reschedule"
    wait_for(lambda: ui.call("GET", waiting, token=token)["total_entries"], "a scheduled night that waits")
    requested = []
    for night in (date(2026, 10, 1), date(2026, 10, 2)):
        conf = {"night": night.isoformat(), "dump": str(dump_of(night, home, known_share=0.4))}
        requested.append(ui.call("POST", runs, {"logical_date": None, "conf": conf}, token)["dag_run_id"])
        # The later night begins while the earlier one is at work: of an earlier night that comes late reviews are new.
        wait_for(lambda: is_opened(requested[0]), "the earlier night's run")

    def states() -> set[str]:
        return {ui.call("GET", f"{runs}/{run}", token=ui.token())["state"] for run in requested}

    wait_for(lambda: states() <= {"success", "failed"}, "the runs' end")
    assert states() == {"success"}
    # A look at the folder takes seconds, in which the task is not up for reschedule.
    wait_for(lambda: ui.call("GET", waiting, token=ui.token())["total_entries"], "the scheduled night")
    with transaction() as c:
        turns = c.execute(sa.text(TURNS), {"runs": requested}).all()
        assert c.execute(sa.text(NEW_TWICE), {"runs": requested}).scalar_one() == 0
    assert len(turns) == 2
    assert turns[0].published < turns[1].ingested
    again = [CLI, "nightly", "--dump", conf["dump"], "--date", conf["night"]]
    refused = subprocess.run(again, capture_output=True, text=True, check=False, timeout=200)
    # Two schedulers on one Airflow database would both run the tasks.
    assert refused.returncode == 2
    assert "make down" in refused.stderr


def test_the_form_in_a_browser_publishes_a_night(ui: Ui, home: Path) -> None:
    if CHROMIUM is None and not os.environ.get("CI"):
        pytest.skip("chromium is not installed: apt-get install chromium")
    assert CHROMIUM
    from playwright.sync_api import sync_playwright

    night = date(2026, 10, 3)
    with sync_playwright() as playwright:
        browser, page = signed_in(playwright, ui, f"/dags/{DAG}")
        page.get_by_role("button", name="Trigger").first.click()
        page.locator("#element_night").fill(night.isoformat())
        page.locator("#element_dump").fill(str(dump_of(night, home)))
        page.locator("[role=dialog]").get_by_role("button", name="Trigger").last.click()
        wait_for(lambda: n_published(night) > 0, "the night from the form")
        browser.close()


def signed_in(playwright: Playwright, ui: Ui, path: str) -> tuple[Browser, Page]:
    """Return a browser at a path of Airflow's UI, signed in as admin by the form that stands before it."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": 1400, "height": 1600})
    page.set_default_timeout(60_000)
    page.goto(f"{ui.url}{path}")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", ui.password)
    page.keyboard.press("Enter")
    return browser, page


def test_the_pages_are_in_airflows_navigation_and_nothing_leaves_the_host(ui: Ui, home: Path) -> None:
    assert CHROMIUM
    from playwright.sync_api import sync_playwright

    elsewhere, errors = [], []
    with sync_playwright() as playwright:
        browser, page = signed_in(playwright, ui, "/plugin/sentiment")
        page.on(
            "request", lambda request: elsewhere.append(request.url) if not request.url.startswith(ui.url) else None
        )
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        frame = page.frame_locator("iframe")
        frame.get_by_role("heading", level=1, name="Last night").wait_for()
        for section in ("Drift", "Films", "Quarantine", "Models", "About the data", "Last night"):
            frame.get_by_role("link", name=section, exact=True).click()
            frame.get_by_role("heading", level=1, name=section).wait_for()
            too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            assert not frame.locator("html").evaluate(f"() => {too_wide}"), section
        page.evaluate("document.documentElement.classList.add('dark')")
        frame.locator("html.dark").wait_for(state="attached")
        browser.close()
    assert [address for address in elsewhere if not address.startswith("blob:")] == []  # Airflow's own, in memory
    assert [error for error in errors if "sentiment" in error] == []
    for path in ("/sentiment/", "/sentiment/static/page.js", "/sentiment/docs"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{ui.url}{path}", timeout=30)
        assert refused.value.code == 401


def test_down_leaves_no_process_even_after_a_kill(ui: Ui) -> None:
    config = settings.load()
    services = airflow.processes(config, services_only=True)
    assert len(services) > len(airflow.SERVICES)
    listed = [p for p in psutil.process_iter(["cmdline"]) if p in services]
    next(p for p in listed if "scheduler" in " ".join(p.info["cmdline"] or [])).kill()
    airflow.down(config, services_only=True)
    assert airflow.processes(config, services_only=True) == []
    listed = [p for p in psutil.process_iter(["status"]) if p in services]
    assert [p for p in listed if p.info["status"] != psutil.STATUS_ZOMBIE] == []
