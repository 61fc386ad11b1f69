"""Whether a run has the memory and the disk that it will need: looked at before anything is loaded. Knows no method.

Estimates are right to about a third, so a run is refused only where even 1 / `CLEARLY` of what it needs is not there,
and a warning is given where the estimate itself is more than what is free.
"""

import json
import os
import shutil
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

import psutil
import torch

from backend.domain.training.estimate import Needs, Shape, needs, tokens_that_fit
from backend.errors import Invalid
from workers.training.cores import Cores
from workers.training.events import Warned
from workers.training.job import Job

CLEARLY = 1.5
CGROUP = Path("/sys/fs/cgroup")


def check(job: Job) -> Iterator[Warned]:
    """Refuses a run that clearly lacks memory or disk, in plain words; warns where it may."""
    cuda = job.device.type == "cuda"
    cores = Cores.of(job.device).count
    needed = needs(job.config, shapes_of(job), cuda=cuda, devices=job.ranks.world, cores=cores)
    processes = 1 if cuda else job.ranks.world
    free = free_on_device(job.device) if cuda else free_memory()
    if said := _memory(job, needed, processes, free):
        yield _refuse_or_warn(needed.memory * processes, free, "memory_estimate", said)
    for place, size in _disks(job, needed):
        room = shutil.disk_usage(place).free
        said = (
            f"This run needs about {gigabytes(size)} on the disk that holds {place}, for its saved state and its "
            f"result, and {gigabytes(room)} are free: make room, or choose another place."
        )
        if size > room:
            yield _refuse_or_warn(size, room, "disk_estimate", said)


def _refuse_or_warn(size: int, free: int, rule: str, said: str) -> Warned:
    if size > CLEARLY * free:
        raise Invalid(said)
    return Warned(0, rule, said)


def _memory(job: Job, needed: Needs, processes: int, free: int) -> str | None:
    """What there is to say of memory; None where there is enough."""
    size = needed.memory * processes
    if size <= free:
        return None
    tokens: int = getattr(job.config, "tokens_per_microbatch", 0)
    advice = []
    if fitting := tokens_that_fit(needed, tokens, free // processes):
        advice.append(f"lower tokens_per_microbatch from {tokens} to {fitting}")
    elif needed.largest == "training" and getattr(job.config, "method", "") == "full":
        advice.append("take method lora instead of full")
    if processes > 1:
        advice.append("take fewer devices")
    parts = {**needed.parts, **dict(sorted(needed.peaks.items(), key=lambda peak: peak[1])[-1:])}
    told = ", ".join(f"{name} {gigabytes(part)}" for name, part in parts.items())
    return (
        f"This run needs about {gigabytes(size)} of memory ({told}), and {gigabytes(free)} are free: "
        f"{', or '.join([*advice, 'take a smaller model'])}."
    )


def _disks(job: Job, needed: Needs) -> Iterator[tuple[Path, int]]:
    """Each disk once, with what will be written there: the store may be on the disk of the run's folder."""
    there = sum(path.stat().st_size for path in job.state.glob("*")) if job.state.is_dir() else 0
    sizes = {job.folder: max(0, needed.folder - there)}
    if job.store is not None:
        store = next(place for place in (job.store, *job.store.parents) if place.exists())
        same = os.stat(store).st_dev == os.stat(job.folder).st_dev
        where = job.folder if same else store
        sizes[where] = sizes.get(where, 0) + needed.stored
    yield from sizes.items()


def gigabytes(size: int) -> str:
    """Bytes as people say them."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


# -- the models -------------------------------------------------------------------------------------------------------


def shapes_of(job: Job) -> dict[str, Shape]:
    """The shapes of the models that this run loads, by input; the trainer names folders that cannot be read."""
    folders: dict[str, str] = {
        name: job.inputs[name]
        for name in ("model", "reference", "reward_model_backbone", "reward_model", "judge")
        if name in job.inputs
    }
    if getattr(job.config, "method", "") == "lora" and folders.get("reward_model_backbone") == folders.get("model"):
        folders.pop("reward_model_backbone", None)  # the one that is loaded anyway
    folders |= {f"models/{i}": one["folder"] for i, one in enumerate(job.inputs.get("models") or ()) if "folder" in one}
    found = {}
    for name, folder in folders.items():
        with suppress(OSError, ValueError, KeyError, TypeError, ZeroDivisionError, struct.error):
            config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
            found[name] = Shape.of(config, weights_in(Path(folder)))
    return found


def weights_in(folder: Path) -> int:
    """How many numbers the safetensors files of a folder hold, by their headers alone."""
    return sum(
        prod(about["shape"])
        for path in folder.glob("*.safetensors")
        for name, about in _header(path).items()
        if name != "__metadata__"
    )


def _header(path: Path) -> Mapping[str, Any]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header: Mapping[str, Any] = json.loads(file.read(length))
        return header


# -- what is free -----------------------------------------------------------------------------------------------------


def free_on_device(device: torch.device) -> int:
    """Of a GPU, in bytes: what nobody has, and what this process has and does not use."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + kept


def free_memory(cgroup: Path = CGROUP) -> int:
    """Of this machine, or of the container that this process is in, whichever is less."""
    return min([psutil.virtual_memory().available, *_free_in_cgroup(cgroup)])


def _free_in_cgroup(cgroup: Path) -> Iterator[int]:
    """A container's limit less what it uses, without what the kernel can drop; nothing where there is no limit."""
    for limit, used, inactive in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ):
        with suppress(OSError, ValueError):  # "max" is no number: there is no limit
            most, now = int((cgroup / limit).read_text()), int((cgroup / used).read_text())
            stat = (cgroup / limit).with_name("memory.stat").read_text().split()
            yield most - now + int(dict(zip(stat[::2], stat[1::2], strict=False)).get(inactive, 0))
