"""Spoils good examples: bytes flipped, cut, moved, repeated and replaced by words of the dictionary; JSON whose values
are of another kind.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

WORDS = tuple(
    line.encode("latin-1").decode("unicode_escape").encode("latin-1")
    for line in Path(__file__).with_name("dictionary.txt").read_text("ascii").splitlines()
    if not line.startswith("# ")
)
# Enough to go deeper than any recursion, and to fill the buffers that cameras' streams go through.
_MANY = (2, 3, 100, 2000)

_json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from((2**31, 2**63, -(2**63), 10**400, 1e308, float("nan"), float("inf"), "", "\ud800", "a\nb", "\0"))
    | st.floats()
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@st.composite
def spoiled(draw: st.DrawFn, examples: list[bytes]) -> bytes:
    """One of ``examples`` with one to four changes; sometimes bytes of no form at all."""
    if draw(st.integers(0, 15)) == 15:
        return draw(st.binary(max_size=64))
    content = bytearray(draw(st.sampled_from(examples)))
    for _ in range(draw(st.integers(1, 4))):
        first, second = sorted(draw(st.integers(0, len(content))) for _ in range(2))
        kind = draw(st.sampled_from(("flip", "byte", "cut", "end", "double", "splice", "insert", "replace", "flood")))
        word = draw(st.sampled_from(WORDS))
        if kind == "flip" and first < len(content):
            content[first] ^= 1 << draw(st.integers(0, 7))
        elif kind == "byte" and first < len(content):
            content[first] = draw(st.integers(0, 255))
        elif kind == "cut":
            del content[first:second]
        elif kind == "end":
            del content[second:]
        elif kind == "double":
            content[first:first] = content[first:second]
        elif kind == "splice":
            content[first:] = draw(st.sampled_from(examples))[second:]
        elif kind == "insert":
            content[first:first] = word
        elif kind == "replace":
            content[first : first + len(word)] = word
        else:
            content[first:first] = word * draw(st.sampled_from(_MANY))
        del content[500_000:]
    return bytes(content)


def spoiled_text(examples: list[str]) -> st.SearchStrategy[str]:
    """Like `spoiled`, as text that a command line may hold, and as any text."""
    as_argument = spoiled([each.encode() for each in examples]).map(
        lambda content: content.decode("utf-8", "surrogateescape")
    )
    return as_argument | st.text(max_size=40) | st.from_regex(r"\A[0-9.:/@=,x-]{1,5000}\Z")


@st.composite
def spoiled_json(draw: st.DrawFn, examples: list[bytes]) -> bytes:
    """A JSON document of ``examples`` in which one to three values or keys are others, else spoiled bytes of one."""
    sound = [each for each in examples if not each.startswith((b"[[", b'{"a":{'))]
    if draw(st.integers(0, 3)) == 0:
        return draw(spoiled(examples))
    document = copy.deepcopy(json.loads(draw(st.sampled_from(sound))))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = document
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], (dict, list)) and draw(st.booleans()):
                place = place[key]
                continue
            kind = draw(st.sampled_from(("value", "value", "value", "gone", "name")))
            if kind == "value":
                place[key] = draw(_json_values)
            elif kind == "gone":
                del place[key]
            elif isinstance(place, dict):
                place[draw(st.text(max_size=5))] = place.pop(key)
            break
    return json.dumps(document).encode()
