"""The two roles that PPO trains on one backbone, policy and critic: parameters, forward passes, optimisers. Knows no
objective.

The policy is a LoRA adapter. The critic is one of three: another adapter with a scalar head, trained by gradient; a
linear function of the hidden states of the reward model or of the reference, which never change, fitted by least
squares (`linear_critic`); or absent (REINFORCE). Each optimiser steps its own role's parameters and no others.
"""

from typing import Any

import torch
from torch import Tensor, nn

from backend.domain.training import PPOConfig
from backend.errors import Invalid
from workers.training import state as saved_state
from workers.training.backbone import Backbone
from workers.training.batches import Layout
from workers.training.heads import ScalarHead
from workers.training.linear_critic import LinearCritic
from workers.training.logprobs import state_logprobs
from workers.training.ranks import Ranks
from workers.training.scoring import RewardModel
from workers.training.tallies import Tally

POLICY, VALUE = "policy", "value"
ADAM_EPS = 1e-5
"""With 1e-8 a gradient of 1e-6 moves a parameter a full learning rate (Huang et al. 2024, arXiv:2403.17031)."""


class ActorCritic:
    """Policy and critic of a run. Earlier policies can be kept under a name, to fall back to."""

    def __init__(
        self, config: PPOConfig, backbone: Backbone, reward_model: RewardModel | None, *, seed: int, ranks: Ranks
    ) -> None:
        self.config, self.backbone, self.ranks = config, backbone, ranks
        backbone.add_adapter(POLICY, rank=config.lora_rank, alpha=config.lora_alpha, seed=seed)
        self.policy = backbone.parameters_of(POLICY)
        self.kept: dict[str, list[Tensor]] = {}
        self.policy_optimiser = _adam(self.policy, config.policy_learning_rate)
        self.has_critic = config.advantage_estimator == "gae"
        self.critic_reads = reward_model if self.has_critic and config.critic == "reward" else None
        """The reward model whose hidden states a linear critic reads; None: those of the reference."""
        if self.has_critic and config.critic == "reward" and reward_model is None:
            raise Invalid("There is no reward model for the critic to read; choose another critic.", field="critic")
        self.copy_failed = bool(config.copies_reward_model and reward_model and reward_model.adapter is None)
        """Whether the critic was to start as a copy of the reward model and could not."""
        self.critic: list[nn.Parameter] = []
        """Parameters of a critic trained by gradient, adapter and head; empty for the others."""
        self.linear_critic: LinearCritic | None = None
        if self.has_critic and config.critic == "separate":
            self.value_head, self.critic = self._make_critic(reward_model, seed)
            self.value_optimiser = _adam(self.critic, config.value_learning_rate)
        elif self.has_critic:
            self.linear_critic = LinearCritic(self._start_of(self.critic_reads))
        self.bad_steps = self.bad_steps_in_a_row = 0

    def _make_critic(self, reward_model: RewardModel | None, seed: int) -> tuple[ScalarHead, list[nn.Parameter]]:
        """A copy of the reward model predicts, before the first step, what the answer so far would be worth if it were
        whole; a head of zeros predicts 0. Either is better than a random head, whose noise the policy would learn. A
        reward model that trained all its weights cannot be copied.
        """
        config = self.config
        copied = reward_model if config.copies_reward_model and not self.copy_failed else None
        head = copied.head.copy() if copied else ScalarHead(self.backbone.hidden_size, zero=True)
        head.to(self.backbone.device).requires_grad_(True)
        if copied and copied.adapter is not None:
            self.backbone.copy_adapter(copied.adapter, VALUE)
        else:
            self.backbone.add_adapter(VALUE, rank=config.lora_rank, alpha=config.lora_alpha, seed=seed + 1)
        return head, [*self.backbone.parameters_of(VALUE), *head.parameters()]

    @torch.no_grad()
    def _start_of(self, reward_model: RewardModel | None) -> Tensor:
        """(d + 1,): first weights and bias of a linear critic: the reward model's own head, or zeros."""
        if reward_model is None or self.config.value_init == "zero":
            size = (reward_model.backbone if reward_model else self.backbone).hidden_size
            return torch.zeros(size + 1, device=self.backbone.device)
        head = reward_model.head
        return torch.cat((head.weight[0] * head.gain, head.bias * head.gain + head.offset))

    # -- forward --------------------------------------------------------------------------------------------------

    def states(self, role: str | None, layout: Layout) -> Tensor:
        """(N, d): the hidden state before each answer token, under a role (None: the reference)."""
        with self.backbone.role(role):
            if layout.packed is not None:
                return self.backbone.packed_hidden_states(layout.packed, layout.before)
            return self.backbone.hidden_states(layout.ids).flatten(0, 1).index_select(0, layout.before)

    def logprobs(self, states: Tensor, layout: Layout, *, entropy_gradient: bool = False) -> tuple[Tensor, Tensor]:
        """Log-probabilities of the answer tokens (N,) and entropies (N,), at the sampling temperature."""
        return state_logprobs(
            self.backbone,
            states,
            layout.tokens,
            temperature=self.config.temperature,
            entropy_gradient=entropy_gradient,
        )

    def values(self, layout: Layout) -> Tensor:
        """(N,): V(s_t) of a critic trained by gradient, before each answer token."""
        return self.value_head(self.states(VALUE, layout))  # type: ignore[no-any-return]

    # -- optimisers -----------------------------------------------------------------------------------------------

    def set_learning_rates(self, share: float) -> None:
        """Of both roles, as a share of the configured ones."""
        self.policy_optimiser.param_groups[0]["lr"] = self.config.policy_learning_rate * share
        if self.critic:
            self.value_optimiser.param_groups[0]["lr"] = self.config.value_learning_rate * share

    def optimise(self, tally: Tally) -> None:
        """Step both roles, or neither if a gradient is not finite: it would stay in Adam's moments for good."""
        config, roles = self.config, [(self.policy_optimiser, self.policy, "policy/gradient_norm")]
        if self.critic:
            roles.append((self.value_optimiser, self.critic, "value/gradient_norm"))
        self.ranks.add_gradients([*self.policy, *self.critic])
        norms = [nn.utils.clip_grad_norm_(role[1], config.gradient_clip_norm) for role in roles]
        if bool(torch.isfinite(torch.stack(norms)).all()):
            self.bad_steps_in_a_row = 0
            for (optimiser, _, name), norm in zip(roles, norms, strict=True):
                tally.mean_of(name, norm, 1)
                optimiser.step()
        else:
            self.bad_steps += 1
            self.bad_steps_in_a_row += 1
            if self.bad_steps_in_a_row >= min(config.max_bad_steps, config.iterations * config.minibatches):
                raise Invalid(
                    f"{self.bad_steps_in_a_row} optimiser steps in a row had no finite gradient; "
                    "lower the learning rates or look at the scores.",
                    field="policy_learning_rate",
                )
        self.drop_gradients()

    def drop_gradients(self) -> None:
        """Forget the accumulated gradients."""
        for parameter in [*self.policy, *self.critic]:
            parameter.grad = None

    @torch.no_grad()
    def keep_policy(self, name: str) -> None:
        """Remember the policy as it is now, for `fall_back`."""
        self.kept[name] = [parameter.detach().clone() for parameter in self.policy]

    @torch.no_grad()
    def fall_back(self, name: str) -> None:
        """Make the policy what it was when it was kept under this name; unchanged if none was."""
        for kept, parameter in zip(self.kept.get(name, self.policy), self.policy, strict=True):
            parameter.copy_(kept)

    # -- save and resume ------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and numbers from which `restore` goes on bit for bit."""
        tensors = saved_state.parameter_tensors(self.policy, "policy/")
        for name, kept in self.kept.items():
            tensors |= saved_state.parameter_tensors(kept, f"kept/{name}/")
        tensors |= saved_state.optimiser_tensors(self.policy_optimiser, "policy_optimiser/")
        if self.linear_critic:
            tensors |= {f"critic/{name}": tensor for name, tensor in self.linear_critic.state().items()}
        if self.critic:
            tensors |= saved_state.parameter_tensors(self.critic, "critic/")
            tensors |= saved_state.optimiser_tensors(self.value_optimiser, "value_optimiser/")
        scalars = {"bad_steps": self.bad_steps, "bad_steps_in_a_row": self.bad_steps_in_a_row, "kept": [*self.kept]}
        return tensors, scalars

    def restore(self, tensors: dict[str, Tensor], scalars: dict[str, Any]) -> None:
        """The opposite of `state`."""
        self.drop_gradients()
        saved_state.load_parameters(self.policy, tensors, "policy/")
        self.kept = {}
        for name in scalars["kept"]:
            self.keep_policy(name)
            saved_state.load_parameters(self.kept[name], tensors, f"kept/{name}/")
        saved_state.load_optimiser(self.policy_optimiser, tensors, "policy_optimiser/")
        if self.linear_critic:
            self.linear_critic.restore({name: tensors[f"critic/{name}"] for name in self.linear_critic.state()})
        if self.critic:
            saved_state.load_parameters(self.critic, tensors, "critic/")
            saved_state.load_optimiser(self.value_optimiser, tensors, "value_optimiser/")
        self.bad_steps, self.bad_steps_in_a_row = scalars["bad_steps"], scalars["bad_steps_in_a_row"]


def _adam(parameters: list[nn.Parameter], learning_rate: float) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        parameters, lr=learning_rate, betas=(0.9, 0.999), eps=ADAM_EPS, weight_decay=0.0, fused=True
    )
