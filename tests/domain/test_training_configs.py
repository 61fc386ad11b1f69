"""The settings of runs: what is refused, in which words, and the schema that draws the form."""

import json
import re
from typing import Any

import pytest
from pydantic import ValidationError

from backend.domain.training import CONFIGS, WISHES, PretrainConfig, SampleConfig, SFTConfig, read_config
from backend.domain.training.forms import FORMS
from backend.domain.training_rows import RewardGroup
from backend.errors import Invalid

SMALLEST: dict[str, dict[str, Any]] = {
    "pretrain": {},
    "sft": {"model": "a/b"},
    "sample": {"models": ["a/b"]},
    "reward_model": {"model": "a/b", "reward_set": "r"},
    "evaluate": {"models": ["a/b"]},
}

LEASH = {"model": "a/b", "reward_model": "a/c", "kl_controller": "leash"}


@pytest.mark.parametrize("kind", sorted(SMALLEST))
def test_a_config_survives_its_own_json(kind: str) -> None:
    config = read_config(kind, SMALLEST[kind])
    assert read_config(kind, json.loads(config.model_dump_json())) == config


@pytest.mark.parametrize("kind", sorted(CONFIGS))
def test_every_field_is_explained_and_required_fields_come_first(kind: str) -> None:
    schema = CONFIGS[kind].model_json_schema()
    assert all(field.get("description") for field in schema["properties"].values())
    required = schema.get("required", [])
    assert sorted(list(schema["properties"])[: len(required)]) == sorted(required)
    assert CONFIGS[kind].title and CONFIGS[kind].description


@pytest.mark.parametrize("kind", sorted(CONFIGS))
def test_a_form_knows_its_fields_and_names_each_once(kind: str) -> None:
    form, fields = FORMS[kind], CONFIGS[kind].model_fields
    placed = [*form.first, *(name for names in form.groups.values() for name in names)]
    assert len(set(placed)) == len(placed)
    assert {*placed, *form.only} <= fields.keys()
    choices = CONFIGS[kind].model_json_schema()["properties"]
    for on in form.only.values():
        for other, values in on.items():
            assert values == (None,) or set(values) <= set(choices[other]["enum"])
    for other, rules in form.sets.items():
        assert rules.keys() <= set(choices[other]["enum"])
        assert all(name in fields for values in rules.values() for name in values)


def test_what_the_form_sets_with_a_choice_is_what_goes_with_it() -> None:
    needed = {"model": "a/b", "reward_model": "a/c"}
    for field, rules in FORMS["ppo"].sets.items():
        for choice, others in rules.items():
            with pytest.raises(Invalid):
                read_config("ppo", needed | {field: choice})
            assert read_config("ppo", {**needed, field: choice, **others})


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        ("sft", {}, "model"),
        ("sft", {"model": "a/b", "epochs": "3"}, "epochs"),
        ("sft", {"model": "a/b", "epoch": 3}, "epoch"),
        ("sft", {"model": "a/b", "learning_rate": float("nan")}, "learning_rate"),
        ("sft", {"model": "a/b", "output_name": "no slash"}, "output_name"),
        ("sft", {"model": "a/b", "demonstrations": "guessed"}, "demonstrations"),
        ("pretrain", {"hidden_size": 100, "heads": 3}, "hidden_size"),
        ("sample", {"models": []}, "models"),
        ("evaluate", {"models": ["a/b"], "reward_set": "r"}, "reward_model"),
        ("ppo", LEASH | {"kl_horizon_episodes": 63.0}, "kl_horizon_episodes"),
        ("ppo", LEASH | {"kl_base_coefficient": 0.0}, "kl_base_coefficient"),
        ("ppo", LEASH | {"scorers": [{"name": "polite", "pyton": "tone.py:score"}]}, "scorers.0.pyton"),
        ("dance", {}, "kind"),
    ],
)
def test_a_fault_is_named(kind: str, values: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_config(kind, values)
    assert caught.value.field == field
    assert field in caught.value.message or field == "kind"
    assert caught.value.message.endswith(".")


def test_what_is_misspelt_or_misshapen_is_told_what_was_meant() -> None:
    scorers = [{"name": "polite", "pyton": "tone.py:score"}, {"name": "rude", "python": "tone.py"}]
    with pytest.raises(Invalid, match=r"scorers.0.pyton .* perhaps python is meant.*file.py:function, not 'tone.py'"):
        read_config("ppo", LEASH | {"scorers": scorers})
    schemas = json.dumps([config.model_json_schema() for config in CONFIGS.values()])
    assert {json.loads(one) for one in re.findall(r'"pattern": ("[^"]*")', schemas)} == WISHES.keys()


def test_configs_are_frozen() -> None:
    with pytest.raises(ValidationError):
        SFTConfig(model="a/b").epochs = 3.0  # type: ignore[misc]
    assert isinstance(read_config("sample", {"models": ["a/b"]}), SampleConfig)
    assert PretrainConfig().seed == 0


def test_a_group_refuses_outcomes_that_point_outside_it() -> None:
    group = {"prompt_id": "p", "prompt": [{"role": "user", "content": "x"}], "completions": [{"id": "1", "text": "y"}]}
    assert RewardGroup.model_validate(group).completions[0].reward is None
    with pytest.raises(ValidationError, match="names completion 1"):
        RewardGroup.model_validate(group | {"outcomes": [{"a": 0, "b": 1, "score": 1}]})
    with pytest.raises(ValidationError, match="with itself"):
        RewardGroup.model_validate(group | {"outcomes": [{"a": 0, "b": 0, "score": 1}]})
