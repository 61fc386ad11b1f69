"""Checkpoints: manifest and revision, names, lineage, promotion."""

import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from backend.errors import Invalid, NotFound
from backend.services import checkpoints, corpus, runs
from backend.storage import FolderStore
from backend.tables import Project
from tests.services.training_project import launch, make_checkpoint, make_project, make_store


@pytest.fixture
def project(session: Session) -> Project:
    return make_project(session)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return make_store(tmp_path)


def test_the_revision_stands_for_every_byte(tmp_path: Path) -> None:
    def folder(name: str, content: str) -> Path:
        made = tmp_path / name
        (made / "adapter").mkdir(parents=True)
        (made / "config.json").write_text("{}")
        (made / "adapter" / "a.bin").write_text(content)
        return made

    about = {"run": "r", "seed": 1}
    one, same = folder("one", "x"), folder("same", "x")
    revision = checkpoints.finish_folder(one, about)
    assert len(revision) == 40 and checkpoints.finish_folder(same, about) == revision
    assert checkpoints.finish_folder(one, about) == revision  # the manifest does not count itself
    assert checkpoints.finish_folder(folder("other", "y"), about) != revision
    assert checkpoints.finish_folder(same, about | {"seed": 2}) != revision
    content = (one / "manifest.json").read_bytes()
    assert hashlib.sha1(content).hexdigest() == revision
    files = {file["path"]: file for file in json.loads(content)["files"]}
    assert files["adapter/a.bin"] == {"path": "adapter/a.bin", "size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    with pytest.raises(Invalid):
        empty = tmp_path / "empty"
        empty.mkdir()
        checkpoints.finish_folder(empty, about)


def test_lineage_reaches_back_to_the_first_texts(
    session: Session, project: Project, store: FolderStore, tmp_path: Path
) -> None:
    base = make_checkpoint(session, store, project, tmp_path)
    tuned = make_checkpoint(session, store, project, tmp_path, launch(session, project, "sft", model=base.name))
    assert base.parents == [] and tuned.parents == [base.id]
    manifest = json.loads(b"".join(store.read(str(tuned.id), "manifest.json")))
    assert manifest["parents"] == [
        {"id": str(base.id), "name": base.name, "revision": base.revision, "kind": "pretrain"}
    ]
    assert manifest["config"]["model"] == base.name and manifest["kind"] == "sft"
    # Named by the checkpoint's id instead of the model's name it is the same parent.
    third = launch(session, project, "sft", model=str(base.id))
    assert third.inputs is not None and third.inputs["model"]["revision"] == base.revision


def test_language_models_join_the_registry_and_a_reward_model_does_not(
    session: Session, project: Project, store: FolderStore, tmp_path: Path
) -> None:
    base = make_checkpoint(session, store, project, tmp_path)
    model = corpus.resolve_model(session, base.name)
    assert base.model_id == model.id and model.source == {"kind": "checkpoint", "checkpoint": str(base.id)}
    run = launch(session, project, "sft", model=base.name)
    run.kind = "reward_model"  # the reward set it needs is made in another test
    session.flush()
    scorer = make_checkpoint(session, store, project, tmp_path, run)
    assert scorer.model_id is None
    with pytest.raises(Invalid, match="reward_model") as refusal:
        launch(session, project, "sft", model=scorer.name)
    assert refusal.value.field == "model"
    with pytest.raises(Invalid, match="no reward model") as refusal:
        launch(session, project, "evaluate", models=[base.name], reward_model=base.name)
    assert refusal.value.field == "reward_model"
    evaluation = launch(session, project, "evaluate", models=[base.name], reward_model=scorer.name)
    assert evaluation.inputs is not None and evaluation.inputs["reward_model"]["backbone"]["name"] == base.name


def test_names_are_new_and_valid(session: Session, project: Project, store: FolderStore, tmp_path: Path) -> None:
    asked = launch(session, project, output_name="org/mine")
    twin = launch(session, project, output_name="org/mine")  # launched before the first was done
    assert make_checkpoint(session, store, project, tmp_path, asked).name == "org/mine"
    assert make_checkpoint(session, store, project, tmp_path, twin).name == "org/mine-2"
    with pytest.raises(Invalid) as refusal:
        launch(session, project, output_name="org/mine")
    assert refusal.value.field == "output_name"
    named = runs.launch(session, project=project, kind="pretrain", config={}, name="  Ünïcode — run / two!!  ")
    assert make_checkpoint(session, store, project, tmp_path, named).name == "kind-answers/n-code-run-two"
    nameless = runs.launch(session, project=project, kind="pretrain", config={}, name="???")
    assert make_checkpoint(session, store, project, tmp_path, nameless).name == "kind-answers/pretrain"


def test_a_project_with_a_reserved_name(session: Session, store: FolderStore, tmp_path: Path) -> None:
    assert make_checkpoint(session, store, make_project(session, "API"), tmp_path).name == "project-api/pretrain-1"


def test_find_by_id_name_and_revision(session: Session, project: Project, store: FolderStore, tmp_path: Path) -> None:
    made = make_checkpoint(session, store, project, tmp_path)
    for key in (made.name, str(made.id)):
        assert checkpoints.find(session, key).id == made.id
    for revision in (None, "main", made.revision):
        assert checkpoints.by_name(session, made.name, revision).id == made.id
    for name, revision in ((made.name, "0" * 40), ("no/such", None), (str(made.id), None)):
        with pytest.raises(NotFound):
            checkpoints.by_name(session, name, revision)
    assert checkpoints.file_of(made, "model.safetensors").size == 256 * 40
    with pytest.raises(NotFound):
        checkpoints.file_of(made, "../config.json")


def test_promotion_is_remembered_from_the_first_time(
    session: Session, project: Project, store: FolderStore, tmp_path: Path
) -> None:
    made, other = (make_checkpoint(session, store, project, tmp_path) for _ in range(2))
    first = checkpoints.promote(session, made).promoted_at
    assert first is not None and checkpoints.promote(session, made).promoted_at == first
    assert session.scalars(checkpoints.all_of(promoted=True)).all() == [made]
    assert session.scalars(checkpoints.all_of(promoted=False)).all() == [other]


def test_ppo_wants_the_reward_model_of_its_own_backbone(
    session: Session, project: Project, store: FolderStore, tmp_path: Path
) -> None:
    from backend.services import run_inputs

    base, other = (make_checkpoint(session, store, project, tmp_path) for _ in range(2))
    run = launch(session, project, "sft", model=base.name)
    run.kind = "reward_model"
    session.flush()
    scorer = make_checkpoint(session, store, project, tmp_path, run)
    entries = {
        "reward_model": run_inputs._reward_model(session, scorer.name, "reward_model"),
        "model": run_inputs._model(session, "ppo", other.name, "model"),
    }
    with pytest.raises(Invalid, match=base.name) as refusal:
        run_inputs._check_backbone("ppo", entries)
    assert refusal.value.field == "reward_model"
    entries["model"] = run_inputs._model(session, "ppo", base.name, "model")
    run_inputs._check_backbone("ppo", entries)
    with pytest.raises(Invalid, match="another reward model"):
        run_inputs._check_backbone("ppo", entries | {"judge": entries["reward_model"]})
    run.config = run.config | {"method": "full"}  # a model of its own may teach any other
    whole = run_inputs._reward_model(session, scorer.name, "reward_model")
    run_inputs._check_backbone(
        "ppo", {"model": run_inputs._model(session, "ppo", other.name, "model")} | {"reward_model": whole}
    )
    assert whole["backbone"] is None


def test_a_judge_reads_prompts_that_nobody_else_does(
    session: Session, project: Project, store: FolderStore, tmp_path: Path
) -> None:
    """A function that judges is asked about held-out prompts; without a judge nothing is written for it."""
    from backend.services import run_inputs

    corpus.ensure_prompts(session, project.id, [[{"role": "user", "content": f"more {n}"}] for n in range(30)])
    base = make_checkpoint(session, store, project, tmp_path)
    reward = launch(session, project, "sft", model=base.name)
    reward.kind = "reward_model"
    session.flush()
    scorer = make_checkpoint(session, store, project, tmp_path, reward)
    settings = {"model": base.name, "reward_model": scorer.name, "judge_prompts": 3}
    judge = {"name": "tone", "role": "judge", "python": "tone.py:score"}
    alone = run_inputs._rows(session, launch(session, project, "ppo", **settings))
    judged = run_inputs._rows(session, launch(session, project, "ppo", **settings, scorers=[judge]))
    assert "judge_prompts" not in alone
    asked, trained = ({row["id"] for row in judged[name]} for name in ("judge_prompts", "prompts"))
    assert len(asked) == 3 and trained and not asked & trained
