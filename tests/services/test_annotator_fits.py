"""Versions of what annotators are like: when there is one more, what it keeps, and ratings that weigh votes by it."""

import random
import uuid

import numpy as np
import pytest
from sqlalchemy import func, select

from backend.database import make_engine, make_session_factory
from backend.domain.judgments import Verdict
from backend.errors import Conflict, Invalid, NotFound
from backend.services import annotator_fits, comparisons, facts, imports, judgments, leaderboards, rating_lists, ratings
from backend.tables import AnnotatorFit, AnnotatorSlope, Completion, Judgment
from tests.factories import make_project, make_study, make_user
from tests.services.test_imports import study_archive


def judged_by(session, people, prompts=8, **options):
    """Everybody judges every pair of three completions: `people` are functions of two ranks of models, the better 0,
    that say whether the first shown wins."""
    project = make_study(session, prompts=prompts, models=3, overlap=len(people), **options)
    users = [make_user(session, name=f"{wins.__name__}{n}") for n, wins in enumerate(people)]
    written = select(Completion.id, Completion.model_id).where(Completion.project_id == project.id)
    model_of = dict(session.execute(written).all())
    models = sorted(set(model_of.values()))
    for n, (user, wins) in enumerate(zip(users, people, strict=True)):
        rng = random.Random(n)
        while held := comparisons.hand_out(session, project, user.id, 20, rng).items:
            for one in held:
                places = [models.index(model_of[shown.id]) for shown in one.completions]
                first = wins(*places, rng)
                verdict = Verdict(ranks=(1, 2) if first else (2, 1))
                judgments.cast(
                    session,
                    id=uuid.uuid4(),
                    annotator_id=user.id,
                    comparison_id=one.comparison.id,
                    verdict=verdict,
                )
    ratings.fold(session, project.id)
    return project, users


def careful(first, second, rng):
    return (first < second) == (rng.random() < 0.9)


def guessing(first, second, rng):
    return rng.random() < 0.5


def contrary(first, second, rng):
    return (first > second) == (rng.random() < 0.9)


def of(line: leaderboards.Line) -> leaderboards.Place:
    """The weighed rating."""
    assert line.controlled is not None
    return line.controlled


@pytest.fixture
def crowd_of_five(session):
    return judged_by(session, [careful, careful, careful, guessing, contrary], prompts=12)


def test_a_version_keeps_everybody_and_never_changes(session, crowd_of_five):
    project, users = crowd_of_five
    first = annotator_fits.fit(session, project)
    assert (first.number, first.judgments, first.position) == (1, 180, 180)
    slopes = annotator_fits.slopes(session, first)
    assert [slopes[user.id].votes for user in users] == [36] * 5
    sharp, guess, against = (slopes[users[n].id].slope for n in (0, 3, 4))
    assert sharp > 1 > guess > against and against < 0
    before = {row.annotator_id: row.slope for row in session.scalars(select(AnnotatorSlope))}
    second = annotator_fits.fit(session, project)
    assert second.number == 2 and annotator_fits.newest(session, project) is second
    assert {id: one.slope for id, one in annotator_fits.slopes(session, first).items()} == before
    assert [made.number for made, _ in annotator_fits.of_person(session, project, users[0].id)] == [2, 1]


def test_too_little_is_refused_and_says_what_is_needed(session):
    project, _ = judged_by(session, [careful, careful], prompts=2)
    with pytest.raises(Conflict, match=r"from people who judged 30 or more.*with 6 or more"):
        annotator_fits.fit(session, project)
    with pytest.raises(Conflict, match="have not been fitted"):
        annotator_fits.crowd(session, project)
    assert annotator_fits.newest(session, project) is None
    with pytest.raises(NotFound):
        annotator_fits.find(session, uuid.uuid4())


def test_a_fit_is_due_when_there_is_enough_more(session, crowd_of_five):
    project, _ = crowd_of_five
    looked: dict[uuid.UUID, int] = {}
    assert annotator_fits.due(session, looked) == [project.id]
    assert annotator_fits.due(session, looked) == []  # nothing came since it was looked at
    made = annotator_fits.fit_due(session, project.id)
    assert made is not None and made.number == 1
    assert annotator_fits.fit_due(session, project.id) is None
    project.judgments_folded += 999
    session.flush()
    assert annotator_fits.due(session, {}) == []
    project.judgments_folded += 1
    session.flush()
    assert annotator_fits.due(session, {}) == [project.id]
    made.position, project.judgments_folded = 100_000, 109_999
    session.flush()
    assert annotator_fits.due(session, {}) == []
    project.judgments_folded = 110_000
    session.flush()
    assert annotator_fits.due(session, {}) == [project.id]


def test_a_project_with_too_little_is_looked_at_again_when_it_has_grown(session):
    project, _ = judged_by(session, [careful] * 5, prompts=2)
    looked: dict[uuid.UUID, int] = {}
    assert annotator_fits.due(session, looked) == [project.id]
    assert annotator_fits.fit_due(session, project.id) is None
    project.judgments_folded += 49
    session.flush()
    assert annotator_fits.due(session, looked) == []
    project.judgments_folded += 1
    session.flush()
    assert annotator_fits.due(session, looked) == [project.id]


def test_two_dispatchers_make_one_version(database_url):
    """While one fits, the other goes away; and after it, nothing is due any more."""
    engine = make_engine(database_url)
    factory = make_session_factory(engine)
    with factory.begin() as session:
        project, _ = judged_by(session, [careful, careful, guessing], prompts=12)
        id = project.id
    with factory() as one, factory() as other:
        assert annotator_fits.fit_due(one, id) is not None
        assert annotator_fits.fit_due(other, id) is None
        one.commit()
        other.rollback()
        assert annotator_fits.fit_due(other, id) is None
        assert other.scalar(select(func.count()).select_from(AnnotatorFit)) == 1
    engine.dispose()


def test_ratings_weigh_votes_by_the_newest_version(session, crowd_of_five):
    project, users = crowd_of_five
    annotator_fits.fit(session, project)
    crowd = annotator_fits.crowd(session, project)
    board = leaderboards.board(session, project, crowd=crowd)
    assert board.annotator_fit == 1
    spread = [of(line).rating - line.raw.rating for line in board.lines]
    assert spread[0] > 50 and spread[-1] < -50  # who guesses and who contradicts held them together
    rated, judged = rating_lists.leaderboard(session, project, of="models", method="bradley_terry", crowd=crowd)
    assert [item.rating for item in rated] == [of(line).rating for line in board.lines] and judged == 180

    prompt = session.scalar(select(Judgment.prompt_id).limit(1))
    asked = {"of": "completions", "method": "bradley_terry", "prompt_id": prompt}
    raw, _ = rating_lists.leaderboard(session, project, **asked)
    weighed, _ = rating_lists.leaderboard(session, project, **asked, crowd=crowd)
    assert {item.id for item in raw} == {item.id for item in weighed} and raw != weighed
    with pytest.raises(Invalid, match="Elo"):
        rating_lists.leaderboard(session, project, of="models", crowd=crowd)

    # Who came after the fit is taken for the average; who contradicts counts nothing, and is not turned round.
    stranger = uuid.uuid4()
    slope, lean = crowd.of_votes([stranger, users[4].id], np.array([0, 1, 0]))
    assert slope.tolist() == [1.0, 0.0, 1.0] and lean[0] == crowd.mean_lean


def test_a_crowd_without_differences_gives_the_plain_ratings(session):
    project, users = judged_by(session, [careful, careful], prompts=6)
    slopes = {user.id: annotator_fits.Slope(1.0, 0.1, 0.0, 0.1, 18.0) for user in users}
    crowd = annotator_fits.Crowd(7, 1.0, 0.0, slopes)
    for line in leaderboards.board(session, project, crowd=crowd).lines:
        assert of(line).rating == pytest.approx(line.raw.rating, abs=1e-9)
        assert of(line).standard_error == pytest.approx(line.raw.standard_error, abs=1e-7)
    known = facts.load(session, project, prompt_id=session.scalar(select(Judgment.prompt_id).limit(1)))
    plain, weighed = facts.rate(known, "bradley_terry"), annotator_fits.rate(known, crowd)
    assert plain.prior_deviation == 1.0
    assert np.abs(plain.rating - weighed.rating).max() < 1e-7


def test_the_real_study_has_enough(session):
    project = make_project(session)
    imports.load(session, project, study_archive(), format=None, filename="llmfao.zip")
    ratings.fold(session, project.id)
    made = annotator_fits.fit_due(session, project.id)
    assert made is not None and (made.judgments, made.position) == (8931, 8931)
    crowd = annotator_fits.crowd(session, project)
    assert len(crowd.slopes) == 124
    board = leaderboards.board(session, project, crowd=crowd)
    assert board.lines[0].name == "imported/GPT 4"
    assert of(board.lines[0]).rating > board.lines[0].raw.rating
