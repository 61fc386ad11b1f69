"""Gold: mixed in at its share, never seen before, never twice in a row; known answers put right; who may be told."""

import random
import uuid
from collections import Counter
from itertools import pairwise

import pytest
from sqlalchemy import select

from backend.domain.judgments import Protocol, Verdict
from backend.errors import Invalid, NotFound
from backend.services import comparisons, gold, judgments, ratings
from backend.tables import Comparison, Completion, Gold, Judgment, Project, Prompt
from tests.factories import judge_next, make_study, make_user
from tests.services.test_comparisons import hold


def add_gold(session, project, use="check", number=None, ranks=(1, 2), explanation="") -> Gold:
    """Gold of one of a project's prompts: the first completion is the better one."""
    prompts = session.scalars(select(Prompt).where(Prompt.project_id == project.id).order_by(Prompt.id)).all()
    prompt = prompts[-1 if number is None else number]
    size = len(ranks) if ranks else 2
    ids = session.scalars(select(Completion.id).where(Completion.prompt_id == prompt.id).order_by(Completion.id)).all()
    return gold.create(session, project, ranks=ranks, use=use, completions=ids[:size], explanation=explanation)


def answer(session, shown, right: bool) -> Judgment:
    """Judge a comparison as its gold says, or the other way round."""
    known = session.get_one(Gold, shown.comparison.gold_id)
    ranks = gold.known_ranks(known, shown.comparison)
    assert ranks is not None
    said = ranks if right else tuple(3 - rank for rank in ranks)
    return judgments.cast(
        session,
        id=uuid.uuid4(),
        annotator_id=shown.comparison.annotator_id,
        comparison_id=shown.comparison.id,
        verdict=Verdict(ranks=said),
    )[0]


def kinds_of(session, project):
    rows = session.scalars(select(Comparison).where(Comparison.project_id == project.id).order_by(Comparison.id))
    return [row.kind for row in rows]


def test_checks_come_at_their_share_and_never_twice_in_a_row(session):
    project, user = make_study(session, prompts=240, models=2, gold_share=0.2), make_user(session)
    for number in range(180, 240):
        add_gold(session, project, number=number)
    for _ in range(150):
        judge_next(session, project, user)
    kinds = kinds_of(session, project)
    assert len(kinds) == 150
    # 30 of 150 are wanted; chance alone stays within 12 of that.
    assert 18 <= kinds.count("gold") <= 42
    assert ("gold", "gold") not in set(pairwise(kinds))


def test_no_check_is_seen_twice_as_gold_or_as_anything_else(session):
    project, user = make_study(session, prompts=12, models=2, gold_share=0.4, repeat_share=0.2), make_user(session)
    for number in range(12):
        add_gold(session, project, number=number)
    while judge_next(session, project, user):
        pass
    rows = session.scalars(select(Comparison).where(Comparison.project_id == project.id)).all()
    seen = Counter(row.set_key for row in rows if row.kind != "repeat")
    assert set(seen.values()) == {1} and len(seen) == 12
    assert Counter(row.kind for row in rows)["gold"] > 0


def test_two_golds_fetched_ahead_are_never_neighbours(session):
    project, user = make_study(session, prompts=100, models=2, gold_share=0.5), make_user(session)
    for number in range(50, 100):
        add_gold(session, project, number=number)
    for _ in range(4):
        for shown in hold(session, project, user, count=12):
            shown.comparison.state = "judged"
        session.flush()
    kinds = kinds_of(session, project)
    assert ("gold", "gold") not in set(pairwise(kinds))
    assert kinds.count("gold") >= 20, "half of them, so every other one"


def test_sides_of_gold_are_shuffled(session):
    project = make_study(session, prompts=10, models=2, gold_share=1.0)
    known = add_gold(session, project)
    orders = Counter(
        tuple(gold.comparison_of(known, project, uuid.uuid4(), random.Random(n)).completions) for n in range(200)
    )
    assert len(orders) == 2 and min(orders.values()) > 60


def test_a_check_is_marked_and_rates_nothing(session):
    project, user = make_study(session, prompts=3, gold_share=1.0), make_user(session)
    known = add_gold(session, project)
    shown = hold(session, project, user)[0]
    assert (shown.comparison.kind, shown.comparison.gold_id, shown.practice) == ("gold", known.id, False)
    judgment = answer(session, shown, right=False)
    assert (judgment.gold_right, judgment.position) == (False, 0)
    assert judgments.feedback(session, judgment) is None
    assert ratings.fold_pending(session) == 0
    prompt = session.get_one(Prompt, known.prompt_id)
    session.refresh(prompt)
    assert prompt.handed_out == 0, "gold takes no place of real work"


def test_a_retired_check_is_handed_out_no_more(session):
    project, user = make_study(session, prompts=5, gold_share=1.0), make_user(session)
    known = add_gold(session, project)
    gold.change(session, known.id, {"retired": True})
    assert hold(session, project, user)[0].comparison.kind == "regular"
    gold.change(session, known.id, {"retired": False})
    assert known.retired_at is None


def test_how_gold_was_answered(session):
    project = make_study(session, prompts=3, gold_share=1.0)
    known = add_gold(session, project)
    given = [answer(session, hold(session, project, make_user(session))[0], right=n < 3) for n in range(4)]
    assert gold.answers(session, [known.id])[known.id] == gold.Answers(4, 0.75)
    judgments.void(session, given[0].id, by=given[0].annotator_id, may_void_others=False, at=given[0].created_at)
    assert gold.answers(session, [known.id])[known.id] == gold.Answers(3, 2 / 3)
    # The known answer was wrong: put right, the others were right.
    gold.change(session, known.id, {"ranks": [2, 1]})
    assert gold.answers(session, [known.id])[known.id] == gold.Answers(3, 1 / 3)
    gold.change(session, known.id, {"ranks": None})
    assert gold.answers(session, [known.id])[known.id] == gold.Answers(3, 0.0)


def test_gold_of_a_comparison_has_its_completions(session):
    project, user = make_study(session, prompts=2), make_user(session)
    comparison = hold(session, project, user)[0].comparison
    known = gold.create(session, project, ranks=[2, 1], use="check", comparison_id=comparison.id)
    assert (known.prompt_id, known.completions) == (comparison.prompt_id, comparison.completions)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"ranks": (1, 1)}, "ranks"),
        ({"ranks": (1, 3)}, "ranks"),
        ({"ranks": (1, 2, 2)}, "ranks"),
    ],
)
def test_known_answers_that_are_refused(session, fields, field):
    project = make_study(session)
    ids = session.scalars(select(Completion.id).where(Completion.project_id == project.id).limit(2)).all()
    with pytest.raises(Invalid) as refused:
        gold.create(session, project, use="check", completions=ids, **fields)
    assert refused.value.field == field


def test_completions_that_are_refused(session):
    project, other = make_study(session, prompts=2, models=3), make_study(session)
    mine = session.scalars(
        select(Completion.id).where(Completion.project_id == project.id).order_by(Completion.prompt_id)
    ).all()
    theirs = session.scalars(select(Completion.id).where(Completion.project_id == other.id)).all()

    def make(*ids, **more):
        return gold.create(session, project, ranks=(1, 2), use="check", completions=ids, **more)

    for ids in (mine[2:4], [mine[0], mine[0]], mine[:3], []):
        with pytest.raises(Invalid):
            make(*ids)
    with pytest.raises(Invalid):
        make(*mine[:2], prompt_id=uuid.uuid4())
    for ids in ([mine[0], theirs[0]], [mine[0], uuid.uuid4()]):
        with pytest.raises(NotFound):
            make(*ids)
    comparison = hold(session, other, make_user(session))[0].comparison
    with pytest.raises(NotFound):
        gold.create(session, project, ranks=(1, 2), use="check", comparison_id=comparison.id)


def test_only_the_best_have_to_be_right_where_only_they_are_asked_for(session):
    protocol = Protocol(size=4, top=1, allow_tie=False)
    project = make_study(session, prompts=2, models=4, protocol=protocol, gold_share=1.0)
    known = add_gold(session, project, ranks=(1, 2, 3, 4))
    shown = hold(session, project, make_user(session))[0]
    place = shown.comparison.completions.index(known.completions[0])
    said = tuple(1 if n == place else 2 for n in range(4))
    judgment, _ = judgments.cast(
        session,
        id=uuid.uuid4(),
        annotator_id=shown.comparison.annotator_id,
        comparison_id=shown.comparison.id,
        verdict=Verdict(ranks=said),
    )
    assert judgment.gold_right


def test_gold_of_another_size_than_the_project_compares_is_left_out(session):
    project, user = make_study(session, prompts=4, models=3, gold_share=1.0), make_user(session)
    add_gold(session, project)
    project.protocol = Protocol(size=3).model_dump(mode="json")
    session.flush()
    assert hold(session, project, user)[0].comparison.kind == "regular"
    assert comparisons.hand_out(session, session.get_one(Project, project.id), user.id, 9, random.Random(1)).items
