"""A real browser for tests: Chromium found on the machine, kept away from the network."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from werkzeug.serving import BaseWSGIServer, make_server

from tests.pages import session_cookie

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask
    from sqlalchemy.orm import Session

    from tests.databases import Database
    from tests.pages import Person

CHROMIUM = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)  # fmt: skip
SOFFICE = ("soffice", "libreoffice", "/Applications/LibreOffice.app/Contents/MacOS/soffice")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)  # fmt: skip
PATIENCE = 30_000
"""Milliseconds that a browser waits for what is to come: a busy machine is slow, not wrong."""
expect.set_options(timeout=PATIENCE)


def find_program(variable: str, names: tuple[str, ...], sentence: str) -> str:
    """Return the program's path, or fail the test with the sentence that says what to install."""
    for name in (os.environ.get(variable, ""), *names):
        if name and (path := shutil.which(name)):
            return path
    pytest.fail(sentence, pytrace=False)


def find_chromium() -> str:
    """Return the path of a Chromium or Chrome."""
    sentence = (
        "This test needs a browser: install Chromium (Debian: apt-get install chromium) or set CHROMIUM."
    )
    return find_program("CHROMIUM", CHROMIUM, sentence)


def find_soffice() -> str:
    """Return the path of LibreOffice's program."""
    sentence = "This test needs LibreOffice Calc: install it (Debian: apt-get install libreoffice-calc) or set SOFFICE."
    return find_program("SOFFICE", SOFFICE, sentence)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start the browser; a worker keeps one."""
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


class Browsing:
    """Pages of one test, each in a context of its own; what goes wrong in them fails the test at its end."""

    def __init__(self, browser: Browser, address: str, app: Flask, tx: Session) -> None:
        """Keep the browser, the address of the server, the application and the test's transaction."""
        self._browser = browser
        self._address = address
        self._app = app
        self._tx = tx
        self._contexts: list[BrowserContext] = []
        self.faults: list[str] = []

    def __call__(self, person: Person | None = None, **options: Any) -> Page:
        """Commit `tx` and open a page, signed in as that person; addresses are relative to the server.

        Options are those of a browser context, such as `java_script_enabled=False`.
        """
        settings = {"base_url": self._address, "viewport": {"width": 1280, "height": 800}} | options
        context = self._browser.new_context(**settings)
        context.set_default_timeout(PATIENCE)
        self._contexts.append(context)
        page = context.new_page()
        if person:
            name, value = session_cookie(self._app, person, agent=page.evaluate("navigator.userAgent"))
            context.add_cookies([{"name": name, "value": value, "url": self._address}])
        self._tx.commit()
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on("console", self._hear)
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        """Note errors, among them what the content security policy refused; a refusal's status is none."""
        place = message.location["url"]
        is_refusal = "the server responded with a status of 4" in message.text and "/static/" not in place
        if message.type == "error" and not is_refusal:
            self.faults.append(f"{place}: {message.text}")

    def close(self) -> None:
        """Close every page."""
        for context in self._contexts:
            context.close()


def check_accessible(page: Page) -> None:
    """Let axe look at the page; raise AssertionError with what it finds."""
    found = Axe().run(page).response["violations"]
    nodes = [f"{rule['id']}: {rule['help']}: {node['html']}" for rule in found for node in rule["nodes"]]
    assert not nodes, "\n".join([page.url, *nodes])


@contextmanager
def serve(app: Flask) -> Iterator[str]:
    """Serve the application on a free port of the loopback; yield its address."""
    server: BaseWSGIServer = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def live_server(app: Flask, database: Database, kept: dict[str, Any], for_worker: ExitStack) -> str:
    """Serve the application; gives its address."""
    key = f"server on {database.kind}"
    if key not in kept:
        kept[key] = for_worker.enter_context(serve(app))
    return str(kept[key])


@pytest.fixture
def browse(
    live_server: str, app: Flask, tx: Session, kept: dict[str, Any], for_worker: ExitStack
) -> Iterator[Browsing]:
    """Open pages in a real browser: `browse(user, java_script_enabled=False)`, each in a context of its own."""
    if "browser" not in kept:
        kept["browser"] = for_worker.enter_context(open_browser())
    browsing = Browsing(kept["browser"], live_server, app, tx)
    yield browsing
    browsing.close()
    assert not browsing.faults, "\n".join(browsing.faults)


@pytest.fixture
def page(browse: Browsing) -> Page:
    """Give one page in a real browser."""
    return browse()


@pytest.fixture(scope="session")
def soffice() -> str:
    """Give the path of LibreOffice; without it the test fails and says what to install."""
    return find_soffice()
