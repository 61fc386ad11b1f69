"""An independent check of a policy: the same held-out prompts are answered every few iterations and scored by a scorer
that the policy was not trained on.

The answers are sampled with the same random numbers each time, so that only the policy changes.

judge/score                         mean score of the answers by the judge
judge/score_error                   its standard error, over prompts; nothing if there is only one
judge/reward                        mean of the same answers' reward scores
judge/kl_base_per_seq_nats          their KL divergence from the reference: the judge's score over its square root is
                                    the frontier of a run (Gao et al. 2023, arXiv:2210.10760)
judge/length_mean                   tokens of an answer
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from workers.training.ranks import ALONE, Ranks
from workers.training.rollouts import Rollouts
from workers.training.scoring import Scorer, scores_among


@dataclass(frozen=True)
class Judge:
    """The scorer, the prompts (ids) it judges on, and every how many iterations."""

    scorer: Scorer
    prompts: Sequence[list[int]]
    every: int
    ranks: Ranks = ALONE

    def numbers(self, batch: Rollouts) -> dict[str, float]:
        """The metrics above for scored answers to the judge's prompts."""
        scores = scores_among(self.ranks, self.scorer, batch.sequences, batch.prompt_lengths)
        return {
            "judge/score": float(scores.mean()),
            "judge/score_error": float(scores.std(correction=1) / len(scores) ** 0.5) if len(scores) > 1 else math.inf,
            "judge/reward": float(batch.raw_scores.mean()),
            "judge/kl_base_per_seq_nats": float(batch.kl.sum(1).mean()),
            "judge/length_mean": float(batch.mask.sum(1).float().mean()),
        }
