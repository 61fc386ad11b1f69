"""Checkpoints over HTTP: what they show, and files by ranges."""

import hashlib
import uuid
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend import storage
from backend.settings import Settings
from tests.services.training_project import launch, make_checkpoint, make_project

API = "/api/v1/checkpoints"


@pytest.fixture
def made(app: FastAPI, settings: Settings, tmp_path: Path) -> dict[str, Any]:
    store = storage.open_store(settings.storage)
    with app.state.session_factory.begin() as session:
        project = make_project(session)
        base = make_checkpoint(session, store, project, tmp_path)
        tuned = make_checkpoint(session, store, project, tmp_path, launch(session, project, "sft", model=base.name))
        return {"id": str(tuned.id), "base": str(base.id), "name": tuned.name, "revision": tuned.revision}


@pytest.fixture
def reader(doors: Any) -> TestClient:
    client: TestClient = doors.call(doors.person("admin"), "read")
    return client


def test_what_a_checkpoint_shows(reader: TestClient, made: dict[str, Any]) -> None:
    shown = reader.get(f"{API}/{made['id']}").json()
    assert shown["name"] == made["name"] and shown["kind"] == "sft" and len(shown["revision"]) == 40
    assert shown["parents"] == [{"id": made["base"], "name": "kind-answers/pretrain-1", "kind": "pretrain"}]
    assert {file["path"] for file in shown["files"]} == {"config.json", "manifest.json", "model.safetensors"}
    assert shown["size"] == sum(file["size"] for file in shown["files"]) and shown["metrics"] == {"loss": 0.5}
    assert f"{made['name']}@{made['revision']}" in shown["pull"]["command"]
    compile(shown["pull"]["python"], "pull", "exec")
    assert [item["id"] for item in reader.get(API).json()["items"]] == [made["id"], made["base"]]
    assert [item["id"] for item in reader.get(API, params={"kind": "pretrain"}).json()["items"]] == [made["base"]]
    run = reader.get(f"/api/v1/runs/{shown['run']}").json()
    assert run["checkpoint"] == made["id"]


def test_by_name(reader: TestClient, made: dict[str, Any]) -> None:
    path = f"{API}/by-name/{made['name']}"
    assert reader.get(path).json()["id"] == made["id"]
    assert reader.get(path, params={"revision": made["revision"]}).status_code == 200
    assert reader.get(path, params={"revision": "f" * 40}).status_code == 404
    assert reader.get(f"{API}/by-name/no/such").status_code == 404
    assert reader.get(f"{API}/{uuid.uuid4()}").status_code == 404


def test_files_whole_and_by_ranges(reader: TestClient, made: dict[str, Any]) -> None:
    path = f"{API}/{made['id']}/files/model.safetensors"
    content = bytes(range(256)) * 40
    whole = reader.get(path)
    assert whole.status_code == 200 and whole.content == content
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    assert whole.headers["etag"] == etag and whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-disposition"].startswith("attachment")
    head = reader.head(path)
    assert head.status_code == 200 and head.content == b"" and head.headers["etag"] == etag
    assert head.headers["content-length"] == str(len(content))

    def part(wanted: str, **headers: str) -> Any:
        return reader.get(path, headers={"Range": wanted, **headers})

    answer = part("bytes=100-199")
    assert (answer.status_code, answer.content) == (206, content[100:200])
    assert answer.headers["content-range"] == f"bytes 100-199/{len(content)}" and answer.headers["etag"] == etag
    assert part("bytes=-5").content == content[-5:] and part("bytes=10000-").content == content[10_000:]
    assert part("bytes=0-0").content == content[:1]
    beyond = part("bytes=20000-")
    assert beyond.status_code == 416 and beyond.headers["content-range"] == f"bytes */{len(content)}"
    assert part("bytes=0-9", **{"If-Range": etag}).status_code == 206
    assert part("bytes=0-9", **{"If-Range": '"other"'}).content == content
    assert reader.get(path, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("path", ["no.bin", "../config.json", "%2e%2e/config.json", "/etc/passwd", "a%00b"])
def test_no_other_file_can_be_reached(reader: TestClient, made: dict[str, Any], path: str) -> None:
    assert reader.get(f"{API}/{made['id']}/files/{path}").status_code == 404


def test_a_damaged_file_is_not_served(reader: TestClient, made: dict[str, Any], settings: Settings) -> None:
    stored = Path(settings.storage) / made["id"] / "model.safetensors"
    stored.write_bytes(b"short")
    answer = reader.get(f"{API}/{made['id']}/files/model.safetensors")
    assert answer.status_code == 503 and "damaged" in answer.json()["detail"]


def test_who_may_do_what(doors: Any, reader: TestClient, made: dict[str, Any]) -> None:
    file = f"{API}/{made['id']}/files/config.json"
    assert doors.anonymous().get(file).status_code == 401
    assert doors.enter(doors.person("annotator")).get(file).status_code == 403
    assert reader.post(f"{API}/{made['id']}/promote").status_code == 403
    admin = doors.enter(doors.person("admin"))
    promoted = admin.post(f"{API}/{made['id']}/promote")
    assert promoted.status_code == 200 and promoted.json()["promoted_at"].endswith("Z")
    listed = reader.get(API, params={"promoted": True}).json()["items"]
    assert [item["id"] for item in listed] == [made["id"]]
