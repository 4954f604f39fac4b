"""Data as JSON."""

from __future__ import annotations

import json
from typing import Any


def json_text(data: Any) -> str:
    """Indented, in the characters that are meant."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
