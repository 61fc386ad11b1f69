"""What annotators must not see or touch: models, each other's work, anything through a field nobody declared."""

import re
import uuid
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from backend.app import openapi
from backend.tables import Comparison, Judgment, Model
from tests.api.conftest import Doors
from tests.api.test_access import ANNOTATOR, READER, RULES
from tests.factories import make_prompt, make_study

V1 = "/api/v1"


@pytest.fixture
def study(app: FastAPI) -> str:
    """The slug of a project with work to do."""
    with app.state.session_factory.begin() as session:
        return make_study(session, prompts=6, models=3, overlap=2).slug


@pytest.fixture
def secrets(app: FastAPI, study: str) -> list[str]:
    """Names and ids of models: what no annotator may learn."""
    with app.state.session_factory() as session:
        return [text for model in session.scalars(select(Model)) for text in (model.name, str(model.id))]


def next_of(client: TestClient, study: str) -> dict[str, Any]:
    answer = client.post(f"{V1}/projects/{study}/comparisons/next")
    assert answer.status_code == 200, answer.text
    (comparison,) = answer.json()["items"]
    assert isinstance(comparison, dict)
    return comparison


def judge(client: TestClient, comparison: dict[str, Any], id: uuid.UUID | None = None, **more: Any):
    body = {"comparison": comparison["id"], "lease": comparison["lease"]["id"], "ranks": [1, 2]} | more
    return client.put(f"{V1}/judgments/{id or uuid.uuid4()}", json=body)


def test_the_work_of_others_does_not_exist(doors: Doors, study: str, app: FastAPI):
    ann, bob = (doors.enter(doors.person()) for _ in range(2))
    comparison = next_of(ann, study)
    lease = comparison["lease"]["id"]
    tries = [
        judge(bob, comparison),
        bob.post(f"{V1}/comparisons/{comparison['id']}/skip"),
        bob.post(f"{V1}/leases/{lease}/renew"),
        bob.delete(f"{V1}/leases/{lease}"),
    ]
    judgment = judge(ann, comparison).json()
    tries.append(bob.delete(f"{V1}/judgments/{judgment['id']}"))
    assert [answer.status_code for answer in tries] == [404] * len(tries)
    with app.state.session_factory() as session:
        kept = session.scalars(select(Judgment)).one()
        assert str(kept.id) == judgment["id"] and kept.voided_at is None
        assert session.get_one(Comparison, uuid.UUID(comparison["id"])).state == "judged"
    assert bob.get(f"{V1}/projects/{study}/my-judgments").json()["items"] == []
    assert len(ann.get(f"{V1}/projects/{study}/my-judgments").json()["items"]) == 1


def test_nobody_takes_over_the_id_of_anothers_judgment(doors: Doors, study: str, app: FastAPI):
    ann, bob = (doors.enter(doors.person()) for _ in range(2))
    id = uuid.uuid4()
    assert judge(ann, next_of(ann, study), id).status_code == 201
    answer = judge(bob, next_of(bob, study), id, ranks=[2, 1])
    assert answer.status_code == 409
    with app.state.session_factory() as session:
        assert session.scalars(select(Judgment)).one().ranks == [1, 2]


def test_no_model_is_named_to_an_annotator(doors: Doors, study: str, secrets: list[str]):
    """Whatever an annotator may call, the answers hold neither a name nor an id of a model."""
    client = doors.enter(doors.person())
    seen = []
    for _ in range(4):
        comparison = next_of(client, study)
        seen.append(client.post(f"{V1}/leases/{comparison['lease']['id']}/renew").text)
        kept = judge(client, comparison)
        assert kept.status_code == 201
        undone = client.delete(f"{V1}/judgments/{kept.json()['id']}")
        assert undone.json()["comparison"]["id"] == comparison["id"]
        again = judge(client, undone.json()["comparison"])
        assert again.status_code == 201
        seen += [str(comparison), kept.text, undone.text, again.text]
    for route in (route for route, rule in RULES.items() if rule in (READER, ANNOTATOR)):
        method, _, path = route.partition(" ")
        if method == "GET":
            path = re.sub(r"\{(\w+)\}", lambda found: study if found[1] == "project" else str(uuid.uuid4()), path)
            seen.append(client.get(path).text)
    text = "\n".join(seen)
    assert text.count('"completions"') + text.count("'completions'") >= 8
    assert [secret for secret in secrets if secret in text] == []


def test_what_was_shown_is_judged_as_it_was_shown(doors: Doors, study: str):
    client = doors.enter(doors.person())
    comparison = next_of(client, study)
    for bad, field in (
        ({"ranks": [1]}, "ranks"),
        ({"ranks": [1, 3]}, "ranks"),
        ({"ranks": [1, 2, 3]}, "ranks"),
        ({"ranks": ["1", "2"]}, "ranks.0"),
        ({"ranks": [1.5, 2]}, "ranks.0"),
        ({"ranks": [True, 2]}, "ranks.0"),
        ({"ranks": [10**30, 2]}, "ranks"),
        ({"ranks": None}, "ranks"),
        ({"ranks": [1, 2], "none_acceptable": True}, "none_acceptable"),
        ({"ranks": [1, 2], "comment": "off here"}, "comment"),
        ({"ranks": [1, 2], "aspects": {"unknown": [1, 2]}}, "aspects"),
        ({"ranks": [1, 2], "active_ms": -1}, "active_ms"),
        ({"ranks": [1, 2], "active_ms": 10**30}, "active_ms"),
        ({"ranks": [1, 2], "annotator": str(uuid.uuid4())}, "annotator"),
        ({"ranks": [1, 2], "position": 1}, "position"),
    ):
        answer = judge(client, comparison, **bad)
        assert (answer.status_code, answer.json().get("field")) == (422, field), (bad, answer.text)
        assert answer.json()["detail"].endswith(".") and answer.json()["detail"][0] != " "
    assert judge(client, comparison).status_code == 201


def _bodies(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every object schema that a request body may hold, with a name for it."""
    found: dict[str, dict[str, Any]] = {}

    def walk(name: str, node: Any) -> None:
        if isinstance(node, list):
            for part in node:
                walk(name, part)
        elif isinstance(node, dict):
            if reference := node.get("$ref"):
                name = reference.rsplit("/", 1)[1]
                if name not in found:
                    found[name] = schema["components"]["schemas"][name]
                    walk(name, found[name])
            for key, part in node.items():
                if key != "$ref":
                    walk(f"{name}.{key}", part)

    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            walk(f"{method} {path}", operation.get("requestBody", {}))
    return [(name, node) for name, node in found.items() if node.get("type") == "object"]


def test_no_body_takes_a_field_that_nobody_declared():
    bodies = _bodies(openapi())
    assert len(bodies) > 10
    assert [name for name, node in bodies if node.get("additionalProperties") is not False] == []


# Lists that are as long as something short: the people or models of a project, what a person may hold at once.
SHORT = {
    "list_annotators",
    "read_agreement_history",
    "read_leaderboard",
    "read_people_ranking",
    "read_ratings",
    "read_rating_history",
    "next_comparisons",
    "list_run_kinds",
}


def test_every_list_has_an_end():
    schema = openapi()
    endless = []
    for path in schema["paths"].values():
        for operation in path.values():
            good = [body for code, body in operation["responses"].items() if code.startswith("2")]
            content = good[0].get("content", {}).get("application/json", {}).get("schema", {})
            shape = schema["components"]["schemas"].get(content.get("$ref", "").rsplit("/", 1)[-1], {})
            if "items" not in shape.get("properties", {}) or operation["operationId"] in SHORT:
                continue
            limits = [p["schema"] for p in operation.get("parameters", []) if p["name"] == "limit"]
            if not limits or not limits[0].get("maximum", 10**9) <= 1000:
                endless.append(operation["operationId"])
    assert endless == []


@pytest.mark.parametrize("q", ["'; DROP TABLE users; --", "%", "_", "\\", '"', "100%", "\\'", "%00", "é", "x" * 200])
def test_a_search_is_for_the_text_itself(still: Doors, still_admin: TestClient, q: str):
    with still.app.state.session_factory.begin() as session:
        project = make_study(session)
        wanted = make_prompt(session, project, f"find {q} here").id
    answer = still_admin.get(f"{V1}/projects/{project.slug}/prompts", params={"q": q})
    assert answer.status_code == 200
    assert [item["id"] for item in answer.json()["items"]] == [str(wanted)]


@pytest.mark.parametrize("value", ["%00", "%ff", "..%2f..%2fetc", "' OR 1=1 --", "{}", "💣"])
def test_odd_names_are_not_found_or_refused(still: Doors, still_admin: TestClient, value: str):
    with still.app.state.session_factory.begin() as session:
        slug = make_study(session).slug
    for path in (
        f"/projects/{value}",
        f"/models/{value}",
        f"/users/{value}",
        f"/projects/{slug}/completions?model={value}",
        f"/projects/{slug}/prompts/{value}",
        f"/projects/{slug}/export?what={value}",
        f"/invitations/{value}",
    ):
        answer = still_admin.get(f"{V1}{path}")
        assert answer.status_code in (404, 405, 422), (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_project_of_one_is_not_the_way_into_anothers(admin: TestClient, app: FastAPI, study: str):
    with app.state.session_factory.begin() as session:
        other = make_study(session).slug
        prompt = session.scalar(select(Comparison.prompt_id).limit(1))
        assert prompt is None
    theirs = admin.get(f"{V1}/projects/{study}/prompts").json()["items"][0]["id"]
    assert admin.get(f"{V1}/projects/{study}/prompts/{theirs}").status_code == 200
    assert admin.get(f"{V1}/projects/{other}/prompts/{theirs}").status_code == 404
    assert admin.get(f"{V1}/projects/{other}/completions", params={"prompt": theirs}).json()["items"] == []
    rated = admin.get(f"{V1}/projects/{other}/ratings", params={"of": "completions", "prompt": theirs})
    assert rated.status_code == 404 or rated.json()["items"] == []


@pytest.mark.parametrize(
    ("variable", "status"),
    [("OPENAI_API_KEY", 201), ("HF_TOKEN", 201), ("AWS_SECRET_ACCESS_KEY", 422), ("PODIUM_TOKEN", 422), ("PATH", 422)],
)
def test_an_endpoint_is_sent_keys_of_endpoints_only(still_admin: TestClient, variable: str, status: int):
    source = {"kind": "endpoint", "url": "https://x.example", "model": "m", "api_key_env": variable}
    body = {"name": f"test/{uuid.uuid4().hex}", "source": source}
    assert still_admin.post(f"{V1}/models", json=body).status_code == status


def test_counting_judgments_is_not_changed_by_reading(admin: TestClient, annotator: TestClient, study: str, app):
    judge(annotator, next_of(annotator, study))
    for path in ("judgments", "comparisons", "prompts", "completions", "ratings", "agreement", "annotators"):
        assert admin.get(f"{V1}/projects/{study}/{path}").status_code == 200
    with app.state.session_factory() as session:
        assert session.scalar(select(func.count()).select_from(Judgment)) == 1
