"""The checkpoint of a reward model, read back before its run may succeed. Knows no data and no loss.

Always `reward_head.safetensors` (weight, bias, gain, offset), the tokenizer and `podium.json`. Beside them

adapter/                        where an adapter was trained; the backbone's own files stay where they are
config.json, model.safetensors  where all weights were: the family's sequence classification model in transformers with
                                one label, if it has one (else the model without a head). Those heads have no bias, so
                                its logit is the score less a constant: `score_minus_logit` in podium.json.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from backend.errors import Conflict, Invalid
from workers.training.backbone import Backbone
from workers.training.digests import digest_of
from workers.training.heads import ScalarHead
from workers.training.job import CPU, Job
from workers.training.output import READ_BACK_TOLERANCE, fresh, write_podium_json
from workers.training.scoring import RewardModel
from workers.training.sharded import gathered
from workers.training.tokens import Codec

SCORE = "score.weight"
"""The name of the head in all causal sequence classification models of transformers."""


def save(job: Job, model: RewardModel, codec: Codec, *, doubt: str | None = None) -> None:
    """Write `output/`. Every rank must call it, because a sharded model is gathered. doubt: a warning for the runs that
    learn from this model.
    """
    backbone, keep = model.backbone, job.ranks.first
    weights = gathered(backbone.model.state_dict(keep_vars=True), keep=keep) if model.adapter is None else {}
    head = gathered(model.head.state_dict(keep_vars=True), keep=keep)
    if not keep:
        return
    folder = fresh(job.output)
    about: dict[str, Any] = {
        "template_sha256": codec.template_sha256,
        "terminator": codec.terminator,
        "gain": float(head["gain"]),
        "offset": float(head["offset"]),
    }
    if doubt:
        about["doubt"] = doubt
    model.head.save(folder, head)
    if model.adapter is not None:
        backbone.tokenizer.save_pretrained(folder)
        backbone.save_adapter(model.adapter, folder / "adapter", base=job.model_name)
        about["backbone_sha256"] = backbone.digest()
    else:
        if _save_whole(backbone, weights, head, folder):
            about["score_minus_logit"] = float(head["gain"] * head["bias"] + head["offset"])
        about |= {"weights_sha256": digest_of(folder), "parent_sha256": backbone.digest()}
    write_podium_json(folder, job, **about)
    if not _comes_back(folder, model, weights, head):
        raise Invalid(f"The reward model did not come back as it was saved in {folder}; is the disk sound?")
    if "score_minus_logit" in about:
        _compare_with_transformers(folder, model, about["score_minus_logit"])


def _save_whole(backbone: Backbone, weights: Mapping[str, Tensor], head: Mapping[str, Tensor], folder: Path) -> bool:
    """Write model and tokenizer; returns whether it is a sequence classification model."""
    config = copy.deepcopy(backbone.stored_config)
    config.num_labels = 1
    config.get_text_config().pad_token_id = backbone.pad_id  # the last token that is no padding is scored
    try:
        with torch.device("meta"):
            classifier = AutoModelForSequenceClassification.from_config(config)
    except ValueError:  # the family has none
        classifier = None
    prefix = f"{classifier.base_model_prefix}." if classifier is not None else ""
    inside = {prefix + name: weight for name, weight in weights.items()}
    if classifier is None or {*inside, SCORE} != classifier.state_dict().keys():
        backbone.save_merged(None, folder, dict(weights))
        return False
    classifier.save_pretrained(folder, state_dict=inside | {SCORE: head["gain"] * head["weight"]})
    backbone.tokenizer.save_pretrained(folder)
    return True


def _comes_back(folder: Path, model: RewardModel, weights: Mapping[str, Tensor], head: Mapping[str, Tensor]) -> bool:
    """Whether the written files hold exactly the trained weights."""
    backbone = model.backbone
    if model.adapter is not None:
        again = ScalarHead.load(folder, device=CPU).state_dict()
        backbone.load_adapter("read back", folder / "adapter")
        pairs = zip(backbone.parameters_of(model.adapter), backbone.parameters_of("read back"), strict=True)
        same = all(torch.equal(a, b) for a, b in pairs)
    else:
        read = RewardModel.load_whole(folder, device=CPU, dtype=backbone.dtype, tokens_per_microbatch=1)
        again, found = read.head.state_dict(), read.backbone.model.state_dict()
        same = all(torch.equal(found[name], weight.cpu()) for name, weight in weights.items())
    return same and all(torch.equal(again[name], tensor.cpu()) for name, tensor in head.items())


@torch.no_grad()
def _compare_with_transformers(folder: Path, model: RewardModel, score_minus_logit: float) -> None:
    """Raises Conflict unless transformers alone gives the same scores, except for the constant."""
    classifier, info = AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True, output_loading_info=True
    )
    length = min(16, model.backbone.vocabulary_size, model.backbone.max_positions or 16)
    ids = [token for token in range(length) if token != model.backbone.pad_id]
    here = RewardModel.load_whole(folder, device=CPU, dtype=classifier.dtype, tokens_per_microbatch=len(ids))
    score = float(here([ids], [1]))
    theirs = float(classifier.eval()(input_ids=torch.tensor([ids])).logits) + score_minus_logit
    if info["missing_keys"] or not abs(theirs - score) <= READ_BACK_TOLERANCE[classifier.dtype] * max(1.0, abs(score)):
        raise Conflict(
            f"The saved reward model does not say in transformers what it says here: {theirs:.4g} and {score:.4g}."
        )
