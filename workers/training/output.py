"""The folder that becomes a checkpoint; knows no method.

A language model's folder is a plain transformers folder (whole, merged) with its tokenizer, `podium.json`, and, when it
was trained with LoRA, the adapter by itself.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from backend.errors import Invalid
from workers.training.backbone import Backbone, digest_of
from workers.training.job import Job
from workers.training.tokens import Codec


def fresh(folder: Path) -> Path:
    """An empty folder: what an attempt that died left behind is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def save_language_model(job: Job, backbone: Backbone, codec: Codec, *, adapter: str | None, parent: str | None) -> None:
    """Write `output/`. `parent` is the digest of the weights that training started from."""
    folder = fresh(job.output)
    settings = getattr(backbone.model, "generation_config", None)
    if settings is not None:  # served by others, the model must end its answers where it learnt to
        stops = list(codec.stop_ids(backbone.stop_ids))
        settings.eos_token_id = stops if len(stops) > 1 else stops[0]
    backbone.save_merged(adapter, folder)
    if adapter is not None:
        backbone.save_adapter(adapter, folder / "adapter")
    about = {
        "weights_sha256": digest_of(folder),
        "parent_sha256": parent,
        "template_sha256": codec.template_sha256,
        "terminator": codec.terminator,
    }
    write_podium_json(folder, job, **about)


def write_podium_json(folder: Path, job: Job, **about: Any) -> None:
    """`podium.json`: what made the checkpoint and what it must be used with."""
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
