"""What takes all judgments of a project: the same answers from the process aside as from the one that serves."""

import threading
import time
import uuid

import pytest
from sqlalchemy import select, text

from backend.api import deps
from backend.services import ratings, rewards
from backend.tables import Project, RewardSet
from tests.api.conftest import Doors
from tests.factories import judge_next, make_study, make_user

PATHS = [
    "ratings?method=bradley_terry",
    "ratings?k=16",
    "ratings?orders=5",
    "ratings/history",
    "leaderboard?cluster=both&controls=true&side=true",
    "win-matrix",
    "agreement",
    "annotators",
]


@pytest.fixture
def slug(app) -> str:
    with app.state.session_factory.begin() as session:
        project = make_study(session, prompts=6, models=3, overlap=4)
        for number in range(2):
            user = make_user(session)
            while judge_next(session, project, user, ranks=(1, 2) if number else (2, 1)):
                pass
        ratings.fold(session, project.id)
        return project.slug


@pytest.fixture
def admin(doors: Doors):
    return doors.enter(doors.person("admin"))


def test_the_same_answers_here_and_aside(app, admin, slug, monkeypatch):
    url = f"/api/v1/projects/{slug}/"
    here = [admin.get(url + path).json() for path in PATHS]
    assert here[1]["judgments"] > 20
    assert app.state.aside._process is None
    monkeypatch.setattr(deps, "MANY_JUDGMENTS", 1)
    assert [admin.get(url + path).json() for path in PATHS] == here
    assert app.state.aside._process is not None


def test_a_reward_set_frozen_aside_is_there_when_the_answer_comes(app, admin, slug, monkeypatch):
    monkeypatch.setattr(deps, "MANY_JUDGMENTS", 1)
    answer = admin.post(f"/api/v1/projects/{slug}/reward-sets", json={"method": "bradley_terry"})
    assert answer.status_code == 201, answer.text
    with app.state.session_factory() as session:
        found = session.get_one(RewardSet, uuid.UUID(answer.json()["id"]))
        project = session.scalars(select(Project).where(Project.slug == slug)).one()
        assert (found.project_id, found.judgments) == (project.id, project.judgments_folded)
        assert len(list(rewards.groups(session, found.id))) == 6


def test_a_refusal_from_aside_reads_like_any_other(admin, slug, monkeypatch):
    body = {"question": {"before": "2001-01-01T00:00:00Z"}}
    here = admin.post(f"/api/v1/projects/{slug}/reward-sets", json=body)
    monkeypatch.setattr(deps, "MANY_JUDGMENTS", 1)
    aside = admin.post(f"/api/v1/projects/{slug}/reward-sets", json=body)
    assert (aside.status_code, aside.json()) == (422, here.json())
    assert "no judgments of the kind asked for" in aside.json()["detail"]


def test_who_waits_for_it_holds_no_transaction(app, admin, slug, monkeypatch):
    monkeypatch.setattr(deps, "MANY_JUDGMENTS", 1)
    holding = app.state.session_factory.kw["bind"]
    run, idle = app.state.aside.run, []

    def looked_at(*args):
        idle.append(holding.pool.checkedout())
        return run(*args)

    monkeypatch.setattr(app.state.aside, "run", looked_at)
    assert admin.get(f"/api/v1/projects/{slug}/win-matrix").status_code == 200
    assert idle == [0]


def test_a_process_that_dies_is_a_503_and_the_next_try_works(app, admin, slug, monkeypatch):
    monkeypatch.setattr(deps, "MANY_JUDGMENTS", 1)
    assert admin.get(f"/api/v1/projects/{slug}/win-matrix").status_code == 200
    with app.state.session_factory() as holding, app.state.session_factory() as looking:
        holding.execute(text("LOCK TABLE completions IN ACCESS EXCLUSIVE MODE"))

        def kill_once_it_waits() -> None:
            while not looking.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                time.sleep(0.01)
            app.state.aside._process.kill()

        killing = threading.Thread(target=kill_once_it_waits)
        killing.start()
        answer = admin.get(f"/api/v1/projects/{slug}/win-matrix")
        killing.join()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "broken off" in answer.json()["detail"]
    assert admin.get(f"/api/v1/projects/{slug}/win-matrix").status_code == 200
