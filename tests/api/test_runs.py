"""Runs over HTTP: launched with a checked config, watched by polling, stopped and resumed; for admins only."""

import uuid
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.domain.training import CONFIGS
from backend.services import run_records, runs
from backend.services.run_records import Batch, Sample
from backend.tables import Run
from tests.services.training_project import begin, make_project

API = "/api/v1"


@pytest.fixture
def project(app: FastAPI) -> str:
    with app.state.session_factory.begin() as session:
        return make_project(session).slug


@pytest.fixture
def admin(doors: Any) -> TestClient:
    client: TestClient = doors.enter(doors.person("admin", name="Ada"))
    return client


def launch(admin: TestClient, project: str, kind: str = "pretrain", **config: Any) -> str:
    answer = admin.post(f"{API}/runs", json={"project": project, "kind": kind, "config": config})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_the_kinds_draw_their_own_forms(admin: TestClient) -> None:
    items = {item["kind"]: item for item in admin.get(f"{API}/run-kinds").json()["items"]}
    assert items.keys() == CONFIGS.keys()
    model = items["sft"]["schema"]["properties"]["model"]
    assert model["x-podium"] == "model" and model["description"]
    assert items["ppo"]["form"]["sets"]["objective"]["reinforce"]["epochs"] == 1
    assert items["pretrain"]["needs"] == ["documents"]
    assert items["sft"]["needs"] == ["model", "demonstrations"]
    assert items["reward_model"]["needs"] == ["model", "reward_set"]


def test_a_run_from_launch_to_its_end(admin: TestClient, app: FastAPI, project: str) -> None:
    id = launch(admin, project, epochs=2.0)
    run = admin.get(f"{API}/runs/{id}").json()
    assert (run["state"], run["progress"], run["eta_s"], run["moves"]) == ("queued", None, None, ["cancel"])
    assert run["project"]["slug"] == project and run["created_by"] == "Ada" and run["created_at"].endswith("Z")
    assert run["config"]["epochs"] == 2.0

    sessions = app.state.session_factory
    with sessions.begin() as session:
        begin(session, runs.find(session, uuid.UUID(id)))
        first = Batch(reports=[(0, 10, "train")], metrics={1: {"loss": 2.0}}, lines=["hello"])
        run_records.write(session, uuid.UUID(id), 1, first)
    with sessions.begin() as session:
        sample = Sample(2, [{"role": "user", "content": "hi"}], "there", {"score": 1.5}, [{"text": "t", "kl": 0.1}])
        second = Batch(reports=[(2, 10, "train")], metrics={2: {"loss": None}}, samples=[sample])
        run_records.write(session, uuid.UUID(id), 1, second)
    run = admin.get(f"{API}/runs/{id}").json()
    assert run["progress"] == {"step": 2, "total": 10, "phase": "train"} and run["eta_s"] > 0

    page = admin.get(f"{API}/runs/{id}/metrics").json()
    assert [(one["step"], one["values"]) for one in page["items"]] == [(1, {"loss": 2.0}), (2, {"loss": None})]
    assert page["next_after"] == 2
    again = admin.get(f"{API}/runs/{id}/metrics", params={"after": page["next_after"]}).json()
    assert again == {"items": [], "next_after": 2}
    saved = admin.get(f"{API}/runs/{id}/tensorboard")
    assert "events.out.tfevents." in saved.headers["content-disposition"]
    steps: list[bytes] = []
    at = 0
    while at < len(saved.content):  # records: length, checksum, data, checksum
        length = int.from_bytes(saved.content[at : at + 8], "little")
        steps.append(saved.content[at + 12 : at + 12 + length])
        at += length + 16
    version, *steps = steps
    assert b"brain.Event:2" in version and [step.count(b"loss") for step in steps] == [1, 1]
    samples = admin.get(f"{API}/runs/{id}/samples").json()
    assert samples["items"][0]["completion"] == "there" and samples["items"][0]["tokens"] == [{"text": "t", "kl": 0.1}]
    (step,) = admin.get(f"{API}/runs/{id}/sample-steps").json()["items"]
    assert admin.get(f"{API}/runs/{id}/samples?step={step}").json() == samples
    assert admin.get(f"{API}/runs/{id}/samples?step={step + 1}").json()["items"] == []
    last = samples["next_after"]
    assert admin.get(f"{API}/runs/{id}/sample-steps?after={last}").json() == {"items": [], "next_after": last}
    log = admin.get(f"{API}/runs/{id}/log").json()
    assert [one["line"] for one in log["items"]] == ["hello"]

    with sessions.begin() as session:
        runs.succeed(session, uuid.UUID(id), 1, {"loss": 1.0})
    run = admin.get(f"{API}/runs/{id}").json()
    assert (run["state"], run["moves"], run["result"], run["eta_s"]) == ("succeeded", [], {"loss": 1.0}, None)


def test_cancel_and_resume(admin: TestClient, app: FastAPI, project: str) -> None:
    id = launch(admin, project)
    cancelled = admin.post(f"{API}/runs/{id}/cancel")
    assert cancelled.status_code == 200
    assert (cancelled.json()["state"], cancelled.json()["moves"]) == ("cancelled", ["resume"])
    refused = admin.post(f"{API}/runs/{id}/cancel")
    assert refused.status_code == 409 and refused.headers["content-type"] == "application/problem+json"
    resumed = admin.post(f"{API}/runs/{id}/resume")
    assert (resumed.status_code, resumed.json()["state"]) == (202, "queued")
    with app.state.session_factory.begin() as session:
        begin(session, runs.find(session, uuid.UUID(id)))
    asked = admin.post(f"{API}/runs/{id}/cancel").json()
    assert (asked["state"], asked["cancel_requested"], asked["moves"]) == ("running", True, [])


@pytest.mark.parametrize(
    ("kind", "config", "field"),
    [
        ("pretrain", {"learning_rte": 1}, "learning_rte"),
        ("pretrain", {"epochs": "two"}, "epochs"),
        ("pretrain", {"hidden_size": 100, "heads": 3}, "hidden_size"),
        ("sft", {"model": "no/such"}, "model"),
        ("dance", {}, "kind"),
    ],
)
def test_what_cannot_work_names_its_field(
    admin: TestClient, project: str, kind: str, config: dict[str, Any], field: str
) -> None:
    answer = admin.post(f"{API}/runs", json={"project": project, "kind": kind, "config": config})
    assert answer.status_code == 422 and answer.json()["field"] == field and answer.json()["detail"]
    assert admin.get(f"{API}/runs").json()["items"] == []


def test_lists_by_project_state_and_kind(admin: TestClient, app: FastAPI, project: str) -> None:
    with app.state.session_factory.begin() as session:
        other = make_project(session, "Other").slug
    ids = [launch(admin, project), launch(admin, project), launch(admin, other)]
    admin.post(f"{API}/runs/{ids[0]}/cancel")

    def listed(**params: Any) -> list[str]:
        return [item["id"] for item in admin.get(f"{API}/runs", params=params).json()["items"]]

    assert listed() == ids[::-1]
    assert listed(project=project) == [ids[1], ids[0]]
    assert listed(state="cancelled") == [ids[0]]
    assert listed(kind="ppo") == []
    page = admin.get(f"{API}/runs", params={"limit": 2}).json()
    assert [item["id"] for item in page["items"]] == ids[:0:-1]
    rest = admin.get(f"{API}/runs", params={"limit": 2, "after": page["next"]}).json()
    assert [item["id"] for item in rest["items"]] == ids[:1] and rest["next"] is None
    assert admin.get(f"{API}/runs", params={"state": "dancing"}).status_code == 422


def test_only_admins_and_their_tokens(doors: Any, app: FastAPI, admin: TestClient, project: str) -> None:
    id = launch(admin, project)
    chief, helper = doors.person("admin"), doors.person("annotator")
    body = {"project": project, "kind": "pretrain", "config": {}}
    assert doors.anonymous().get(f"{API}/runs").status_code == 401
    for path in (
        "runs",
        "run-kinds",
        f"runs/{id}",
        f"runs/{id}/metrics",
        f"runs/{id}/samples",
        f"runs/{id}/sample-steps",
        f"runs/{id}/log",
    ):
        assert doors.enter(helper).get(f"{API}/{path}").status_code == 403
        assert doors.call(chief, "read").get(f"{API}/{path}").status_code == 200
    assert doors.enter(helper).post(f"{API}/runs", json=body).status_code == 403
    assert doors.call(chief, "read").post(f"{API}/runs", json=body).status_code == 403
    assert doors.call(chief, "read").post(f"{API}/runs/{id}/cancel").status_code == 403
    assert doors.call(chief, "admin").post(f"{API}/runs", json=body).status_code == 202


def test_a_run_that_is_not_there(admin: TestClient) -> None:
    nowhere = f"{API}/runs/{uuid.uuid4()}"
    for path in ("", "/metrics", "/samples", "/sample-steps", "/log"):
        assert admin.get(nowhere + path).status_code == 404
    assert admin.post(f"{nowhere}/cancel").status_code == 404
    assert admin.get(f"{API}/runs/none").status_code == 422


def test_runs_know_no_table_by_accident(admin: TestClient, project: str) -> None:
    shown = set(admin.get(f"{API}/runs/{launch(admin, project)}").json())
    assert shown.isdisjoint({"worker", "lost", "rang_at", "project_id"})
    assert {column.key for column in Run.__table__.columns} - shown == {
        "project_id",
        "lost",
        "worker",
        "cancel_requested_at",
        "rang_at",
    }
