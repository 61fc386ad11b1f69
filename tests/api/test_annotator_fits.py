"""Versions of what annotators are like over HTTP, and leaderboards that weigh votes by the newest."""

import uuid

from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.services.test_annotator_fits import careful, contrary, judged_by

V1 = "/api/v1"


def test_fitted_listed_read_and_used(app: FastAPI, admin: TestClient):
    with app.state.session_factory.begin() as session:
        project, users = judged_by(session, [careful, careful, careful, contrary], prompts=12)
    path = f"{V1}/projects/{project.slug}"
    weighted = f"{path}/leaderboard?weighted=true"
    early = admin.get(weighted)
    assert early.status_code == 409 and "have not been fitted" in early.json()["detail"]
    made = admin.post(f"{path}/annotator-fits")
    assert made.status_code == 201
    assert (made.json()["number"], made.json()["judgments"], made.json()["annotators"]) == (1, 144, 4)
    admin.post(f"{path}/annotator-fits")
    listed = admin.get(f"{path}/annotator-fits").json()["items"]
    assert [item["number"] for item in listed] == [2, 1] and listed[1] == made.json()
    whole = admin.get(f"{V1}/annotator-fits/{listed[0]['id']}").json()
    assert {one["annotator"]["id"] for one in whole["slopes"]} == {str(user.id) for user in users}
    assert min(whole["slopes"], key=lambda one: one["slope"])["annotator"]["name"] == "contrary3"
    assert admin.get(f"{V1}/annotator-fits/{uuid.uuid4()}").status_code == 404

    raw, board = admin.get(f"{path}/leaderboard").json(), admin.get(weighted).json()
    assert (raw["annotator_fit"], board["annotator_fit"]) == (None, 2)
    assert [line["raw"] for line in board["items"]] == [line["raw"] for line in raw["items"]]
    assert board["items"][0]["controlled"]["rating"] > board["items"][0]["raw"]["rating"]
    for of in ("models", f"completions&prompt={admin.get(f'{path}/prompts').json()['items'][0]['id']}"):
        rated = admin.get(f"{path}/ratings?method=bradley_terry&weighted=true&of={of}").json()
        assert rated["annotator_fit"] == 2 and len(rated["items"]) == 3
    assert admin.get(f"{path}/ratings?weighted=true").status_code == 422


def test_too_little_says_what_is_needed(app: FastAPI, admin: TestClient):
    with app.state.session_factory.begin() as session:
        project, _ = judged_by(session, [careful, careful], prompts=1)
    refused = admin.post(f"{V1}/projects/{project.slug}/annotator-fits")
    assert refused.status_code == 409 and "Needed: half of the judged pairs" in refused.json()["detail"]
