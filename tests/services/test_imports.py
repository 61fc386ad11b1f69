"""Imports: the real study to the digit, nothing twice, bad lines told and the rest kept."""

import gzip
import io
import json
import os
import random
import threading
import uuid
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from backend.database import make_engine, make_session_factory
from backend.errors import Invalid
from backend.services import comparisons, imports, posteriors, rating_lists, ratings, rewards
from backend.tables import (
    Completion,
    CompletionRating,
    Demonstration,
    Disagreement,
    Document,
    Judgment,
    Project,
    Prompt,
    User,
)
from tests.factories import make_project, make_user

SHARED = Path(os.environ.get("PODIUM_SHARED", Path(__file__).parents[3] / "shared"))
LLMFAO = SHARED / "data" / "llmfao"


def load(session, project, *rows, format=None, filename="file.jsonl"):
    body = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()
    return imports.load(session, project, io.BytesIO(body), format=format, filename=filename)


def study_archive() -> io.BytesIO:
    if not LLMFAO.is_dir():
        pytest.skip(f"the LLMFAO study is not at {LLMFAO}")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(LLMFAO.iterdir()):
            file.write(path, f"llmfao/{path.name}")
    archive.seek(0)
    return archive


def test_the_real_study_gives_the_golden_leaderboard(session):
    project = make_project(session)
    report = imports.load(session, project, study_archive(), format=None, filename="llmfao.zip")
    assert (report.format, report.rejected_total) == ("llmfao", 0)
    assert dict(report.created) == {
        "prompts": 19, "models": 70, "completions": 1133, "annotators": 124, "comparisons": 8931, "judgments": 8931
    }  # fmt: skip
    assert ratings.fold_pending(session) == 0
    board, judged = rating_lists.leaderboard(session, project, of="models")
    assert judged == 8931
    assert [(item.name, round(item.rating, 6)) for item in board[:5]] == [
        ("imported/GPT 4", 1095.593548),
        ("imported/command", 1094.545052),
        ("imported/GPT 3.5 Turbo", 1079.255522),
        ("imported/GPT 3.5 Turbo (16k)", 1075.096480),
        ("imported/LLaMA-2-Chat (70B)", 1059.199390),
    ]
    board, _ = rating_lists.leaderboard(session, project, of="models", k=32)
    assert [(item.name, round(item.rating, 6)) for item in board[:3]] == [
        ("imported/GPT 4", 1186.166889),
        ("imported/GPT 3.5 Turbo (16k)", 1170.405978),
        ("imported/Chronos Hermes (13B)", 1167.854043),
    ]
    board, _ = rating_lists.leaderboard(session, project, of="models", method="bradley_terry")
    assert board[0].name == "imported/GPT 4"
    assert board[0].rating == pytest.approx(1172.132556, abs=1e-5)
    assert board[0].standard_error == pytest.approx(37.7763, abs=1e-3)

    again = imports.load(session, project, study_archive(), format="llmfao", filename="")
    assert sum(again.created.values()) == 0
    assert again.repeated == 19 + 1133 + 8931

    reward_set = rewards.freeze(session, project)
    assert (reward_set.prompts, reward_set.judgments, reward_set.skipped_prompts) == (13, 8931, 6)
    groups = list(rewards.groups(session, reward_set.id))
    assert sum(len(group["outcomes"]) for group in groups) == 8931

    held = comparisons.hand_out(session, project, make_user(session).id, 3, random.Random(1)).items
    assert len(held) == 3


def far_apart(session, monkeypatch):
    """A project, and the steps of a file whose judgments of a prompt lie far apart; ten go into the ratings at once."""
    monkeypatch.setattr(ratings, "BATCH", 10)
    monkeypatch.setattr(ratings, "_WAITING", ratings._WAITING.limit(10))
    monkeypatch.setattr(ratings, "AT_MOST", 10)
    rng = random.Random(5)
    rows = [
        {
            "prompt": f"Question {i % 9}",
            "completions": [{"model": model, "text": f"{model} says {i % 9}"} for model in rng.sample("abc", 2)],
            "ranks": rng.choice([[1, 2], [2, 1]]),
            "annotator": f"person {i}",
        }
        for i in range(45)
    ]
    project = make_project(session, target_error=110.0)
    body = io.BytesIO("\n".join(map(json.dumps, rows)).encode())
    return project, imports.steps(session, project, body, format="judgments")


def in_ratings(session, project):
    """Everything that the fold tells, without ids."""
    rated = select(
        Completion.text,
        CompletionRating.elo,
        CompletionRating.bradley_terry,
        CompletionRating.standard_error,
        CompletionRating.component,
        Prompt.settled,
    ).join(CompletionRating, CompletionRating.completion_id == Completion.id)
    rated = rated.join(Prompt, Prompt.id == Completion.prompt_id).where(Completion.project_id == project.id)
    disputed = select(Disagreement.conflict, Disagreement.judgments).where(Disagreement.project_id == project.id)
    return sorted(session.execute(rated).all()), sorted(session.execute(disputed).all())


def test_the_ratings_of_a_large_file_come_step_by_step(session, monkeypatch):
    project, steps = far_apart(session, monkeypatch)
    fitted = Counter[uuid.UUID]()
    refresh = posteriors.refresh
    monkeypatch.setattr(posteriors, "refresh", lambda s, p, prompts: (fitted.update(prompts), refresh(s, p, prompts)))
    assert [(report.rated, report.to_rate) for report in steps][1:] == [(n, 45) for n in (10, 20, 30, 40, 45)]
    found = in_ratings(session, project)
    assert len(found[0]) == 27 and found[1]
    assert set(fitted.values()) == {1}, "no prompt is fitted before it has all its judgments"
    monkeypatch.undo()
    ratings.rebuild(session, project.id)
    assert in_ratings(session, project) == found


def test_ratings_that_are_broken_off_are_finished_by_the_next_fold(session, monkeypatch):
    project, steps = far_apart(session, monkeypatch)
    assert [next(steps).rated for _ in range(3)] == [0, 10, 20]
    steps.close()
    assert ratings.fold_pending(session, at_most=10) == 10
    assert ratings.fold_pending(session) == 15
    found = in_ratings(session, project)
    ratings.rebuild(session, project.id)
    assert in_ratings(session, project) == found


def test_prompts_in_every_shape(session):
    project = make_project(session)
    report = load(
        session,
        project,
        {"prompt": "What is tea?"},
        {"prompt": [{"role": "user", "content": "What is tea?"}]},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]},
    )
    assert (report.format, report.read, report.created["prompts"], report.repeated) == ("prompts", 3, 2, 1)


def test_bad_lines_are_told_by_number_and_field(session):
    project = make_project(session)
    report = load(
        session,
        project,
        {"prompt": "good"},
        "not json",
        {"prompt": ""},
        {"prompt": 7},
        {"prompt": [{"role": "user"}]},
        {"prompt": [{"role": "robot", "content": "x"}]},
        "[1, 2]",
        {"prompt": "nul \0 inside"},
        {"prompt": "also good"},
    )
    assert report.created["prompts"] == 2
    assert [(item.line, item.reason.split(":")[0][:34]) for item in report.rejected] == [
        (2, "not JSON"),
        (3, "prompt (or messages) is missing or"),
        (4, "prompt is a text or a list of mess"),
        (5, "message 1 of prompt has no text in"),
        (6, "message 1 of prompt has the role '"),
        (7, "a line is one JSON object, not lis"),
        (8, "prompt holds the character NUL"),
    ]


def test_completions_and_pairs_meet_on_the_same_prompt(session):
    project = make_project(session)
    load(session, project, {"prompt": "Q", "model": "small one", "completion": "A"})
    report = load(session, project, {"prompt": "Q", "chosen": "B", "rejected": "C", "chosen_model": "big"})
    assert report.format == "pairs"
    assert session.scalar(select(func.count()).select_from(Prompt).where(Prompt.project_id == project.id)) == 1
    assert session.scalar(select(func.count()).select_from(Completion).where(Completion.project_id == project.id)) == 3
    ratings.fold_pending(session)
    prompt_id = session.scalars(select(Prompt.id).where(Prompt.project_id == project.id)).one()
    board, _ = rating_lists.leaderboard(session, project, of="completions", prompt_id=prompt_id)
    assert [(item.name, item.rating) for item in board] == [("imported/big", 1016.0), ("imported/unknown", 984.0)]


def test_the_same_vote_twice_in_a_file_is_two_and_the_file_twice_is_one(session):
    project = make_project(session)
    vote = {"prompt": "Q", "completions": [{"text": "A"}, {"text": "B"}], "ranks": [1, 2], "annotator": "ann"}
    first = load(session, project, vote, vote)
    second = load(session, project, vote, vote)
    assert (first.created["judgments"], second.created["judgments"], second.repeated) == (2, 0, 2)
    user = session.scalars(select(User).where(User.name == "ann")).one()
    assert user.password_hash is None


def test_votes_of_an_arena_in_csv(session):
    project = make_project(session)
    body = (
        "prompt,completion_a,completion_b,model_a,model_b,winner\r\n"
        '"Say ""hi""",hi,hello,m1,m2,model_a\r\nQ2,x,y,m1,m2,tie\r\nQ3,x,y,m1,m2,both_bad\r\nQ4,x,y,m1,m2,maybe\r\n'
    )
    report = imports.load(session, project, io.BytesIO(body.encode()), format=None, filename="votes.csv")
    assert (report.format, report.created["judgments"]) == ("judgments", 3)
    assert [(item.line, item.reason) for item in report.rejected] == [(5, "winner is a, b, tie or none, not 'maybe'")]
    verdicts = session.scalars(select(Judgment).where(Judgment.project_id == project.id).order_by(Judgment.sequence))
    assert [(j.ranks, j.none_acceptable) for j in verdicts] == [([1, 2], False), ([1, 1], False), (None, True)]


def test_documents_and_demonstrations(session):
    project = make_project(session)
    assert load(session, project, {"text": "One."}, {"text": "Two."}, {"text": "One."}).created["documents"] == 2
    report = load(
        session,
        project,
        {"prompt": "Q", "completion": "A"},
        {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "B"}]},
        format="demonstrations",
    )
    assert report.created["demonstrations"] == 2
    assert session.scalar(select(func.count()).select_from(Document).where(Document.project_id == project.id)) == 2
    shown = session.scalars(select(Demonstration).where(Demonstration.project_id == project.id)).all()
    assert all(row.messages == [{"role": "user", "content": "Q"}] for row in shown)


def test_hh_rlhf_transcripts(session):
    project = make_project(session)
    start = "\n\nHuman: Hello\n\nAssistant: Hi!\n\nHuman: Tea?\n\nAssistant:"
    body = gzip.compress(json.dumps({"chosen": f"{start} Gladly.", "rejected": f"{start} No."}).encode())
    report = imports.load(session, project, io.BytesIO(body), format=None, filename="train.jsonl.gz")
    assert (report.format, report.created["judgments"]) == ("hh-rlhf", 1)
    prompt = session.scalars(select(Prompt).where(Prompt.project_id == project.id)).one()
    assert [m["role"] for m in prompt.messages] == ["user", "assistant", "user"]
    assert set(session.scalars(select(Completion.text).where(Completion.prompt_id == prompt.id))) == {"Gladly.", "No."}


@pytest.mark.parametrize(
    ("body", "format", "field"),
    [
        (b"", None, "format"),
        (b'{"nothing": "known"}', None, "format"),
        (b'{"prompt": "x"}', "yaml", "format"),
        (b"PK not a zip", "llmfao", None),
        (b"\x1f\x8b\x08broken", None, None),
        (b"PAR1 broken", None, None),
    ],
)
def test_what_cannot_be_read_at_all_is_refused(session, body, format, field):
    with pytest.raises(Invalid) as refused:
        imports.load(session, make_project(session), io.BytesIO(body), format=format, filename="f")
    assert refused.value.field == field


def votes(number: int) -> bytes:
    rng = random.Random(number)
    rows = (
        {
            "prompt": f"Q{rng.randrange(10)}",
            "completions": [{"model": f"m{i}", "text": f"A{i}"} for i in rng.sample(range(4), 2)],
            "ranks": rng.choice([[1, 2], [2, 1], [1, 1]]),
            "annotator": f"ann{rng.randrange(3)}",
        }
        for _ in range(number)
    )
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def board(session, project):
    return [(item.name, item.rating) for item in rating_lists.leaderboard(session, project, of="models")[0]]


def test_an_import_broken_off_goes_on_where_it_was(session, monkeypatch):
    monkeypatch.setattr(imports, "STEP_RECORDS", 7)
    whole, broken = make_project(session), make_project(session)
    imports.load(session, whole, io.BytesIO(votes(100)), format=None)
    steps = imports.steps(session, broken, io.BytesIO(votes(100)), format=None)
    for _ in range(5):
        report = next(steps)
        session.commit()
    steps.close()
    session.rollback()
    assert (report.read, report.created["judgments"]) == (35, 35)
    rest = imports.load(session, broken, io.BytesIO(votes(100)), format=None)
    assert (rest.created["judgments"], rest.repeated) == (65, 35)
    assert board(session, broken) == board(session, whole)


def test_nobody_waits_for_an_import_between_its_steps(database_url, monkeypatch):
    monkeypatch.setattr(imports, "STEP_RECORDS", 10)
    engine = make_engine(database_url)
    factory = make_session_factory(engine)
    with factory() as session, factory() as other:
        project = make_project(session)
        for report in imports.steps(session, project, io.BytesIO(votes(50)), format=None):
            session.commit()
            seen = other.scalars(select(Judgment.id).where(Judgment.project_id == project.id)).all()
            assert len(seen) == report.created["judgments"] == report.read
            assert len(other.scalars(select(Prompt).with_for_update(nowait=True)).all()) > 5
            assert other.scalars(select(Project).with_for_update(nowait=True)).one()
            other.rollback()
    engine.dispose()


def test_the_same_file_twice_at_once_is_one(database_url, monkeypatch):
    monkeypatch.setattr(imports, "STEP_RECORDS", 10)
    engine = make_engine(database_url)
    factory = make_session_factory(engine)
    with factory.begin() as session:
        project_id = make_project(session).id
    reports: list[tuple[int, int]] = []

    def load_it() -> None:
        with factory() as session:
            project = session.get_one(Project, project_id)
            for report in imports.steps(session, project, io.BytesIO(votes(200)), format=None):
                session.commit()
                kept = dict(report.created)
            reports.append((kept["judgments"], report.repeated))

    threads = [threading.Thread(target=load_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.dispose()
    assert [sum(counts) for counts in zip(*reports, strict=True)] == [200, 200]


def test_texts_are_kept_letter_by_letter(session):
    """Rows are copied in a format of their own, to which some letters mean something."""
    project = make_project(session)
    odd = ["\\N", "a\\tb\tc\nd\re\\", "{1,2}", "", "ü\u2028\U0001f600", None]
    vote = {"prompt": "Why?", "completions": [{"text": "a"}, {"text": "b"}], "ranks": [1, 2]}
    load(session, project, *({**vote, "annotator": f"n{i}", "comment": text} for i, text in enumerate(odd)))
    kept = select(Judgment.comment).where(Judgment.project_id == project.id).order_by(Judgment.sequence)
    assert session.scalars(kept).all() == [text or None for text in odd]
