"""Voidings over HTTP: made with a reason, listed, undone."""

import uuid

from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.api.conftest import Doors
from tests.factories import make_judgment, make_study

V1 = "/api/v1"


def test_an_annotator_is_voided_and_restored(app: FastAPI, doors: Doors, admin: TestClient):
    ann = doors.person(name="Ann")
    with app.state.session_factory.begin() as session:
        project = make_study(session, prompts=2)
        for _ in range(2):
            make_judgment(session, project, ann)
    path = f"{V1}/projects/{project.slug}"
    assert admin.post(f"{path}/voidings", json={"annotator": str(ann.id), "reason": "  "}).json()["field"] == "reason"
    made = admin.post(f"{path}/voidings", json={"annotator": str(ann.id), "reason": " Did not read. "})
    assert made.status_code == 201
    voiding = made.json()
    assert (voiding["annotator"]["name"], voiding["reason"], voiding["judgments"]) == ("Ann", "Did not read.", 2)
    assert voiding["undone_at"] is voiding["undone_by"] is voiding["adjudication"] is None
    assert {one["counted"] for one in admin.get(f"{path}/judgments").json()["items"]} == {False}
    again = admin.post(f"{path}/voidings", json={"annotator": str(ann.id), "reason": "Again."})
    assert (again.status_code, again.json()["field"]) == (409, "annotator")
    restored = admin.delete(f"{V1}/voidings/{voiding['id']}")
    assert restored.status_code == 200 and restored.json()["undone_at"].endswith("Z")
    assert admin.get(f"{path}/voidings").json() == {"items": [restored.json()], "next": None}
    assert {one["counted"] for one in admin.get(f"{path}/judgments").json()["items"]} == {True}
    assert admin.delete(f"{V1}/voidings/{uuid.uuid4()}").status_code == 404
    nobody = admin.post(f"{path}/voidings", json={"annotator": str(uuid.uuid4()), "reason": "?"})
    assert (nobody.status_code, nobody.json()["field"]) == (404, "annotator")
