"""Leaderboards of a project: the golden values of a real study end to end, controls, and the matrix of wins."""

import random
import uuid

import pytest

from backend.domain.judgments import Verdict
from backend.domain.leaderboard import SIDE
from backend.services import comparisons, imports, judgments, leaderboards, ratings
from backend.tables import Completion
from tests.factories import judge_next, make_model, make_project, make_prompt, make_study, make_user
from tests.services.test_imports import study_archive


def judged_study(session, wins, **options):
    """A project where `wins(first text, second text, draw)` says whether the first shown wins."""
    project = make_study(session, **options)
    user, rng = make_user(session), random.Random(3)
    while held := comparisons.hand_out(session, project, user.id, 1, rng).items:
        first, second = (completion.text for completion in held[0].completions)
        ranks = (1, 2) if wins(first, second, rng.random()) else (2, 1)
        judgments.cast(
            session,
            id=uuid.uuid4(),
            annotator_id=user.id,
            comparison_id=held[0].comparison.id,
            verdict=Verdict(ranks=ranks),
        )
    ratings.fold(session, project.id)
    return project


def test_the_real_study_end_to_end(session):
    """8,931 imported judgments give the published ratings to six digits, and the errors by prompt."""
    project = make_project(session)
    imports.load(session, project, study_archive(), format=None, filename="llmfao.zip")
    ratings.fold(session, project.id)
    board = leaderboards.board(session, project)
    expected = [1172.132556, 1112.448738, 1110.169032, 1099.606899, 1094.635384]
    assert [line.raw.rating for line in board.lines[:5]] == pytest.approx(expected, abs=1e-6)
    assert board.lines[0].raw.standard_error == pytest.approx(37.7763, abs=1e-4)
    assert board.lines[0].raw.chance_of_best > 0.7
    assert (board.connected, board.cluster, board.clusters, board.judgments) == (True, "prompt", 13, 8931)
    by_annotator = leaderboards.board(session, project, cluster="annotator", side=True)
    assert by_annotator.lines[0].raw.standard_error == pytest.approx(35.2808, abs=1e-4)
    controlled = by_annotator.lines[0].controlled
    assert controlled is not None and controlled.rating == pytest.approx(1167.728803, abs=1e-6)
    assert by_annotator.controls[SIDE].value == pytest.approx(0.090880, abs=1e-6)
    assert by_annotator.clusters == 124
    matrix = leaderboards.matrix(session, project)
    assert len(matrix.models) == 59
    assert sum(map(sum, matrix.games)) == 2 * 8931
    assert sum(map(sum, matrix.wins)) == pytest.approx(8931)


def test_length_is_taken_out_when_asked(session):
    """One model writes long, and people like length and nothing else."""
    project = make_project(session)
    names = [make_model(session, f"style/{name}") for name in ("long", "short", "brief")]
    rng = random.Random(1)
    for _ in range(60):
        prompt = make_prompt(session, project)
        for model in names:
            words = rng.randint(150, 250) if model.name.endswith("long") else rng.randint(40, 160)
            session.add(
                Completion(
                    project_id=project.id,
                    prompt_id=prompt.id,
                    model_id=model.id,
                    digest=uuid.uuid4().hex,
                    text="word " * words,
                )
            )
        prompt.completions = 3
    session.flush()
    user = make_user(session)
    while held := comparisons.hand_out(session, project, user.id, 1, rng).items:
        first, second = (len(completion.text) for completion in held[0].completions)
        longer = first > second if rng.random() < 0.8 else first < second
        judgments.cast(
            session,
            id=uuid.uuid4(),
            annotator_id=user.id,
            comparison_id=held[0].comparison.id,
            verdict=Verdict(ranks=(1, 2) if longer else (2, 1)),
        )
    ratings.fold(session, project.id)
    board = leaderboards.board(session, project, controls=True)
    long = next(line for line in board.lines if line.name == "style/long")
    assert long.raw.rating > 1060 and long.raw.rank == 1
    assert long.controlled is not None
    assert abs(long.controlled.rating - 1000) < 0.6 * (long.raw.rating - 1000)
    assert list(board.controls) == ["length"]  # what never differs is no column
    assert board.controls["length"].value > 3 * board.controls["length"].standard_error


def test_a_model_that_only_won_gets_a_finite_rating(session):
    project = judged_study(session, lambda a, b, _: a < b, prompts=3, models=2)
    board = leaderboards.board(session, project)
    assert len(board.lines) == 2 and all(abs(line.raw.rating - 1000) < 1000 for line in board.lines)
    assert (board.clusters, board.judgments) == (3, 3)


def test_nothing_judged_is_an_empty_board(session):
    project = make_study(session)
    assert leaderboards.board(session, project).lines == []
    assert leaderboards.matrix(session, project).models == []
    assert judge_next(session, project, make_user(session)) is not None
    ratings.fold(session, project.id)
    assert leaderboards.board(session, project).cluster == "votes"  # one prompt is no two clusters
