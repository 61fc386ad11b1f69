"""What tells two sets of weights apart: sha256 over names, shapes and bytes, in memory or as stored."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from backend.errors import NotFound


def fingerprint(model: nn.Module) -> str:
    """Of all tensors of a model in memory, in the order of their names."""
    return sha256_of(sorted(model.state_dict().items()))


def digest_of(folder: Path) -> str:
    """Of the safetensors weights in a transformers folder, sharded or not."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        files = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    else:
        files = ["model.safetensors"]
    places: list[tuple[str, Path]] = []
    for file in files:
        if not (folder / file).is_file():
            raise NotFound(
                f"There are no weights in {folder}: {file} is missing. Save the model with safetensors first."
            )
        with safe_open(folder / file, framework="pt") as opened:
            places += [(key, folder / file) for key in opened.keys()]  # noqa: SIM118

    def tensors() -> Iterator[tuple[str, Tensor]]:
        for path in sorted({place for _, place in places}):
            with safe_open(path, framework="pt") as opened:
                for key in sorted(opened.keys()):
                    yield key, opened.get_tensor(key)

    return sha256_of(tensors())


def sha256_of(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Of named tensors in the order given."""
    digest = hashlib.sha256()
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
