"""The folder that becomes a checkpoint; knows no method.

A language model's folder is a plain transformers folder (whole, merged) with its tokenizer, `podium.json`, and, when it
was trained with LoRA, the adapter by itself.
"""

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from backend.errors import Conflict, Invalid
from workers.training.backbone import Backbone
from workers.training.digests import digest_of
from workers.training.job import CPU, Job
from workers.training.room import free_on_device
from workers.training.sharded import gathered
from workers.training.tokens import Codec

READ_BACK_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""Largest difference allowed between the trained model and the saved one, relative to the largest logit."""


def fresh(folder: Path) -> Path:
    """The folder, emptied of what an attempt that died may have left."""
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def save_language_model(job: Job, backbone: Backbone, codec: Codec, *, adapter: str | None, parent: str | None) -> None:
    """Write `output/`. `parent` is the digest of the weights that training started from."""
    weights = gathered(backbone.model.state_dict(keep_vars=True), keep=job.ranks.first)
    if not job.ranks.first:
        return
    folder = fresh(job.output)
    settings = getattr(backbone.model, "generation_config", None)
    if settings is not None:  # served by others, the model must end its answers where it learnt to
        stops = list(codec.stop_ids(backbone.stop_ids))
        settings.eos_token_id = stops if len(stops) > 1 else stops[0]
    backbone.save_merged(adapter, folder, weights)
    if adapter is not None:
        backbone.save_adapter(adapter, folder / "adapter", base=job.model_name)
        _read_back(folder, job.path("model"), backbone, adapter)
    about = {
        "weights_sha256": digest_of(folder),
        "parent_sha256": parent,
        "template_sha256": codec.template_sha256,
        "terminator": codec.terminator,
    }
    write_podium_json(folder, job, **about)


@torch.no_grad()
def _read_back(folder: Path, parent: Path, backbone: Backbone, adapter: str) -> None:
    """Load what was written as others will, merged by transformers alone, and as an adapter on its parent by peft. The
    run fails unless both give the trained model's logits.
    """
    length = min(16, backbone.vocabulary_size, backbone.max_positions or 16)
    ids = torch.arange(length, device=backbone.device).unsqueeze(0)
    with backbone.role(adapter):
        expected = backbone.logits(backbone.hidden_states(ids, torch.ones_like(ids))).float()
    expected = expected.cpu()
    tolerance = READ_BACK_TOLERANCE[backbone.dtype] * max(1.0, float(expected.abs().max()))
    for name in ("merged", "adapter"):
        model = AutoModelForCausalLM.from_pretrained(
            folder if name == "merged" else parent, dtype=backbone.dtype, local_files_only=True
        )
        if name == "adapter":
            model = PeftModel.from_pretrained(model, folder / "adapter")
        place = CPU if _is_full(backbone.device, model) else backbone.device
        logits = model.to(place).eval()(input_ids=ids.to(place)).logits.float().cpu()
        gap = float((logits - expected).abs().max())
        if not gap <= tolerance:
            raise Conflict(
                f"The saved model ({name}) does not say what the trained one says: logits differ by {gap:.2g}."
            )


def _is_full(device: torch.device, model: Any) -> bool:
    """Whether the device is a GPU without room for one more model of this size."""
    size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    return device.type == "cuda" and free_on_device(device) < 1.5 * size


def write_podium_json(folder: Path, job: Job, **about: Any) -> None:
    """`podium.json`: how the checkpoint was made and what it must be used with."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "kind": job.kind,
        "run": job.run,
        "seed": job.seed,
        "config": job.config.model_dump(mode="json"),
        **about,
    }
    (folder / "podium.json").write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_podium_json(folder: Path) -> dict[str, Any]:
    """What `write_podium_json` wrote; empty for a model that was not made here."""
    path = folder / "podium.json"
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Invalid(f"{path} is not JSON ({error}); the checkpoint is damaged.") from error
    return content if isinstance(content, dict) else {}
