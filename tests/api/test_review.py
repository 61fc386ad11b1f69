"""What admins read of judgments over HTTP: lists with filters, one with everything about it, disagreements decided."""

import uuid
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from backend.domain.judgments import Verdict
from backend.services import judgments, ratings
from backend.tables import Comparison, Flag, Gold, Judgment
from tests.api.conftest import Doors
from tests.factories import make_study
from tests.services.test_comparisons import hold

V1 = "/api/v1"


@pytest.fixture
def dispute(app: FastAPI, doors: Doors) -> dict[str, Any]:
    """Ann and Bob put the same two completions in opposite order; Bob judged something else as well."""
    ann, bob = doors.person(name="Ann"), doors.person(name="Bob")
    with app.state.session_factory.begin() as session:
        project = make_study(session, prompts=1, overlap=2)
        said = {}
        for person in (ann, bob):
            comparison = hold(session, project, person)[0].comparison
            first = min(comparison.completions)
            best = first if person is ann else max(comparison.completions)
            ranks = tuple(1 if id == best else 2 for id in comparison.completions)
            said[person.name] = str(
                judgments.cast(
                    session,
                    id=uuid.uuid4(),
                    annotator_id=person.id,
                    comparison_id=comparison.id,
                    verdict=Verdict(ranks=ranks),
                )[0].id
            )
        session.add(
            Flag(project_id=project.id, comparison_id=comparison.id, annotator_id=bob.id, reason="A strange one.")
        )
        ratings.fold(session, project.id)
    return {"path": f"{V1}/projects/{project.slug}", "ann": ann, "bob": bob, "said": said, "project": project.id}


def test_a_judgment_with_everything_about_it(app: FastAPI, doors: Doors, admin: TestClient, dispute: dict[str, Any]):
    said, path = dispute["said"], dispute["path"]
    root = admin.get(f"{V1}/me").json()["user"]
    voiding = admin.post(f"{path}/voidings", json={"annotator": str(dispute["bob"].id), "reason": "Too fast."}).json()
    admin.delete(f"{V1}/voidings/{voiding['id']}")
    admin.post(f"{path}/voidings", json={"annotator": str(dispute["bob"].id), "reason": "Far too fast."})
    seen = admin.get(f"{V1}/judgments/{said['Bob']}").json()
    assert seen["annotator"]["name"] == "Bob" and seen["kind"] == "regular" and not seen["counted"]
    assert seen["messages"][0]["role"] == "user" and all(shown["text"] for shown in seen["completions"])
    assert seen["probability"] > 0 and seen["policy"] in ("random", "informative")
    assert (seen["spans"], seen["ideal_answer"], seen["gold"]) == ([], None, None)
    (other,) = seen["others"]
    assert other["id"] == said["Ann"]
    assert [shown["id"] for shown in other["completions"]] == [shown["id"] for shown in seen["completions"]]
    assert other["ranks"] == seen["ranks"][::-1], "told in the same order, they are the opposite"
    happened = [(event["what"], event["by"] and event["by"]["name"], event["reason"]) for event in seen["history"]]
    assert happened == [
        ("handed_out", "Bob", None),
        ("judged", "Bob", None),
        ("folded", None, "Number 2 in the ratings."),
        ("flagged", "Bob", "A strange one."),
        ("voided", root["name"], "Too fast."),
        ("restored", root["name"], None),
        ("voided", root["name"], "Far too fast."),
    ]
    assert admin.get(f"{V1}/judgments/{uuid.uuid4()}").status_code == 404
    # Ann took hers back before: no voiding of hers is told.
    doors.enter(dispute["ann"]).delete(f"{V1}/judgments/{said['Ann']}")
    history = admin.get(f"{V1}/judgments/{said['Ann']}").json()["history"]
    assert [event["what"] for event in history] == ["handed_out", "judged", "folded", "taken_back"]


def test_the_list_is_filtered(app: FastAPI, admin: TestClient, dispute: dict[str, Any]):
    path, said = dispute["path"], dispute["said"]

    def ids(**filters: Any) -> list[str]:
        answer = admin.get(f"{path}/judgments", params=filters)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    assert ids() == ids(disagreeing=True) == ids(kind="regular") == ids(voided=False) == [said["Bob"], said["Ann"]]
    assert ids(annotator=str(dispute["ann"].id)) == [said["Ann"]]
    assert ids(kind="gold") == ids(kind="adjudication") == ids(disagreeing=False) == ids(voided=True) == []
    assert ids(annotator=str(uuid.uuid4())) == ids(prompt=str(uuid.uuid4())) == []
    admin.post(f"{path}/voidings", json={"annotator": str(dispute["ann"].id), "reason": "?"})
    with app.state.session_factory.begin() as session:
        ratings.fold_pending(session)
    assert ids(voided=True) == [said["Ann"]]
    assert ids(disagreeing=True) == []
    assert admin.get(f"{path}/judgments", params={"kind": "odd"}).status_code == 422


def test_a_gold_comparison_tells_its_answer_as_shown(app: FastAPI, admin: TestClient, dispute: dict[str, Any]):
    with app.state.session_factory.begin() as session:
        judgment = session.get_one(Judgment, uuid.UUID(dispute["said"]["Ann"]))
        comparison = session.get_one(Comparison, judgment.comparison_id)
        known = Gold(
            project_id=judgment.project_id,
            prompt_id=judgment.prompt_id,
            completions=comparison.completions[::-1],
            ranks=[1, 2],
            use="check",
            explanation="Because.",
        )
        session.add(known)
        session.flush()
        comparison.gold_id = known.id
    seen = admin.get(f"{V1}/judgments/{dispute['said']['Ann']}").json()
    assert seen["gold"] == {"id": str(known.id), "use": "check", "ranks": [2, 1], "explanation": "Because."}


def test_an_admin_decides_a_disagreement(app: FastAPI, admin: TestClient, dispute: dict[str, Any]):
    path = dispute["path"]
    (one,) = admin.get(f"{path}/disagreements").json()["items"]
    assert [each["annotator"]["name"] for each in one["judgments"]] == ["Ann", "Bob"]
    assert [each["ranks"] for each in one["judgments"]] == [[1, 2], [2, 1]]
    assert (one["conflict"], one["adjudicated"]) == (1.0, None)
    assert one["prompt"]["excerpt"].startswith("Question")
    assert all(shown["model"]["name"] for shown in one["completions"])
    shown = [completion["id"] for completion in one["completions"]][::-1]
    body = {"set_key": one["set_key"], "completions": shown, "ranks": [1, 2], "set_aside": True}
    made = admin.post(f"{path}/adjudications", json=body)
    assert made.status_code == 201
    decided = made.json()
    assert (decided["kind"], decided["ranks"], decided["counted"]) == ("adjudication", [1, 2], True)
    (voiding,) = admin.get(f"{path}/voidings").json()["items"]
    assert (voiding["adjudication"], voiding["judgments"], voiding["annotator"]) == (decided["id"], 1, None)
    assert admin.post(f"{path}/adjudications", json=body).status_code == 409
    with app.state.session_factory.begin() as session:
        ratings.fold_pending(session)
    assert admin.get(f"{path}/disagreements").json()["items"] == []
    history = admin.get(f"{V1}/judgments/{dispute['said']['Ann']}").json()["history"]
    assert (history[-1]["what"], history[-1]["reason"]) == ("voided", "An admin decided otherwise.")
    assert [event["what"] for event in admin.get(f"{V1}/judgments/{decided['id']}").json()["history"]] == [
        "judged",
        "folded",
    ]
    assert admin.delete(f"{V1}/judgments/{decided['id']}").json() == {"comparison": None}
    with app.state.session_factory.begin() as session:
        ratings.fold_pending(session)
        assert session.scalars(select(Judgment.id).where(Judgment.voided_at.is_(None))).all()
    assert len(admin.get(f"{path}/disagreements?order=newest&adjudicated=false").json()["items"]) == 1
    assert admin.get(f"{path}/disagreements?adjudicated=true").json()["items"] == []
    wrong = admin.post(f"{path}/adjudications", json={**body, "ranks": [1, 3]})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "ranks")
