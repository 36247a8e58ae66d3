"""One value as one compact line of JSON, as every output of this package writes it."""

from __future__ import annotations

import json


def to_json_line(value: object, *, allow_nan: bool = False) -> str:
    """``value`` without blanks and without a line break; letters of any language stay as they are.

    Raises:
        ValueError: a number is not finite, and not ``allow_nan``, which writes NaN where JSON has no word for it.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=allow_nan, separators=(",", ":"))
