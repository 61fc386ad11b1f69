"""Steps captured and replayed. A tape stands in for a CUDA graph: operations with the addresses and numbers of the one
time that they were recorded, and nothing else.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import Qwen3Config, Qwen3ForCausalLM

from tests.workers.training.tiny import backbone_of, shake, tokenizer_of
from workers.training import fused, generation
from workers.training.backbone import Backbone
from workers.training.generation import Answer, Sampling, _Running, generate
from workers.training.graphs import Graphs

PADDED: list[Sequence[int]] = [[5, 6, 7], [3, 4, 5, 6, 7, 8, 9], [11], [12, 13, 14], [20, 21], [9, 8, 7, 6, 5]] * 2
EVEN: list[Sequence[int]] = [[3 + row, 4 + row, 5 + row] for row in range(12)]
WAITS = ("item", "_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "_unique2", "unique_dim")
"""Operations that a GPU must have finished before the host goes on, or whose shapes it alone knows."""


class Tape(TorchDispatchMode):
    """What is done within, to be done again to the same memory."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masked = name.startswith("index") and any(
            isinstance(one, torch.Tensor) and one.dtype == torch.bool for one in tree_leaves(args[1:2])
        )
        if name in WAITS or masked:
            raise RuntimeError(f"{name} while capturing")
        out = func(*args, **(kwargs or {}))
        self.done.append((func, args, kwargs or {}, out))
        return out

    def replay(self) -> None:
        for func, args, kwargs, before in self.done:
            for old, new in zip(tree_leaves(before), tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class Taped(Graphs):
    """A CPU's graphs, and how many were made and replayed."""

    def __init__(self, spoil: Callable[[Tape], object] = lambda tape: None) -> None:
        super().__init__(torch.device("cpu"))
        self.spoil = spoil
        self.tapes: list[Tape] = []

    def aside(self, step: Callable[[], object]) -> None:
        step()

    def capture(self, step: Callable[[], object]) -> Any:
        """Unlike a GPU, a tape takes the step while it is captured; what that did to what is kept is put back."""
        running = step.__self__  # type: ignore[attr-defined]
        kept = [running.token, running.running, running.column, running.tokens, running.logprobs]
        was = [one.clone() for one in kept]
        with Tape() as tape:
            step()
        for one, value in zip(kept, was, strict=True):
            one.copy_(value)
        for layer in running.cache.layers:  # what the step wrote there, it must write again
            layer.keys.index_fill_(2, running.column, 0)
            layer.values.index_fill_(2, running.column, 0)
        self.spoil(tape)
        self.tapes.append(tape)
        return tape


def small(family: str) -> Backbone:
    if family != "qwen3":
        backbone = backbone_of(family)
    else:
        torch.manual_seed(0)
        config = Qwen3Config(
            vocab_size=29, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=1, head_dim=16, max_position_embeddings=96, initializer_range=0.2, pad_token_id=0,
            eos_token_id=1, bos_token_id=None,
        )  # fmt: skip
        backbone = Backbone(Qwen3ForCausalLM(config), tokenizer_of(29))
    backbone.llama = None  # a GPU computes with transformers' layers
    backbone.add_adapter("policy", rank=4, alpha=8, seed=1)
    shake(backbone, "policy", 2)
    return backbone


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "LEAST_REPLAYED", 2)
    monkeypatch.setattr(generation, "READ_AT_ONCE", 16)
    monkeypatch.setitem(generation.LOOK_EVERY, "cpu", 4)


def said(backbone: Backbone, prompts: list[Sequence[int]], graphs: Graphs | None, **settings: Any) -> list[Answer]:
    backbone.graphs = graphs
    sampling = settings.pop("sampling", Sampling(40))
    keys = [(7, row) for row in range(len(prompts))]
    return generate(backbone, prompts, sampling, adapter="policy", keys=keys, **settings)


def assert_same(mine: list[Answer], theirs: list[Answer]) -> None:
    assert [(one.ids, one.finish_reason) for one in mine] == [(one.ids, one.finish_reason) for one in theirs]
    for one, other in zip(mine, theirs, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


@pytest.mark.parametrize("prompts", [PADDED, EVEN], ids=["padded", "even"])
@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen3"])
def test_replayed_steps_write_the_same_answers(
    family: str, prompts: list[Sequence[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also as rows end and leave, as the cache fills, and with anything in fresh memory."""
    monkeypatch.setattr(torch.Tensor, "new_empty", lambda one, *size: one.new_full(size, torch.nan))
    backbone, graphs = small(family), Taped()
    eager = said(backbone, prompts, None, stop_ids=[1, 2])
    assert_same(said(backbone, prompts, graphs, stop_ids=[1, 2]), eager)
    assert len({len(one.ids) for one in eager}) > 4
    assert graphs.used and not graphs.why_not and len(graphs.tapes) > 3


def test_replayed_in_every_way_to_draw() -> None:
    backbone, graphs = small("llama"), Taped()
    for merge, sampling in ((True, Sampling(12, temperature=0.0)), (False, Sampling(12, 0.8, top_k=9, top_p=0.9))):
        settings: dict[str, Any] = {"sampling": sampling, "merge": merge, "tokens_per_microbatch": 60}
        assert_same(said(backbone, PADDED[:4], graphs, **settings), said(backbone, PADDED[:4], None, **settings))
    assert graphs.used and not graphs.why_not


def without(name: str) -> Callable[[Tape], object]:
    def spoil(tape: Tape) -> None:
        kept = [one for one in tape.done if one[0].overloadpacket.__name__ != name]
        assert len(kept) < len(tape.done)
        tape.done = kept

    return spoil


def raising(error: Exception) -> Callable[[Tape], object]:
    def spoil(tape: Tape) -> None:
        raise error

    return spoil


@pytest.mark.parametrize(
    ("spoil", "why", "captured"),
    [
        # The first replay has the right place, whoever moves it on.
        (without("add_"), "gave something else", 1),
        (without("index_copy_"), "gave something else", 1),
        (without("index_put_"), "gave something else", 1),
        (raising(RuntimeError("operation not permitted\nwhen stream is capturing")), "operation not permitted.", 0),
    ],
)
def test_what_cannot_be_replayed_is_drawn_without_and_says_so(
    spoil: Callable[[Tape], object], why: str, captured: int, capfd: pytest.CaptureFixture[str]
) -> None:
    backbone, graphs = small("gpt2"), Taped(spoil)
    eager = said(backbone, PADDED, None, sampling=Sampling(12))
    for _ in range(2):
        assert_same(said(backbone, PADDED, graphs, sampling=Sampling(12)), eager)
    assert why in graphs.why_not + "." and not graphs.used and len(graphs.tapes) == captured
    assert capfd.readouterr().err.count("without CUDA graphs") == 1
    assert [(one.step, one.rule) for one in graphs.warnings(3)] == [(3, "graphs")] and not [*graphs.warnings(4)]


def test_memory_that_runs_out_is_no_reason_against_it() -> None:
    backbone, graphs = small("gpt2"), Taped(raising(torch.OutOfMemoryError("CUDA out of memory")))
    with pytest.raises(torch.OutOfMemoryError):
        said(backbone, PADDED, graphs)
    assert not graphs.why_not


def test_what_need_not_or_cannot_be_captured_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, graphs = small("gpt2"), Taped()
    monkeypatch.setattr(generation, "LEAST_REPLAYED", 13)
    said(backbone, PADDED, graphs, sampling=Sampling(12))
    assert not graphs.tapes and not graphs.why_not
    backbone.model.is_quantized = True
    said(backbone, PADDED, graphs, sampling=Sampling(13))
    assert not graphs.tapes and "quantised" in graphs.why_not
    backbone.model.is_quantized, backbone._takes_masks, graphs = False, False, Taped()
    said(backbone, PADDED, graphs, sampling=Sampling(13))
    assert not graphs.tapes and "masks" in graphs.why_not


class Elsewhere(TorchDispatchMode):
    """Refuses what comes to lie on the CPU."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if any(isinstance(one, torch.Tensor) and one.device.type != "meta" for one in tree_leaves(out)):
            raise RuntimeError(f"{func} leaves the GPU")
        return out


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen3"])
def test_a_step_never_leaves_the_gpu(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On tensors without content, which say where they would lie and in which precision, and cannot be looked at."""
    monkeypatch.setattr(fused, "NATIVE", {"meta"})
    backbone = small(family)
    running = _Running(backbone, PADDED, Sampling(12), [(0, row) for row in range(12)], None)
    backbone.model.to(torch.bfloat16).to("meta")
    for name, value in vars(running).items():
        if isinstance(value, torch.Tensor):
            setattr(running, name, value.to("meta"))
    backbone.device, backbone.dtype, backbone._takes_masks = running.ids.device, torch.bfloat16, True
    with torch.inference_mode(), Elsewhere():
        running._write(running._forward(running.ids, 0), 0)
        running.shape = (12, 16)
        running._fix(7)
        running._step()
    assert running.state.shape == (12, 32) and running.state.dtype == torch.bfloat16
    assert running.logprobs.dtype == torch.float32
