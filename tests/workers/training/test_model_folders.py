"""A model folder that is not whole is refused in a sentence that names it, and never half made up."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.errors import PodiumError
from tests.workers.training.tiny import folder_of
from workers.training.backbone import Backbone

WEIGHTS = "model.safetensors"


def _truncate(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:5000])


def _drop_a_tensor(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def _widen(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))


def _replace_by_a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("x")


def _drop_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


FAULTS: dict[str, Callable[[Path], object]] = {
    "no folder": shutil.rmtree,
    "a file": _replace_by_a_file,
    "no config": lambda folder: (folder / "config.json").unlink(),
    "broken config": lambda folder: (folder / "config.json").write_text('{"x":'),
    "unknown kind": lambda folder: (folder / "config.json").write_text('{"model_type": "nonsense"}'),
    "other shape": _widen,
    "truncated weights": _truncate,
    "empty weights": lambda folder: (folder / WEIGHTS).write_bytes(b""),
    "no weights": lambda folder: (folder / WEIGHTS).unlink(),
    "a tensor less": _drop_a_tensor,
    "broken tokenizer": lambda folder: (folder / "tokenizer.json").write_text("{"),
    "no tokenizer": _drop_tokenizer,
}


@pytest.fixture(scope="module", name="whole")
def _whole(tmp_path_factory):
    return folder_of(tmp_path_factory.mktemp("whole") / "model", "llama")


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_folder_that_is_not_whole_is_refused_and_named(whole, tmp_path, fault) -> None:
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)
    FAULTS[fault](folder)
    with pytest.raises(PodiumError) as caught:
        Backbone.load(folder, device=torch.device("cpu"), dtype=torch.float32)
    assert str(folder) in caught.value.message and "\n" not in caught.value.message
