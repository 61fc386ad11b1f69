"""Progress and its forecast: counted by hand, and silent where nothing tells it."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from backend.services import judgments, leases, progress, ratings, skips
from backend.tables import Judgment, Prompt, User
from tests.factories import judge_next, make_judgment, make_project, make_study, make_user
from tests.services.test_comparisons import hold

MIDNIGHT = datetime(2026, 3, 10, 22, 0, tzinfo=UTC)  # where the clock is two hours ahead
HOUR = timedelta(hours=1)


def test_progress_counts_what_is_wanted(session):
    project = make_study(session, prompts=2, models=3, overlap=2)
    user = make_user(session)
    make_judgment(session, project, user)
    (held,) = hold(session, project, user)
    found = progress.of_project(session, project, user.id, datetime.now(UTC) - HOUR)
    assert (found.judgments, found.wanted, found.open_leases) == (1, 2 * 3 * 2, 1)
    assert (found.mine, found.today, found.left) == (1, 1, 11)
    skips.skip(session, held.comparison.id, user.id, None)
    found = progress.of_project(session, project, user.id, datetime.now(UTC) + HOUR)
    assert (found.open_leases, found.skipped, found.today, found.left) == (0, 1, 0, 11)
    project.skips_to_retire = 1
    skips.recount(session, project, held.comparison)
    assert progress.of_project(session, project, user.id, MIDNIGHT).left < 11
    assert progress.of_project(session, make_project(session), user.id, MIDNIGHT).left == 0


def test_more_judgments_of_one_prompt_do_not_stand_for_another(session):
    """Imported ones may be far more than the overlap asks for."""
    project = make_study(session, prompts=2, models=2)
    prompt = session.scalars(select(Prompt).where(Prompt.project_id == project.id).limit(1)).one()
    prompt.handed_out = 50
    session.flush()
    assert progress.of_project(session, project, make_user(session).id, MIDNIGHT).left == 1


def test_what_was_taken_back_is_not_counted_before_and_after_the_fold(session):
    project, user = make_study(session, prompts=5), make_user(session)
    given = [make_judgment(session, project, user) for _ in range(5)]
    _take_back(session, given[0])
    ratings.fold(session, project.id)
    _take_back(session, given[1])
    assert judge_next(session, project, user), "waits for the fold"
    assert progress.of_project(session, project, user.id, MIDNIGHT).judgments == 4
    ratings.fold(session, project.id)
    assert progress.of_project(session, project, user.id, MIDNIGHT).judgments == 4


def _take_back(session, judgment):
    judgments.void(session, judgment.id, by=judgment.annotator_id, may_void_others=False, at=leases.now())


@pytest.fixture
def judged(session):
    """Sets the days on which judgments were made, by hours before midnight; a judgment each."""
    project = make_study(session, prompts=40)
    user = make_user(session)

    elsewhere = User(external_id="somebody of another study", name="Somebody", role="annotator")
    session.add(elsewhere)
    session.flush()

    def at(*hours: float, ms: int | None = None, imported: bool = False) -> None:
        for hour in hours:
            judgment = make_judgment(session, project, elsewhere if imported else user)
            judgment.created_at = MIDNIGHT - hour * HOUR
            judgment.active_ms = ms
        session.flush()

    return project, at


def ahead(session, project, left=100):
    counts = dict.fromkeys((one.name for one in fields(progress.Progress)), 0)
    found = progress.forecast(session, project, progress.Progress(**counts | {"left": left}), MIDNIGHT)
    return found.judgments_per_day, found.days_left, found.work_ms_left


def test_nothing_tells_nothing(session, judged):
    project, at = judged
    assert ahead(session, project) == (None, None, None)
    assert ahead(session, project, left=0) == (None, 0.0, 0)
    at(5, 30, imported=True, ms=1000)
    assert ahead(session, project) == (None, None, None)


def test_the_pace_of_the_last_days_with_any(session, judged):
    project, at = judged
    at(-1, -2, -3)
    assert ahead(session, project) == (3.0, pytest.approx(100 / 3), None), "today is all there is"
    at(1, 24, ms=2000)  # yesterday, from its first instant on
    assert ahead(session, project) == (2.0, 50.0, 200_000)
    at(25, 26, 27, 28, 29, 30, ms=8000)
    assert ahead(session, project)[:2] == (4.0, 25.0)
    at(24 * 40 + 1)
    assert ahead(session, project)[0] == 3.0, "days without any are no days of work"
    assert ahead(session, project)[2] == 800_000


def test_no_more_than_seven_days_tell_it(session, judged):
    project, at = judged
    at(*(24 * day + 1 for day in range(7)))
    at(24 * 9, 24 * 9 + 1, 24 * 9 + 2, 24 * 9 + 3)
    assert ahead(session, project)[0] == 1.0


def test_days_of_imports_alone_are_passed_over(session, judged):
    project, at = judged
    at(*(24 * day + 1 for day in range(9)), imported=True)
    at(24 * 12 + 1, 24 * 12 + 2, 24 * 13 + 1, 24 * 13 + 2, 24 * 13 + 3, 24 * 13 + 4)
    assert ahead(session, project)[0] == 3.0


def test_what_was_taken_back_tells_nothing(session, judged):
    project, at = judged
    at(1, 2, ms=1000)
    session.execute(update(Judgment).where(Judgment.project_id == project.id).values(voided_at=leases.now()))
    assert ahead(session, project) == (None, None, None)


def test_done_is_done(session):
    project, user = make_study(session, prompts=2), make_user(session)
    while judge_next(session, project, user):
        pass
    found = progress.of_project(session, project, user.id, MIDNIGHT)
    assert (found.judgments, found.wanted, found.left) == (2, 2, 0)
