"""Own numbers over HTTP: everybody's are their own, an admin may see each one's, people are ranked only on request."""

import uuid

from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.tables import Project
from tests.api.conftest import Doors
from tests.factories import make_judgment, make_study

V1 = "/api/v1"


def test_everybody_sees_their_own_numbers(app: FastAPI, doors: Doors, admin: TestClient):
    ann, bob = doors.person(name="Ann"), doors.person(name="Bob")
    with app.state.session_factory.begin() as session:
        project = make_study(session, prompts=1, overlap=2)
        for person in (ann, bob):
            make_judgment(session, project, person)
        make_judgment(session, make_study(session), ann)
    path = f"{V1}/projects/{project.slug}"
    own = doors.enter(ann).get(f"{path}/my-work").json()
    assert (own["judgments"], own["today"], own["skipped"], own["active_ms"]) == (1, 1, 0, 0)
    assert own["left_lean"] == {"share": 1.0, "low": own["left_lean"]["low"], "high": 1.0, "n": 1}
    assert own.pop("agreement") is None, "what Bob said is not told by a judgment alone"
    assert own["self_consistency"] is own["gold"] is own["median_active_ms"] is None
    assert "name" not in own
    assert own.pop("stage") == {"name": "work", "done": 0, "of": 0, "needed_share": None}
    seen = admin.get(f"{path}/annotators/{ann.id}").json()
    assert seen["name"] == "Ann" and seen["last_judgment_at"].endswith("Z")
    assert {name: seen[name] for name in own} == own
    assert seen["agreement"]["n"] == 1
    assert (seen["flagged"], seen["standing"]) == (0, None)
    assert admin.get(f"{path}/annotators/{uuid.uuid4()}").status_code == 404


def test_people_are_ranked_where_the_project_says_so(app: FastAPI, doors: Doors, admin: TestClient):
    ann, bob = doors.person(name="Ann"), doors.person(name="Bob")
    with app.state.session_factory.begin() as session:
        project = make_study(session, prompts=3)
        for person in (ann, bob, bob):
            make_judgment(session, project, person)
    path = f"{V1}/projects/{project.slug}/people-ranking"
    browser = doors.enter(ann)
    assert browser.get(path).status_code == 403
    assert len(admin.get(path).json()["items"]) == 2
    with app.state.session_factory.begin() as session:
        session.get_one(Project, project.id).people_ranking = True
    assert browser.get(path).json()["items"] == [
        {"name": "Bob", "judgments": 2, "active_ms": 0, "me": False},
        {"name": "Ann", "judgments": 1, "active_ms": 0, "me": True},
    ]
