"""Who watches a policy while it learns, and what follows from it: when a run ends, and which policy is saved.

The limit of its divergence and the guard may end a run; the policy that nothing speaks against, and the one that the
judge likes best, are kept beside the one that learns.
"""

import math
from collections.abc import Mapping
from typing import Any

from backend.domain.training import PPOConfig
from workers.training.actor_critic import ActorCritic
from workers.training.guard import Finding, Guard

HEALTHY = "healthy"
"""The name under which the last policy is kept that nothing spoke against."""
BEST = "best"
"""The name under which the policy is kept that the judge liked best."""


class Watch:
    """What was found of the policies of a run."""

    def __init__(self, config: PPOConfig, roles: ActorCritic) -> None:
        """roles: who keeps policies, and falls back to them."""
        prompts = config.episodes_per_iteration // config.samples_per_prompt
        self.config, self.roles = config, roles
        self.guard = Guard(config.guard, config.episodes_per_iteration, prompts)
        self.findings: list[Finding] = []
        """What there was to say of the last iteration."""
        self.best: tuple[float, int] | None = None
        """The judge's highest score, and the iteration of the policy that got it."""
        self.stopped = ""
        """Why the run ended before its time: a sentence, or nothing."""
        self.healthy_at = 0
        """How many rounds the policy has learnt from that nothing spoke against."""
        self.gave_way = False
        """Whether it took the place of the last one."""

    def look(self, seen: Mapping[str, float], judged: Mapping[str, float], iteration: int, phrase: str) -> None:
        """At what the answers of the policy are like, and at the judge's numbers, where there are any. The policy is
        kept if nothing speaks against it; where the run must end, the last such one takes its place.
        """
        self.findings = self.guard.look(seen, iteration, phrase)
        if judged:
            self.findings += self.guard.look_at_judgement(
                judged["judge/reward"], judged["judge/score"], judged["judge/score_error"]
            )
        kl, limit = seen["objective/kl_base_per_seq_nats"], self.config.kl_limit_per_seq_nats
        if limit is not None and kl > limit:
            said = f"The divergence from the reference reached {kl:.1f} nats per answer, over the limit of {limit:g}."
            self.findings.append(Finding("kl_limit", said, True))
            self.stopped = said
        elif self.config.guard.action == "stop":
            self.stopped = " ".join(finding.sentence for finding in self.findings if finding.cheating)
        if self.stopped:
            self._give_way()
        elif self.guard.is_healthy():
            self.roles.keep_policy(HEALTHY)
            self.healthy_at = iteration

    def look_at_learning(self, values: Mapping[str, float], iteration: int) -> None:
        """At the numbers of the update."""
        self.findings += self.guard.look(values, iteration)

    def keep_best(self, score: float, iteration: int) -> None:
        """The judge gave the policy this score; one that is no number is worse than all others."""
        if self.best is None or score > self.best[0] or math.isnan(self.best[0]):
            self.best = (score, iteration)
            self.roles.keep_policy(BEST)

    def choose_judged(self) -> None:
        """At the end: the judge's choice takes the place of the policy, where there is a judge."""
        self.findings = []
        if self.best:
            self.roles.fall_back(BEST)

    def choose_healthy(self, seen: Mapping[str, float], iteration: int, phrase: str) -> bool:
        """Without a judge: whether the last policy, whose answers were seen so, had to give way to one that nothing
        speaks against.
        """
        if self.best or self.stopped:
            return False
        self.findings = self.guard.look_at_the_end(seen, iteration, phrase)
        if self.config.guard.action == "stop" and any(finding.cheating for finding in self.findings):
            self._give_way()
        return self.gave_way

    def saved(self, iteration: int) -> int:
        """How many rounds the policy has learnt from that is to be saved, at the end of the run."""
        return self.best[1] if self.best else self.healthy_at if self.gave_way else iteration

    def _give_way(self) -> None:
        self.roles.fall_back(HEALTHY)
        self.gave_way = True

    # -- save and resume ------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Plain values from which `load_state_dict` goes on; the kept policies are saved with the roles."""
        return {"guard": self.guard.state_dict()} | {name: getattr(self, name) for name in _STATE}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The opposite."""
        self.guard.load_state_dict(state["guard"])
        self.best = state["best"] and (state["best"][0], state["best"][1])
        self.stopped, self.healthy_at, self.gave_way = state["stopped"], state["healthy_at"], state["gave_way"]


_STATE = ("best", "stopped", "healthy_at", "gave_way")
