"""A served instance and Debian's Chromium; screenshots are left in build/screenshots."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from werkzeug.serving import make_server

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
NEEDS_CHROMIUM = "needs Chromium: apt-get install --no-install-recommends chromium"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without the program these tests, and only these, are left out."""
    for item in items:
        if PROGRAM is None and item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.skip(reason=NEEDS_CHROMIUM))


@pytest.fixture(scope="session")
def address(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Open a path in a fresh context; anything from another host or on the console is an error."""
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def open_page(path: str, **settings: object) -> Page:
        context = browser.new_context(base_url=address, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda said: troubles.append(said.text) if broken(said) else None)
        page.on("request", lambda asked: refuse_others(asked.url, address, troubles))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


def broken(said: object) -> bool:
    """Whether a line of the console is a fault: a refusal of the service is an answer."""
    refusal = "status of 4" in said.text
    return said.type in {"error", "warning"} and not refusal


def refuse_others(url: str, address: str, troubles: list[str]) -> None:
    """Note a request to another host."""
    if not url.startswith((address, "data:", "blob:")):
        troubles.append(url)


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA and good practice."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']}: {node['html']}" for one in found for node in one["nodes"]]


def keep(page: Page, name: str) -> Path:
    """Leave a screenshot of the whole page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    return path
