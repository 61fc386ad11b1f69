"""docker-compose.yml and the images: no engine is needed to see that they fit the rest of the repository."""

import re
from typing import Any

import pytest
import yaml

from backend.cli import COMMANDS
from backend.settings import REPOSITORY, Settings, variable

COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("migrate", "api", "dispatcher", "worker")


def test_every_variable_is_a_setting() -> None:
    used = {name for service in OURS for name in SERVICES[service]["environment"]}
    assert {name for name in used if name.startswith("PODIUM_")} <= {variable(name) for name in Settings.model_fields}
    assert used >= {"PODIUM_DATABASE_URL", "PODIUM_REDIS_URL", "PODIUM_STORAGE_URL"}


@pytest.mark.parametrize("service", OURS)
def test_values_are_what_the_settings_accept(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICES[service]["environment"].items():
        default = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:\?[^}]*\}", "secret", default))
    settings = Settings()
    assert settings.database_url == "postgresql+psycopg://podium:secret@postgres/podium"
    assert settings.redis_url == "redis://valkey:6379/0"


@pytest.mark.parametrize("service", OURS)
def test_commands_exist(service: str) -> None:
    assert SERVICES[service]["command"][0] in COMMANDS


def test_everything_waits_for_the_migration_and_everything_kept_is_a_volume() -> None:
    for service in ("api", "dispatcher", "worker"):
        assert SERVICES[service]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert "storage:/storage" in SERVICES[service]["volumes"]
    named = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert named == set(COMPOSE["volumes"])


@pytest.mark.parametrize("file", ["backend/Dockerfile", "workers/Dockerfile"])
def test_images_copy_what_is_there_and_may_be_sent(file: str) -> None:
    text = (REPOSITORY / file).read_text(encoding="utf-8")
    sent = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M) for name in line.split()]
    assert copied
    for name in copied:
        assert name.split("/")[0] in sent
        assert name.startswith("frontend") or (REPOSITORY / name).exists()


def test_the_workers_torch_is_the_launchers() -> None:
    launcher = re.search(r'^TORCH = "(.+)"$', (REPOSITORY / "podium").read_text(encoding="utf-8"), re.M)
    image = re.search(r"torch==(\S+)", (REPOSITORY / "workers" / "Dockerfile").read_text(encoding="utf-8"))
    assert launcher is not None
    assert image is not None
    assert launcher[1] == image[1]
