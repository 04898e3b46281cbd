"""The running UI: anonymous is refused, REST and the form in a browser each publish a night, the pages are safe."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import psutil
import pytest
import sqlalchemy as sa
from sentiment import settings
from sentiment.database import transaction
from sentiment.drift.history import Stream
from sentiment.embedded import airflow
from sentiment.embedded.machine import Machine
from sentiment.samples import sample_dump

from tests.kit import browsers, stored_nights
from tests.kit.commands import SENTIMENT as CLI
from tests.kit.rows import rows

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

pytestmark = pytest.mark.browser

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
def killed_night(ready: object, home: Path) -> None:
    """Kill a night and its own Java with SIGKILL: what it leaves in Airflow's database must not keep the UI's runs."""
    night = date(2026, 9, 30)
    command = [CLI, "nightly", "--dump", str(dump_of(night, home)), "--date", night.isoformat(), "--source", "gone"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    wait_for(lambda: javas_of(process.pid) or process.poll() is not None, "the night that is to be killed")
    assert process.poll() is None, f"the night ended before it was killed: exit code {process.returncode}"
    javas = javas_of(process.pid)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert psutil.wait_procs(javas, timeout=30)[1] == []


@pytest.fixture(scope="module")
def first_start(killed_night: None, warm_nights: None) -> Iterator[Ui]:
    """Start the UI for the first time, which is when its password is printed."""
    port = browsers.free_port()
    os.environ["SENTIMENT_AIRFLOW_PORT"] = port
    settings.load.cache_clear()
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


def javas_of(pid: int) -> list[psutil.Process]:
    """Return the Java processes below a process."""
    with suppress(psutil.NoSuchProcess):
        return [p for p in psutil.Process(pid).children(recursive=True) if p.name() == "java"]
    return []


def is_opened(airflow_run_id: str) -> bool:
    with transaction() as c:
        query = sa.text("SELECT 1 FROM sentiment.run WHERE airflow_run_id = :run")
        return c.execute(query, {"run": airflow_run_id}).first() is not None


def dump_of(night: date, home: Path, known_share: float = 0.1) -> Path:
    path = home / "dumps" / f"ui-{night}.jsonl"
    sample_dump.write(sample_dump.SampleDump(night=night, n_reviews=60, known_share=known_share), path)
    return path


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


def test_nights_by_rest_and_by_form_go_through_one_by_one_while_a_scheduled_one_waits(ui: Ui, home: Path) -> None:
    token, runs = ui.token(), f"/api/v2/dags/{DAG}/dagRuns"
    ui.call("PATCH", f"/api/v2/dags/{DAG}", {"is_paused": False}, token)
    waiting = f"{runs}/~/taskInstances?task_id=find_dump&state=up_for_reschedule"
    wait_for(lambda: ui.call("GET", waiting, token=token)["total_entries"], "a scheduled night that waits")
    first = {"night": "2026-10-01", "dump": str(dump_of(date(2026, 10, 1), home, known_share=0.4))}
    requested = [ui.call("POST", runs, {"logical_date": None, "conf": first}, token)["dag_run_id"]]
    # The later night begins while the earlier one is at work: of an earlier night that comes late reviews are new.
    wait_for(lambda: is_opened(requested[0]), "the earlier night's run")
    conf = {"night": "2026-10-02", "dump": str(dump_of(date(2026, 10, 2), home, known_share=0.4))}
    requested.append(triggered_by_form(ui, conf))

    def states() -> set[str]:
        return {ui.call("GET", f"{runs}/{run}", token=ui.token())["state"] for run in requested}

    wait_for(lambda: states() <= {"success", "failed"}, "the runs' end")
    assert states() == {"success"}
    # A look at the folder takes seconds, in which the task is not up for reschedule.
    wait_for(lambda: ui.call("GET", waiting, token=ui.token())["total_entries"], "the scheduled night")
    run = ui.call("GET", f"{runs}/{requested[0]}", token=ui.token())
    assert run["note"].startswith("Night 2026-10-01 of allocine")
    links = ui.call("GET", f"{runs}/{requested[0]}/taskInstances/validate/links", token=ui.token())["extra_links"]
    assert {name: link.partition("?")[0] for name, link in links.items()} == {
        "The night": "/plugin/sentiment/run", "Data Docs": "/sentiment/data-docs/", "Films": "/plugin/sentiment/films",
    }  # fmt: skip
    assert_tab_shows_the_night(ui, requested[0])
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


def assert_tab_shows_the_night(ui: Ui, run_id: str) -> None:
    """The tab on a run shows its night; on a run of another DAG it is reported that there is none."""
    token = {"Authorization": f"Bearer {ui.token()}", "Accept": "text/html"}
    for dag, heading in ((DAG, "The night of 1 Oct 2026 is published."), ("pin_reference", "pins the reference")):
        query = urlencode({"dag_id": dag, "run_id": run_id if dag == DAG else "manual"})
        request = urllib.request.Request(f"{ui.url}/sentiment/run?{query}", headers=token)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert heading in answer.read().decode()


def triggered_by_form(ui: Ui, values: dict[str, str]) -> str:
    """Fill the trigger form in a browser and submit it; return the run that it made."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser, page = signed_in(playwright, ui, f"/dags/{DAG}")
        page.get_by_role("button", name="Trigger").first.click()
        for name, value in values.items():
            page.locator(f"#element_{name}").fill(value)
        with page.expect_response(lambda answer: answer.request.method == "POST" and "dagRuns" in answer.url) as answer:
            page.locator("[role=dialog]").get_by_role("button", name="Trigger").last.click()
        run: str = answer.value.json()["dag_run_id"]
        browser.close()
    return run


def test_the_form_submitted_untouched_is_about_the_day_that_ended(ui: Ui) -> None:
    ui.call("PATCH", f"/api/v2/dags/{DAG}", {"is_paused": False}, ui.token())
    ended = datetime.now(ZoneInfo("Europe/Paris")).date() - timedelta(days=1)
    run = f"/api/v2/dags/{DAG}/dagRuns/{triggered_by_form(ui, {})}"

    def log() -> str:
        try:
            answer = ui.call("GET", f"{run}/taskInstances/find_dump/logs/1", token=ui.token())
        except urllib.error.HTTPError:  # there is none before its first look
            return ""
        return json.dumps(answer["content"])

    wait_for(lambda: "Waiting for it" in log() or "No dump" in log(), "find_dump's first look", within_s=120)
    assert f"Night {ended}: " in log()
    ui.call("PATCH", run, {"state": "failed"}, ui.token())


def signed_in(playwright: Playwright, ui: Ui, path: str) -> tuple[Browser, Page]:
    """Return a browser at a path of Airflow's UI, signed in as admin by the form that stands before it."""
    browser = browsers.launch(playwright)
    page = browser.new_page(viewport={"width": 1400, "height": 1600})
    page.set_default_timeout(60_000)
    page.goto(f"{ui.url}{path}")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", ui.password)
    page.keyboard.press("Enter")
    return browser, page


def test_the_pages_are_in_airflows_navigation_and_nothing_leaves_the_host(ui: Ui, home: Path) -> None:
    from playwright.sync_api import sync_playwright

    elsewhere, errors = [], []
    with sync_playwright() as playwright:
        browser, page = signed_in(playwright, ui, "/plugin/sentiment")
        page.on(
            "request", lambda request: elsewhere.append(request.url) if not request.url.startswith(ui.url) else None
        )
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        frame = page.frame_locator("iframe")
        root = frame.locator("html")
        frame.get_by_role("heading", level=1, name="Last night").wait_for()
        for section in ("Drift", "Films", "Quarantine", "Models", "About the data", "Last night"):
            frame.get_by_role("link", name=section, exact=True).click()
            frame.get_by_role("heading", level=1, name=section).wait_for()
            assert browsers.too_wide(root) == [], section
            assert browsers.serious_faults(root) == [], section
        page.evaluate("document.documentElement.classList.add('dark')")
        frame.locator("html.dark").wait_for(state="attached")
        assert browsers.serious_faults(root) == [], "dark"
        page.set_viewport_size({"width": 390, "height": 800})
        wait_for(lambda: browsers.too_wide(root) == [], "a narrow page of which nothing is cut", 20)
        browser.close()
    assert [address for address in elsewhere if not address.startswith("blob:")] == []  # Airflow's own, in memory
    assert [error for error in errors if "sentiment" in error] == []
    for path in ("/sentiment/", "/sentiment/static/page.js", "/sentiment/docs"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{ui.url}{path}", timeout=30)
        assert refused.value.code == 401


@pytest.fixture(scope="module")
def alarm_id(first_start: Ui) -> str:
    """Return an open alarm of a tenth fewer positive reviews."""
    stream = Stream("fallen", "cinema-fr")
    stored_nights.fallen(stream)
    return stored_nights.alarm_of(stream)


def viewers_token(env: dict[str, str]) -> str:
    """Return a token of a user whom Airflow lets read alone."""
    code = (
        "from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager as M\n"
        "from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser as U\n"
        "print(M().generate_jwt(U(username='vera', role='VIEWER')))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], env=env, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def test_a_viewer_is_refused_and_an_admins_action_has_their_name(ui: Ui, alarm_id: str, ready: Machine) -> None:
    from playwright.sync_api import sync_playwright

    acknowledging = "/api/v2/dags/acknowledge_alarm"
    viewer = viewers_token(ready.env)
    with pytest.raises(urllib.error.HTTPError) as refused:
        conf = {"alarm": alarm_id, "reason": "not for me"}
        ui.call("POST", f"{acknowledging}/dagRuns", {"logical_date": None, "conf": conf}, viewer)
    assert refused.value.code == 403
    headers = {"Authorization": f"Bearer {viewer}", "Accept": "text/html"}
    request = urllib.request.Request(f"{ui.url}/sentiment/drift?source=fallen", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        seen = answer.read().decode()
    assert f"sentiment drift ack {alarm_id}" in seen
    assert "data-trigger" not in seen
    ui.call("PATCH", acknowledging, {"is_paused": False}, ui.token())
    with sync_playwright() as playwright:
        browser, page = signed_in(playwright, ui, "/sentiment/drift?source=fallen")
        browsers.acknowledge(page, alarm_id, "the critics are on strike")
        browser.close()
    query = "SELECT acknowledged_by, reason FROM drift.v_alarm WHERE alarm_id = :a AND status = 'acknowledged'"
    wait_for(lambda: rows(query, a=alarm_id), "the acknowledgement", within_s=120)
    assert [tuple(row) for row in rows(query, a=alarm_id)] == [("admin", "the critics are on strike")]


@pytest.mark.last
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
