"""Take the pictures of the README and of a look at every section from the demo: `make screenshots`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright
from sentiment import settings
from sentiment.cli.render import OUT, run
from sentiment.demo import home, making
from sentiment.embedded import airflow, secrets
from sentiment.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = PROJECT_ROOT / "docs" / "images"
SECTIONS = {
    "night": "", "drift": "drift", "series": "series?column=positive", "films": "films",
    "film": f"film?source={home.SOURCE}&item=f-001", "quarantine": "quarantine", "models": "models", "about": "about",
    "print": "print",
}  # fmt: skip
"""Name of a picture -> path of its page."""
SHOWN = {"night": "night", "series": "evidence"}
"""Pictures that the README shows, by their page."""
LOOKS = {"light": (1100, "light"), "dark": (1100, "dark"), "narrow": (390, "light")}


def main(folder: Path) -> None:
    """Make the demo where it is missing; write every section in every look to `folder`, and the README's pictures."""
    with home.at_home(home.folder(settings.load())):
        address, _ = making.make(OUT.print)
        password = secrets.load(settings.load().home)["airflow_admin"]
    pages = address.replace("/plugin/sentiment", "/sentiment/")
    folder.mkdir(parents=True, exist_ok=True)
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for look, (width, scheme) in LOOKS.items():
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, locale="en-GB")
            page = context.new_page()
            _sign_in(page, pages, password)
            for name, path in SECTIONS.items():
                page.goto(f"{pages}{path}")
                page.screenshot(path=folder / f"{name}-{look}.png", full_page=True)
                if look == "light" and name in SHOWN:
                    page.screenshot(path=IMAGES / f"{SHOWN[name]}.png", full_page=True)
            context.close()
        browser.close()
    OUT.print(f"{len(LOOKS) * len(SECTIONS)} pictures in {folder}, those of the README in {IMAGES}")


def _sign_in(page: Page, pages: str, password: str) -> None:
    page.goto(pages)
    page.fill("input[name=username]", airflow.ADMIN)
    page.fill("input[name=password]", password)
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1).first.wait_for()


if __name__ == "__main__":
    run(lambda: main(Path(sys.argv[1] if len(sys.argv) > 1 else PROJECT_ROOT / ".local" / "screenshots")))
