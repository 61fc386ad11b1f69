"""The frozen model and its adapters: padding, dropout, roles, isolation, provenance, files (P1, P8, L1-L4, L7, S1,
R1).
"""

import math
from pathlib import Path

import peft
import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

from backend.errors import Conflict, Invalid, NotFound
from tests.workers.training.tiny import (
    CPU,
    FAMILIES,
    backbone_of,
    folder_of,
    gradient,
    left_padded,
    model_of,
    right_padded,
    shake,
    tokenizer_of,
)  # fmt: skip
from workers.training import backbone as backbones
from workers.training.backbone import Backbone
from workers.training.heads import ScalarHead
from workers.training.masks import additive_mask, is_right_padded, positions_of

ROWS = [[5, 6, 7], [3, 4, 5, 6, 7, 8, 9], [11]]


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_on_either_side_moves_nothing(family: str) -> None:
    backbone = backbone_of(family)
    alone = [backbone.hidden_states(torch.tensor([row]), torch.ones(1, len(row)))[0] for row in ROWS]
    for ids, mask in (right_padded(ROWS), left_padded(ROWS)):
        hidden = backbone.hidden_states(ids, mask)
        for row, expected in enumerate(alone):
            torch.testing.assert_close(hidden[row][mask[row].bool()], expected, atol=1e-5, rtol=1e-5)


def test_positions_count_tokens_only() -> None:
    assert positions_of(torch.tensor([[0, 0, 1, 1, 1], [1, 1, 0, 0, 0]])).tolist() == [[0, 0, 0, 1, 2], [0, 1, 1, 1, 1]]
    assert is_right_padded(torch.tensor([[1, 1, 0], [1, 1, 1]]))
    assert not is_right_padded(torch.tensor([[1, 1, 1], [0, 1, 1]]))


@pytest.mark.parametrize("family", FAMILIES)
def test_no_forward_is_random_even_in_training_mode(family: str) -> None:
    model = model_of(family)
    ids = torch.tensor([ROWS[1]])
    model.train()
    assert not torch.equal(model(ids).logits, model(ids).logits)  # the fixture does have dropout
    Backbone(model, tokenizer_of(29))
    model.train()
    assert torch.equal(model(ids).logits, model(ids).logits)


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_off_is_the_model_bit_for_bit_also_after_an_error(family: str) -> None:
    ids, mask = right_padded(ROWS)
    with torch.no_grad():
        backbone = backbone_of(family)
        original = backbone.model(ids).logits
        torch.testing.assert_close(original, model_of(family).eval()(ids).logits)
        backbone.add_adapter("policy", rank=4, alpha=8, seed=1)
        with backbone.role("policy"):
            fresh = backbone.logits(backbone.hidden_states(ids, mask))
        assert torch.equal(fresh, original)  # B = 0: KL to the reference is exactly 0 at the start (L1)
        shake(backbone, "policy", 2)
        with pytest.raises(RuntimeError, match="inside"), backbone.role("policy"):
            moved = backbone.logits(backbone.hidden_states(ids, mask))
            with pytest.raises(KeyError), backbone.role(None):
                raise KeyError
            again = backbone.logits(backbone.hidden_states(ids, mask))
            raise RuntimeError("inside")
        assert torch.equal(moved, again)
        assert not torch.allclose(moved, original, atol=1e-2)
        assert torch.equal(backbone.logits(backbone.hidden_states(ids, mask)), original)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_are_those_of_autograd_through_merged_weights(family: str) -> None:
    """The fused function against W + scale B A written out."""
    backbone = backbone_of(family)
    backbone.add_adapter("policy", rank=3, alpha=5, seed=1)
    shake(backbone, "policy", 2)
    ids, mask = right_padded(ROWS)
    real = mask.bool()
    with backbone.role("policy"):
        F.cross_entropy(backbone.logits(backbone.hidden_states(ids, mask))[real], ids[real]).backward()
    got = [gradient(p).clone() for p in backbone.parameters_of("policy")]
    plain = model_of(family).eval()
    plain.requires_grad_(False)
    adapter = backbone.adapters["policy"]
    pairs = {path: tuple(p.detach().clone().requires_grad_() for p in pair) for path, pair in adapter.pairs.items()}
    weights = dict(plain.named_parameters())
    for path, (a, b) in pairs.items():
        delta = adapter.scale * (b @ a)
        weights[f"{path}.weight"] = weights[f"{path}.weight"] + (
            delta.t() if backbone.adapters.is_transposed(path) else delta
        )
    logits = torch.func.functional_call(plain, weights, (ids,), {"use_cache": False}).logits
    F.cross_entropy(logits[real], ids[real]).backward()
    expected = [p.grad for pair in pairs.values() for p in pair]
    for mine, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-4)
    assert all(p.grad is None for p in backbone.model.parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_roles_do_not_touch_each_other(family: str) -> None:
    """Two adapters in one joint backward give what each gives on a model of its own (L3), and a step of one leaves the
    other bit for bit (L4).
    """
    ids, mask = right_padded(ROWS)

    def loss(backbone: Backbone, name: str) -> torch.Tensor:
        with backbone.role(name):
            return backbone.hidden_states(ids, mask)[mask.bool()].square().mean()

    def fresh(*names: str) -> Backbone:
        backbone = backbone_of(family)
        for name in names:
            backbone.add_adapter(name, rank=4 if name == "policy" else 2, alpha=8, seed=1)
            shake(backbone, name, len(name))
        return backbone

    joint = fresh("policy", "value")
    (loss(joint, "policy") + loss(joint, "value")).backward()
    for name in ("policy", "value"):
        alone = fresh(name)
        loss(alone, name).backward()
        for mine, theirs in zip(joint.parameters_of(name), alone.parameters_of(name), strict=True):
            assert gradient(mine).abs().max() > 0
            torch.testing.assert_close(mine.grad, theirs.grad)

    before = [p.clone() for p in joint.parameters_of("policy")]
    frozen = joint.fingerprint()
    held = joint.parameters_of("value")
    optimiser = torch.optim.AdamW(held, lr=0.1)
    with joint.role("policy"):  # what is on does not matter to what is stepped
        optimiser.step()
    assert all(torch.equal(p, q) for p, q in zip(before, joint.parameters_of("policy"), strict=True))
    assert all(p is q for p, q in zip(held, joint.parameters_of("value"), strict=True))
    assert joint.fingerprint() == frozen


def test_merged_weights_sample_like_the_adapter_and_leave_the_backbone_alone() -> None:
    for family in FAMILIES:
        backbone = backbone_of(family)
        backbone.add_adapter("policy", rank=4, alpha=8, seed=1)
        shake(backbone, "policy", 2)
        ids, mask = right_padded(ROWS)
        frozen = backbone.fingerprint()
        with torch.no_grad():
            with backbone.role("policy"):
                expected = backbone.hidden_states(ids, mask)[mask.bool()]
            with backbone.adapters.merged("policy"):
                got = backbone.hidden_states(ids, mask)[mask.bool()]
                assert backbone.fingerprint() == frozen
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft still asks for it
def test_files_load_in_transformers_and_peft(family: str, tmp_path: Path) -> None:
    parent = folder_of(tmp_path / "parent", family)
    backbone = Backbone.load(parent, device=CPU, dtype=torch.float32)
    backbone.add_adapter("policy", rank=4, alpha=8, seed=1)
    shake(backbone, "policy", 2)
    ids, mask = right_padded([ROWS[1]])
    with torch.no_grad(), backbone.role("policy"):
        expected = backbone.logits(backbone.hidden_states(ids, mask))
    backbone.save_merged("policy", tmp_path / "merged")
    backbone.save_adapter("policy", tmp_path / "merged" / "adapter")
    with torch.no_grad():
        merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
        torch.testing.assert_close(merged.eval()(ids).logits, expected, atol=1e-4, rtol=1e-4)
        adapted = peft.PeftModel.from_pretrained(
            AutoModelForCausalLM.from_pretrained(parent), tmp_path / "merged" / "adapter"
        )
        torch.testing.assert_close(adapted.eval()(ids).logits, expected, atol=1e-4, rtol=1e-4)
        again = Backbone.load(parent, device=CPU, dtype=torch.float32)
        again.load_adapter("other", tmp_path / "merged" / "adapter")
        with again.role("other"):
            assert torch.equal(again.logits(again.hidden_states(ids, mask)), expected)
    rates = {k: v for k, v in vars(merged.config).items() if "drop" in k and isinstance(v, float)}
    assert 0.3 in rates.values()  # what the model came with is what it leaves with
    assert Backbone.load(tmp_path / "merged", device=CPU, dtype=torch.float32).tokenizer.decode([5]) == "w5"


def test_an_adapter_of_other_weights_is_refused(tmp_path: Path) -> None:
    parent = folder_of(tmp_path / "a", "llama", seed=1)
    other = folder_of(tmp_path / "b", "llama", seed=2)
    backbone = Backbone.load(parent, device=CPU, dtype=torch.float32)
    backbone.add_adapter("reward", rank=4, alpha=8, seed=1)
    backbone.save_adapter("reward", tmp_path / "adapter")
    stranger = Backbone.load(other, device=CPU, dtype=torch.float32)
    assert stranger.digest() != backbone.digest()
    with pytest.raises(Conflict, match="of another model"):
        stranger.load_adapter("reward", tmp_path / "adapter")
    half = Backbone.load(parent, device=CPU, dtype=torch.bfloat16)
    half.load_adapter("reward", tmp_path / "adapter")  # the same weights in another precision are the same model
    assert all(p.dtype == torch.float32 for p in half.parameters_of("reward"))


def test_copied_adapters_share_nothing() -> None:
    backbone = backbone_of("llama")
    backbone.add_adapter("reward", rank=2, alpha=4, seed=1)
    shake(backbone, "reward", 2)
    backbone.copy_adapter("reward", "value")
    pairs = list(zip(backbone.parameters_of("reward"), backbone.parameters_of("value"), strict=True))
    assert all(torch.equal(a, b) and a.data_ptr() != b.data_ptr() for a, b in pairs)
    with pytest.raises(Conflict):
        backbone.add_adapter("value", rank=2, alpha=4, seed=1)
    with pytest.raises(NotFound), backbone.role("policy"):
        pass


def test_padding_never_ends_an_answer() -> None:
    tokenizer = tokenizer_of(29)
    assert Backbone(model_of("llama"), tokenizer).pad_id == 0
    tokenizer.pad_token = "<eos>"
    backbone = Backbone(model_of("llama"), tokenizer)
    assert backbone.stop_ids == (1,) and backbone.pad_id not in backbone.stop_ids
    tokenizer.add_special_tokens({"pad_token": "<added>"})
    assert Backbone(model_of("llama"), tokenizer).pad_id < 29
    tokenizer.pad_token = "<eos>"
    model = model_of("llama")
    model.generation_config.eos_token_id = [7, 1]
    assert Backbone(model, tokenizer).stop_ids == (1, 7)


def test_tokens_that_were_added_to_the_tokenizer_alone_are_refused() -> None:
    tokenizer = tokenizer_of(29)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|turn|>"]})
    assert Backbone(model_of("llama"), tokenizer).vocabulary_size == 29  # which nothing writes
    tokenizer.chat_template = "{% for m in messages %}{{ '<|turn|> ' + m['content'] }}{% endfor %}"
    with pytest.raises(Invalid, match=r"'<\|turn\|>', which the model has no embedding of"):
        Backbone(model_of("llama"), tokenizer)
    assert Backbone(model_of("llama", vocabulary=30), tokenizer).vocabulary_size == 30


def test_what_cannot_be_trained_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"config\.json"):
        Backbone.load(tmp_path, device=CPU, dtype=torch.float32)
    backbone = backbone_of("llama", positions=8)
    with pytest.raises(Invalid, match="longer than the 8"):
        backbone.hidden_states(torch.ones(1, 9).long(), torch.ones(1, 9).long())


def test_scalar_head(tmp_path: Path) -> None:
    head = ScalarHead(4096, seed=3)
    assert abs(float(head.weight.detach().std()) * math.sqrt(4097) - 1) < 0.05
    assert not head.bias.any() and head.weight.dtype == torch.float32
    hidden = torch.randn(5, 4096, generator=torch.Generator().manual_seed(0))
    head.gain.fill_(2.0), head.offset.fill_(-1.0)
    torch.testing.assert_close(head(hidden), 2.0 * (hidden @ head.weight[0]) - 1.0)
    head.save(tmp_path)
    assert torch.equal(ScalarHead.load(tmp_path, device=CPU)(hidden), head(hidden))
    assert head(hidden.bfloat16()).dtype == torch.float32
    assert not ScalarHead(8, zero=True)(torch.randn(3, 8)).any()


def test_logits_of_half_the_precision_are_not_rounded_where_products_can_be_given_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not backbone_of("llama")._wide  # nothing to gain
    monkeypatch.setattr(backbones, "_wide_product", lambda a, b: a.float() @ b.float())  # as CUDA does
    model = model_of("llama").to(torch.bfloat16)
    backbone = Backbone(model, tokenizer_of(29))
    assert backbone._wide
    hidden = (8 * torch.randn(2, 3, 32, generator=torch.Generator().manual_seed(0))).to(torch.bfloat16).requires_grad_()
    weight = model.lm_head.weight.detach()
    exact = torch.nn.functional.linear(hidden.detach().float(), weight.float())
    logits = backbone.logits(hidden)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, exact)
    rounded = weight @ hidden[0, 0].detach()
    assert float((rounded - exact[0, 0]).abs().max()) > 100 * float((logits.detach() - exact).abs().max())
    (gradient,) = torch.autograd.grad(logits.square().sum(), hidden)
    expected = 2 * exact @ weight.float()
    assert float((gradient - expected).abs().max()) < 2e-2 * float(expected.abs().max())


def test_masks_made_here_hide_what_transformers_would() -> None:
    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    none = -torch.inf
    first = [[0, none, none, none], [none, 0, none, none], [none, none, 0, none], [none, none, 0, 0]]
    assert additive_mask(mask, 4, torch.float32)[0, 0].tolist() == first
    assert additive_mask(mask, 1, torch.float32)[:, 0, 0].tolist() == [[none, none, 0, 0], [0, 0, 0, 0]]
    made = additive_mask(torch.ones(3, 21), 2, torch.bfloat16)
    assert made.shape == (3, 1, 2, 21) and made.dtype == torch.bfloat16
    assert all(stride % 8 == 0 for stride in made.stride()[:-1])  # what attention on a GPU takes without a copy
