"""Settings: one variable a field, no secret shown, and children see what their parent saw."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from backend.settings import PREFIX, REPOSITORY, Settings, describe, environment


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:

    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


def test_every_field_is_explained_and_has_its_variable() -> None:
    rows = describe(Settings())
    assert [name for name, _, _ in rows] == [f"PODIUM_{field.upper()}" for field in Settings.model_fields]
    assert all(text.endswith(".") for _, _, text in rows)


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODIUM_DATABASE_URL", "postgresql://podium:s3cret@db/podium?sslpassword=s3cret")
    monkeypatch.setenv("PODIUM_REDIS_URL", "redis://:s3cret@valkey:6379/0")
    monkeypatch.setenv("PODIUM_TOKEN", "s3cret")
    monkeypatch.setenv("PODIUM_METRICS_TOKEN", "s3cret")
    shown = str(describe(Settings()))
    assert "s3cret" not in shown
    assert "db/podium" in shown
    assert "valkey:6379" in shown


def test_a_child_sees_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        port=8123,
        secure_cookies=True,
        trusted_proxies=("10.0.0.1", "10.0.0.2"),
        run_lost_after_s=7.5,
    )
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODIUM_PORT", "")
    monkeypatch.setenv("PODIUM_DATABASE_URL", "")
    assert Settings() == Settings(data_dir=REPOSITORY / ".podium")


def test_addresses(tmp_path: Path) -> None:
    assert Settings().base_url == "http://127.0.0.1:8000"
    assert Settings(host="0.0.0.0", port=81).base_url == "http://127.0.0.1:81"
    assert Settings(host="::1").base_url == "http://[::1]:8000"
    behind = Settings(public_url="https://podium.example.org/")
    assert behind.base_url == "https://podium.example.org"
    assert behind.local_url == "http://127.0.0.1:8000"
    assert behind.cookies_are_secure
    assert not Settings().cookies_are_secure
    assert Settings(data_dir=tmp_path).storage == str(tmp_path / "storage")


def test_only_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings(database_url="postgres://a@b/c").database_url == "postgresql+psycopg://a@b/c"
    for url in ("sqlite:///x.db", "mysql://a@b/c", "podium"):
        with pytest.raises(ValidationError, match="PostgreSQL"):
            Settings(database_url=url)


def test_they_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]
