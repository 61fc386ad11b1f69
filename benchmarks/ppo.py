"""Speed of PPO iterations on this machine, beside the arithmetic they need.

    python -m benchmarks.ppo [--threads 2] [--iterations 6] [--set epochs=1 --set critic=shared ...]

A Llama of about a million parameters with random weights answers random prompts of 10 to 20 tokens in up to 40, a
random reward adapter scores them, and the policy learns; the shape of the demo. Prints one JSON line: episodes per
second, seconds of each phase, and `fraction_of_floor`, the share of the time that the method's matrix products alone
would take at the rate of a large product measured on the spot. The first iteration is not counted.
"""

import argparse
import json
import os
import statistics
import time
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as a run's own process sets it, before torch is loaded

import numpy as np
import torch
from tokenizers import Tokenizer, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from backend.domain.training import PPOConfig
from workers.training import reports
from workers.training.backbone import Backbone, ScalarHead
from workers.training.ppo import PPO
from workers.training.rollouts import Rollouts
from workers.training.scoring import RewardModel

VOCABULARY, HIDDEN, LAYERS, HEADS, FEED_FORWARD = 1024, 128, 4, 4, 344


def gemm_gflops() -> float:
    """The rate of a matrix product large enough to be fast."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    best = 0.0
    for _ in range(8):
        started = time.perf_counter()
        a @ b
        best = max(best, 2 * 1024**3 / (time.perf_counter() - started) / 1e9)
    return best


def required_gflop(batch: Rollouts, config: PPOConfig) -> dict[str, float]:
    """Matrix products of one iteration by phase, adapters not counted; backward of a frozen layer costs one forward."""
    layer = 4 * HIDDEN * HIDDEN + 3 * HIDDEN * FEED_FORWARD
    trunk = head = 0.0
    for sequence, answer in zip(batch.sequences, batch.answers, strict=True):
        size = len(sequence)
        trunk += LAYERS * (2 * layer * size + 2 * HIDDEN * size**2)
        head += 2 * VOCABULARY * HIDDEN * len(answer.ids)
    full = trunk + head
    separate = config.advantage_estimator == "gae" and config.critic == "separate"
    update = config.epochs * (2 * full + (2 * trunk if separate else 0.0))
    scoring = 2 * full + trunk + (trunk if separate else 0.0)
    return {name: value / 1e9 for name, value in (("rollout", full), ("scoring", scoring), ("update", update))}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=6)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of PPOConfig")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    settings: dict[str, Any] = {
        "model": "m", "reward_model": "r", "iterations": arguments.iterations, "kl_limit_per_seq_nats": None,
        "episodes_per_iteration": 128, "max_new_tokens": 40, "policy_learning_rate": 1e-3,
    }  # fmt: skip
    for pair in arguments.set:
        name, _, value = pair.partition("=")
        settings[name] = value if value[:1].isalpha() and value not in ("true", "false", "null") else json.loads(value)
    config = PPOConfig(**settings)
    shape = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=FEED_FORWARD, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=HEADS, max_position_embeddings=256, tie_word_embeddings=True,
        pad_token_id=0, eos_token_id=1, bos_token_id=None,
    )  # fmt: skip
    torch.manual_seed(0)
    words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(VOCABULARY)}, unk_token="w2"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="w0", eos_token="w1", unk_token="w2")
    backbone = Backbone(LlamaForCausalLM(shape), tokenizer)
    backbone.add_adapter("reward", rank=config.lora_rank, alpha=config.lora_alpha, seed=1)
    head = ScalarHead(HIDDEN, seed=1)
    scorer = RewardModel(backbone, head, tokens_per_microbatch=config.tokens_per_microbatch)
    draw = np.random.default_rng(0)
    prompts = [draw.integers(3, VOCABULARY, int(size)).tolist() for size in draw.integers(10, 21, 256)]
    # Any of so many tokens ends an answer, so that their lengths differ as those of real answers do.
    ppo = PPO(config, backbone, scorer, prompts, stop_ids=range(1, 24))

    seen: list[dict[str, float]] = []
    needed: list[dict[str, float]] = []
    processor: list[float] = []
    before = time.process_time()
    for values, batch in ppo.iterations():
        processor.append(time.process_time() - before)
        seen.append(reports.metrics(batch, values))
        needed.append(required_gflop(batch, config))
        before = time.process_time()

    def mean(name: str) -> float:
        return statistics.mean(one[name] for one in seen[1:])

    rate = gemm_gflops()
    phases = {}
    for phase in ("rollout", "scoring", "update"):
        floor = statistics.mean(one[phase] for one in needed[1:]) / rate
        seconds = mean(f"time/{phase}_s")
        phases[phase] = {"seconds": round(seconds, 4), "fraction_of_floor": round(floor / seconds, 3)}
    report = {
        "episodes_per_s": round(config.episodes_per_iteration / sum(one["seconds"] for one in phases.values()), 2),
        "episodes_per_processor_s": round(config.episodes_per_iteration / statistics.mean(processor[1:]), 2),
        "answer_tokens": round(mean("rollout/length_mean"), 1),
        "rollout_tokens_per_s": round(mean("rollout/tokens_per_s")),
        "phases": phases,
        "gemm_gflops": round(rate),
        "peak_mib": round(seen[-1]["memory/peak_mib"]),
        "threads": arguments.threads,
        "iterations": len(seen) - 1,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
