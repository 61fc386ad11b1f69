"""Whose turn it is: a prompt judged by people who tell little comes sooner, by as much as they tell less."""

import random
import uuid

import pytest
from sqlalchemy import select

from backend.services import comparisons, judgments, ratings, turns
from backend.tables import AnnotatorFit, AnnotatorSlope, Judgment, Project, Prompt
from tests.factories import make_judgment, make_study, make_user
from tests.services.test_judgments import NOW


def fitted(session, project: Project, slopes, number: int = 1) -> None:
    """A version that holds these slopes by user."""
    fit = AnnotatorFit(
        project_id=project.id, number=number, position=0, judgments=0, prior_deviation=1.0, mean_lean=0.0
    )
    session.add(fit)
    session.flush()
    for user, slope in slopes.items():
        told = {"slope": slope, "slope_error": 0.1, "lean": 0.0, "lean_error": 0.1, "votes": 50.0}
        session.add(AnnotatorSlope(fit_id=fit.id, annotator_id=user.id, **told))
    session.flush()


def missing(session, project: Project) -> dict[uuid.UUID, float]:
    rows = session.execute(select(Prompt.id, Prompt.missing).where(Prompt.project_id == project.id))
    return dict(rows.all())


def test_the_prompt_of_a_guesser_comes_first(session):
    project = make_study(session, prompts=4, overlap=9)
    sharp, dull, guesser, contrary, newcomer = (make_user(session) for _ in range(5))
    by = {make_judgment(session, project, user).prompt_id: user for user in (sharp, dull, guesser, contrary)}
    assert len(by) == 4, "each judged another prompt"
    fitted(session, project, {sharp: 1.2, dull: 0.5, guesser: 0.0, contrary: -0.8})
    ratings.fold(session, project.id)
    # One judgment less the square of the slope: 1 - 1.44, 1 - 0.25, 1, and a contrary one tells no more than a guess.
    wanted = {sharp: -0.44, dull: 0.75, guesser: 1.0, contrary: 1.0}
    assert missing(session, project) == pytest.approx({prompt: wanted[user] for prompt, user in by.items()})
    held = comparisons.hand_out(session, project, newcomer.id, 4, random.Random(0)).items
    order = [by[one.comparison.prompt_id] for one in held]
    assert set(order[:2]) == {guesser, contrary} and order[2:] == [dull, sharp]


def test_a_rebuild_gives_the_same_turns_and_what_is_taken_back_is_missing_no_more(session):
    project = make_study(session, prompts=3, models=3, overlap=4)
    people = {make_user(session): slope for slope in (1.3, 0.7, 0.1, -0.5)}
    stranger = make_user(session)
    for user in (*people, stranger):
        for _ in range(5):
            make_judgment(session, project, user)
    ratings.fold(session, project.id)
    assert set(missing(session, project).values()) == {0.0}, "before the first version all tell the same"
    fitted(session, project, people)
    assert turns.refresh_next(session, project.id, None) is None
    live = missing(session, project)
    ratings.rebuild(session, project.id)
    assert missing(session, project) == live, "to the digit"
    told = sum(5 * max(slope, 0.0) ** 2 for slope in people.values())
    assert sum(live.values()) == pytest.approx(20 - told), "the stranger counts as the average"
    for judgment in session.scalars(select(Judgment).where(Judgment.project_id == project.id)).all():
        judgments.void(session, judgment.id, by=judgment.annotator_id, may_void_others=True, at=NOW)
    ratings.fold(session, project.id)
    assert set(missing(session, project).values()) == {0.0}


def test_what_a_guesser_answered_is_asked_again(session):
    """Of two pairs answered once each, and a third one, in a prompt of three."""
    project = make_study(session, prompts=1, models=3, overlap=9, random_share=0.0)
    guesser, sharp, other, last = (make_user(session) for _ in range(4))
    answered = {}
    for user in (guesser, sharp, other):
        held = comparisons.hand_out(session, project, user.id, 1, random.Random(0)).items[0]
        answered[user] = frozenset(held.comparison.completions)
        make_judgment(session, project, user, (1, 1))  # ties leave all ratings alike
    assert len(set(answered.values())) == 3
    fitted(session, project, {guesser: 0.0})
    ratings.fold(session, project.id)
    (again,) = comparisons.hand_out(session, project, last.id, 1, random.Random(0)).items
    assert frozenset(again.comparison.completions) == answered[guesser]
