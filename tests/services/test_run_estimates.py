"""What a run will take is told from configs and rows alone, by an ended run of the same pace, and never made up."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from backend.domain.training import PPOConfig, PretrainConfig, SampleConfig
from backend.domain.training.workload import Workload, same_pace, workload
from backend.errors import Invalid
from backend.services import corpus, run_estimates, runs
from backend.tables import Project, Run
from tests.services.training_project import begin, launch, make_checkpoint, make_project, make_store

SHAPE = {"hidden_size": 512, "num_hidden_layers": 8, "num_attention_heads": 8, "vocab_size": 32_000}


@pytest.fixture
def project(session: Session) -> Project:
    return make_project(session)


@pytest.fixture
def folder(session: Session, tmp_path: Path) -> Path:
    """Where the registered model org/base lies: its config alone, for no weights are read."""
    place = tmp_path / "base"
    place.mkdir()
    (place / "config.json").write_text(json.dumps(SHAPE))
    corpus.register_model(session, name="org/base", source={"kind": "folder", "path": str(place)})
    return place


def told(session: Session, project: Project, folder: Path, kind: str, **config: Any) -> run_estimates.Estimate:
    return run_estimates.estimate(session, make_store(folder), project, kind, config)


def end(session: Session, run: Run, seconds: float, **files: int) -> Run:
    """As if it had read so many rows, and succeeded after so long."""
    begin(session, run)
    run.inputs = {**(run.inputs or {}), "files": {name: {"rows": rows} for name, rows in files.items()}}
    session.flush()
    runs.succeed(session, run.id, run.attempt, {})
    session.refresh(run)
    assert run.finished_at is not None
    run.started_at = run.finished_at - timedelta(seconds=seconds)
    session.flush()
    return run


def test_steps_are_those_that_a_page_counts() -> None:
    assert workload(PretrainConfig(epochs=2.0, texts_per_step=32), 1000) == Workload(62, "optimiser step", 62 * 32)
    assert workload(PretrainConfig(epochs=2.0, max_steps=5), 1000).steps == 5
    assert workload(SampleConfig(models=("a/b", "a/c"), completions_per_prompt=3), 10).steps == 60
    ppo = PPOConfig(model="m", reward_model="r", iterations=7, episodes_per_iteration=64)
    assert workload(ppo, 1) == Workload(7, "round", 448)
    assert same_pace(ppo, ppo.model_copy(update={"iterations": 9, "seed": 3, "policy_learning_rate": 1e-3}))
    assert not same_pace(ppo, ppo.model_copy(update={"max_new_tokens": 999}))
    assert not same_pace(ppo, ppo.model_copy(update={"epochs": 4}))


def test_time_goes_by_an_ended_run_of_the_same_pace(session: Session, project: Project, folder: Path) -> None:
    first = told(session, project, folder, "sample", models=["org/base"])
    assert first.workload.steps == 6 and first.seconds is None and "no run with such settings" in first.unknown[0]
    run = end(session, launch(session, project, "sample", models=["org/base"]), 30.0, prompts=6)
    found = told(session, project, folder, "sample", models=["org/base"], completions_per_prompt=4)
    assert found.like is not None and found.like.run.id == run.id and found.unknown == []
    assert found.seconds == pytest.approx(120.0)
    assert told(session, project, folder, "sample", models=["org/base"], max_new_tokens=7).seconds is None


def test_loading_takes_as_long_whatever_the_work(session: Session) -> None:
    like = run_estimates.Like(Run(), seconds=20.0, ready=8.0, work=100)
    assert [like.foretells(work) for work in (0, 100, 200)] == [8.0, 20.0, 32.0]


def test_memory_and_disk_are_told_from_the_config_of_a_model(session: Session, project: Project, folder: Path) -> None:
    room = told(session, project, folder, "sft", model="org/base").room
    assert room is not None and 0 < room.gpu < room.cpu and 0 < room.stored < room.folder
    full = told(session, project, folder, "sft", model="org/base", method="full").room
    assert full is not None and full.gpu > room.gpu and full.folder > 4 * room.folder


def test_a_critic_that_could_not_be_copied_is_advised_to_read(
    session: Session, project: Project, folder: Path, tmp_path: Path
) -> None:
    run = launch(session, project, "sft", model="org/base", method="full")
    run.kind = "reward_model"  # the reward set it needs is made in another test
    scorer = make_checkpoint(session, make_store(tmp_path), project, tmp_path, run=run)
    settings: dict[str, Any] = {"model": "org/base", "reward_model": scorer.name}
    (advice,) = told(session, project, folder, "ppo", **settings).advice
    assert "Where critic is reward" in advice
    fitting: tuple[dict[str, Any], ...] = (
        {"critic": "reward"}, {"value_init": "zero"}, {"advantage_estimator": "batch_mean"}
    )  # fmt: skip
    assert not any(told(session, project, folder, "ppo", **settings, **one).advice for one in fitting)
    run.config = {**run.config, "method": "lora"}
    session.flush()
    assert told(session, project, folder, "ppo", **settings).advice == []


def test_what_cannot_be_known_here_is_said(session: Session, project: Project, folder: Path) -> None:
    corpus.register_model(session, name="org/far", source={"kind": "hub", "repo": "some/model"})
    far = told(session, project, folder, "sample", models=["org/base", "org/far"])
    assert far.room is None and "“org/far” is on a Hub" in far.unknown[0]
    (folder / "config.json").write_text("{}")
    here = told(session, project, folder, "sft", model="org/base")
    assert here.room is None and "cannot be read on this machine" in here.unknown[0]
    with pytest.raises(Invalid, match="no model"):
        told(session, project, folder, "sft", model="no/such")
