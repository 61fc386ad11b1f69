"""What to ask next, for admins: precision, whether choosing pays, and when it will be enough."""

import random
import uuid

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.domain.judgments import Verdict
from backend.services import comparisons, judgments, ratings
from tests.api.conftest import Doors
from tests.factories import make_study

V1 = "/api/v1"


@pytest.fixture
def study(app: FastAPI, doors: Doors) -> str:
    """Twenty prompts of three answers, half of the pairs by chance, judged by two; the first model is the best."""
    people = [doors.person() for _ in range(2)]
    rng = random.Random(1)
    with app.state.session_factory.begin() as session:
        project = make_study(session, prompts=20, models=3, overlap=20, random_share=0.5)
        for _ in range(40):
            for person in people:
                (item,) = comparisons.hand_out(session, project, person.id, 1, rng).items
                shown = item.comparison.completions
                judgments.cast(
                    session,
                    id=uuid.uuid4(),
                    annotator_id=person.id,
                    comparison_id=item.comparison.id,
                    verdict=Verdict(ranks=(1, 2) if shown[0] < shown[1] else (2, 1)),
                )
        ratings.fold_pending(session)
        return project.slug


def test_precision_and_gain(app: FastAPI, admin: TestClient, study: str) -> None:
    path = f"{V1}/projects/{study}/asking"
    seen = admin.get(path).json()
    assert (seen["target_error"], seen["prompts"], seen["settled"]) == (None, 20, 0)
    assert sum(line["prompts"] for line in seen["errors"]) == 20
    assert all(60 < line["median_error"] < 142 for line in seen["errors"])
    bins = seen["distribution"]
    assert sum(one["prompts"] for one in bins) == 20 and bins[0]["prompts"] > 0 < bins[-1]["prompts"]
    assert [one["high"] for one in bins[:-1]] == [one["low"] for one in bins[1:]]
    errors = [line["median_error"] for line in seen["errors"]]
    assert errors == sorted(errors, reverse=True), "the more judgments, the smaller the error"
    gain = seen["gain"]
    both = gain["informative"] + gain["random"]
    assert sum(step["n"] for step in both) == 80
    assert gain["random_judgments"] == sum(step["n"] for step in gain["random"])
    first = [step for step in both if step["nth"] == 1]
    # All pairs are alike before the first judgment: whoever chose it, it teaches the same.
    assert first[0]["gain"] == pytest.approx(first[1]["gain"]) and first[0]["error"] == pytest.approx(0, abs=1e-9)
    assert gain["ratio"] is not None and gain["low"] < gain["ratio"] < gain["high"]
    assert gain["ratio"] > 1, "asking the same pair twice is what chance does and choice does not"
    assert seen["forecast"]["judgments_left"] == 20 * 3 * 20 - 80


def test_a_target_changes_what_is_left(app: FastAPI, doors: Doors, admin: TestClient, study: str) -> None:
    path = f"{V1}/projects/{study}"
    whole = admin.get(f"{path}/progress").json()
    assert (whole["settled"], whole["target_error"], whole["expected_left"]) == (0, None, None)
    assert admin.patch(path, json={"target_error": 100}).json()["target_error"] == 100
    some = admin.get(f"{path}/progress").json()
    asking = admin.get(f"{path}/asking").json()
    assert some["settled"] == asking["settled"]
    assert 0 < some["expected_left"] < some["left"] <= whole["left"]
    assert asking["forecast"]["judgments_left"] == some["expected_left"]
    assert some["days_left"] == pytest.approx(some["expected_left"] / some["judgments_per_day"])
    # A target that all have reached leaves nothing to do.
    admin.patch(path, json={"target_error": 1000})
    done = admin.get(f"{path}/progress").json()
    islands = 20 - done["settled"]
    assert done["left"] >= done["expected_left"] == islands
    own = doors.enter(doors.person()).get(f"{path}/progress").json()
    assert own["expected_left"] is None and own["settled"] == done["settled"]
    assert admin.patch(path, json={"target_error": 0}).status_code == 422
    assert admin.patch(path, json={"target_error": None}).json()["target_error"] is None
    assert admin.get(f"{path}/progress").json()["left"] == whole["left"]


def test_an_empty_project_has_nothing_to_tell(app: FastAPI, doors: Doors, admin: TestClient) -> None:
    with app.state.session_factory.begin() as session:
        slug = make_study(session, prompts=2, target_error=50.0).slug
    seen = admin.get(f"{V1}/projects/{slug}/asking").json()
    assert seen["errors"] == seen["distribution"] == seen["gain"]["informative"] == seen["gain"]["random"] == []
    assert seen["typical_error"] is seen["gain"]["ratio"] is None
    assert seen["forecast"] == {"judgments_left": 2, "days_left": None}
    assert doors.enter(doors.person()).get(f"{V1}/projects/{slug}/asking").status_code == 403
