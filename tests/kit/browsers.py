"""A browser, servers for it to look at, and what it is used for in more than one module."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import axe_playwright_python
import uvicorn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Playwright

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")


def launch(playwright: Playwright) -> Browser:
    """Start the machine's Chromium; fails, rather than skips, where there is none."""
    chromium = shutil.which("chromium")
    assert chromium, "chromium is not installed: apt-get install chromium"
    return playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])


def free_port() -> str:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an application in a thread; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def serious_faults(root: Locator) -> list[str]:
    """Return what axe-core holds against the page of this root element that is serious or critical."""
    root.evaluate(f"() => {{ {AXE.read_text('utf-8')} }}")
    violations = root.evaluate("async () => (await axe.run(document)).violations")
    return [f"{v['id']}: {v['nodes'][0]['html']}" for v in violations if v["impact"] in ("serious", "critical")]


def too_wide(root: Locator) -> list[str]:
    """Return what of a page is wider than what it is shown in: the page itself, a chart, a table, a statement."""
    inner = "[root, ...root.querySelectorAll('.chart, .scroll, pre')]"
    name = "part => `too wide: ${part.className || part.tagName}`"
    names: list[str] = root.evaluate(f"root => {inner}.filter(part => part.scrollWidth > part.clientWidth).map({name})")
    return names


def acknowledge(page: Page, alarm_id: str, reason: str) -> None:
    """Fill an alarm's form, submit it and wait until Airflow has it."""
    action = page.locator("li", has_text=alarm_id).locator("details")
    action.locator("summary").click()
    action.locator("input[name=reason]").fill(reason)
    action.locator("input[type=checkbox]").check()
    action.get_by_role("button").click()
    action.locator("output a").wait_for()
