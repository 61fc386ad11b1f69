"""Models, first weights and token ids in a folder that both sides read; made once for a seed, nothing is downloaded.

MODEL/model     a Llama with random weights and a byte-level BPE, as a transformers folder
MODEL/adapter   the LoRA adapter that both sides begin with, in peft's format
MODEL/rm        the scalar head that the reward model begins with
MODEL/reward    a reward model: scores with mean 0 and deviation 1 on answers of the model itself
MODEL/*.jsonl   rows of token ids
"""

import hashlib
import json
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from backend.domain.training_rows import ChatMessage
from benchmarks.training import text
from benchmarks.training.shared import ANSWER, LONGEST, LORA, MODELS, PPO
from workers.training.backbone import Backbone
from workers.training.batches import Layout
from workers.training.generation import Sampling, generate
from workers.training.heads import ScalarHead
from workers.training.scoring import last_states
from workers.training.tokens import Codec, train_tokenizer

DIALOGUES = 2000
SCORED = 64
"""Answers that the scale of the reward is taken from."""
STRENGTH = 5.0
"""How much of a word is carried: with this, about as much as the rest of a hidden state has."""
FORM = 3
"""Raised when what is prepared changes."""


def folder_of(seed: int, source: Path | None, models: Collection[str] = tuple(MODELS), device: str = "cpu") -> Path:
    """Where everything of these models lies; made if it is not there."""
    about = json.dumps([FORM, seed, str(source), MODELS, LORA])
    name = f"podium-benchmark-{hashlib.sha256(about.encode()).hexdigest()[:12]}"
    folder = Path(tempfile.gettempdir()) / name
    for model in models:
        if not (folder / model / "ready").exists():
            print(f"preparing the {model} model and its data in {folder}", flush=True)
            _prepare(folder / model, model, seed, source, torch.device(device))
            (folder / model / "ready").touch()
    return folder


def _prepare(folder: Path, name: str, seed: int, source: Path | None, device: torch.device) -> None:
    dialogues = list(text.read(source, DIALOGUES, seed) if source else text.made_up(DIALOGUES, seed))
    shape = MODELS[name]
    tokenizer = train_tokenizer(
        (part for dialogue in dialogues for part in dialogue),
        vocabulary_size=min(shape["vocabulary"], 32768), context_tokens=1024, chat_template=True,
    )  # fmt: skip
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=shape["vocabulary"],
        hidden_size=shape["hidden"],
        intermediate_size=shape["feed_forward"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape.get("key_heads", shape["heads"]),
        max_position_embeddings=1024,
        tie_word_embeddings="untied" not in shape,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    dtype = torch.bfloat16 if "half" in shape else torch.float32
    with device:
        model = LlamaForCausalLM(config).to(dtype)
    model.save_pretrained(folder / "model")
    del model
    tokenizer.save_pretrained(folder / "model")
    backbone = Backbone.load(folder / "model", device=device, dtype=dtype)
    backbone.add_adapter("first", rank=LORA["rank"], alpha=LORA["alpha"], seed=seed)
    backbone.save_adapter("first", folder / "adapter")
    ScalarHead(backbone.hidden_size, seed=seed).save(folder / "rm")
    prompts = _rows(folder, Codec(tokenizer), dialogues, shape["prompt"], shape["least"])
    _reward(folder / "reward", backbone, prompts[:SCORED], seed)


def _rows(folder: Path, codec: Codec, dialogues: Sequence[text.Dialogue], longest: int, least: int) -> list[list[int]]:
    """Writes the rows of every kind; returns the prompts of PPO, each of at least and at most so many tokens."""

    def encode(prompt: str, answer: str) -> Any:
        return codec.encode_demonstration([ChatMessage(role="user", content=prompt)], answer, max_tokens=LONGEST)

    sft, rm, ppo = [], [], []
    for one in dialogues:
        chosen, rejected = encode(one.prompt, one.chosen), encode(one.prompt, one.rejected)
        if chosen is None or rejected is None:
            continue
        sft.append({"ids": chosen.ids, "prompt": chosen.prompt_length})
        rm.append({"chosen": chosen.ids, "rejected": rejected.ids})
        if chosen.prompt_length >= least:
            ppo.append(codec.fit_prompt(chosen.ids[: chosen.prompt_length], longest))
    for kind, found in (("sft", sft), ("rm", rm), ("ppo", ppo)):
        lines = [json.dumps(row) + "\n" for row in found]
        (folder / f"{kind}.jsonl").write_text("".join(lines), encoding="utf-8")
    return ppo


@torch.no_grad()
def _reward(folder: Path, backbone: Backbone, prompts: Sequence[list[int]], seed: int) -> None:
    """Likes some words and dislikes others, each by where its embedding points: what PPO can learn in some rounds.

    No training is needed for it: in the first layer one channel of attention, which here is a mean over all tokens
    before, carries the embedding's share in a random direction to another direction, along which the head reads.
    """
    draw = torch.Generator().manual_seed(seed + 1)
    directions = torch.randn(2, backbone.hidden_size, generator=draw).to(backbone.device)
    liked, read = torch.nn.functional.normalize(directions, dim=1)
    backbone.add_adapter("reward", rank=LORA["rank"], alpha=LORA["alpha"], seed=seed)
    adapter = backbone.adapters["reward"]
    (into, channel), (out_of, along) = (adapter.pairs[f"model.layers.0.self_attn.{name}_proj"] for name in "vo")
    into[0], channel[0, 0] = liked, STRENGTH / adapter.scale
    out_of[0], along[:, 0] = 0.0, read / adapter.scale
    out_of[0, 0] = 1.0
    sampling = Sampling(ANSWER, PPO["temperature"])
    answers = generate(backbone, prompts, sampling, keys=[(seed, 0, i) for i in range(len(prompts))], stop_ids=(-1,))
    whole = [[*prompt, *answer.ids] for prompt, answer in zip(prompts, answers, strict=True)]
    with backbone.role("reward"):
        states = torch.cat([_last(backbone, whole[start : start + 16]) for start in range(0, len(whole), 16)])
    states = states.float()
    common = states.mean(0)
    weight = read - (read @ common / common.square().sum()) * common
    head = ScalarHead(backbone.hidden_size, zero=True)
    head.weight.copy_((weight / (states @ weight).std(correction=0)).unsqueeze(0))
    head.save(folder)
    backbone.save_adapter("reward", folder / "adapter")


def _last(backbone: Backbone, rows: list[list[int]]) -> torch.Tensor:
    places = list(range(len(rows)))
    layout = Layout.of(places, rows, [1] * len(rows), pad_id=backbone.pad_id, device=backbone.device)
    return last_states(backbone.hidden_states(layout.ids, layout.mask), layout.mask)
