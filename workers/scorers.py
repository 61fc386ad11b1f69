"""Scorers that people bring along: a Python function in a folder of the worker's, or a service asked over HTTP.

Both are given prompts (messages) and completions (texts) of the same number, and give one number for each. Which files
there are is the operator's to decide: a config only names a function in them.
"""

import functools
import importlib.util
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backend.domain.training.scorers import ScorerConfig
from backend.errors import Invalid, PodiumError
from workers.endpoint import Service, awaited

FOLDER = "PODIUM_SCORERS_DIR"
AT_ONCE = 64

Prompts = Sequence[Sequence[Mapping[str, str]]]
Score = Callable[..., Sequence[float]]
"""Of prompts and completions, and where it compares, of the others that each completion stands against."""


def load(config: ScorerConfig, look_up: Callable[[], object] = lambda: None) -> Score:
    """The scorer behind a config, whose answers are checked. Raises Invalid when there is none. look_up: called again
    and again while a service is waited for; its error ends the wait.
    """
    score = _of_service(config, look_up) if config.url else _of_file(config)

    def checked(prompts: Prompts, completions: Sequence[str], *others: Sequence[str]) -> list[float]:
        try:
            found = [float(value) for value in score(prompts, completions, *others)]
        except PodiumError:
            raise
        except Exception as error:
            look_up()  # whose error this may be
            raise Invalid(f"The scorer “{config.name}” failed: {type(error).__name__}: {error}.", "scorers") from error
        if len(found) != len(completions):
            raise Invalid(
                f"The scorer “{config.name}” gave {len(found)} scores for {len(completions)} completions.", "scorers"
            )
        if not all(map(math.isfinite, found)):
            raise Invalid(f"The scorer “{config.name}” gave a score that is no finite number.", "scorers")
        if config.compares and not all(0 <= value <= 1 for value in found):
            raise Invalid(f"The scorer “{config.name}” compares, so it must give numbers from 0 to 1.", "scorers")
        return found

    return checked


def _of_file(config: ScorerConfig) -> Score:
    folder = os.environ.get(FOLDER)
    if not folder:
        raise Invalid(f"The scorer “{config.name}” needs {FOLDER}, which is not set on this worker.", "scorers")
    file, _, function = (config.python or "").partition(":")
    path = Path(folder) / file
    spec = importlib.util.spec_from_file_location(f"podium_scorer_{path.stem}", path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise Invalid(f"The scorer “{config.name}” needs {file}, which is not in {folder}.", "scorers")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise Invalid(
            f"The scorer “{config.name}”: {file} cannot be read ({type(error).__name__}: {error}).", "scorers"
        ) from error
    found: Score | None = getattr(module, function, None)
    if not callable(found):
        raise Invalid(f"The scorer “{config.name}” needs {function} in {file}, which has no such function.", "scorers")
    return found


def _of_service(config: ScorerConfig, look_up: Callable[[], object]) -> Score:
    service = Service(config.name, {"url": config.url, "api_key_env": config.api_key_env})

    def score(prompts: Prompts, completions: Sequence[str], others: Sequence[str] = ()) -> list[float]:
        scores: list[float] = []
        for start in range(0, len(completions), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            asked = [[dict(message) for message in prompt] for prompt in prompts[part]]
            body: dict[str, Any] = {"prompts": asked, "completions": completions[part]}
            if config.compares:
                body["others"] = others[part]
            answer: Any = awaited(functools.partial(service.post, "", body), look_up)
            if not isinstance(answer, dict) or not isinstance(answer.get("scores"), list):
                raise Invalid(f"The scorer “{config.name}” does not answer with scores.", "scorers")
            scores += answer["scores"]
        return scores

    return score
