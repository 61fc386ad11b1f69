"""Handing out: nothing twice, nothing over the overlap, nobody starved, everything given back."""

import random
import threading
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select, update

from backend.database import make_engine, make_session_factory
from backend.domain.judgments import Protocol, Verdict
from backend.errors import Conflict, NotFound
from backend.services import comparisons, judgments, leases, skips
from backend.tables import Comparison, Completion, Judgment, Project, Prompt
from tests.factories import judge_next, make_judgment, make_project, make_study, make_user

RNG = random.Random(7)


def hold(session, project, user, count=1):
    return comparisons.hand_out(session, project, user.id, count, RNG).items


def test_one_person_sees_every_pair_once(session):
    project = make_study(session, prompts=3, models=4, overlap=2)
    user = make_user(session)
    seen = []
    while judge_next(session, project, user):
        pass
    for comparison in session.scalars(select(Comparison).where(Comparison.project_id == project.id)):
        seen.append((comparison.prompt_id, comparison.set_key))
    assert len(seen) == len(set(seen)) == 3 * 6


def test_overlap_is_reached_and_never_passed(session):
    project = make_study(session, prompts=2, models=3, overlap=2)
    users = [make_user(session) for _ in range(3)]
    while sum(judge_next(session, project, user) is not None for user in users):
        pass
    per_pair = Counter(
        session.scalars(
            select(Comparison.set_key).where(Comparison.project_id == project.id, Comparison.state == "judged")
        )
    )
    assert set(per_pair.values()) == {2}
    assert len(per_pair) == 2 * 3


def test_asking_again_returns_the_same_lease_and_renews_it(session):
    project = make_study(session, prompts=3)
    user = make_user(session)
    first = hold(session, project, user)[0].comparison
    expires = first.lease_expires_at
    again = hold(session, project, user, count=2)
    assert again[0].comparison.id == first.id
    assert again[0].comparison.lease_id == first.lease_id
    assert again[0].comparison.lease_expires_at >= expires
    assert again[1].comparison.id != first.id


def test_a_pair_on_lease_is_nobody_elses(session):
    project = make_study(session, prompts=1, models=2, overlap=1)
    first, second = make_user(session), make_user(session)
    assert hold(session, project, first)
    assert hold(session, project, second) == []


def test_an_ended_lease_goes_to_the_next_person(session):
    project = make_study(session, prompts=1, models=2, overlap=1)
    first, second = make_user(session), make_user(session)
    held = hold(session, project, first)[0].comparison
    held.lease_expires_at = datetime.now(UTC) - timedelta(seconds=1)
    session.flush()
    assert leases.end_leases(session) == 1
    assert hold(session, project, second)[0].comparison.id != held.id
    with pytest.raises(Conflict):
        leases.renew(session, held.lease_id, first.id)


def test_a_late_judgment_counts_only_while_it_is_asked_for(session):
    project = make_study(session, prompts=1, models=2, overlap=1)
    late, quick = make_user(session), make_user(session)
    held = hold(session, project, late)[0].comparison
    held.lease_expires_at = datetime.now(UTC) - timedelta(seconds=1)
    session.flush()
    leases.end_leases(session)
    assert make_judgment(session, project, quick).uncounted_reason is None
    judgment, _ = judgments.cast(
        session, id=uuid.uuid4(), annotator_id=late.id, comparison_id=held.id, verdict=Verdict(ranks=(1, 2))
    )
    assert judgment.uncounted_reason == "The lease had ended and others have judged it since."
    prompt = session.scalars(select(Prompt).where(Prompt.project_id == project.id)).one()
    session.refresh(prompt)
    assert prompt.handed_out == 1


def test_a_late_judgment_is_taken_when_nobody_else_came(session):
    project = make_study(session, prompts=1, models=2, overlap=1)
    late, quick = make_user(session), make_user(session)
    held = hold(session, project, late)[0].comparison
    leases.give_back(session, held.lease_id, late.id)
    judgment, _ = judgments.cast(
        session, id=uuid.uuid4(), annotator_id=late.id, comparison_id=held.id, verdict=Verdict(ranks=(1, 2))
    )
    assert judgment.uncounted_reason is None
    assert hold(session, project, quick) == []


def test_a_skipped_comparison_goes_to_others_and_not_back(session):
    project = make_study(session, prompts=1, models=2, overlap=1)
    first, second = make_user(session), make_user(session)
    held = hold(session, project, first)[0].comparison
    skips.skip(session, held.id, first.id, "cannot read it")
    assert hold(session, project, first) == []
    assert len(hold(session, project, second)) == 1


def test_nobody_reaches_somebody_elses_comparison(session):
    project = make_study(session)
    owner, other = make_user(session), make_user(session)
    held = hold(session, project, owner)[0].comparison
    with pytest.raises(NotFound):
        skips.skip(session, held.id, other.id, None)
    with pytest.raises(NotFound):
        leases.renew(session, held.lease_id, other.id)
    with pytest.raises(NotFound):
        judgments.cast(
            session, id=uuid.uuid4(), annotator_id=other.id, comparison_id=held.id, verdict=Verdict(ranks=(1, 2))
        )


def test_a_paused_project_hands_out_nothing(session):
    project = make_study(session)
    project.state = "paused"
    assert hold(session, project, make_user(session)) == []


def test_the_sides_of_two_models_are_balanced_for_each_person(session):
    """200 prompts: each model is on the left in half of them, within 8, and no simple rule foretells the side."""
    project, user = make_study(session, prompts=200, models=2), make_user(session)
    model_of = dict(
        session.execute(select(Completion.id, Completion.model_id).where(Completion.project_id == project.id)).all()
    )
    for _ in range(10):
        for item in hold(session, project, user, count=20):
            item.comparison.state = "judged"
        session.flush()
    rows = session.scalars(select(Comparison).where(Comparison.project_id == project.id).order_by(Comparison.id)).all()
    first = model_of[rows[0].completions[0]]
    left = [model_of[row.completions[0]] == first for row in rows]
    assert len(left) == 200
    assert 92 <= sum(left) <= 108
    alternations = sum(a != b for a, b in pairwise(left))
    assert 60 <= alternations <= 160


def test_rankings_of_four_cover_all_pairs_with_fewer_comparisons(session):
    project = make_study(session, prompts=1, models=4, protocol=Protocol(size=4))
    user = make_user(session)
    held = hold(session, project, user, count=5)
    assert [len(item.completions) for item in held] == [4]


def test_repeats_come_swapped_after_a_while_and_once(session):
    project = make_study(session, prompts=40, models=2, repeat_share=0.5)
    user = make_user(session)
    while judge_next(session, project, user):
        pass
    rows = session.scalars(select(Comparison).where(Comparison.project_id == project.id).order_by(Comparison.id)).all()
    repeats = [row for row in rows if row.kind == "repeat"]
    assert repeats
    by_id = {row.id: row for row in rows}
    for repeat in repeats:
        first = by_id[repeat.repeat_of]
        assert repeat.completions == list(reversed(first.completions))
        between = [row for row in rows if first.id < row.id < repeat.id]
        assert len(between) >= comparisons.REPEAT_AFTER_JUDGMENTS
    assert len({row.repeat_of for row in repeats}) == len(repeats)
    assert sum(row.kind == "regular" for row in rows) == 40


def test_an_empty_project_has_nothing_to_judge(session):
    project = make_project(session)
    assert hold(session, project, make_user(session)) == []


@pytest.mark.slow
def test_a_crowd_at_once_shares_the_work_exactly(database_url):
    """24 people in threads, each over its own connection: no pair over its overlap, none left, none twice."""
    engine = make_engine(database_url, pool_size=24)
    factory = make_session_factory(engine)
    with factory.begin() as session:
        project_id = make_study(session, prompts=6, models=4, overlap=3).id
        users = [make_user(session).id for _ in range(24)]
    failures: list[BaseException] = []

    def work(user_id: uuid.UUID) -> None:
        rng = random.Random(str(user_id))
        try:
            while True:
                with factory.begin() as session:
                    project = session.get_one(Project, project_id)
                    held = comparisons.hand_out(session, project, user_id, 2, rng).items
                    ids = [item.comparison.id for item in held]
                if not ids:
                    return
                for id in ids:
                    with factory.begin() as session:
                        verdict = Verdict(ranks=rng.choice([(1, 2), (2, 1), (1, 1)]))
                        judgments.cast(
                            session, id=uuid.uuid4(), annotator_id=user_id, comparison_id=id, verdict=verdict
                        )
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert failures == []
    with factory() as session:
        rows = session.scalars(select(Comparison).where(Comparison.project_id == project_id)).all()
        assert set(Counter(row.set_key for row in rows if row.state == "judged").values()) == {3}
        assert len({row.set_key for row in rows}) == 6 * 6
        assert len({(row.annotator_id, row.set_key) for row in rows}) == len(rows)
        assert session.scalars(select(Prompt.handed_out).where(Prompt.project_id == project_id)).all() == [18] * 6
        assert not session.scalars(select(Judgment).where(Judgment.uncounted_reason.is_not(None))).all()
    engine.dispose()


def test_two_tabs_of_one_person_hold_the_same_comparison(database_url):
    engine = make_engine(database_url)
    factory = make_session_factory(engine)
    with factory.begin() as session:
        project_id = make_study(session, prompts=5, models=2).id
        user_id = make_user(session).id
    got = []

    def ask() -> None:
        with factory.begin() as session:
            project = session.get_one(Project, project_id)
            got.append(comparisons.hand_out(session, project, user_id, 1, random.Random(1)).items[0].comparison.id)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(got) == 4
    assert len(set(got)) == 1
    engine.dispose()


def test_a_closed_page_frees_its_place_at_once(session):
    project = make_study(session, prompts=1, models=2)
    first, second = make_user(session), make_user(session)
    held = hold(session, project, first)[0].comparison
    leases.give_back(session, held.lease_id, first.id)
    leases.give_back(session, held.lease_id, first.id)
    assert len(hold(session, project, second)) == 1
    assert session.scalar(select(Prompt.handed_out).where(Prompt.project_id == project.id)) == 1


def test_a_page_that_is_back_soon_goes_on_where_it_was(session):
    project = make_study(session, prompts=2, models=2)
    first, second = make_user(session), make_user(session)
    before = [shown.comparison.id for shown in hold(session, project, first, count=2)]
    held = [shown.comparison.lease_id for shown in hold(session, project, first, count=2)]
    for lease in held:
        leases.give_back(session, lease, first.id, after_s=30)
    leases.end_leases(session)
    assert hold(session, project, second) == []
    again = hold(session, project, first, count=2)
    assert [shown.comparison.id for shown in again] == before
    assert all(shown.comparison.lease_expires_at > leases.now() + timedelta(minutes=1) for shown in again)


def test_a_page_that_does_not_come_back_frees_its_place_soon(session):
    project = make_study(session, prompts=1, models=2)
    first, second = make_user(session), make_user(session)
    held = hold(session, project, first)[0].comparison
    leases.give_back(session, held.lease_id, first.id, after_s=30)
    assert held.lease_expires_at <= leases.now() + timedelta(seconds=30)
    held.lease_expires_at -= timedelta(seconds=31)
    session.flush()
    leases.end_leases(session)
    assert len(hold(session, project, second)) == 1


def test_leases_of_others_are_untouched_when_one_ends(session):
    project = make_study(session, prompts=2, models=2)
    first, second = make_user(session), make_user(session)
    ended, kept = hold(session, project, first)[0].comparison, hold(session, project, second)[0].comparison
    session.execute(
        update(Comparison).where(Comparison.id == ended.id).values(lease_expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    )
    assert leases.end_leases(session) == 1
    session.refresh(kept)
    assert kept.state == "leased"
