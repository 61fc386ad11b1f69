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


def test_agreement_its_course_and_signs(app: FastAPI, admin: TestClient):
    with app.state.session_factory.begin() as session:
        project, users = judged_by(session, [careful, careful, careful, contrary], prompts=12)
    path = f"{V1}/projects/{project.slug}"
    before = admin.get(f"{path}/annotators").json()["items"]
    assert [(one["slope"], one["lean_error"], one["signs"]) for one in before] == [(None, None, [])] * 4
    admin.post(f"{path}/annotator-fits")
    people = {one["name"]: one for one in admin.get(f"{path}/annotators").json()["items"]}
    against = people["contrary3"]
    assert [sign["name"] for sign in against["signs"]] == ["contrary"] and "slope −" in against["signs"][0]["sentence"]
    assert against["slope"] + 2 * against["slope_error"] < 0 < people["careful0"]["slope"]
    one = admin.get(f"{path}/annotators/{users[3].id}").json()
    assert one["signs"] == against["signs"]
    assert [(fit["number"], fit["slope"], fit["votes"]) for fit in one["fits"]] == [(1, against["slope"], 36.0)]

    whole = admin.get(f"{path}/agreement").json()
    assert whole["units"] == 36 and whole["repeat_consistency"] is whole["gold"] is None
    for name in ("majority_agreement", "alpha_nominal", "alpha_ordinal", "alpha_interval"):
        assert whole[f"{name}_error"] > 0
    (version,) = admin.get(f"{path}/agreement/history?by=guidelines_version").json()["items"]
    assert (version["label"], version["judgments"], version["alpha_nominal"]) == ("1", 144, whole["alpha_nominal"])
    assert version["from"] <= version["to"] and version["agreement"] is None
    days = admin.get(f"{path}/agreement/history?annotator={users[3].id}").json()["items"]
    assert sum(day["judgments"] for day in days) == 36 and days[0]["agreement"]["share"] < 0.5
    assert admin.get(f"{path}/agreement/history?by=mood").status_code == 422
    assert admin.get(f"{path}/agreement/history?annotator={uuid.uuid4()}").status_code == 404
