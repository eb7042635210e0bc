"""A real browser, and people who log in with it by the form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Response, sync_playwright

WAIT_MS = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        yield started
        started.close()


@contextmanager
def logged_in(
    browser: Browser, url: str, name: str, password: str, *, width: int = 1200, height: int = 1000, scale: float = 1.5
) -> Iterator[tuple[Page, list[str]]]:
    """A page of somebody who has logged in to the Airflow at ``url``, and what it is refused from then on."""
    refused: list[str] = []

    def note(response: Response) -> None:
        if response.status in (401, 403):
            refused.append(f"{response.status} {response.url.removeprefix(url)}")

    with browser.new_context(viewport={"width": width, "height": height}, device_scale_factor=scale) as context:
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(url)
        page.fill("input[name=username]", name)
        page.fill("input[name=password]", password)
        page.click("input[type=submit]")
        page.wait_for_url(lambda address: "/auth/" not in address)
        page.on("response", note)
        yield page, refused
