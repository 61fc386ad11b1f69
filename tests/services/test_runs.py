"""The life of a run in SQL: launched, claimed once, alive, lost, brought back, ended."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from backend.database import make_engine, make_session_factory
from backend.domain import progress
from backend.domain.digests import digest
from backend.domain.rewards import split
from backend.errors import Conflict, Invalid, NotFound
from backend.services import corpus, projects, run_inputs, run_records, runs
from backend.services.run_records import Batch, Sample
from backend.services.runs import Superseded
from backend.tables import CompletionRating, Project, Run
from tests.services.training_project import begin, launch, make_checkpoint, make_project, make_store


@pytest.fixture
def project(session: Session) -> Project:
    return make_project(session)


def age_heart(session: Session, run: Run, seconds: float) -> None:
    session.execute(
        text("UPDATE runs SET heartbeat_at = heartbeat_at - make_interval(secs => :s) WHERE id = :id"),
        {"s": seconds, "id": run.id},
    )
    session.expire_all()


def requeue(session: Session, lost_after_s: float = 15, attempts: int = 3) -> list[Run]:
    return runs.requeue_lost(session, lost_after_s=lost_after_s, attempts=attempts)


# --- launching ------------------------------------------------------------------------------------------------------


def test_launch_stores_the_whole_config_and_names_the_run(session: Session, project: Project) -> None:
    run = launch(session, project, epochs=2.0, seed=7)
    assert (run.state, run.attempt, run.seed, run.name) == ("queued", 0, 7, "pretrain 1")
    assert run.config["epochs"] == 2.0 and "hidden_size" in run.config  # what was left out is written down too
    assert launch(session, project).name == "pretrain 2"
    assert launch(session, project, "sft", model=named_model(session)).name == "sft 1"


def named_model(session: Session, name: str = "org/base", **source: Any) -> str:
    return corpus.register_model(session, name=name, source=source or {"kind": "folder", "path": "/m"}).name


@pytest.mark.parametrize(
    ("kind", "config", "field"),
    [
        ("sft", {"model": "no/such"}, "model"),
        ("sft", {"model": str(uuid.uuid4())}, "model"),
        ("sft", {}, "model"),
        ("sft", {"model": "org/imported"}, "model"),
        ("sft", {"model": "org/endpoint"}, "model"),
        ("sft", {"model": "org/base", "epocs": 1.0}, "epocs"),
        ("sft", {"model": "org/base", "demonstrations": "best_ranked"}, "demonstrations"),
        ("sft", {"model": "org/base", "reward_model": "no/such"}, "reward_model"),
        ("sample", {"models": ["org/base", "no/such"]}, "models"),
        ("sample", {"models": ["org/base", "org/base"]}, "models"),
        ("reward_model", {"model": "org/base", "reward_set": "1"}, "reward_set"),
        ("reward_model", {"model": "org/base", "reward_set": str(uuid.uuid4())}, "reward_set"),
        ("evaluate", {"models": ["org/base"], "reward_model": "no/such"}, "reward_model"),
        ("pretrain", {"output_name": "org/base"}, "output_name"),
        ("pretrain", {"output_name": "api/mine"}, "output_name"),
        ("pretrain", {"output_name": "one--/two"}, "output_name"),
        ("dance", {}, "kind"),
    ],
)
def test_what_cannot_work_is_refused_with_its_field(
    session: Session, project: Project, kind: str, config: dict[str, Any], field: str
) -> None:
    named_model(session)
    named_model(session, "org/imported", kind="imported")
    named_model(session, "org/endpoint", kind="endpoint", url="http://x", model="m")
    with pytest.raises(Invalid) as refusal:
        runs.launch(session, project=project, kind=kind, config=config)
    assert refusal.value.field == field and len(refusal.value.message) > 10


def test_an_empty_project_is_refused_before_anything_starts(session: Session) -> None:
    empty = projects.create(session, name="Empty")
    for kind, config in (
        ("pretrain", {}),
        ("sft", {"model": named_model(session)}),
        ("sample", {"models": ["org/base"]}),
    ):
        with pytest.raises(Invalid, match="Empty"):
            runs.launch(session, project=empty, kind=kind, config=config)


def test_an_endpoint_may_be_sampled(session: Session, project: Project) -> None:
    name = named_model(session, "org/endpoint", kind="endpoint", url="http://x", model="m")
    run = launch(session, project, "sample", models=[name])
    assert run.inputs is not None and run.inputs["models"][0]["source"]["kind"] == "endpoint"


# --- claiming -------------------------------------------------------------------------------------------------------


def test_a_run_is_claimed_once(session: Session, project: Project) -> None:
    run = launch(session, project)
    claimed = runs.claim(session, run.id, "w1")
    assert claimed is not None and (claimed.state, claimed.attempt, claimed.worker) == ("running", 1, "w1")
    assert runs.claim(session, run.id, "w2") is None
    assert runs.claim(session, uuid.uuid4(), "w2") is None


def test_many_workers_at_once_and_one_gets_it(database_url: str) -> None:
    engine = make_engine(database_url)
    sessions = make_session_factory(engine)
    with sessions.begin() as session:
        ids = [launch(session, make_project(session, f"P{number}")).id for number in range(5)]

    def claim(worker: str) -> list[uuid.UUID]:
        got = []
        for run_id in ids:
            with sessions.begin() as session:
                if runs.claim(session, run_id, worker):
                    got.append(run_id)
        return got

    with ThreadPoolExecutor(8) as pool:
        got = [run_id for some in pool.map(claim, [f"w{n}" for n in range(8)]) for run_id in some]
    assert sorted(got) == sorted(ids)
    engine.dispose()


def test_an_older_attempt_can_write_nothing(session: Session, project: Project) -> None:
    run = begin(session, launch(session, project))
    age_heart(session, run, 60)
    assert [lost.id for lost in requeue(session)] == [run.id]
    again = runs.claim(session, run.id, "w2")
    assert again is not None and again.attempt == 2
    for write in (
        lambda: runs.beat(session, run.id, 1),
        lambda: runs.succeed(session, run.id, 1, {}),
        lambda: runs.fail(session, run.id, 1, "no"),
        lambda: runs.stopped(session, run.id, 1),
        lambda: runs.release(session, run.id, 1),
        lambda: runs.note_inputs(session, run.id, 1, {}),
        lambda: run_records.write(session, run.id, 1, Batch(lines=["old"])),
    ):
        with pytest.raises(Superseded):
            write()
    assert runs.beat(session, run.id, 2) is False
    assert not run_records.log_after(session, run.id, 0, 10)


# --- lost and found -------------------------------------------------------------------------------------------------


def test_only_a_stopped_heart_is_lost(session: Session, project: Project) -> None:
    run = begin(session, launch(session, project))
    age_heart(session, run, 14)
    assert requeue(session) == []
    runs.beat(session, run.id, 1)
    age_heart(session, run, 16)
    assert [lost.state for lost in requeue(session)] == ["queued"]
    assert requeue(session) == []


def test_three_losses_without_progress_are_a_failure(session: Session, project: Project) -> None:
    run = launch(session, project)
    for number in range(3):
        claimed = runs.claim(session, run.id, "w")
        assert claimed is not None and claimed.attempt == number + 1
        age_heart(session, claimed, 60)
        requeue(session)
    session.expire_all()
    assert run.state == "failed" and run.finished_at and "lost 3 times" in (run.message or "")


def test_a_saved_state_that_is_further_forgives_the_losses(session: Session, project: Project) -> None:
    run = launch(session, project)
    for number in range(5):
        claimed = runs.claim(session, run.id, "w")
        assert claimed is not None
        run_records.write(session, run.id, claimed.attempt, Batch(saved=number))
        age_heart(session, claimed, 60)
        requeue(session)
        assert claimed.state == "queued"
    for _ in range(3):  # the same state again and again is no progress
        claimed = runs.claim(session, run.id, "w")
        if claimed is None:
            break
        run_records.write(session, run.id, claimed.attempt, Batch(saved=4))
        age_heart(session, claimed, 60)
        requeue(session)
    session.expire_all()
    assert run.state == "failed"


def test_a_lost_run_that_was_to_be_cancelled_is_cancelled(session: Session, project: Project) -> None:
    run = begin(session, launch(session, project))
    runs.cancel(session, run.id)
    age_heart(session, run, 60)
    assert [lost.state for lost in requeue(session)] == ["cancelled"]


# --- cancel, resume, release ----------------------------------------------------------------------------------------


def test_cancel(session: Session, project: Project) -> None:
    queued = launch(session, project)
    assert runs.cancel(session, queued.id).state == "cancelled" and queued.finished_at
    with pytest.raises(Conflict):
        runs.cancel(session, queued.id)
    assert runs.claim(session, queued.id, "w") is None

    running = begin(session, launch(session, project))
    assert runs.cancel(session, running.id).state == "running"
    assert runs.beat(session, running.id, 1) is True
    with pytest.raises(Conflict):
        runs.cancel(session, running.id)
    assert runs.stopped(session, running.id, 1).state == "cancelled"
    with pytest.raises(NotFound):
        runs.cancel(session, uuid.uuid4())


def test_resume_only_what_failed_or_was_cancelled(session: Session, project: Project) -> None:
    run = begin(session, launch(session, project))
    with pytest.raises(Conflict):
        runs.resume(session, run.id)
    runs.cancel(session, run.id)
    runs.stopped(session, run.id, 1)
    resumed = runs.resume(session, run.id)
    assert (resumed.state, resumed.cancel_requested_at, resumed.finished_at) == ("queued", None, None)
    claimed = runs.claim(session, run.id, "w")
    assert claimed is not None and claimed.attempt == 2
    assert runs.beat(session, run.id, 2) is False
    runs.succeed(session, run.id, 2, {"loss": 1.0})
    with pytest.raises(Conflict):
        runs.resume(session, run.id)


def test_release_gives_it_back_at_once_unless_it_was_to_stop(session: Session, project: Project) -> None:
    run = begin(session, launch(session, project))
    runs.to_ring(session)
    assert (runs.release(session, run.id, 1).state, run.lost) == ("queued", 0)
    assert run.id in runs.to_ring(session)
    run = runs.claim(session, run.id, "w") or run
    runs.cancel(session, run.id)
    assert runs.release(session, run.id, 2).state == "cancelled"


def test_ringing(session: Session, project: Project) -> None:
    first, second = launch(session, project), launch(session, project)
    begin(session, launch(session, project))
    assert runs.to_ring(session) == [first.id, second.id]
    assert runs.to_ring(session) == []
    ago = text("clock_timestamp() - interval '6 seconds'")
    session.execute(update(Run).where(Run.id == first.id).values(rang_at=ago))
    assert runs.to_ring(session) == [first.id]
    # One that waits for an hour is rung each minute only.
    hour = text("clock_timestamp() - interval '1 hour'")
    session.execute(update(Run).where(Run.id == first.id).values(rang_at=ago, created_at=hour))
    assert runs.to_ring(session) == []


# --- records --------------------------------------------------------------------------------------------------------


def test_records_are_kept_in_order_and_a_step_done_again_replaces_its_row(session: Session, project: Project) -> None:
    run = begin(session, launch(session, project))
    prompt = [{"role": "user", "content": "hi"}]
    first = Batch(
        reports=[(0, 10, "train"), (3, 10, "train")],
        saved=2,
        metrics={1: {"loss": 3.0}, 2: {"loss": 2.0}, 3: {"loss": None}},
        samples=[Sample(3, prompt, "three", {"score": 1.0})],
        redone={3},
        warnings=[{"step": 2, "rule": "length", "message": "long"}, {"step": 3, "rule": "entropy", "message": "low"}],
        lines=["a", "b"],
    )
    assert run_records.write(session, run.id, 1, first) is False
    session.expire_all()
    assert run.progress is not None and (run.progress["step"], run.progress["saved"]) == (3, 2)
    age_heart(session, run, 60)
    requeue(session)
    again = runs.claim(session, run.id, "w")
    assert again is not None
    runs.begin(session, run.id, 2, fresh=False, environment={})
    second = Batch(metrics={3: {"loss": 1.5}}, samples=[Sample(3, prompt, "again", {})], redone={3}, lines=["c"])
    second.warnings = [{"step": 3, "rule": "entropy", "message": "lower"}]
    run_records.write(session, run.id, 2, second)
    session.expire_all()
    assert [one["message"] for one in run.warnings] == ["long", "lower"]
    rows = run_records.metrics_after(session, run.id, -1, 100)
    assert [(row.step, row.values) for row in rows] == [(1, {"loss": 3.0}), (2, {"loss": 2.0}), (3, {"loss": 1.5})]
    assert [row.step for row in run_records.metrics_after(session, run.id, 1, 1)] == [2]
    assert [one.completion for one in run_records.samples_after(session, run.id, 0, 10)] == ["again"]
    assert [one.line for one in run_records.log_after(session, run.id, 0, 10)] == ["a", "b", "c"]
    assert run_records.last_metrics(session, run.id) == {"loss": 1.5}

    age_heart(session, run, 60)
    requeue(session)
    runs.claim(session, run.id, "w")
    runs.begin(session, run.id, 3, fresh=True, environment={})
    assert run_records.metrics_after(session, run.id, -1, 100) == []
    assert run_records.samples_after(session, run.id, 0, 10) == []
    session.expire_all()
    assert run.warnings == []
    assert progress.shown(run.progress) is None


def test_a_batch_tells_of_the_wish_to_cancel(session: Session, project: Project) -> None:
    run = begin(session, launch(session, project))
    runs.cancel(session, run.id)
    assert run_records.write(session, run.id, 1, Batch(lines=["x"])) is True


# --- inputs ---------------------------------------------------------------------------------------------------------


def test_the_folder_of_a_run_and_that_a_resumed_one_reads_what_it_read(
    session: Session, project: Project, tmp_path: Path
) -> None:
    store = make_store(tmp_path)
    run = begin(session, launch(session, project))
    folder = tmp_path / "run"
    folder.mkdir()
    files = run_inputs.write(session, store, run, folder, {})
    job = json.loads((folder / "job.json").read_text())
    assert (job["kind"], job["run"], job["attempt"]) == ("pretrain", str(run.id), 1)
    assert job["config"] == run.config and job["inputs"] == {"texts": "inputs/texts.jsonl"}
    lines = [json.loads(line) for line in (folder / "inputs/texts.jsonl").read_text().splitlines()]
    assert lines == [{"text": f"Kind answers: text {number}."} for number in range(5)]
    assert files["texts"]["rows"] == 5

    run = runs.note_inputs(session, run.id, 1, {"files": files})
    corpus.add_documents(session, project.id, ["one more"])
    assert run_inputs.write(session, store, run, folder, {}) == files
    assert len((folder / "inputs/texts.jsonl").read_text().splitlines()) == 5


def test_models_become_folders(session: Session, project: Project, tmp_path: Path) -> None:
    store = make_store(tmp_path)
    made = make_checkpoint(session, store, project, tmp_path)
    here = tmp_path / "here"
    here.mkdir()
    (here / "config.json").write_text("{}")
    names = [
        made.name,
        named_model(session, "org/here", kind="folder", path=str(here)),
        named_model(session, "org/hub", kind="hub", repo="org/x", revision="v1"),
        named_model(session, "org/far", kind="endpoint", url="http://x", model="m", api_key_env="KEY"),
    ]
    run = begin(session, launch(session, project, "sample", models=names))
    assert run.inputs is not None
    assert run_inputs.hub_models(run.inputs) == [("org/x", "v1")]
    folder = tmp_path / "run"
    folder.mkdir()
    run_inputs.write(session, store, run, folder, {("org/x", "v1"): tmp_path / "fetched"})
    models = json.loads((folder / "job.json").read_text())["inputs"]["models"]
    assert [one["name"] for one in models] == names
    assert [one.get("folder") for one in models] == [
        str(store.local(str(made.id))),
        str(here),
        str(tmp_path / "fetched"),
        None,
    ]
    assert models[3]["endpoint"] == {"url": "http://x", "model": "m", "api_key_env": "KEY"}

    gone = named_model(session, "org/gone", kind="folder", path="/nowhere/at/all")
    run = begin(session, launch(session, project, "sft", model=gone))
    with pytest.raises(Invalid, match="/nowhere/at/all"):
        run_inputs.write(session, store, run, folder, {})


def test_prompts_of_a_split_and_the_least_answered_first(session: Session, tmp_path: Path) -> None:
    project = make_project(session, "Many", prompts=200)
    model = named_model(session, "org/far", kind="endpoint", url="http://x", model="m")
    store = make_store(tmp_path)

    def prompts(**config: Any) -> list[str]:
        run = begin(session, launch(session, project, "sample", models=[model], **config))
        folder = tmp_path / str(run.id)
        folder.mkdir()
        run_inputs.write(session, store, run, folder, {})
        return [json.loads(line)["id"] for line in (folder / "inputs/prompts.jsonl").read_text().splitlines()]

    everything, training, held_out = prompts(), prompts(prompts="train"), prompts(prompts="held_out")
    assert len(everything) == 200
    assert sorted(training + held_out) == sorted(everything) and 5 < len(held_out) < 100
    first = uuid.UUID(everything[0])
    model_id = corpus.resolve_model(session, model).id
    corpus.ensure_completions(session, project.id, [{"prompt_id": first, "model_id": model_id, "text": "done"}])
    assert prompts(max_prompts=3) == everything[1:4]


def test_the_best_ranked_are_imitated_but_never_what_is_held_out(session: Session, tmp_path: Path) -> None:
    project = make_project(session, "Ranked", prompts=60)
    model = named_model(session)
    model_id = corpus.resolve_model(session, model).id
    prompts = list(corpus.prompt_rows(session, project.id))
    for number, prompt in enumerate(prompts):
        rows = [{"prompt_id": uuid.UUID(prompt["id"]), "model_id": model_id, "text": text} for text in ("good", "poor")]
        good, poor = corpus.ensure_completions(session, project.id, rows)[0]
        about = {"prompt_id": uuid.UUID(prompt["id"]), "project_id": project.id, "judgments": 1 + number % 3}
        session.add(CompletionRating(completion_id=good, elo=1040.0, **about))
        session.add(CompletionRating(completion_id=poor, elo=960.0, **about))
    session.flush()
    path = tmp_path / "model"
    path.mkdir()
    (path / "config.json").write_text("{}")
    here = named_model(session, "org/here", kind="folder", path=str(path))

    def demonstrations(**config: Any) -> list[dict[str, Any]]:
        run = begin(session, launch(session, project, "sft", model=here, demonstrations="best_ranked", **config))
        folder = tmp_path / str(run.id)
        folder.mkdir()
        run_inputs.write(session, make_store(tmp_path), run, folder, {})
        return [json.loads(line) for line in (folder / "inputs/demonstrations.jsonl").read_text().splitlines()]

    rows = demonstrations()
    training = [prompt["prompt"] for prompt in prompts if split(prompt["digest"]) == "train"]
    assert 0 < len(training) < 60 and rows == [{"prompt": one, "completion": "good"} for one in training]
    assert 0 < len(demonstrations(min_judgments=3)) < len(rows)
    with pytest.raises(Invalid):
        demonstrations(min_judgments=4)


def test_a_checkpoint_whose_files_are_gone_is_told_by_its_name(tmp_path: Path) -> None:
    model = {"name": "ours/policy", "source": {"kind": "checkpoint", "checkpoint": "0"}}
    with pytest.raises(NotFound, match=r"“ours/policy” is gone. The files of 0 are not in the store"):
        run_inputs._folder_of(make_store(tmp_path), model, {})


def test_a_demonstration_of_a_held_out_prompt_is_not_learnt(session: Session) -> None:
    project = make_project(session, "Shown", prompts=40)
    prompts = list(corpus.prompt_rows(session, project.id))
    # Of no prompt here, and on either side if they were.
    strangers = [[{"role": "user", "content": f"strange {number}"}] for number in range(40)]
    assert {split(digest(one)) for one in strangers} == {"train", "held_out"}
    shown = [one["prompt"] for one in prompts] + strangers
    corpus.add_demonstrations(session, project.id, [(one, "so") for one in shown])
    learnt = [row["prompt"] for row in run_inputs._demonstrations(session, project.id, {}) if row["completion"] == "so"]
    training = [one["prompt"] for one in prompts if split(one["digest"]) == "train"]
    assert 0 < len(training) < 40 and learnt == [*training, *strangers]
    # And what models are measured on is what none of them has learnt.
    measured = [
        row["prompt"] for row in run_inputs._held_out_demonstrations(session, project.id) if row["completion"] == "so"
    ]
    assert measured == [one for one in shown if one not in learnt]


def test_halves_of_the_prompts_share_nothing_but_what_is_held_out() -> None:
    groups = [
        {"prompt": [{"role": "user", "content": str(n)}], "split": "held_out" if n % 5 == 0 else "train"}
        for n in range(100)
    ]
    first, second = ([*run_inputs._of_half(iter(groups), wanted)] for wanted in ("first", "second"))
    both = [one for one in first if one in second]
    assert both == [one for one in groups if one["split"] == "held_out"]
    assert len(first) + len(second) == 100 + len(both) and 20 < len(first) < 80
    assert [*run_inputs._of_half(iter(groups), "all")] == groups
