"""The common families of language models: what is read is what transformers computes, padding and caches change
nothing, adapters learn, and what is saved is read back by transformers and peft with the same logits."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, PreTrainedModel

from backend.domain.training import read_config
from tests.workers.training.tiny import CPU, left_padded, right_padded, tokenizer_of
from workers.training import reward_output
from workers.training.backbone import Backbone
from workers.training.floor import Work
from workers.training.generation import Sampling, generate
from workers.training.heads import ScalarHead
from workers.training.job import Job
from workers.training.logprobs import token_logprobs
from workers.training.scoring import RewardModel
from workers.training.tokens import Codec

COMMON: dict[str, Any] = {
    "vocab_size": 29, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "pad_token_id": 0,
    "eos_token_id": 1, "bos_token_id": None, "max_position_embeddings": 96, "initializer_range": 0.2,
}  # fmt: skip
GROUPED = {"intermediate_size": 64, "num_key_value_heads": 2}
CAPPED = {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}


def make(name: str, **settings: Any) -> Callable[[], PreTrainedModel]:
    def model() -> PreTrainedModel:
        torch.manual_seed(0)
        config = getattr(transformers, f"{name}Config")(**(COMMON | settings))
        made = AutoModelForCausalLM.from_config(config)
        assert isinstance(made, PreTrainedModel)
        return made

    return model


MODELS = {
    "llama": make("Llama", **GROUPED, tie_word_embeddings=False),
    "llama, tied": make("Llama", **GROUPED, tie_word_embeddings=True),
    "qwen2": make("Qwen2", **GROUPED, attention_dropout=0.2),
    "qwen3": make("Qwen3", **GROUPED, head_dim=12),
    "mistral": make("Mistral", **GROUPED, sliding_window=3),
    "gemma": make("Gemma", **GROUPED, head_dim=12),
    "gemma2": make("Gemma2", **GROUPED, head_dim=12, sliding_window=3, query_pre_attn_scalar=12, **CAPPED),
    "gemma3": make("Gemma3Text", **GROUPED, head_dim=12, sliding_window=3, query_pre_attn_scalar=12),
    "phi": make("Phi", intermediate_size=64, partial_rotary_factor=0.5),
    "phi3": make("Phi3", **GROUPED, sliding_window=3),
    "gpt2": make("GPT2", n_embd=32, n_layer=2, n_head=4, n_positions=96),
    "gpt neox": make("GPTNeoX", intermediate_size=64, rotary_pct=0.5, use_parallel_residual=True),
    "falcon": make("Falcon"),  # its linear layers have a forward of their own, and its residuals are added in place
}
ROWS = [[5, 6, 7, 8, 9], [3, 4], [11, 12, 13]]


@pytest.fixture(params=MODELS, scope="module")
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model of one family with its tokenizer."""
    path = tmp_path_factory.mktemp("family")
    MODELS[request.param]().save_pretrained(path)
    tokenizer_of(29).save_pretrained(path)
    return path


def load(folder: Path) -> Backbone:
    return Backbone.load(folder, device=CPU, dtype=torch.float32)


def logits_of(folder: Path, ids: Tensor) -> Tensor:
    """As transformers itself computes them."""
    with torch.no_grad():
        logits: Tensor = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()(ids).logits
    return logits


def test_computes_what_transformers_does_and_padding_moves_nothing(folder: Path) -> None:
    backbone = load(folder)
    expected = [logits_of(folder, torch.tensor([row]))[0] for row in ROWS]
    for pad in (right_padded, left_padded):
        ids, mask = pad(ROWS)
        with torch.no_grad():
            got = backbone.logits(backbone.hidden_states(ids, mask))
        for row, alone in enumerate(expected):
            torch.testing.assert_close(got[row][mask[row].bool()], alone, atol=2e-4, rtol=1e-4)


def test_text_is_read_by_the_tokenizer_as_it_was_made(folder: Path) -> None:
    assert load(folder).tokenizer("w3 w9")["input_ids"] == [3, 9]


def test_what_is_sampled_is_what_is_scored(folder: Path) -> None:
    backbone = load(folder)
    keys = [(0, row) for row in range(len(ROWS))]
    for row, answer in zip(ROWS, generate(backbone, ROWS, Sampling(6), keys=keys), strict=True):
        ids = torch.tensor([[*row, *answer.ids]])
        scored = torch.zeros_like(ids, dtype=torch.bool)
        scored[:, len(row) :] = True
        with torch.no_grad():
            again, _ = token_logprobs(backbone, ids, torch.ones_like(ids), scored)
        torch.testing.assert_close(again, torch.tensor(answer.logprobs), atol=2e-4, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft still asks for it
def test_an_adapter_learns_and_is_read_back_merged_and_by_peft(folder: Path, tmp_path: Path) -> None:
    backbone = load(folder)
    backbone.add_adapter("policy", rank=2, alpha=4, seed=1)
    parameters = backbone.parameters_of("policy")
    optimiser = torch.optim.AdamW(parameters, lr=0.05)
    ids, mask = right_padded(ROWS)
    scored = mask.bool()
    scored[:, 0] = False
    losses = []
    for _ in range(4):
        with backbone.role("policy"):
            loss = -token_logprobs(backbone, ids, mask, scored)[0].mean()
            torch.autograd.backward(loss)
        assert all(parameter.grad is not None for parameter in parameters)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.01
    with torch.no_grad(), backbone.role("policy"):
        expected = backbone.logits(backbone.hidden_states(ids[:1], mask[:1]))

    backbone.save_merged("policy", tmp_path / "merged")
    torch.testing.assert_close(logits_of(tmp_path / "merged", ids[:1]), expected, atol=1e-3, rtol=1e-3)
    backbone.save_adapter("policy", tmp_path / "adapter", base=str(folder))
    whole = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        by_peft = peft.PeftModel.from_pretrained(whole, tmp_path / "adapter").eval()(ids[:1]).logits
    torch.testing.assert_close(by_peft, expected, atol=1e-3, rtol=1e-3)


def test_all_weights_learn_and_are_read_back(folder: Path, tmp_path: Path) -> None:
    backbone = load(folder)
    backbone.model.requires_grad_(True)
    optimiser = torch.optim.SGD(backbone.model.parameters(), lr=0.05)
    ids, mask = right_padded(ROWS)
    scored = mask.bool()
    scored[:, 0] = False
    torch.autograd.backward(-token_logprobs(backbone, ids, mask, scored)[0].mean())
    optimiser.step()
    with torch.no_grad():
        expected = backbone.logits(backbone.hidden_states(ids[:1], mask[:1]))
    assert not torch.allclose(expected, logits_of(folder, ids[:1]), atol=1e-3)
    backbone.save_merged(None, tmp_path)
    torch.testing.assert_close(logits_of(tmp_path, ids[:1]), expected, atol=1e-3, rtol=1e-3)


def test_a_whole_reward_model_is_a_sequence_classification_of_the_family(folder: Path, tmp_path: Path) -> None:
    backbone = Backbone.load(folder, device=CPU, dtype=torch.float32, language_head=False)
    head = ScalarHead(backbone.hidden_size, seed=1)
    head.gain.fill_(0.5)
    head.offset.fill_(-2.0)
    config = read_config("reward_model", {"model": "m", "reward_set": "r", "method": "full"})
    model = RewardModel(backbone, head, adapter=None, tokens_per_microbatch=64)
    reward_output.save(Job(tmp_path, "reward_model", config), model, Codec(backbone.tokenizer))  # and reads it back

    about = json.loads((tmp_path / "output" / "podium.json").read_text())
    ids, mask = right_padded(ROWS)
    classifier = AutoModelForSequenceClassification.from_pretrained(tmp_path / "output").eval()
    with torch.no_grad():
        logits = classifier(input_ids=ids, attention_mask=mask).logits[:, 0]
    expected = model(ROWS, [1] * len(ROWS))
    torch.testing.assert_close(logits + about["score_minus_logit"], expected, atol=1e-4, rtol=1e-4)


def test_the_arithmetic_counts_its_matrices(folder: Path) -> None:
    backbone = load(folder)
    work = Work.of(backbone)
    matrices = sum(p.numel() for p in backbone.model.parameters() if p.ndim == 2)
    embeddings = sum(m.weight.numel() for m in backbone.model.modules() if isinstance(m, torch.nn.Embedding))
    assert work.weights + (0 if backbone.model.config.tie_word_embeddings else work.head) == matrices - embeddings
