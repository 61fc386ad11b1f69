"""The resumable state of a trainer on disk: saved whole or not at all, in one file that no program is hidden in.

A state is tensors (safetensors) and plain numbers (JSON in the same file's header), so there is nothing to keep in
step and nothing to unpickle. It is written under a temporary name, forced to the disk and renamed: whenever the process
or the machine dies, the folder holds the state before or the state after. Random number states travel with it.
"""

import json
import os
import random
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from backend.errors import Invalid
from workers import reported
from workers.training.sharded import as_held

FILE = "state.safetensors"
VERSION = 5
"""Of what trainers save: one more whenever a name is added to it, taken away or given another meaning."""
OTHER_VERSION = "The saved state was made by another version of Podium, which this one cannot go on from"
_PARTIAL = ".partial"
_RNG = "rng/"


@dataclass(frozen=True)
class Saved:
    """What `load` found. `random_states` are put back by `restore_random_states`, once everything else is built."""

    tensors: dict[str, Tensor]
    scalars: dict[str, Any]
    random_states: dict[str, Tensor]
    python_random: tuple[Any, ...]


def save(folder: Path, tensors: Mapping[str, Tensor], scalars: Mapping[str, Any]) -> None:
    """Replace the folder's state. `scalars` is anything JSON can hold (a float comes back as the same float)."""
    folder.mkdir(parents=True, exist_ok=True)
    reported.sync(folder.parent)  # nobody reports again what was done before this state
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content |= {_RNG + name: tensor for name, tensor in _random_states().items()}
    partial = folder / (FILE + _PARTIAL)
    header = {
        "version": str(VERSION),
        "scalars": json.dumps(dict(scalars), allow_nan=True),
        "python_random": json.dumps(random.getstate()),
    }
    # safetensors refuses tensors that share memory; tied weights are one parameter here and are saved once by name
    save_file(content, partial, metadata=header)
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(folder / FILE)
    with suppress(OSError):  # not every file system can force a folder
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)


class _Known(dict[str, Any]):
    """What a state holds by name. Who asks for a name that is not there is newer than the state."""

    def __missing__(self, name: str) -> Any:
        raise Invalid(f"{OTHER_VERSION} (it has no {name}). Start the run over.")


def load(folder: Path) -> Saved | None:
    """The folder's state, or None where none was ever saved whole. Refuses one of another version."""
    path = folder / FILE
    if not folder.is_dir():
        return None
    for other in folder.iterdir():
        if other != path and other.is_file():
            other.unlink(missing_ok=True)  # what a kill left behind: ours, or the temporary file of safetensors
    if not path.is_file():
        return None
    tensors: dict[str, Tensor] = _Known()
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata()
            if header.get("version") != str(VERSION):
                raise Invalid(f"{OTHER_VERSION}. Start the run over.")
            for name in file.keys():  # noqa: SIM118  (not a mapping)
                tensors[name] = file.get_tensor(name)
        scalars = json.loads(header["scalars"], object_hook=_Known)
        version, internal, gauss = json.loads(header["python_random"])
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise Invalid(
            f"The saved state in {path} cannot be read ({error}). Delete it to start the run over."
        ) from error
    found = {name.removeprefix(_RNG): tensors.pop(name) for name in list(tensors) if name.startswith(_RNG)}
    return Saved(tensors, scalars, found, (version, tuple(internal), gauss))


def restore_random_states(saved: Saved) -> None:
    """Torch and Python draw on from where they were when the state was saved."""
    random.setstate(saved.python_random)
    torch.set_rng_state(saved.random_states["cpu"])
    for device in range(torch.cuda.device_count()):
        if (state := saved.random_states.get(f"cuda:{device}")) is not None:
            torch.cuda.set_rng_state(state, device)


def _random_states() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states |= {f"cuda:{device}": torch.cuda.get_rng_state(device) for device in range(torch.cuda.device_count())}
    return states


def optimiser_tensors(optimiser: torch.optim.Optimizer, prefix: str = "optimiser/") -> dict[str, Tensor]:
    """What an optimiser remembers of each parameter, by the parameter's place; `load_optimiser` puts it back."""
    found: dict[str, Tensor] = {}
    for place, parameter in enumerate(_parameters(optimiser)):
        for name, value in optimiser.state.get(parameter, {}).items():
            found[f"{prefix}{place}/{name}"] = value if isinstance(value, Tensor) else torch.tensor(value)
    return found


def load_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor], prefix: str = "optimiser/") -> None:
    """The opposite of `optimiser_tensors`, for an optimiser over the same parameters in the same order."""
    optimiser.state.clear()
    for place, parameter in enumerate(_parameters(optimiser)):
        start = f"{prefix}{place}/"
        values = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
        if values:
            optimiser.state[parameter] = {
                # a fused optimiser counts its steps on the device, where its one kernel reads them
                name: value.to(parameter.device if optimiser.defaults.get("fused") else "cpu", copy=True)
                if name == "step"
                else as_held(value.to(parameter.device, parameter.dtype, copy=True), parameter)
                for name, value in values.items()
            }


def parameter_tensors(parameters: Iterable[Tensor], prefix: str = "parameter/") -> dict[str, Tensor]:
    """Trainable tensors by their place."""
    return {f"{prefix}{place}": parameter for place, parameter in enumerate(parameters)}


@torch.no_grad()
def load_parameters(parameters: Iterable[Tensor], tensors: Mapping[str, Tensor], prefix: str = "parameter/") -> None:
    """The opposite of `parameter_tensors`, into tensors of the same shapes, or into this rank's pieces of them."""
    for place, parameter in enumerate(parameters):
        parameter.copy_(as_held(tensors[f"{prefix}{place}"], parameter))


def _parameters(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]
