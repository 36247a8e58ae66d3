"""One value as one compact line of JSON, as all outputs of this package write it."""

from __future__ import annotations

import json


def to_json_line(value: object, *, allow_nan: bool = False) -> str:
    """``value`` without spaces or line breaks; letters of any language are not escaped.

    Raises:
        ValueError: a number is not finite, unless ``allow_nan``, which writes NaN although that is not JSON.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=allow_nan, separators=(",", ":"))
