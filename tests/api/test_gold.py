"""Gold over HTTP: what admins see of it, what annotators hear in practice, and that a check looks like all the rest."""

import uuid
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from backend.tables import Comparison, Completion, Prompt
from tests.api.conftest import Doors
from tests.api.test_isolation import V1, judge
from tests.factories import make_study


@pytest.fixture
def study(app: FastAPI) -> str:
    """The slug of a project with work to do."""
    with app.state.session_factory.begin() as session:
        return make_study(session, prompts=20, models=2, overlap=3).slug


def answers(app: FastAPI, number: int) -> list[str]:
    """The completions of a prompt."""
    with app.state.session_factory() as session:
        prompt = session.scalars(select(Prompt.id).order_by(Prompt.id).offset(number).limit(1)).one()
        return [str(id) for id in session.scalars(select(Completion.id).where(Completion.prompt_id == prompt))]


def add(admin: TestClient, study: str, completions: list[str], **more: Any) -> dict[str, Any]:
    body = {"completions": completions, "ranks": [1, 2], "use": "check"} | more
    made = admin.post(f"{V1}/projects/{study}/gold", json=body)
    assert made.status_code == 201, made.text
    gold: dict[str, Any] = made.json()
    return gold


def ask(client: TestClient, study: str, count: int = 1) -> dict[str, Any]:
    answer = client.post(f"{V1}/projects/{study}/comparisons/next", params={"count": count})
    assert answer.status_code == 200, answer.text
    handed: dict[str, Any] = answer.json()
    return handed


def shape(value: Any) -> Any:
    """What can be told from an answer without reading its texts: its keys in their order, its types and lengths."""
    if isinstance(value, dict):
        return [(key, shape(inner)) for key, inner in value.items()]
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    if isinstance(value, str) and len(value) == 36 and value.count("-") == 4:
        return ("id", value[14])  # the version of the UUID
    return type(value).__name__ if isinstance(value, str) else value


def test_gold_is_made_changed_and_counted(admin: TestClient, annotator: TestClient, study: str, app: FastAPI):
    ids = answers(app, 7)
    gold = add(admin, study, ids, use="practice", explanation="The first says **why**.")
    assert [one["id"] for one in gold["completions"]] == ids
    assert gold["completions"][0]["model"]["name"].startswith("imported/")
    assert (gold["ranks"], gold["none_acceptable"], gold["answers"], gold["right_share"]) == ([1, 2], False, 0, None)
    handed = ask(annotator, study)
    (shown,) = handed["items"]
    assert handed["stage"] == {"name": "practice", "done": 0, "of": 1, "needed_share": None}
    assert shown["practice"] is True
    right = [1, 2] if shown["completions"][0]["id"] == ids[0] else [2, 1]
    receipt = judge(annotator, shown, ranks=right[::-1])
    assert receipt.json()["feedback"] == {
        "right": False,
        "ranks": right,
        "none_acceptable": False,
        "explanation": "The first says **why**.",
    }
    again = judge(annotator, shown, id=uuid.UUID(receipt.json()["id"]), ranks=right[::-1])
    assert (again.status_code, again.json()) == (200, receipt.json())
    (listed,) = admin.get(f"{V1}/projects/{study}/gold", params={"use": "practice"}).json()["items"]
    assert (listed["answers"], listed["right_share"]) == (1, 0.0)
    assert admin.get(f"{V1}/projects/{study}/gold", params={"use": "check"}).json()["items"] == []
    path = f"{V1}/gold/{gold['id']}"
    changed = admin.patch(path, json={"ranks": [2, 1]}).json()
    assert (changed["ranks"], changed["right_share"]) == ([2, 1], 1.0)
    changed = admin.patch(path, json={"none_acceptable": True, "use": "check", "explanation": ""}).json()
    assert (changed["ranks"], changed["none_acceptable"], changed["use"], changed["explanation"]) == (
        None, True, "check", ""
    )  # fmt: skip
    assert admin.patch(path, json={"retired": True}).json()["retired_at"]
    assert admin.patch(path, json={"retired": False}).json()["retired_at"] is None
    for bad in ({"ranks": [1, 1]}, {"ranks": [1, 2], "none_acceptable": True}, {"none_acceptable": False}):
        assert admin.patch(path, json=bad).status_code == 422, bad
    assert admin.patch(f"{V1}/gold/{uuid.uuid4()}", json={}).status_code == 404
    for wrong in ({}, {"ranks": [1, 2], "none_acceptable": True}):
        body = {"completions": ids, "use": "check"} | wrong
        assert admin.post(f"{V1}/projects/{study}/gold", json=body).status_code == 422, wrong


def test_from_practice_to_work(admin: TestClient, doors: Doors, study: str, app: FastAPI):
    admin.patch(f"{V1}/projects/{study}", json={"qualification_share": 0.5})
    person = doors.person()
    client = doors.enter(person)
    add(admin, study, answers(app, 0), use="practice")
    better: dict[str, int] = {}
    for number in (1, 2):
        ids = answers(app, number)
        add(admin, study, ids, use="qualification")
        better |= {ids[0]: 1, ids[1]: 2}
    judge(client, ask(client, study)["items"][0])
    handed = ask(client, study, count=5)
    assert handed["stage"] == {"name": "qualification", "done": 0, "of": 2, "needed_share": 0.5}
    assert [item["practice"] for item in handed["items"]] == [False, False]
    for item, ranks in zip(handed["items"], ((1, 2), (2, 1)), strict=True):
        # One right and one wrong: half of them.
        known = [better[one["id"]] for one in item["completions"]]
        said = known if ranks == (1, 2) else known[::-1]
        assert judge(client, item, ranks=said).json()["feedback"] is None
    assert ask(client, study)["stage"] == {"name": "work", "done": 0, "of": 0, "needed_share": None}
    path = f"{V1}/projects/{study}/annotators/{person.id}/standing"
    failed = admin.post(path, json={"state": "failed", "note": "copied"}).json()
    assert (failed["state"], failed["right"], failed["asked"], failed["note"]) == ("failed", 1, 2, "copied")
    assert ask(client, study) == {
        "items": [], "stage": {"name": "failed", "done": 1, "of": 2, "needed_share": 0.5}
    }  # fmt: skip
    assert admin.post(path, json={"state": "retake"}).json()["attempt"] == 2
    assert ask(client, study)["stage"]["name"] == "practice"
    assert admin.post(path, json={"state": "learning"}).status_code == 422
    assert client.post(path, json={"state": "qualified"}).status_code == 403


def test_a_check_looks_like_all_the_rest(admin: TestClient, annotator: TestClient, study: str, app: FastAPI):
    """Everything that an annotator gets in handling a check has the same shape as for real work."""
    admin.patch(f"{V1}/projects/{study}", json={"gold_share": 0.5})
    for number in range(10, 20):
        add(admin, study, answers(app, number))
    shapes: dict[str, set[str]] = {}
    for _ in range(12):
        (item,) = ask(annotator, study)["items"]
        path = f"{V1}/comparisons/{item['id']}"
        seen = [item, annotator.post(f"{path}/skip").text]
        seen.append(annotator.post(f"{path}/unskip").json())
        seen.append(annotator.post(f"{path}/flag", json={"reason": "x"}).json())
        seen.append(annotator.post(f"{V1}/leases/{seen[2]['comparison']['lease']['id']}/renew").json())
        first = judge(annotator, item).json()
        seen += [first, annotator.delete(f"{V1}/judgments/{first['id']}").json(), judge(annotator, item).json()]
        seen.append(annotator.get(f"{V1}/projects/{study}/my-judgments?limit=1").json())
        with app.state.session_factory() as session:
            kind = session.get_one(Comparison, uuid.UUID(item["id"])).kind
        shapes.setdefault(kind, set()).add(repr([shape(one) for one in seen]))
    assert set(shapes) == {"gold", "regular"}
    assert shapes["gold"] == shapes["regular"]
    assert len(shapes["gold"]) == 1
