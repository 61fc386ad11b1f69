"""The way to real work: practice in its order with feedback, a qualification that decides, and an admin's word."""

import uuid

import pytest
from sqlalchemy import select

from backend.domain.judgments import Verdict
from backend.errors import NotFound
from backend.services import comparisons, gold, judgments, leases, skips, standings
from backend.services.standings import WORK, Stage
from backend.tables import Comparison, Judgment, Prompt, Standing
from tests.factories import judge_next, make_judgment, make_study, make_user
from tests.services.test_comparisons import RNG
from tests.services.test_gold import add_gold, answer


def ask(session, project, user, count=1):
    return comparisons.hand_out(session, project, user.id, count, RNG)


def standing_of(session, project, user) -> Standing:
    session.expire_all()
    standing: Standing = session.get_one(Standing, (project.id, user.id))
    return standing


@pytest.fixture
def school(session):
    """A project with two practice comparisons and five of qualification, 0.8 of which must be right."""
    project = make_study(session, prompts=12, overlap=5, qualification_share=0.8)
    for number in range(2):
        add_gold(session, project, "practice", number, explanation=f"because {number}")
    for number in range(2, 7):
        add_gold(session, project, "qualification", number)
    return project


def practise(session, project, user):
    while (handed := ask(session, project, user)).stage.name == "practice":
        answer(session, handed.items[0], right=True)


def qualify(session, project, user, right):
    """Go through the qualification with so many right answers."""
    practise(session, project, user)
    for n, shown in enumerate(ask(session, project, user, count=9).items):
        answer(session, shown, right=n < right)


def test_without_tests_nobody_needs_a_standing(session):
    project, user = make_study(session), make_user(session)
    assert ask(session, project, user).stage == WORK
    assert session.get(Standing, (project.id, user.id)) is None


def test_practice_comes_one_by_one_in_order_with_what_was_right(session, school):
    user = make_user(session)
    order = session.scalars(select(Prompt.id).where(Prompt.project_id == school.id).order_by(Prompt.id).limit(2)).all()
    for n, prompt_id in enumerate(order):
        handed = ask(session, school, user, count=5)
        assert handed.stage == Stage("practice", n, 2, None)
        (shown,) = handed.items
        assert (shown.prompt.id, shown.practice, shown.comparison.kind) == (prompt_id, True, "gold")
        again = ask(session, school, user, count=5)
        assert [one.comparison.id for one in again.items] == [shown.comparison.id]
        told = judgments.feedback(session, answer(session, shown, right=n == 0))
        assert told is not None
        known = gold.of_comparison(session, shown.comparison)
        assert known is not None
        assert told == judgments.Feedback(n == 0, gold.known_ranks(known, shown.comparison), f"because {n}")
    assert standing_of(session, school, user).state == "learning"
    assert ask(session, school, user).stage == Stage("qualification", 0, 5, 0.8)


def test_who_only_looks_sees_the_stage_and_is_not_entered(session, school):
    user, worker = make_user(session), make_user(session)
    assert standings.look(session, school, user.id) == Stage("practice", 0, 2, None)
    assert session.get(Standing, (school.id, user.id)) is None
    practise(session, school, user)
    assert standings.look(session, school, user.id) == Stage("qualification", 0, 5, 0.8)
    older = make_study(session, prompts=3)
    make_judgment(session, older, worker)
    add_gold(session, older, "practice")
    assert (standings.look(session, older, worker.id), standings.look(session, older, user.id).name) == (
        WORK,
        "practice",
    )


@pytest.mark.parametrize(("right", "state"), [(5, "qualified"), (4, "qualified"), (3, "failed"), (0, "failed")])
def test_the_qualification_decides_once_all_is_answered(session, school, right, state):
    user = make_user(session)
    practise(session, school, user)
    handed = ask(session, school, user, count=3)
    assert len(handed.items) == 3, "no feedback, so they may come ahead"
    assert not any(shown.practice for shown in handed.items)
    handed = ask(session, school, user, count=9)
    assert len(handed.items) == 5
    for n, shown in enumerate(handed.items):
        assert standing_of(session, school, user).state == "learning"
        judgment = answer(session, shown, right=n < right)
        assert judgments.feedback(session, judgment) is None
    standing = standing_of(session, school, user)
    assert (standing.state, standing.right, standing.asked) == (state, right, 5)
    assert standing.decided_at is not None and standing.decided_by is None
    handed = ask(session, school, user, count=2)
    if state == "qualified":
        assert handed.stage == WORK
        assert [shown.comparison.kind for shown in handed.items] == ["regular"] * 2
    else:
        assert handed.stage == Stage("failed", right, 5, 0.8)
        assert handed.items == []


def test_the_order_of_a_qualification_is_not_that_of_its_gold(session, school):
    orders = set()
    for _ in range(6):
        user = make_user(session)
        practise(session, school, user)
        orders.add(tuple(shown.comparison.gold_id for shown in ask(session, school, user, count=9).items))
    assert len(orders) > 1
    assert len({frozenset(order) for order in orders}) == 1


def test_gold_added_later_throws_nobody_back(session, school):
    user = make_user(session)
    qualify(session, school, user, right=5)
    add_gold(session, school, "practice", 8)
    add_gold(session, school, "qualification", 9)
    assert ask(session, school, user).stage == WORK


def test_who_was_at_work_before_there_was_a_test_goes_on(session):
    project, old, new = make_study(session, prompts=6, overlap=3), make_user(session), make_user(session)
    make_judgment(session, project, old)
    add_gold(session, project, "qualification")
    assert ask(session, project, old).stage == WORK
    assert ask(session, project, new).stage.name == "qualification"


def test_a_project_with_practice_only_lets_in_after_it(session):
    project, user = make_study(session, prompts=6), make_user(session)
    add_gold(session, project, "practice")
    answer(session, ask(session, project, user).items[0], right=False)
    assert ask(session, project, user).stage == WORK
    standing = standing_of(session, project, user)
    assert (standing.state, standing.right, standing.asked) == ("qualified", None, None)


def test_a_skipped_question_of_the_qualification_was_not_right(session, school):
    user = make_user(session)
    practise(session, school, user)
    items = ask(session, school, user, count=9).items
    for shown in items[:2]:
        skips.skip(session, shown.comparison.id, user.id, None)
    for shown in items[2:]:
        answer(session, shown, right=True)
    standing = standing_of(session, school, user)
    assert (standing.state, standing.right, standing.asked) == ("failed", 3, 5)


def test_an_answer_taken_back_is_asked_again(session, school):
    user = make_user(session)
    practise(session, school, user)
    shown = ask(session, school, user, count=9).items[0]
    judgment = answer(session, shown, right=False)
    assert ask(session, school, user).stage.done == 1
    judgments.void(session, judgment.id, by=user.id, may_void_others=False, at=leases.now())
    handed = ask(session, school, user, count=9)
    assert handed.stage.done == 0
    assert shown.comparison.id in {one.comparison.id for one in handed.items}
    for one in handed.items:
        answer(session, one, right=True)
    assert standing_of(session, school, user).right == 5


def test_another_attempt_begins_with_practice_and_counts_anew(session, school):
    admin, user = make_user(session, role="admin"), make_user(session)
    qualify(session, school, user, right=0)
    standing = standings.decide(session, school, user.id, "retake", by=admin.id, note="bad day")
    assert (standing.state, standing.attempt, standing.right, standing.note) == ("learning", 2, None, "bad day")
    assert ask(session, school, user).stage == Stage("practice", 0, 2, None)
    qualify(session, school, user, right=4)
    standing = standing_of(session, school, user)
    assert (standing.state, standing.attempt, standing.right) == ("qualified", 2, 4)


def test_an_admins_word_counts_whatever_the_test_said(session, school):
    admin, user, fresh = make_user(session, role="admin"), make_user(session), make_user(session)
    qualify(session, school, user, right=0)
    standing = standings.decide(session, school, user.id, "qualified", by=admin.id)
    assert (standing.state, standing.decided_by, standing.right) == ("qualified", admin.id, 0)
    assert ask(session, school, user).stage == WORK
    standings.decide(session, school, fresh.id, "qualified", by=admin.id)
    assert ask(session, school, fresh).stage == WORK
    assert standing_of(session, school, fresh).attempt == 1
    with pytest.raises(NotFound):
        standings.decide(session, school, uuid.uuid4(), "qualified", by=admin.id)


def test_who_is_turned_away_gives_back_what_they_hold(session):
    project = make_study(session, prompts=3)
    admin, user, other = make_user(session, role="admin"), make_user(session), make_user(session)
    held = ask(session, project, user, count=3).items
    standings.decide(session, project, user.id, "failed", by=admin.id, note="random answers")
    assert ask(session, project, user) == comparisons.Handed([], Stage("failed", 0, 0, 0.8))
    assert len(ask(session, project, other, count=9).items) == 3
    # What their page still held is kept, and not counted.
    late, _ = judgments.cast(
        session,
        id=uuid.uuid4(),
        annotator_id=user.id,
        comparison_id=held[0].comparison.id,
        verdict=Verdict(ranks=(1, 2)),
    )
    assert late.uncounted_reason == "You no longer judge in this project."


def test_a_paused_project_tells_the_stage_and_hands_out_nothing(session, school):
    school.state = "paused"
    assert ask(session, school, make_user(session)) == comparisons.Handed([], Stage("practice", 0, 2, None))


def test_a_test_that_was_retired_is_no_longer_asked(session, school):
    user = make_user(session)
    practise(session, school, user)
    for shown in ask(session, school, user, count=9).items[:4]:
        answer(session, shown, right=True)
    (last,) = ask(session, school, user, count=9).items
    gold.change(session, last.comparison.gold_id, {"retired": True})
    assert ask(session, school, user).stage == WORK
    standing = standing_of(session, school, user)
    assert (standing.right, standing.asked) == (4, 4)


def test_gold_of_the_way_in_rates_nothing(session, school):
    user = make_user(session)
    qualify(session, school, user, right=5)
    rows = session.scalars(select(Judgment).where(Judgment.project_id == school.id)).all()
    assert {row.position for row in rows} == {0} and len(rows) == 7
    assert judge_next(session, school, user) is not None
    regular = session.scalars(select(Comparison).where(Comparison.kind == "regular")).all()
    assert len(regular) == 1
    # What was seen on the way in is not asked again.
    seen = set(session.scalars(select(Comparison.set_key).where(Comparison.gold_id.is_not(None))))
    while judge_next(session, school, user):
        pass
    work = session.scalars(select(Comparison.set_key).where(Comparison.kind == "regular")).all()
    assert len(work) == 5 and not seen & set(work)
