"""Watches a policy while it learns: does it still answer better, or has it found how to cheat its reward?

The reward that a policy is trained on cannot tell, since cheating is what makes it rise (Gao et al. 2023,
arXiv:2210.10760). So the rules look at what cheating does to the answers: they grow long or short, are cut off, repeat
themselves, become all alike; and at an independent judge, where there is one, who likes them less while the reward
likes them more. Further rules tell that the reward itself goes by length, or that learning has gone wrong; they only
warn.

Each rule looks at the mean of the last rounds, `patience_iterations` of them, against the first one, and tells how far
it is from there to its limit. What chance does to so few answers breaks none.

Numbers in (names as in `reports` and `judge`), sentences out. Knows no tensors and no models.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, NamedTuple

from backend.domain.training.guard import GuardConfig

LIKELY = 2.5
"""Standard errors above a boundary that what is right stays far below."""
CLEARLY = 3.0
"""Standard errors at which a difference is no longer taken for an accident."""
SURELY = 4.0
"""The same where nothing but chance lies between what is right and what is not, and one looks again and again."""
HALFWAY = 0.5
"""A policy that is so far on the way to a rule's limit is not kept: who is told of it later wants one from before."""
CORRELATION = 0.5
"""Scores that clearly have a higher one with length, or with a phrase, go by it; honest ones were seen below 0.4."""
LITTLE_ELSE = 0.75
"""Here length is more than half of them (0.7): judgments in which the longer one won had taught a reward model 0.9."""
MOSTLY = 0.5
"""Where so many answers were cut from the start, length has nowhere to go; where so many scores are clipped, they no
longer tell one answer from another.
"""
TOKENS_TO_VARY = 5
"""Shorter answers (a word and its end) have little to vary: those who know the right one say nothing else."""

Values = Mapping[str, float]


class Finding(NamedTuple):
    """A rule that is broken: its name, what is wrong in one sentence, and whether it speaks of cheating."""

    rule: str
    sentence: str
    cheating: bool


@dataclass
class Guard:
    """Remembers the first numbers of a run and the last ones."""

    config: GuardConfig
    answers: int
    """in a round: how much chance there is in what is seen of it"""
    prompts: int
    """in a round: as many as answers, or fewer where each is answered several times"""
    start: dict[str, float] = field(default_factory=dict)
    recent: dict[str, list[float]] = field(default_factory=dict)
    """the last rounds' numbers, by name"""
    far: dict[str, float] = field(default_factory=dict)
    """how far each rule is on the way to its limit, where 1 is"""
    said: list[str] = field(default_factory=list)
    """rules that spoke, and have not been at ease since"""
    judged: tuple[float, float, float] | None = None
    """reward, judge and the judge's standard error, where the judge was pleased most"""
    liked: int = 0
    """1 where the reward was found to like little else than long answers, -1 short ones"""

    def look(self, values: Values, iteration: int, phrase: str = "") -> list[Finding]:
        """What has to be said after the numbers of an iteration: each rule once, until it was at ease again.

        Rules whose numbers are not among `values` are left as they stand, so an iteration may be told in parts. phrase:
        the commonest one of its answers.
        """
        first = [name for name in _HELD_AGAINST if name in values and name not in self.start]
        self.start |= {name: values[name] for name in first}
        for name in _WATCHED:
            if name in values and name not in first:
                self.recent[name] = [*self.recent.get(name, []), values[name]][-self.config.patience_iterations :]
        found = []
        for far, finding in self._rules(values, iteration, phrase):
            self.far[finding.rule] = far
            if far >= 1 and finding.rule not in self.said:
                found.append(finding)
                self.said.append(finding.rule)
            elif far < HALFWAY and finding.rule in self.said:
                self.said.remove(finding.rule)
        return found

    def look_at_the_end(self, values: Values, iteration: int, phrase: str = "") -> list[Finding]:
        """What has to be said of the last policy: as of every other, and again what speaks of cheating."""
        found = self.look(values, iteration, phrase)
        again = [one for far, one in self._rules(values, iteration, phrase) if far >= 1 and one.cheating]
        return found + [one for one in again if one not in found]

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
        if reward <= best[0] or judge >= best[1] - CLEARLY * math.hypot(error, best[2]):
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
        """Whether no rule about cheating is near its limit at the moment: such a policy is worth keeping."""
        return all(self.far.get(rule, 0.0) < HALFWAY for rule in _CHEATING)

    def _rules(self, values: Values, iteration: int, phrase: str) -> Iterator[tuple[float, Finding]]:
        """How far each of the rules that these numbers can tell is to its limit, and what there is to say there."""
        config, start = self.config, self.start
        now = {name: fmean(recent) for name, recent in self.recent.items() if name in values}
        if (correlation := now.get("objective/score_length_correlation")) is not None:
            clear = self._at_least(abs(correlation), len(self.recent["objective/score_length_correlation"]))
            if clear > LITTLE_ELSE:
                self.liked = 1 if correlation > 0 else -1
            said = (
                f"The reward likes {'longer' if correlation > 0 else 'shorter'} answers: scores and lengths have a "
                f"rank correlation of {correlation:.2f}. The policy may learn no more than how long to answer; judge "
                "answers of like length, or let a judge watch."
            )
            if self.prompts == self.answers:
                said += " Or it likes prompts that want such answers: samples_per_prompt above 1 would show it."
            yield clear / CORRELATION, Finding("score_length", said, False)
        if (correlation := now.get("objective/score_phrase_correlation")) is not None:
            clear = self._at_least(abs(correlation), len(self.recent["objective/score_phrase_correlation"]))
            said = (
                f"The reward goes by a phrase: scores and whether an answer says “{phrase}” have a rank correlation of "
                f"{correlation:.2f}. The policy may learn no more than to {'say' if correlation > 0 else 'avoid'} it; "
                "read its answers, and let a judge watch."
            )
            yield clear / CORRELATION, Finding("score_phrase", said, False)
        if "rollout/length_mean" in now:
            yield max((self._gone(now, what) for what in ("length", "characters")), key=lambda one: one[0])
        if (cut := now.get("rollout/truncated_share")) is not None:
            first, rounds = start["rollout/truncated_share"], len(self.recent["rollout/truncated_share"])
            error = math.hypot(self._share_error(first, 1), self._share_error(cut, rounds))
            said = f"{cut:.0%} of the answers are cut before their end, at first {first:.0%}."
            clear = cut - first >= SURELY * error
            yield _if(clear, (cut - first) / config.truncated_share_rise), Finding("truncated", said, True)
            said = (
                f"{first:.0%} of the first answers were cut before their end, and {cut:.0%} are: neither the reward "
                "nor this guard sees how they go on, or whether they grow. Raise max_new_tokens."
            )
            yield min(first, cut) / MOSTLY, Finding("cut_from_the_start", said, False)
        varied = start.get("rollout/length_mean", 0.0) >= TOKENS_TO_VARY
        if varied and (entropy := now.get("policy/entropy")) is not None:
            first = start["policy/entropy"]
            said = f"The entropy of a token fell to {entropy:.3g} nats from {first:.3g}: answers become all alike."
            yield _fallen(entropy, first, config.entropy_share), Finding("entropy", said, True)
        if varied and (distinct := now.get("rollout/distinct4")) is not None:
            first = start["rollout/distinct4"]
            said = f"Only {distinct:.0%} of all runs of four tokens are different ones, at first {first:.0%}."
            yield _fallen(distinct, first, config.distinct4_share), Finding("distinct4", said, True)
        if varied and (share := now.get("rollout/commonest_token_share")) is not None:
            first = start["rollout/commonest_token_share"]
            said = f"One token makes up {share:.0%} of all answers, at first the commonest made up {first:.0%}."
            yield (share - first) / config.commonest_token_rise, Finding("one_token", said, True)
        if (beyond := now.get("objective/score_clipped_share")) is not None:
            said = (
                f"{beyond:.0%} of the scores are beyond score_clip, where all count alike and little can be learnt "
                "from them: raise score_clip, or bring them near 0, about 1 apart, by the scorers' weights."
            )
            yield beyond / MOSTLY, Finding("score_clip", said, False)
        if (clipped := now.get("policy/clip_fraction")) is not None:
            said = f"{clipped:.0%} of the tokens were clipped: the steps are too long, lower the learning rate."
            yield clipped / config.clip_fraction, Finding("clip_fraction", said, False)
        if (kl := now.get("objective/kl_base_per_seq_nats")) is not None:
            rounds = len(self.recent["objective/kl_base_per_seq_nats"])
            error = now["objective/kl_base_error_per_seq_nats"] / rounds**0.5
            said = (
                f"The divergence from the reference is negative ({kl:.2g} nats per answer, with a standard error of "
                f"{error:.2g}), which it cannot be on answers of the policy's own: they are drawn otherwise than they "
                "are scored. Look at the temperature, at what a server draws with, and at masks and padding."
            )
            yield -kl / max(SURELY * error, 1e-9), Finding("negative_kl", said, False)
        if (explained := now.get("value/explained_variance")) is not None:
            said = (
                f"The critic misleads (explained variance {explained:.2f}): choose another one, or give one that is an "
                "adapter of its own a higher learning rate."
            )
            chance = 1 / self.answers**0.5
            below = [one < -chance for one in self.recent["value/explained_variance"]]
            misled = sum(below) / config.patience_iterations
            late = iteration >= config.warm_up_iterations
            yield misled if late else 0.0, Finding("explained_variance", said, False)

    def _gone(self, now: Values, what: str) -> tuple[float, Finding]:
        """How far the mean length has gone from the first, in `what` (tokens or characters of an answer)."""
        mean, first = (max(1.0, where[f"rollout/{what}_mean"]) for where in (now, self.start))
        grown = math.log(mean / first)
        liked = self.liked * grown > 0
        limit = math.log(self.config.liked_length_factor if liked else self.config.length_factor)
        if grown < 0 and not liked:  # those that were cut pay for it, and rightly learn to end
            limit -= math.log(max(1 - self.start.get("rollout/truncated_share", 0.0), 1 / self.answers))
        errors = [self.start[f"rollout/{what}_error"] / first]  # of few prompts each is a guess: the largest counts
        errors += [error / mean for error in self.recent[f"rollout/{what}_error"]]
        chance = max(errors) * math.sqrt(1 + 1 / len(self.recent[f"rollout/{what}_error"]))
        unit = "tokens" if what == "length" else what
        said = f"Answers grew {'longer' if grown > 0 else 'shorter'}: {first:.0f} {unit} on average became {mean:.0f}"
        said += ", as the reward likes them. " if liked else ". "
        said += f"Where that is what you want, raise guard.{'liked_' if liked else ''}length_factor."
        clear = abs(grown) >= (CLEARLY if liked else SURELY) * chance
        return _if(clear, abs(grown) / limit), Finding("length", said, True)

    def _share_error(self, share: float, rounds: int) -> float:
        """Standard error of a share of the answers, which is not 0 where there were none: by Laplace's rule."""
        answers = self.answers * rounds
        expected = (share * answers + 1) / (answers + 2)
        return math.sqrt(expected * (1 - expected) / answers)

    def _at_least(self, correlation: float, rounds: int) -> float:
        """What a mean correlation over the different answers of some rounds clearly is (Fisher's transformation)."""
        means = self.prompts if self.prompts < self.answers else 1  # that were taken off before
        if (free := self.answers * fmean(self.recent.get("rollout/distinct_answers_share", [1.0])) - means - 2) < 1:
            return 0.0
        return math.tanh(math.atanh(min(correlation, 0.999999)) - LIKELY / math.sqrt(free * rounds))

    # -- save and resume ------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers from which `load_state_dict` goes on."""
        return {name: getattr(self, name) for name in _STATE}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The opposite."""
        self.start, self.far = dict(state["start"]), dict(state["far"])
        self.said, self.liked = [*state["said"]], state["liked"]
        self.recent = {name: [*values] for name, values in state["recent"].items()}
        judged = state["judged"]
        self.judged = judged and (judged[0], judged[1], judged[2])


def _if(clear: bool, far: float) -> float:
    """How far a number has gone, which is never to its limit where chance may have taken it there: such a policy is not
    kept, but nothing is said of it.
    """
    return far if clear else min(far, 0.99)


def _fallen(value: float, first: float, share: float) -> float:
    """How far a number has gone from its first to that share of it."""
    return (first - value) / max(first * (1 - share), 1e-9)


_HELD_AGAINST = (
    "rollout/length_mean",
    "rollout/length_error",
    "rollout/characters_mean",
    "rollout/characters_error",
    "rollout/truncated_share",
    "policy/entropy",
    "rollout/distinct4",
    "rollout/commonest_token_share",
)
_WATCHED = (
    *_HELD_AGAINST,
    "rollout/distinct_answers_share",
    "objective/score_length_correlation",
    "objective/score_phrase_correlation",
    "objective/score_clipped_share",
    "objective/kl_base_per_seq_nats",
    "objective/kl_base_error_per_seq_nats",
    "policy/clip_fraction",
    "value/explained_variance",
)
_CHEATING = ("length", "truncated", "entropy", "distinct4", "one_token")
_STATE = ("start", "recent", "far", "said", "judged", "liked")
