"""The digest of a piece of content: the same whoever has that content. It decides splits and finds copies."""

import hashlib
import json
from typing import Any

# Made once: json.dumps would make one for each call.
_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON: the same content has the same digest, whoever writes it."""
    return hashlib.sha256(_CANONICAL.encode(value).encode("utf-8", "surrogatepass")).hexdigest()
