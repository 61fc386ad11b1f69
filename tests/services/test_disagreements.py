"""Disagreements: found by hand, kept right by folding, voiding and restoring, and decided by an admin."""

import random
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from backend.database import make_engine, make_session_factory
from backend.domain.judgments import Protocol, Verdict
from backend.errors import Conflict, Invalid, NotFound
from backend.services import (
    adjudications,
    agreement,
    comparisons,
    disagreements,
    judgments,
    ratings,
    voidings,
    work,
)
from backend.tables import Comparison, Completion, Disagreement, Judgment, Prompt, Voiding
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
from tests.services.test_comparisons import hold
from tests.services.test_ratings import everything
from tests.services.test_voidings import NOW, facts
from tests.services.test_work import judge


def found(session, project, **options):
    """(completions as letters of their place, conflict) of the sets in dispute, in order."""
    session.expire_all()
    items, _ = disagreements.page(session, project, **options)
    return [(one.disagreement.set_key, one.disagreement.conflict, len(one.judgments)) for one in items]


def stored(session, project):
    session.expire_all()
    rows = session.scalars(select(Disagreement).where(Disagreement.project_id == project.id))
    return {row.set_key: (row.prompt_id, row.completions, row.judgments, row.conflict, row.latest) for row in rows}


@pytest.fixture
def trio(session):
    """A project, three people, and the three completions of a prompt."""
    project = make_project(session, protocol=Protocol(strength_levels=3))
    shown = make_completions(session, make_prompt(session, project), [make_model(session) for _ in range(3)])
    return project, [make_user(session) for _ in range(3)], shown


def say(session, project, person, shown, ranks, strength=None):
    judgment = judge(session, project, person, shown=shown)
    judgment.ranks, judgment.strength, judgment.none_acceptable = ranks, strength, ranks is None
    session.flush()
    return judgment


def test_conflict_by_hand(session, trio):
    project, (ann, bob, cat), (x, y, z) = trio
    # x and y: ann and bob for x, cat for y with strength 3: two oppositions of (1 + 3) / 2 each.
    say(session, project, ann, [x, y], [1, 2])
    say(session, project, bob, [y, x], [2, 1])
    last = say(session, project, cat, [x, y], [2, 1], strength=3)
    # y and z: a win and a tie, and one for whom none is acceptable: nobody says the opposite.
    say(session, project, ann, [y, z], [1, 2])
    say(session, project, bob, [y, z], [1, 1])
    say(session, project, cat, [y, z], None)
    # All three: ann and bob differ on one pair of three.
    say(session, project, ann, [x, y, z], [1, 2, 3])
    newest = say(session, project, bob, [z, y, x], [3, 1, 2])
    assert found(session, project) == []
    ratings.fold_pending(session)
    xy, xyz = (comparisons.set_key([one.id for one in group]) for group in ([x, y], [x, y, z]))
    assert found(session, project) == [(xy, 4.0, 3), (xyz, 1.0, 2)]
    assert found(session, project, order="newest") == [(xyz, 1.0, 2), (xy, 4.0, 3)]
    first, cursor = disagreements.page(session, project, limit=1)
    rest, end = disagreements.page(session, project, limit=1, after=cursor)
    assert [one.disagreement.set_key for one in (*first, *rest)] == [xy, xyz] and end is None
    assert first[0].disagreement.completions == sorted([x.id, y.id])
    assert (first[0].disagreement.latest, rest[0].disagreement.latest) == (last.sequence, newest.sequence)
    with pytest.raises(Invalid):
        disagreements.page(session, project, after="nonsense")


def test_kept_piece_by_piece_or_made_anew_they_are_the_same(session):
    project = make_study(session, prompts=8, models=3, overlap=3, protocol=Protocol(size=3))
    people = [make_user(session) for _ in range(4)]
    rng = random.Random(1)
    for n in range(40):
        judge_next(session, project, people[n % 4], tuple(rng.sample([1, 2, 3], 3)))
        if n % 6 == 0:
            ratings.fold_pending(session)
    ratings.fold_pending(session)
    kept = stored(session, project)
    assert len(kept) > 3
    ratings.rebuild(session, project.id)
    assert stored(session, project) == kept
    voiding = voidings.void_annotator(session, project, people[0].id, reason="?", by=people[1].id, at=NOW)
    ratings.fold_pending(session)
    assert stored(session, project) != kept
    voidings.restore(session, voiding, by=people[1].id, at=NOW)
    ratings.fold_pending(session)
    assert stored(session, project) == kept


@pytest.fixture
def dispute(session):
    """A project where two people said the opposite of the one pair, and one more would be asked."""
    project = make_study(session, prompts=1, overlap=3)
    ann, bob = make_user(session, name="Ann"), make_user(session, name="Bob")
    for person in (ann, bob):
        comparison = hold(session, project, person)[0].comparison
        ids = sorted(comparison.completions)
        ranks = [1 if (id == ids[0]) == (person is ann) else 2 for id in comparison.completions]
        verdict = Verdict(ranks=tuple(ranks))
        judgments.cast(session, id=uuid.uuid4(), annotator_id=person.id, comparison_id=comparison.id, verdict=verdict)
    ratings.fold_pending(session)
    return project, ann, bob, make_user(session, role="admin"), ids, comparison.set_key


def adjudicate(session, project, admin, key, ids, ranks=(1, 2), set_aside=True, **verdict):
    return adjudications.adjudicate(
        session,
        project,
        set_key=key,
        shown=ids,
        verdict=Verdict(ranks=ranks, none_acceptable=ranks is None, **verdict),
        set_aside=set_aside,
        by=admin.id,
        at=NOW,
    )


def test_an_admin_decides_and_undoes_it(session, dispute):
    project, ann, _, admin, ids, key = dispute
    before, numbers, disputed = facts(session, project), everything(session, project), stored(session, project)
    assert len(disputed) == 1
    judgment = adjudicate(session, project, admin, key, ids, comment="The other one is wrong in the second line.")
    ratings.fold_pending(session)
    left = [one.annotator_id for one in ratings.rankings_of(session, project.id)]
    assert left == [ann.id, admin.id]
    assert stored(session, project) == {}
    voiding = session.scalars(select(Voiding).where(Voiding.project_id == project.id)).one()
    assert (voiding.adjudication_id, voiding.judgments) == (judgment.id, 1)
    assert voiding.reason == "The other one is wrong in the second line."
    # The admin's judgment took nobody's place, and bob's was not given to others.
    assert session.scalar(select(Prompt.handed_out).where(Prompt.project_id == project.id)) == 2
    assert len(hold(session, project, make_user(session))) == 1
    with pytest.raises(Conflict):
        adjudicate(session, project, admin, key, ids)
    assert judgments.void(session, judgment.id, by=admin.id, may_void_others=True, at=NOW) is None
    judgments.void(session, judgment.id, by=admin.id, may_void_others=True, at=datetime(2031, 1, 1, tzinfo=UTC))
    ratings.fold_pending(session)
    assert judgment.voided_at == NOW
    assert [fact for fact in facts(session, project)[0] if fact[0] != judgment.id] == before[0]
    assert everything(session, project) == numbers
    assert stored(session, project) == disputed
    assert hold(session, project, admin) == [] or hold(session, project, admin)[0].comparison.kind == "regular"


def test_decided_without_setting_anything_aside(session, dispute):
    project, _, _, admin, ids, key = dispute
    judgment = adjudicate(session, project, admin, key, ids[::-1], set_aside=False)
    ratings.fold_pending(session)
    assert session.scalar(select(func.count()).select_from(Voiding).where(Voiding.project_id == project.id)) == 0
    (one,), _ = disagreements.page(session, project)
    assert one.adjudication == judgment.id
    assert len(one.judgments) == 2
    assert len(found(session, project, adjudicated=True)) == 1
    assert found(session, project, adjudicated=False) == []


def test_who_was_voided_as_a_whole_meanwhile_stays_so(session, dispute):
    """Bob is overruled, then voided: undoing the decision brings nothing of his back, undoing the voiding does."""
    project, _, bob, admin, ids, key = dispute
    before = facts(session, project)
    decided = adjudicate(session, project, admin, key, ids)
    other = make_completions(session, make_prompt(session, project), [make_model(session), make_model(session)])
    said = say(session, project, bob, other, [1, 2])
    at = datetime.now(UTC) + timedelta(days=9999)
    whole = voidings.void_annotator(session, project, bob.id, reason="Asleep.", by=admin.id, at=at)
    assert whole.judgments == 1
    judgments.void(session, decided.id, by=admin.id, may_void_others=True, at=at)
    ratings.fold_pending(session)
    assert bob.id not in [one.annotator_id for one in ratings.rankings_of(session, project.id)]
    assert session.scalar(select(Prompt.handed_out).where(Prompt.id == before[2][0][0])) == 1
    voidings.restore(session, whole, by=admin.id, at=at)
    ratings.fold_pending(session)
    assert [fact for fact in facts(session, project)[0] if fact[0] not in (decided.id, said.id)] == before[0]
    assert facts(session, project)[2][0] == before[2][0]


def test_an_admins_decisions_are_no_work_of_an_annotator(session, dispute):
    project, _, _, admin, ids, key = dispute
    adjudicate(session, project, admin, key, ids)
    with pytest.raises(Conflict):
        voidings.void_annotator(session, project, admin.id, reason="?", by=admin.id, at=NOW)
    assert admin.id not in [one.id for one in agreement.annotators(session, project, NOW)]
    assert work.of_person(session, project, admin.id, NOW).judgments == 0
    assert len(work.ranking(session, project, for_admin=True)) == 2


@pytest.mark.parametrize(("ranks", "left"), [((1, 1), 0), (None, 0), ((2, 1), 1)])
def test_those_who_say_otherwise_are_set_aside(session, dispute, ranks, left):
    project, _, _, admin, ids, key = dispute
    adjudicate(session, project, admin, key, ids, ranks=ranks)
    standing = select(func.count()).where(Judgment.project_id == project.id, Judgment.voided_at.is_(None))
    assert session.scalar(standing) == left + 1


def test_what_cannot_be_decided(session, dispute):
    project, _, _, admin, ids, key = dispute
    other = make_study(session)
    strangers = session.scalars(select(Completion.id).where(Completion.project_id == other.id).limit(2)).all()
    for where, names, wrong in (
        (project, [ids[0], uuid.uuid4()], Invalid),
        (project, [ids[0], ids[0]], Invalid),
        (project, [uuid.uuid4(), uuid.uuid4()], NotFound),
        (project, strangers, NotFound),
        (other, ids, NotFound),
    ):
        with pytest.raises(wrong):
            adjudicate(session, where, admin, key, names)
    with pytest.raises(Invalid):
        adjudicate(session, project, admin, key, ids, ranks=(1, 3))


def test_two_admins_at_once_decide_once(database_url):
    engine = make_engine(database_url)
    factory = make_session_factory(engine)
    with factory.begin() as session:
        project = make_study(session, prompts=1)
        admins = [make_user(session, role="admin") for _ in range(3)]
        judged = make_judgment(session, project, make_user(session))
        comparison = session.get_one(Comparison, judged.comparison_id)
        key, ids = comparison.set_key, comparison.completions
    done = []

    def decide(admin):
        try:
            with factory.begin() as session:
                adjudicate(session, project, admin, key, ids, ranks=(2, 1))
            done.append("decided")
        except Conflict:
            done.append("refused")

    threads = [threading.Thread(target=decide, args=(admin,)) for admin in admins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(done) == ["decided", "refused", "refused"]
    engine.dispose()
