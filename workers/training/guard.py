"""Watches a policy while it learns: does it still answer better, or has it found how to cheat its reward?

The reward that a policy is trained on cannot tell, since cheating is what makes it rise (Gao et al. 2023,
arXiv:2210.10760). So the rules look at what cheating does to the answers: they grow long or short, are cut off, repeat
themselves, become all alike; and at an independent judge, where there is one, who likes them less while the reward
likes them more. Further rules tell that the reward itself goes by length, or that learning has gone wrong; they only
warn. What chance does to a round of few answers breaks no rule.

Numbers in (names as in `reports` and `judge`), sentences out. Knows no tensors and no models.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from backend.domain.training.guard import GuardConfig

CLEARLY = 2.0
"""Standard errors at which a difference is no longer taken for an accident, where it stays."""
AT_ONCE = 3.0
"""The same where it was seen once only, as the judge's are, who looks seldom."""
LENGTH_CORRELATION = 0.6
"""Scores that clearly have a higher one with length go by length: honest ones were seen below 0.4, those of a reward
model that had learnt from judgments in which the longer answer won above 0.9.
"""
MOSTLY = 0.5
"""Where so many answers were cut from the start, length has nowhere to go."""
TOKENS_TO_VARY = 5
"""Shorter answers (a word and its end) have little to vary: those who know the right one say nothing else."""

Values = Mapping[str, float]


class Finding(NamedTuple):
    """A rule that stayed broken: its name, what is wrong in one sentence, and whether it speaks of cheating."""

    rule: str
    sentence: str
    cheating: bool


@dataclass
class Guard:
    """Remembers the first numbers of a run and how long each rule has been broken."""

    config: GuardConfig
    answers: int
    """in a round: how much chance there is in what is seen of it"""
    start: dict[str, float] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    """rounds in a row, by rule"""
    judged: tuple[float, float, float] | None = None
    """reward, judge and the judge's standard error, where the judge was pleased most"""
    liked: int = 0
    """1 where the reward was found to like long answers, -1 short ones"""

    def look(self, values: Values, iteration: int) -> list[Finding]:
        """What has to be said after the numbers of an iteration: each rule once, when its patience ends.

        Rules whose numbers are not among `values` are left as they stand, so an iteration may be told in parts.
        """
        for name in _HELD_AGAINST:
            if name in values:
                self.start.setdefault(name, values[name])
        found = []
        for broken, finding in self._rules(values, iteration):
            rounds = self.broken[finding.rule] = self.broken.get(finding.rule, 0) + 1 if broken else 0
            if rounds == self.config.patience_iterations:
                found.append(finding)
                if finding.rule == "score_length":
                    self.liked = 1 if values["objective/score_length_correlation"] > 0 else -1
        return found

    def look_at_the_end(self, values: Values, iteration: int) -> list[Finding]:
        """What has to be said of the last policy, with which nobody can be patient: each rule about cheating that was
        broken when the run's time was over and still is.
        """
        before = [rule for rule in _CHEATING if self.broken.get(rule)]
        return [found for broken, found in self._rules(values, iteration) if broken and found.rule in before]

    def look_at_judgement(self, reward: float, judge: float, error: float) -> list[Finding]:
        """What has to be said after the judge has seen the same answers as the reward. error: the judge's standard one.

        One look is enough where it is clear. To wait for several falls in a row would let a judge's noise hide them.
        """
        if not math.isfinite(judge + error):
            return []
        best = self.judged
        if best is None or judge >= best[1]:
            self.judged = (reward, judge, error)
            return []
        if reward <= best[0] or judge >= best[1] - AT_ONCE * math.hypot(error, best[2]):
            return []
        self.judged = (reward, judge, error)  # said; only what is worse still is said again
        return [
            Finding(
                "judge",
                f"The reward rose ({best[0]:.2f} to {reward:.2f}) while the independent judge fell ({best[1]:.2f} to "
                f"{judge:.2f}): the policy is learning what only its reward model likes.",
                True,
            )
        ]

    def is_healthy(self) -> bool:
        """Whether no rule about cheating is broken at the moment: such a policy is worth keeping."""
        return not any(self.broken.get(rule) for rule in _CHEATING)

    def _rules(self, values: Values, iteration: int) -> Iterator[tuple[bool, Finding]]:
        """Whether each of the rules that these numbers can tell is broken, and what there is to say then."""
        config, start = self.config, self.start
        if (length := values.get("rollout/length_p50")) is not None:
            # Of answers either short or long the median jumps, and the mean where a few never end: both must have gone.
            ratios = [values[name] / max(start[name], 1.0) for name in ("rollout/length_p50", "rollout/length_mean")]
            longer = config.liked_length_factor if self.liked > 0 else config.length_factor
            shorter = config.liked_length_factor if self.liked < 0 else config.length_factor
            outside = min(ratios) >= longer or max(ratios) <= 1 / shorter
            said = f"The median answer has {length:.0f} tokens, at first {start['rollout/length_p50']:.0f}"
            said += f"; the reward likes {'longer' if self.liked > 0 else 'shorter'} ones." if self.liked else "."
            yield outside, Finding("length", said, True)
        if (cut := values.get("rollout/truncated_share")) is not None:
            first = start["rollout/truncated_share"]
            rise = config.truncated_share_rise + CLEARLY * math.hypot(self._share_error(first), self._share_error(cut))
            said = f"{cut:.0%} of the answers are cut before their end, at first {first:.0%}."
            yield cut > first + rise, Finding("truncated", said, True)
            said = (
                f"{first:.0%} of the first answers were cut before their end, and {cut:.0%} are: neither the reward "
                "nor this guard sees how they go on, or whether they grow. Raise max_new_tokens."
            )
            yield min(first, cut) > MOSTLY, Finding("cut_from_the_start", said, False)
        varied = start.get("rollout/length_mean", 0.0) >= TOKENS_TO_VARY
        if varied and (entropy := values.get("policy/entropy")) is not None:
            first = start["policy/entropy"]
            said = f"The entropy of a token fell to {entropy:.3g} nats from {first:.3g}: answers become all alike."
            yield entropy < config.entropy_share * first, Finding("entropy", said, True)
        if varied and (distinct := values.get("rollout/distinct4")) is not None:
            first = start["rollout/distinct4"]
            said = f"Only {distinct:.0%} of all runs of four tokens are different ones, at first {first:.0%}."
            yield distinct < config.distinct4_share * first, Finding("distinct4", said, True)
        if varied and (share := values.get("rollout/commonest_token_share")) is not None:
            first = start["rollout/commonest_token_share"]
            said = f"One token makes up {share:.0%} of all answers, at first the commonest made up {first:.0%}."
            yield share > first + config.commonest_token_rise, Finding("one_token", said, True)
        if (correlation := values.get("objective/score_length_correlation")) is not None:
            liked = "longer" if correlation > 0 else "shorter"
            said = (
                f"The reward likes {liked} answers: scores and lengths have a correlation of {correlation:.2f}. The "
                "policy may learn no more than how long to answer; judge answers of like length, or let a judge watch."
            )
            yield self._at_least(abs(correlation)) > LENGTH_CORRELATION, Finding("score_length", said, False)
        if (clipped := values.get("policy/clip_fraction")) is not None:
            said = f"{clipped:.0%} of the tokens were clipped: the steps are too long, lower the learning rate."
            yield clipped > config.clip_fraction, Finding("clip_fraction", said, False)
        kl, error = (values.get(f"objective/kl_base_{name}per_seq_nats") for name in ("", "error_"))
        if kl is not None and error is not None:
            said = (
                f"The divergence from the reference is negative ({kl:.2g} nats per answer, with a standard error of "
                f"{error:.2g}), which it cannot be on answers of the policy's own: they are drawn otherwise than they "
                "are scored. Look at the temperature, at what a server draws with, and at masks and padding."
            )
            yield kl < -CLEARLY * error, Finding("negative_kl", said, False)
        if (explained := values.get("value/explained_variance")) is not None:
            said = (
                f"The critic misleads (explained variance {explained:.2f}): choose another one, or give one that is an "
                "adapter of its own a higher learning rate."
            )
            late = iteration >= config.warm_up_iterations
            yield late and explained < 0, Finding("explained_variance", said, False)

    def _share_error(self, share: float) -> float:
        """Standard error of a share of the answers, which is not 0 where there were none: by Laplace's rule."""
        expected = (share * self.answers + 1) / (self.answers + 2)
        return math.sqrt(expected * (1 - expected) / self.answers)

    def _at_least(self, correlation: float) -> float:
        """What a correlation over the answers of a round clearly is (Fisher's transformation)."""
        if self.answers < 4:
            return 0.0
        return math.tanh(math.atanh(min(correlation, 0.999999)) - CLEARLY / math.sqrt(self.answers - 3))

    # -- save and resume ------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers from which `load_state_dict` goes on."""
        return {"start": self.start, "broken": self.broken, "judged": self.judged, "liked": self.liked}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The opposite."""
        self.start, self.broken, self.liked = dict(state["start"]), dict(state["broken"]), state["liked"]
        judged = state["judged"]
        self.judged = judged and (judged[0], judged[1], judged[2])


_HELD_AGAINST = (
    "rollout/length_p50",
    "rollout/length_mean",
    "rollout/truncated_share",
    "policy/entropy",
    "rollout/distinct4",
    "rollout/commonest_token_share",
)
_CHEATING = ("length", "truncated", "entropy", "distinct4", "one_token")
