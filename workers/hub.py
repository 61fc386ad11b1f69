"""Fetches a model from a Hub into the local cache; a process of its own, so that it can be stopped like a trainer.

    python -m workers.hub REPOSITORY [REVISION]

Says what it does in the lines of `workers.messages`; the result names the folder and the commit. Only safetensors and
text files are fetched: pickled weights could run code.
"""

import json
import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

ALLOWED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "merges.*", "vocab.*"]


def main(arguments: Sequence[str]) -> int:
    """Fetch and report; 0 when the folder is complete."""
    threading.Thread(target=_end_with_the_worker, daemon=True).start()
    repository, revision = arguments[0], arguments[1] if len(arguments) > 1 else None
    _say({"type": "progress", "step": 0, "total": None, "phase": "download"})
    # Not at the top: takes a second, and whoever imports this module for its names does not need it.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    at = f" at revision {revision}" if revision else ""
    try:
        folder = snapshot_download(repository, revision=revision, allow_patterns=ALLOWED)
    except GatedRepoError:
        return _fail(f"The model {repository} is gated: ask for access on its Hub, and set HF_TOKEN for the worker.")
    except RevisionNotFoundError:
        return _fail(f"The model {repository} has no revision {revision}.")
    except RepositoryNotFoundError:
        return _fail(f"The Hub has no model {repository}, or this worker may not see it (HF_TOKEN).")
    except LocalEntryNotFoundError:
        return _fail(
            f"The model {repository}{at} is not in this machine's cache and the Hub cannot be reached. Connect the "
            "worker to the network (HF_ENDPOINT names another Hub), or register the model as a folder."
        )
    except OSError as error:
        return _fail(f"The model {repository}{at} could not be fetched: {error}")
    if not os.path.isfile(os.path.join(folder, "config.json")):
        return _fail(f"The repository {repository} holds no model: config.json is missing.")
    # A snapshot lies in a folder named after its commit.
    _say({"type": "result", "values": {"folder": folder, "commit": os.path.basename(folder)}})
    return 0


def _end_with_the_worker() -> None:
    """The worker holds the other end of standard input and never writes; an end of file means it died."""
    os.read(0, 1)
    os._exit(1)


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def _fail(sentence: str) -> int:
    _say({"type": "error", "message": sentence})
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
