"""The application over HTTP for tests: one per test, on a database of its own, and doors for people and programs."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.api.deps import COOKIE, CSRF_HEADER
from backend.app import create_app
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
            email = fields.pop("email", f"{role}{next(self._numbers)}@example.org")
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
