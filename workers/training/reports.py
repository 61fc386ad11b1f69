"""What people see of an iteration of PPO: numbers by name, and a few answers token by token. Changes nothing.

objective/score                     mean score of the answers: the weighted sum of what the scorers gave
                                    (objective/score_of_<name> what each of several scorers gave)
objective/score_used                the same after clipping and the penalty for answers without an end
objective/score_std
objective/score_clipped_share       of answers, whose scores are beyond `score_clip`: all of them count alike
objective/score_length_correlation  rank correlation of scores and lengths, in tokens or in characters, whichever is
                                    stronger, of answers to one prompt where it has several; 1 or -1 would be a reward
                                    that knows no more than how long an answer is
objective/score_phrase_correlation  the same of scores and holding the phrase that is in most answers, which is a run
                                    of four tokens
objective/reward_per_seq            score_used less lambda times the divergence: what is maximised
objective/kl_base_per_seq_nats      divergence from the reference, summed over an answer (k1: unbiased)
objective/kl_base_error_per_seq_nats    standard error of it, over answers
objective/kl_base_per_token_nats    the divergence over tokens
objective/kl_base_k3_per_token_nats    the low-variance estimate of it
objective/lambda_kl                 price of that divergence, for the next iteration
policy/loss  policy/ratio_mean  policy/ratio_max  policy/ratio_min  policy/clip_fraction
policy/entropy                      of the old policy, mean over answer tokens, nats
policy/kl_step_per_token_nats       how far the iteration moved the policy: mean over the last pass; with kl_penalty
                                    after the last update, over all tokens
policy/beta  policy/beta_clamped    price of that step, for the next iteration; how often its bounds held it
policy/gradient_norm  policy/learning_rate  policy/optimiser_steps  policy/epochs  policy/bad_steps
value/loss  value/clip_fraction  value/gradient_norm
value/explained_variance            of the returns, by the critic before its update
value/mean
advantage/std                       before whitening
returns/mean  returns/std
rollout/length_mean  rollout/length_p10  rollout/length_p50  rollout/length_p90
rollout/characters_mean             of an answer's text
rollout/length_error  rollout/characters_error      standard errors of the means, over prompts
rollout/truncated_share             of answers that were cut before their end
rollout/distinct4                   share of all runs of four tokens that are different ones
rollout/distinct_answers_share      of answers, those that are word for word alike counted once
rollout/commonest_phrase_share      of answers that hold it
rollout/commonest_token_share       of the token that is there most often, the ends of answers left out
rollout/sampler_gap_mean_nats  rollout/sampler_gap_max_nats     |log-prob of the sampler - of the training forward|
rollout/sampler_kl_per_token_nats   divergence of what was drawn from, from the policy that learns (k3); with `engine`
                                    also what the canary said (see there) and
engine/weight_mean                  of the tokens' weights, before the cap 1 in expectation
rollout/graphs                      on a GPU: 1 where tokens were drawn by replaying a captured step (see `graphs`)
rollout/tokens_per_s  time/episodes_per_s
time/rollout_s  time/scoring_s  time/judge_s  time/update_s
time/rollout_floor_share  time/scoring_floor_share  time/update_floor_share
                                    least seconds that the arithmetic takes here (see `floor`), over those it took
memory/peak_mib                     of the device; on a CPU of the process
"""

import resource
import sys
from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from backend.domain.training import PPOConfig
from workers.training import rl_math
from workers.training.events import Message, Sample, SampleToken
from workers.training.floor import Floor
from workers.training.rollouts import Rollouts
from workers.training.tokens import Codec

PHASES = ("rollout", "scoring", "update")
RESULT_NAMES = (
    "objective/score",
    "objective/kl_base_per_seq_nats",
    "policy/entropy",
    "rollout/length_mean",
    "rollout/truncated_share",
    "rollout/distinct4",
)
"""Those that describe a policy, and not how it came about."""


def about_answers(batch: Rollouts, texts: Sequence[str], config: PPOConfig) -> dict[str, float]:
    """What can be said of scored answers, which say `texts`, before anything is learnt from them."""
    mask, kl = batch.mask, batch.kl
    lengths = mask.sum(1).float()
    characters = torch.tensor([float(len(text)) for text in texts], device=batch.device)
    phrase = commonest_phrase(batch)
    holds = torch.tensor([float(phrase in _runs(answer.ids)) for answer in batch.answers], device=batch.device)
    scores, each = batch.raw_scores.float(), config.samples_per_prompt
    gap = torch.where(mask, (batch.behaviour_logprobs - batch.old_logprobs).abs(), 0)
    seen = {
        "objective/score": batch.raw_scores.mean(),
        "objective/score_std": batch.raw_scores.std(correction=0),
        "objective/score_used": batch.scores.mean(),
        "objective/score_clipped_share": (scores.abs() > config.score_clip).float().mean(),
        "objective/score_length_correlation": max(
            (_rank_correlation(scores, one, each) for one in (lengths, characters)), key=abs
        ),
        "objective/score_phrase_correlation": _rank_correlation(scores, holds, each),
        "objective/kl_base_per_seq_nats": kl.sum(1).mean(),
        "objective/kl_base_error_per_seq_nats": kl.sum(1).std(correction=0) / max(1, len(batch) - 1) ** 0.5,
        "objective/kl_base_per_token_nats": rl_math.masked_mean(kl, mask),
        "objective/kl_base_k3_per_token_nats": rl_math.masked_mean(rl_math.k3(kl), mask),
        "policy/entropy": rl_math.masked_mean(batch.entropy, mask),
        "rollout/length_mean": lengths.mean(),
        "rollout/length_p10": lengths.quantile(0.1),
        "rollout/length_p50": lengths.quantile(0.5),
        "rollout/length_p90": lengths.quantile(0.9),
        "rollout/commonest_phrase_share": holds.mean(),
        "rollout/length_error": _error(lengths, each),
        "rollout/characters_mean": characters.mean(),
        "rollout/characters_error": _error(characters, each),
        "rollout/truncated_share": batch.cut.float().mean(),
        "rollout/sampler_gap_mean_nats": rl_math.masked_mean(gap, mask),
        "rollout/sampler_gap_max_nats": gap.amax(),
        "rollout/sampler_kl_per_token_nats": rl_math.masked_mean(
            rl_math.k3(batch.behaviour_logprobs - batch.old_logprobs), mask
        ),
    }
    found = {name: float(value) for name, value in seen.items()}
    if len(batch.score_parts) > 1:
        found |= {f"objective/score_of_{name}": float(part.mean()) for name, part in batch.score_parts.items()}
    said = [answer.ids[:-1] if answer.finish_reason == "stop" else answer.ids for answer in batch.answers]
    found["rollout/distinct_answers_share"] = len({answer.ids for answer in batch.answers}) / len(batch)
    found["rollout/distinct4"] = distinct([answer.ids for answer in batch.answers], 4)
    return found | {"rollout/commonest_token_share": commonest(said)}


def about_learning(batch: Rollouts, values: Mapping[str, float]) -> dict[str, float]:
    """What can be said once the policy has learnt from them; `values` are what the update counted itself."""
    mask = batch.mask
    seen: dict[str, Tensor] = {}
    if batch.learnt:
        seen = {
            "objective/reward_per_seq": batch.rewards.sum(1).mean(),
            "returns/mean": rl_math.masked_mean(batch.returns, mask),
            "returns/std": rl_math.masked_variance(batch.returns, mask).sqrt(),
            "advantage/std": rl_math.masked_variance(batch.raw_advantages, mask).sqrt(),
        }
        if batch.weights is not None:
            seen["engine/weight_mean"] = rl_math.masked_mean(batch.weights, mask)
        if "value/loss" in values:
            seen["value/mean"] = rl_math.masked_mean(batch.values, mask)
            seen["value/explained_variance"] = rl_math.explained_variance(batch.values, batch.returns, mask)
    return {name: float(value) for name, value in seen.items()} | dict(values)


def metrics(batch: Rollouts, values: Mapping[str, float]) -> dict[str, float]:
    """All numbers of an iteration: `values`, and what they cost."""
    seconds = [values[f"time/{phase}_s"] for phase in PHASES]
    return {
        **values,
        "rollout/tokens_per_s": float(batch.mask.sum()) / max(seconds[0], 1e-9),
        "time/episodes_per_s": len(batch) / max(sum(seconds), 1e-9),
        "memory/peak_mib": peak_mib(batch.device),
    }


def floor_shares(floor: Floor, values: Mapping[str, float]) -> dict[str, float]:
    """The floor of each phase over the seconds it took; 1 would be a machine that does nothing but multiply."""
    seconds = {phase: max(values[f"time/{phase}_s"], 1e-9) for phase in PHASES}
    return {f"time/{phase}_floor_share": getattr(floor, phase) / seconds[phase] for phase in PHASES}


def samples(batch: Rollouts, step: int, codec: Codec, messages: Sequence[Sequence[Message]]) -> list[Sample]:
    """The first answers, one for each prompt in `messages`."""
    shown = []
    for row, prompt in enumerate(messages):
        answer = batch.answers[row]
        length = len(answer.ids)
        kl = batch.kl[row, :length].tolist()
        value = batch.values[row, :length].tolist()
        advantage = batch.advantages[row, :length].tolist() if batch.learnt else [0.0] * length
        tokens = [SampleToken(*token) for token in zip(codec.pieces(answer.ids), kl, value, advantage, strict=True)]
        values = {
            "score": float(batch.raw_scores[row]),
            "score_used": float(batch.scores[row]),
            "kl": sum(kl),
            "length": float(length),
            "ended": float(answer.finish_reason == "stop"),
        }
        shown.append(Sample(step, prompt, codec.decode(answer.ids), values, tokens))
    return shown


def _error(values: Tensor, each: int) -> Tensor:
    """Standard error of their mean; answers to one prompt, which are alike, count as one where there are others."""
    means = values.view(-1, each).mean(1) if each < len(values) else values
    error: Tensor = means.std(correction=0) / max(1, len(means) - 1) ** 0.5
    return error


def _rank_correlation(a: Tensor, b: Tensor, each: int) -> Tensor:
    """Spearman's, within `each` neighbours where there are several; 0 where one of them is always the same."""
    a, b = (_ranks(one - one.view(-1, each).mean(1).repeat_interleave(each) if each > 1 else one) for one in (a, b))
    a, b = a - a.mean(), b - b.mean()
    size = a.norm() * b.norm()
    return torch.where(size > 0, (a * b).sum() / size.clamp(min=1e-30), 0)


def _ranks(values: Tensor) -> Tensor:
    """From 1; equal ones share theirs."""
    below, not_above = (torch.searchsorted(values.sort().values, values, right=right) for right in (False, True))
    return (below + not_above + 1) / 2


def _runs(ids: Sequence[int], size: int = 4) -> list[tuple[int, ...]]:
    """Of so many tokens."""
    return [tuple(ids[start : start + size]) for start in range(len(ids) - size + 1)]


def distinct(answers: Sequence[Sequence[int]], size: int) -> float:
    """Different runs of `size` tokens over all of them; 1 where there are none."""
    runs = [run for ids in answers for run in _runs(ids, size)]
    return len(set(runs)) / len(runs) if runs else 1.0


def commonest_phrase(batch: Rollouts) -> tuple[int, ...]:
    """The run of four tokens that is in most answers; empty where there is none."""
    counts = Counter(run for answer in batch.answers for run in dict.fromkeys(_runs(answer.ids)))
    return counts.most_common(1)[0][0] if counts else ()


def commonest(answers: Sequence[Sequence[int]]) -> float:
    """The share of all tokens that are the one which is there most often; 0 where there are none."""
    counts = Counter(token for ids in answers for token in ids)
    return max(counts.values()) / counts.total() if counts else 0.0


def peak_mib(device: torch.device) -> float:
    """The most memory that was in use since the start."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
