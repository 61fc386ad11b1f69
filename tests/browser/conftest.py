"""A real browser on a real Podium: pages built, processes running, nothing stood in for.

`podium` runs once per test process, until the tests of this folder are over; `visit` opens a browser window for a
person. A test fails on any error in the console, any uncaught exception, any dialog and any request that leaves this
Podium, unless it has announced it.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any, Literal, Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from sqlalchemy import Engine

from backend import checks, frontend
from backend.client import Client
from backend.database import make_engine
from backend.settings import Settings
from backend.up import Podium, running
from tests.browser.study import PASSWORD, Person, Study, make_study
from tests.browser.watch import SIGNED_OUT, Watch

# A machine that does other work as well may take long for what is quick; nothing here measures time.
PATIENCE_MS = 30_000
WIDE, PHONE = (1440, 900), (390, 844)
ARGUMENTS = (
    "--no-sandbox",  # tests in a container run as root, where Chromium refuses to start otherwise
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--force-color-profile=srgb",
)

_numbers = count(1)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium or Chrome; without one the tests here are skipped."""
    program = checks.chromium()
    if program is None:
        pytest.skip("no Chromium or Chrome on this machine (PODIUM_CHROMIUM can name one)")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        with playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS)) as started:
            yield started


@pytest.fixture(scope="package")
def podium(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, started_before: Callable[[Settings], Settings]
) -> Iterator[Podium]:
    """A whole Podium in a data folder of its own, with the pages as they are in the source."""
    said: list[str] = []
    assert frontend.build(said.append), said
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("podium"),
        port=port,
        run_heartbeat_s=0.5,
        run_threads=1,
        sign_in_attempts_per_minute=1000,
    )
    with running(started_before(settings), said.append) as started:
        yield started


@pytest.fixture(scope="package")
def client(podium: Podium) -> Iterator[Client]:
    """The admin of the data folder, over REST."""
    with Client(podium.settings) as opened:
        yield opened


@pytest.fixture(scope="package")
def engine(podium: Podium) -> Iterator[Engine]:
    """The database behind the Podium, to look at."""
    assert podium.settings.database_url is not None
    opened = make_engine(podium.settings.database_url, pool_size=1, application="browser-tests")
    yield opened
    opened.dispose()


@pytest.fixture
def study(client: Client, engine: Engine) -> Study:
    """Thirty prompts with two answers each, in a project of the test's own."""
    return make_study(client, engine)


@pytest.fixture(scope="package")
def admin(client: Client) -> Person:
    """An admin with a password."""
    return make_person(client, "admin")


@pytest.fixture
def annotator(client: Client) -> Person:
    """Somebody who may only judge, and has never been here."""
    return make_person(client, "annotator")


def make_person(client: Client, role: Literal["admin", "annotator"], name: str = "") -> Person:
    """A new account."""
    email = f"{role}{next(_numbers)}@browser.example"
    made = client.post("users", {"email": email, "name": name or email, "role": role, "password": PASSWORD})
    return Person(made["id"], email)


class Visit(Protocol):
    """Opens a window of its own, with nothing in its storage, for this person (None: nobody is signed in)."""

    def __call__(
        self,
        person: Person | None = None,
        path: str | None = None,
        *,
        size: tuple[int, int] = WIDE,
        scheme: Literal["light", "dark"] = "light",
        locale: str = "en-GB",
        expects: tuple[str, ...] = (),
        **options: Any,
    ) -> Page: ...


@pytest.fixture
def visit(browser: Browser, podium: Podium) -> Iterator[Visit]:
    """See `Visit`. `watch_of` tells what a window said."""
    with ExitStack() as stack:
        watches: list[Watch] = []

        def open_window(
            person: Person | None = None,
            path: str | None = None,
            *,
            size: tuple[int, int] = WIDE,
            scheme: Literal["light", "dark"] = "light",
            locale: str = "en-GB",
            expects: tuple[str, ...] = (),
            **options: Any,
        ) -> Page:
            context = browser.new_context(
                base_url=podium.url,
                viewport={"width": size[0], "height": size[1]},
                color_scheme=scheme,
                reduced_motion="reduce",
                locale=locale,
                **options,
            )
            stack.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            watch = Watch(context, podium.url)
            watch.expect(*expects)
            watches.append(watch)
            _watches[context] = watch
            stack.callback(_watches.pop, context)
            if person is None:
                watch.expect(SIGNED_OUT)
            else:
                sign_in(context, person)
            page = context.new_page()
            if path is not None:
                page.goto(path)
            return page

        yield open_window
        unexpected = [remark for watch in watches for remark in watch.unexpected()]
    assert unexpected == []


_watches: dict[BrowserContext, Watch] = {}


@pytest.fixture(scope="package")
def watch_of() -> Callable[[Page], Watch]:
    """What the window of this page has said so far."""
    return lambda page: _watches[page.context]


def sign_in(context: BrowserContext, person: Person) -> None:
    """Sign in over REST, which puts the cookie into the window."""
    answer = context.request.post("/api/v1/session", data={"email": person.email, "password": person.password})
    assert answer.status == 201, answer.text()
