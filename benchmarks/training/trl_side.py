"""TRL's side of a workload, for TRL's own Python: it prints one line, as our side does.

    TRL_PYTHON trl_side.py FOLDER WORKLOAD [--steps N] [--per-step N] [--threads N] [--seed N] [--critic lora]

TRL is given the settings that favour it most while the work stays the same: float32, no gradient checkpointing (its
default costs a third), the loss that leaves masked tokens out of the vocabulary projection (its default), its fused
AdamW, nothing saved or reported but the loss, the whole batch at once. Rows come in one order on both sides, so that
losses can be compared step by step; TRL pads them to the longest of a batch.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.update(
    HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false", HF_DATASETS_OFFLINE="1",
    HF_DATASETS_DISABLE_PROGRESS_BARS="1", TRL_EXPERIMENTAL_SILENCE="1",
)  # fmt: skip

import shared
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from shared import LORA, Mark, Measured, Workload
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class Timer(TrainerCallback):  # type: ignore[misc]
    """A mark at the start and after every step, and what was logged."""

    def __init__(self) -> None:
        self.device = "cpu"
        self.marks: list[Mark] = []
        self.logs: list[dict[str, float]] = []

    def begin(self) -> float:
        """Returns the memory that is in use."""
        shared.wait(self.device)
        self.marks.append(Mark.now())
        return shared.forget_peak(self.device)

    def on_step_end(self, *_: Any, **__: Any) -> None:
        shared.wait(self.device)
        self.marks.append(Mark.now())

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        self.logs.append(dict(logs or {}))

    def logged(self, name: str) -> list[float]:
        return [float(one[name]) for one in self.logs if name in one]


def arguments(workload: Workload, seed: int) -> dict[str, Any]:
    """Common to all of TRL's trainers."""
    return {
        "output_dir": tempfile.mkdtemp(prefix="podium-benchmark-trl-"), "use_cpu": workload.device == "cpu",
        "bf16": workload.device == "cuda" and workload.dtype == "bfloat16", "fp16": False,
        "gradient_checkpointing": False, "learning_rate": workload.learning_rate, "lr_scheduler_type": "constant",
        "weight_decay": 0.0, "seed": seed, "report_to": "none", "save_strategy": "no", "disable_tqdm": True,
        "logging_steps": 1, "per_device_train_batch_size": workload.per_step, "gradient_accumulation_steps": 1,
    }  # fmt: skip


def language_model(folder: Path, workload: Workload) -> Any:
    dtype = getattr(torch, workload.dtype) if workload.lora else torch.float32
    return AutoModelForCausalLM.from_pretrained(folder / "model", dtype=dtype)


def scalar_model(folder: Path, head: str, workload: Workload) -> Any:
    """The same trunk with the scalar head `head` on it."""
    dtype = getattr(torch, workload.dtype)
    model = AutoModelForSequenceClassification.from_pretrained(folder / "model", num_labels=1, dtype=dtype)
    with torch.no_grad():
        model.score.weight.copy_(load_file(folder / head / "reward_head.safetensors")["weight"])
    return model


def with_adapter(model: Any, folder: Path, task: str) -> Any:
    """Through peft, beginning with the adapter of the folder."""
    settings = LoraConfig(
        r=LORA["rank"], lora_alpha=LORA["alpha"], lora_dropout=0.0, target_modules=TARGETS, task_type=task, bias="none",
        modules_to_save=["score"] if task == "SEQ_CLS" else None,
    )  # fmt: skip
    wrapped = get_peft_model(model, settings)
    begin_with(wrapped, folder / "adapter")
    return wrapped


def fold_in(model: Any, adapter: Path) -> Any:
    """The model with a stored adapter in its weights."""
    stored = load_file(adapter / "adapter_model.safetensors")
    with torch.no_grad():
        for key, a in stored.items():
            if key.endswith(".lora_A.weight"):
                layer = model.get_submodule(key.removeprefix("base_model.model.").removesuffix(".lora_A.weight"))
                layer.weight.add_(stored[key.replace("lora_A", "lora_B")] @ a, alpha=LORA["alpha"] / LORA["rank"])
    return model


def begin_with(model: Any, adapter: Path) -> None:
    """Copy a stored adapter into a model that has one."""
    stored = load_file(adapter / "adapter_model.safetensors")
    by_layer = {key.partition("layers.")[2]: value for key, value in stored.items()}
    found = 0
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(by_layer[name.partition("layers.")[2].replace(".default", "")])
                found += 1
    assert found == len(stored), "every matrix of the adapter has its place"


def sft(folder: Path, workload: Workload, seed: int, said: Measured) -> None:
    from trl import SFTConfig, SFTTrainer

    rows = shared.rows(folder, workload)
    model = language_model(folder / workload.model, workload)
    if workload.lora:
        model = with_adapter(model, folder / workload.model, "CAUSAL_LM")
    data = [{"input_ids": r["ids"], "labels": [-100] * r["prompt"] + r["ids"][r["prompt"] :]} for r in rows]
    settings = SFTConfig(
        **arguments(workload, seed), max_steps=workload.steps, max_length=shared.LONGEST, max_grad_norm=1.0,
        train_sampling_strategy="sequential",
    )  # fmt: skip
    _supervised(SFTTrainer, settings, model, data, folder / workload.model, said, workload)
    counted = rows[workload.warm_up * workload.per_step :]
    said.lengths = [[len(r["ids"]), len(r["ids"]) - r["prompt"]] for r in counted]
    said.units = sum(len(r["ids"]) for r in counted)


def rm(folder: Path, workload: Workload, seed: int, said: Measured) -> None:
    from trl import RewardConfig, RewardTrainer

    rows = shared.rows(folder, workload)
    model = with_adapter(scalar_model(folder / workload.model, "rm", workload), folder / workload.model, "SEQ_CLS")
    data = [{"chosen_ids": r["chosen"], "rejected_ids": r["rejected"]} for r in rows]
    settings = RewardConfig(
        **arguments(workload, seed), max_steps=workload.steps, max_length=shared.LONGEST, max_grad_norm=1.0,
        train_sampling_strategy="sequential", disable_dropout=False,
    )  # fmt: skip
    _supervised(RewardTrainer, settings, model, data, folder / workload.model, said, workload)
    counted = rows[workload.warm_up * workload.per_step :]
    said.lengths = [[len(ids), 0] for r in counted for ids in (r["chosen"], r["rejected"])]
    said.units = len(counted)


def _supervised(
    trainer: Any, settings: Any, model: Any, data: list[dict[str, Any]], folder: Path, said: Measured,
    workload: Workload,
) -> None:  # fmt: skip
    timer = Timer()
    timer.device = workload.device
    made = trainer(
        model=model, args=settings, train_dataset=Dataset.from_list(data), callbacks=[timer],
        processing_class=AutoTokenizer.from_pretrained(folder / "model"),
    )  # fmt: skip
    said.before_mib = timer.begin()
    made.train()
    said.peak_mib = shared.peak_mib(workload.device)
    said.count(timer.marks, workload.warm_up)
    said.losses = timer.logged("loss")
    said.phases = {"training": said.seconds}


def main() -> None:
    parser = shared.arguments()
    parser.add_argument("--critic", choices=("lora", "full"), default="lora")
    given = parser.parse_args()
    workload = shared.workload_of(given)
    torch.set_num_threads(given.threads)
    said = Measured("trl", given.workload, given.dtype, gflops=shared.gflops(workload.device, workload.dtype))
    if workload.kind == "ppo":
        import trl_ppo

        trl_ppo.run(given.folder, workload, given.seed, given.critic, said)
    else:
        {"sft": sft, "rm": rm}[workload.kind](given.folder, workload, given.seed, said)
    import transformers
    import trl

    said.versions = {module.__name__: module.__version__ for module in (trl, transformers, torch)}
    said.say()


if __name__ == "__main__":
    main()
