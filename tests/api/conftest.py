"""The application over HTTP for tests, and doors for people and programs.

`app` is one per test, on a database of its own. `still` is one for all tests that change nothing others could notice,
such as requests that are refused; it is there because a database takes longer to make than most tests to run.
"""

import gzip
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.api.deps import COOKIE, CSRF_HEADER
from backend.app import create_app
from backend.embedded import Cluster
from backend.services import accounts, sessions
from backend.settings import Settings
from backend.tables import User


class Doors:
    """Lets people in without a password (hashing takes time); `enter` and `call` give a client for either way in."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self._numbers = count(1)

    def person(self, role: str = "annotator", **fields: Any) -> User:
        """A new person."""
        with self.app.state.session_factory.begin() as session:
            email = fields.pop("email", f"{role}{next(self._numbers)}@doors.example")
            user = accounts.create_user(session, email=email, role=role, **fields)
            session.refresh(user)
        return user

    def anonymous(self) -> TestClient:
        """Somebody who is not signed in."""
        return TestClient(self.app)

    def enter(self, user: User, csrf: bool = True) -> TestClient:
        """A signed-in browser."""
        with self.app.state.session_factory.begin() as session:
            secret, signed_in = sessions.start(session, session.get(User, user.id), hours=1)
        client = TestClient(self.app, cookies={COOKIE: secret})
        if csrf:
            client.headers[CSRF_HEADER] = signed_in.csrf_token
        return client

    def call(self, user: User, *scopes: str) -> TestClient:
        """A program with an API token."""
        with self.app.state.session_factory.begin() as session:
            secret, _ = sessions.create_token(session, session.get(User, user.id), name="test", scopes=scopes)
        return TestClient(self.app, headers={"Authorization": f"Bearer {secret}"})


@pytest.fixture(scope="session")
def still(cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Ways into the application that all tests share; it has built pages, and a secret beside them."""
    folder = tmp_path_factory.mktemp("still")
    build_pages(folder / "dist")
    app = create_app(
        Settings(database_url=cluster.create_database("still", template), data_dir=folder, pages_dir=folder / "dist")
    )
    with TestClient(app):
        yield Doors(app)
    cluster.drop_database("still")


@pytest.fixture(scope="session")
def still_admin(still: Doors) -> TestClient:
    """A signed-in admin's browser in it."""
    return still.enter(still.person("admin"))


@pytest.fixture(scope="session")
def still_annotator(still: Doors) -> TestClient:
    """A signed-in annotator's browser in it."""
    return still.enter(still.person())


def build_pages(folder: Path) -> None:
    """A folder as Vite builds it, with a secret beside it."""
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text('<!doctype html><script type="module" src="/assets/index-B1x3.js"></script>')
    (folder / "assets" / "index-B1x3.js").write_text("export default 1;" * 200)
    (folder / "assets" / "page-C7y2.js").write_text("export default 2;")
    (folder / "assets" / "page-C7y2.js.gz").write_bytes(gzip.compress(b"export default 2; // compressed once"))
    (folder / "favicon.svg").write_text("<svg/>")
    (folder.parent / "secret.txt").write_text("secret")
    os.symlink(folder.parent / "secret.txt", folder / "assets" / "link.txt")


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of the application under test."""
    return Settings(
        database_url=database_url, data_dir=tmp_path / "data", pages_dir=tmp_path / "dist", database_pool=12
    )


@pytest.fixture
def app(settings: Settings) -> Iterator[FastAPI]:
    """The application; its engine is disposed of by its own shutdown."""
    app = create_app(settings)
    with TestClient(app):
        yield app


@pytest.fixture
def doors(app: FastAPI) -> Doors:
    """Ways into the application."""
    return Doors(app)


@pytest.fixture
def anonymous(doors: Doors) -> TestClient:
    """Somebody who is not signed in."""
    return doors.anonymous()


@pytest.fixture
def admin(doors: Doors) -> TestClient:
    """A signed-in admin's browser."""
    return doors.enter(doors.person("admin"))


@pytest.fixture
def annotator(doors: Doors) -> TestClient:
    """A signed-in annotator's browser."""
    return doors.enter(doors.person("annotator"))
