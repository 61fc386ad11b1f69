"""The arithmetic that a workload's real tokens need, by phase: `workers.training.floor`, for either side."""

from benchmarks.training.shared import LORA, MODELS, PPO, Measured, Workload
from workers.training.floor import Floor, Work


def work_of(model: str) -> Work:
    """What a forward of one of the benchmark's models costs."""
    shape = MODELS[model]
    layer = 2 * shape["hidden"] * (shape["hidden"] + _keys(shape)) + 3 * shape["hidden"] * shape["feed_forward"]
    return Work(layer * shape["layers"], shape["layers"] * shape["hidden"], shape["vocabulary"] * shape["hidden"])


def _keys(shape: dict[str, int]) -> int:
    """Width of all keys."""
    return shape["hidden"] // shape["heads"] * shape.get("key_heads", shape["heads"])


def adapter_of(model: str) -> int:
    """Weights of a LoRA adapter on all linear layers of it."""
    shape = MODELS[model]
    widths = 6 * shape["hidden"] + 2 * _keys(shape) + 3 * (shape["hidden"] + shape["feed_forward"])
    return LORA["rank"] * shape["layers"] * widths


def seconds(workload: Workload, run: Measured, *, full_critic: bool = False) -> dict[str, float]:
    """The least seconds of each phase that was measured, at the rate of this run's own large matrix product."""
    work, adapter, rate = work_of(workload.model), adapter_of(workload.model), run.gflops * 1e9
    whole, at_head = [row[0] for row in run.lengths], [row[1] for row in run.lengths]
    if workload.kind != "ppo":
        # Backward: as much again where weights are frozen, twice as much where they learn.
        passes = 2.0 if workload.lora else 3.0
        forward = work.forward(whole, sum(at_head), adapter=adapter if workload.lora else 0)
        return {"training": passes * forward / rate}
    ours = run.side == "ours"
    own_critic = not ours or "critic" not in workload.ours
    epochs = workload.ours.get("epochs", PPO["epochs"]) if ours else PPO["epochs"]
    floor = Floor.of(
        work, rate, [a - b for a, b in run.lengths], at_head, adapter=adapter,
        critic_adapter=(0 if full_critic else adapter) if own_critic else None, reward_models=[work],
        epochs=epochs,
    )  # fmt: skip
    update, scoring = floor.update, floor.scoring
    if full_critic:
        update += PPO["epochs"] * work.forward(whole) / rate
    if not ours:  # TRL takes the old log-probabilities from the sampler
        scoring -= work.forward(whole, sum(at_head), adapter=adapter) / rate
    return {"rollout": floor.rollout, "scoring": scoring, "update": update}
