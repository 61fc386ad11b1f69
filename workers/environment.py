"""What a trainer's process is given of this one's environment, and which versions it will run on.

Reads package metadata only: nothing heavy is imported here.
"""

import hashlib
import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from backend.settings import PREFIX, REPOSITORY, Settings

PACKAGES = ("podium", "torch", "transformers", "peft", "tokenizers", "safetensors", "numpy")
CODE = ("workers/training", "backend/domain")


def for_trainer(settings: Settings, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables of a trainer's process: none of Podium's own, which hold the database's password and tokens,
    but where scorers are."""
    kept = {
        name: value
        for name, value in inherited.items()
        # Without compiled files every start would compile transformers again.
        if not name.startswith(PREFIX) and name != "PYTHONDONTWRITEBYTECODE"
    }
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPOSITORY), inherited.get("PYTHONPATH")]))
    # Models are folders by now: a trainer that reaches for a Hub is mistaken.
    kept |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    # Before each line that one of several ranks writes to the log.
    kept["TORCHELASTIC_LOG_LINE_PREFIX_TEMPLATE"] = "[rank ${rank}] "
    if settings.scorers_dir is not None:
        kept[f"{PREFIX}SCORERS_DIR"] = str(settings.scorers_dir)
    if settings.run_threads is not None:
        kept |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(settings.run_threads))
    return kept


@cache
def versions() -> dict[str, Any]:
    """Versions of the code and of the libraries that decide what a run computes."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "code": code_digest(),
    }
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def code_digest(root: Path = REPOSITORY) -> str:
    """SHA-256 over the files that training consists of: two runs with the same digest ran the same code."""
    digest = hashlib.sha256()
    for folder in CODE:
        for file in sorted((root / folder).rglob("*.py")):
            digest.update(file.relative_to(root).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
