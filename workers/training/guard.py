"""Watches a policy while it learns: does it still answer better, or has it found how to cheat its reward?

The reward that a policy is trained on cannot tell, since cheating is what makes it rise (Gao et al. 2023,
arXiv:2210.10760). So the rules look at what cheating does to the answers: they grow long or short, are cut off, repeat
themselves, become all alike; and at an independent judge, where there is one, who likes them less while the reward
likes them more. Two further rules tell that learning itself has gone wrong; they only warn.

Numbers in (names as in `reports` and `judge`), sentences out. Knows no tensors and no models.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from backend.domain.training.guard import GuardConfig

JUDGEMENTS_IN_A_ROW = 3
"""So often in a row the reward must rise while the judge falls."""
CLEARLY = 2.0
"""Standard errors below 0 at which a divergence is no longer taken for an accident, where it stays there."""

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
    start: dict[str, float] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    """rounds in a row, by rule"""
    judged: list[tuple[float, float]] = field(default_factory=list)
    """(reward, judge) of the last evaluations"""

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
        return found

    def look_at_the_end(self, values: Values, iteration: int) -> list[Finding]:
        """What has to be said of the last policy, with which nobody can be patient: each rule about cheating that was
        broken when the run's time was over and still is.
        """
        before = [rule for rule in _CHEATING if self.broken.get(rule)]
        return [found for broken, found in self._rules(values, iteration) if broken and found.rule in before]

    def look_at_judgement(self, reward: float, judge: float) -> list[Finding]:
        """What has to be said after the judge has seen the same answers as the reward."""
        self.judged = [*self.judged, (reward, judge)][-JUDGEMENTS_IN_A_ROW - 1 :]
        steps = list(zip(self.judged, self.judged[1:], strict=False))
        parted = [after[0] > before[0] and after[1] < before[1] for before, after in steps]
        if len(parted) < JUDGEMENTS_IN_A_ROW or not all(parted):
            return []
        (reward_before, judge_before), (reward_now, judge_now) = self.judged[0], self.judged[-1]
        self.judged = self.judged[-1:]
        return [
            Finding(
                "judge",
                f"The reward rose {JUDGEMENTS_IN_A_ROW} times in a row ({reward_before:.2f} to {reward_now:.2f}) while "
                f"the independent judge fell ({judge_before:.2f} to {judge_now:.2f}): the policy is learning what only "
                "its reward model likes.",
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
            first = max(start["rollout/length_p50"], 1.0)
            outside = not first / config.length_factor <= length <= first * config.length_factor
            yield outside, Finding("length", f"The median answer has {length:.0f} tokens, at first {first:.0f}.", True)
        if (cut := values.get("rollout/truncated_share")) is not None:
            first = start["rollout/truncated_share"]
            said = f"{cut:.0%} of the answers are cut before their end, at first {first:.0%}."
            yield cut > first + config.truncated_share_rise, Finding("truncated", said, True)
        if (entropy := values.get("policy/entropy")) is not None:
            first = start["policy/entropy"]
            said = f"The entropy of a token fell to {entropy:.3g} nats from {first:.3g}: answers become all alike."
            yield entropy < config.entropy_share * first, Finding("entropy", said, True)
        if (distinct := values.get("rollout/distinct4")) is not None:
            first = start["rollout/distinct4"]
            said = f"Only {distinct:.0%} of all runs of four tokens are different ones, at first {first:.0%}."
            yield distinct < config.distinct4_share * first, Finding("distinct4", said, True)
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
            said = f"The critic misleads (explained variance {explained:.2f}): give it a higher learning rate."
            late = iteration >= config.warm_up_iterations
            yield late and explained < 0, Finding("explained_variance", said, False)

    # -- save and resume ------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers from which `load_state_dict` goes on."""
        return {"start": self.start, "broken": self.broken, "judged": self.judged}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The opposite."""
        self.start, self.broken = dict(state["start"]), dict(state["broken"])
        self.judged = [(reward, judge) for reward, judge in state["judged"]]


_HELD_AGAINST = ("rollout/length_p50", "rollout/truncated_share", "policy/entropy", "rollout/distinct4")
_CHEATING = ("length", "truncated", "entropy", "distinct4")
