"""The forecast is for admins; how much is left is for everybody."""

from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.api.conftest import Doors
from tests.factories import make_judgment, make_study

V1 = "/api/v1"


def test_progress_and_forecast(app: FastAPI, doors: Doors, admin: TestClient):
    ann = doors.person()
    with app.state.session_factory.begin() as session:
        project = make_study(session, prompts=3)
        make_judgment(session, project, ann).active_ms = 4000
    path = f"{V1}/projects/{project.slug}/progress"
    own = doors.enter(ann).get(path).json()
    assert (own["judgments"], own["wanted"], own["left"], own["mine"]) == (1, 3, 2, 1)
    assert own["judgments_per_day"] is own["days_left"] is own["work_ms_left"] is None
    seen = admin.get(path, params={"utc_offset_minutes": 0}).json()
    assert (seen["judgments_per_day"], seen["days_left"], seen["work_ms_left"], seen["mine"]) == (1.0, 2.0, 8000, 0)
