"""Own numbers: worked by hand on a small study, and the same as those told from the whole project."""

import random
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from backend.domain.judgments import Protocol
from backend.domain.shares import share_of
from backend.errors import Forbidden
from backend.services import agreement as project_agreement
from backend.services import comparisons, judgments, work
from backend.tables import Comparison, Flag, Gold, Judgment, Standing
from tests.factories import (
    judge_next,
    make_completions,
    make_judgment,
    make_model,
    make_project,
    make_prompt,
    make_study,
    make_user,
)

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
SOON = datetime.now(UTC) + timedelta(days=1)


def judge(
    session, project, user, best=None, *, shown=None, kind="regular", gold=None, repeat_of=None, right=None, ms=None
):
    """A judgment of these completions as shown; `best` won, nothing is a tie."""
    comparison = Comparison(
        project_id=project.id,
        prompt_id=shown[0].prompt_id,
        annotator_id=user.id,
        completions=[completion.id for completion in shown],
        set_key=comparisons.set_key([completion.id for completion in shown]),
        kind=kind,
        policy="random",
        guidelines_version=1,
        gold_id=gold and gold.id,
        repeat_of=repeat_of,
        state="judged",
    )
    session.add(comparison)
    session.flush()
    judgment = Judgment(
        id=uuid.uuid4(),
        project_id=project.id,
        prompt_id=comparison.prompt_id,
        comparison_id=comparison.id,
        annotator_id=user.id,
        ranks=[1 if completion is best or best is None else 2 for completion in shown],
        guidelines_version=1,
        gold_right=right,
        active_ms=ms,
    )
    session.add(judgment)
    session.flush()
    return judgment


@pytest.fixture
def study(session):
    """A project, three people, and two prompts with a short and a long completion each."""
    project = make_project(session)
    models = [make_model(session), make_model(session)]
    pairs = []
    for _ in range(2):
        short, long = make_completions(session, make_prompt(session, project), models)
        long.text = short.text + "and more of it, " * 5
        pairs.append((short, long))
    return project, [make_user(session) for _ in range(3)], pairs


def test_own_numbers_by_hand(session, study):
    project, (ann, bob, cat), ((short, long), (other, other_long)) = study
    first = judge(session, project, ann, long, shown=(short, long), ms=1000)
    judge(session, project, ann, other, shown=(other, other_long), ms=4000)
    judge(session, project, ann, short, shown=(long, short), kind="repeat", repeat_of=first.comparison_id, ms=2000)
    judge(session, project, bob, long, shown=(long, short), ms=9000)
    judge(session, project, cat, None, shown=(other, other_long))
    taken_back = judge(session, project, ann, long, shown=(short, long), ms=500)
    taken_back.voided_at = datetime.now(UTC)
    judge(session, project, bob, short, shown=(short, long)).uncounted_reason = "Too late."
    session.flush()
    found = work.of_person(session, project, ann.id, LONG_AGO)
    assert (found.judgments, found.today, found.skipped) == (3, 3, 0)
    assert (found.active_ms, found.active_ms_today, found.median_active_ms) == (7500, 7500, 2000)
    # On the first pair bob says as she did first, not as she did again; on the second cat says otherwise.
    assert found.agreement == share_of(1, 3)
    assert found.self_consistency == share_of(0, 1)
    assert found.gold is None
    assert found.left_lean == share_of(1, 3)
    assert found.length_lean == share_of(1, 3)
    tomorrow = work.of_person(session, project, ann.id, SOON)
    assert (tomorrow.today, tomorrow.active_ms_today, tomorrow.active_ms) == (0, 0, 7500)
    nobody = work.of_person(session, project, make_user(session).id, LONG_AGO)
    assert (nobody.judgments, nobody.agreement, nobody.median_active_ms, nobody.active_ms) == (0, None, None, 0)


def test_ones_own_numbers_move_in_steps(session):
    """So that no judgment gives away what others said of the same, not even one that is taken back and given anew."""
    project = make_study(session, prompts=work.STEP + 2, overlap=2)
    ann, bob = make_user(session), make_user(session)
    while judge_next(session, project, bob):
        pass

    def told():
        return work.of_person(session, project, ann.id, LONG_AGO, in_steps=True).agreement

    for _ in range(work.STEP - 1):
        last = make_judgment(session, project, ann)
        assert told() is None
    judgments.void(session, last.id, by=ann.id, may_void_others=False, at=SOON)
    make_judgment(session, project, ann)
    first = told()
    assert first and first.n == work.STEP - 1, "the one that was taken back was one of the twenty"
    last = make_judgment(session, project, ann)
    judgments.void(session, last.id, by=ann.id, may_void_others=False, at=SOON)
    make_judgment(session, project, ann, (2, 1))
    assert told() == first
    at_once = work.of_person(session, project, ann.id, LONG_AGO).agreement
    assert at_once and at_once.n == work.STEP


def test_practice_is_no_test(session, study):
    project, (ann, *_), (pair, _) = study
    for use, right in (("practice", False), ("qualification", True), ("check", True), ("check", False)):
        ids = [completion.id for completion in pair]
        gold = Gold(project_id=project.id, prompt_id=pair[0].prompt_id, completions=ids, ranks=[1, 2], use=use)
        session.add(gold)
        session.flush()
        judge(session, project, ann, pair[0], shown=pair, kind="gold", gold=gold, right=right)
    assert work.of_person(session, project, ann.id, LONG_AGO).gold == share_of(2, 3)


@pytest.mark.parametrize("size", [2, 3])
def test_one_persons_numbers_are_those_of_the_whole_project(session, size):
    """Though sets of three that are not the same share pairs."""
    project = make_study(session, prompts=3, models=4, overlap=3, protocol=Protocol(size=size))
    people = [make_user(session) for _ in range(3)]
    rng = random.Random(size)
    for person in people:
        while judge_next(session, project, person, rng.choice([(1, 2, 3)[:size], (2, 1, 2)[:size], (1, 1, 1)[:size]])):
            pass
    listed = {one.id: one for one in project_agreement.annotators(session, project, LONG_AGO)}
    assert len(listed) == 3
    for person in people:
        found = work.of_person(session, project, person.id, LONG_AGO)
        assert found.agreement and found.left_lean
        assert found.agreement.share == listed[person.id].majority_agreement
        assert found.left_lean.share == listed[person.id].left_share
        assert found.judgments == listed[person.id].judgments


def test_people_are_ranked_only_where_the_project_says_so(session):
    project = make_study(session, prompts=3)
    busy, lazy = make_user(session), make_user(session)
    for person in (busy, busy, lazy):
        make_judgment(session, project, person)
    with pytest.raises(Forbidden):
        work.ranking(session, project, for_admin=False)
    assert [one.annotator_id for one in work.ranking(session, project, for_admin=True)] == [busy.id, lazy.id]
    project.people_ranking = True
    assert [one.judgments for one in work.ranking(session, project, for_admin=False)] == [2, 1]


def test_the_list_of_annotators_by_hand(session, study):
    project, (ann, bob, cat), (pair, other) = study
    judge(session, project, ann, pair[0], shown=pair, ms=1000)
    voided = judge(session, project, ann, other[0], shown=other, ms=3000)
    voided.voided_at = datetime.now(UTC)
    for use, right in (("practice", False), ("check", True), ("check", True), ("check", False)):
        ids = [completion.id for completion in pair]
        gold = Gold(project_id=project.id, prompt_id=pair[0].prompt_id, completions=ids, ranks=[1, 2], use=use)
        session.add(gold)
        session.flush()
        asked = judge(session, project, bob, pair[0], shown=pair, kind="gold", gold=gold, right=right)
    session.add(Flag(project_id=project.id, comparison_id=asked.comparison_id, annotator_id=bob.id, reason="?"))
    session.get_one(Comparison, judge(session, project, cat, shown=pair).comparison_id)
    skipped = judge(session, project, cat, shown=other)
    session.get_one(Comparison, skipped.comparison_id).state = "skipped"
    session.delete(skipped)
    dan = make_user(session)
    session.add(Standing(project_id=project.id, annotator_id=dan.id, state="learning"))
    session.flush()
    listed = project_agreement.annotators(session, project, LONG_AGO)
    assert [one.judgments for one in listed] == [4, 1, 1, 0]
    of = {one.id: one for one in listed}
    assert [(of[who.id].judgments, of[who.id].today) for who in (ann, bob, cat, dan)] == [
        (1, 1),
        (4, 4),
        (1, 1),
        (0, 0),
    ]
    assert [of[who.id].skipped for who in (ann, bob, cat, dan)] == [0, 0, 1, 0]
    assert [of[who.id].flagged for who in (ann, bob, cat, dan)] == [0, 1, 0, 0]
    assert (of[bob.id].gold_right_share, of[bob.id].gold_answers) == (2 / 3, 3)
    assert (of[ann.id].gold_right_share, of[ann.id].gold_answers) == (None, 0)
    assert (of[ann.id].active_ms_total, of[ann.id].median_active_ms) == (4000, 1000)
    learning = of[dan.id].standing
    assert learning and (of[dan.id].last_judgment_at, learning.state) == (None, "learning")
    assert project_agreement.annotators(session, project, SOON)[0].today == 0
