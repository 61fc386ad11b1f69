"""Agreement of a project, its course over time and by version of the guidelines, and the signs of its annotators."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from backend.domain.shares import share_of
from backend.services import agreement, agreement_history, annotator_fits, imports, ratings, signs
from backend.tables import Comparison, Judgment
from tests.factories import make_project, make_study, make_user
from tests.services.test_annotator_fits import careful, contrary, guessing, judged_by
from tests.services.test_imports import study_archive

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)


def first_shown(first, second, rng):
    return True


def spread(session, project, days: int) -> None:
    """As if the judgments had been given over so many days, in their order."""
    made = session.scalars(select(Judgment).where(Judgment.project_id == project.id).order_by(Judgment.sequence)).all()
    for place, judgment in enumerate(made):
        judgment.created_at = NOW + timedelta(days=place * days // len(made))
    session.flush()


def test_the_real_study(session):
    """Published figures, and few false alarms: of 124 people three, all of whom no model of the crowd can use."""
    project = make_project(session)
    imports.load(session, project, study_archive(), format=None, filename="llmfao.zip")
    ratings.fold(session, project.id)
    annotator_fits.fit(session, project)
    found = agreement.of_project(session, project)
    assert found.alpha_nominal == pytest.approx(0.2914, abs=5e-4)
    assert found.alpha_nominal_error == pytest.approx(0.0097, abs=5e-4)
    assert (found.repeat_consistency, found.gold) == (None, None)
    people = agreement.annotators(session, project, NOW)
    flagged = {person.name: person for person in people if person.signs}
    assert len(flagged) <= 4
    for person in flagged.values():
        assert [sign.name for sign in person.signs] == ["chance"] and person.slope is not None
        assert person.slope.slope < 0.15 and person.judgments > 300
    (day,) = agreement_history.of_project(session, project, "time")
    assert day.alpha_nominal == found.alpha_nominal and day.judgments == 8931


def test_the_course_over_time(session):
    project, users = judged_by(session, [careful, careful, contrary], prompts=6)
    spread(session, project, 10)
    days = agreement_history.of_project(session, project, "time")
    assert [day.label for day in days] == [f"2026-03-{day:02d}" for day in range(5, 15)]
    assert sum(day.judgments for day in days) == 54 and all(day.judgments for day in days)
    # Each judged by one person after the other, so that within a day hardly anything is shared.
    assert sum(day.units for day in days) < agreement.of_project(session, project).units
    own = agreement_history.of_project(session, project, "time", annotator_id=users[2].id)
    assert sum(day.judgments for day in own) == 18
    # Held against all that the others said at any time.
    told = [day.agreement for day in own if day.agreement]
    assert sum(share.n for share in told) > 10 and all(share.share < 0.5 for share in told)
    assert all(day.alpha_nominal is None and day.units == 0 for day in own)
    weeks = agreement_history.of_project(session, project, "time", utc_offset_minutes=-13 * 60)
    assert weeks[0].label == "2026-03-04"


def test_by_version_of_the_guidelines(session):
    """Under the first version one of them guesses; under the second all agree."""
    project, users = judged_by(session, [careful, careful, guessing], prompts=10)
    later = select(Judgment.id).where(Judgment.project_id == project.id, Judgment.annotator_id != users[2].id)
    session.execute(update(Judgment).where(Judgment.id.in_(later)).values(guidelines_version=2))
    one, two = agreement_history.of_project(session, project, "guidelines_version")
    assert (one.label, one.judgments, one.units, one.alpha_nominal) == ("1", 30, 0, None)
    assert (two.label, two.judgments, two.units) == ("2", 60, 30)
    assert two.alpha_nominal is not None and two.alpha_nominal > 0.4 and two.alpha_nominal_error is not None
    assert one.start and one.end and one.start <= one.end
    nobody = make_user(session)
    assert agreement_history.of_project(session, project, "time", annotator_id=nobody.id) == []
    assert agreement_history.of_project(session, make_study(session), "time") == []


def test_gold_and_repeats_are_told_in_their_time(session):
    project, _ = judged_by(session, [careful, careful], prompts=6)
    spread(session, project, 3)
    made = session.scalars(select(Judgment).where(Judgment.project_id == project.id).order_by(Judgment.sequence)).all()
    for place, judgment in enumerate(made):
        judgment.gold_right = place % 4 != 0
    once = made[0]
    # The last of this person's is the first one asked again, with the sides changed, and answered the same.
    last = max((j for j in made if j.annotator_id == once.annotator_id), key=lambda j: j.sequence)
    shown, then = session.get(Comparison, once.comparison_id), session.get(Comparison, last.comparison_id)
    then.completions, then.repeat_of = shown.completions[::-1], shown.id
    last.ranks = once.ranks[::-1]
    session.flush()
    days = agreement_history.of_project(session, project, "time")
    assert [day.gold for day in days] == [share_of(9, 12)] * 3
    assert [day.repeat_consistency.share for day in days if day.repeat_consistency] == [1.0]
    whole = agreement.of_project(session, project)
    assert (whole.gold, whole.repeat_consistency) == (share_of(27, 36), share_of(1, 1))
    mine = agreement_history.of_project(session, project, "guidelines_version", annotator_id=once.annotator_id)
    assert mine[0].gold and mine[0].gold.n == 18 and mine[0].repeat_consistency == share_of(1, 1)


def test_signs_of_everybody(session):
    """One contradicts, one always takes the first shown and clicks through; the careful show none."""
    project, users = judged_by(session, [careful] * 4 + [contrary, first_shown], prompts=20)
    for user in users:
        mine = Judgment.annotator_id == user.id
        taken = 1_500 if user is users[5] else 20_000
        session.execute(update(Judgment).where(mine).values(active_ms=taken + Judgment.sequence % 700))
    annotator_fits.fit(session, project)
    people = {person.id: person for person in agreement.annotators(session, project, NOW)}
    assert [[sign.name for sign in people[user.id].signs] for user in users[:4]] == [[]] * 4
    assert [sign.name for sign in people[users[4].id].signs] == ["contrary"]
    assert {sign.name for sign in people[users[5].id].signs} >= {"lean", "fast", "one_answer"}
    leaning = people[users[5].id].slope
    assert leaning is not None and leaning.lean > 1
    for user in users:
        assert signs.of_person(session, project, user.id) == people[user.id].signs
    assert signs.of_person(session, project, uuid.uuid4()) == []


def test_before_the_first_fit_there_is_no_slope(session):
    project, _ = judged_by(session, [careful, careful], prompts=2)
    assert [(person.slope, person.signs) for person in agreement.annotators(session, project, NOW)] == [(None, [])] * 2
