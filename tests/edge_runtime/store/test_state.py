"""What the files of a store say, to the letter."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from edge_runtime.errors import ModelError
from edge_runtime.store.state import StoreState, read_floor, read_state

MODEL = "a" * 64
TEXT = f"""{{
  "failed_starts": 2,
  "floor": 7,
  "history": [
    "shipped",
    "{MODEL}"
  ],
  "probation": true,
  "refused": {{
    "{"b" * 64}": "It was slow."
  }},
  "version": 1
}}
"""
STATE = StoreState(1, ("shipped", MODEL), True, 2, {"b" * 64: "It was slow."}, 7)


def test_a_state_is_written_as_canonical_json_and_read_back(tmp_path: Path) -> None:
    assert STATE.to_json().decode() == TEXT
    (tmp_path / "state.json").write_text(TEXT)
    assert read_state(tmp_path / "state.json") == STATE
    assert STATE.current == MODEL


def test_where_nothing_is_the_shipped_model_is_in_use_and_was_never_tried(tmp_path: Path) -> None:
    state = read_state(tmp_path / "state.json")
    assert dataclasses.astuple(state) == (1, ("shipped",), False, 0, {}, 0)
    assert state.probation is False and state.current == "shipped"
    assert read_floor(tmp_path / "floor") == 0
    (tmp_path / "state.json").write_bytes(state.to_json())
    assert read_state(tmp_path / "state.json") == state


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace('"version": 1', '"version": 2'),
        TEXT.replace(f'"shipped",\n    "{MODEL}"', ""),
        TEXT.replace(MODEL, "a" * 63),
        TEXT.replace(MODEL, "a" * 65),
        TEXT.replace(MODEL, "g" * 64),
        TEXT.replace(MODEL, "-" + "a" * 63),
        TEXT.replace('"It was slow."', "5"),
        TEXT.replace(f'{{\n    "{"b" * 64}": "It was slow."\n  }}', "[]"),
        TEXT.replace('"probation": true', '"probation": "true"'),
        TEXT.replace('"failed_starts": 2', '"failed_starts": "2"'),
        TEXT.replace('"floor": 7', '"floor": 0.5'),
        TEXT.replace('"floor": 7', '"flour": 7'),
        TEXT.replace('"history"', '"past"'),
        TEXT.replace(MODEL, "0x" + "a" * 62),
        TEXT.replace(MODEL, "A" * 64),
        "5",
    ],
)
def test_what_install_would_not_write_is_damage(text: str, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    if text == TEXT:
        pytest.fail("the example is not spoiled")
    with pytest.raises(
        ModelError, match=r"state.json is damaged .* \(version 1\)\. Remove it and install the model aga"
    ):
        read_state(path)


def test_a_state_has_a_mebibyte_at_most(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(TEXT.ljust(1024 * 1024))
    assert read_state(path) == STATE
    path.write_text(TEXT.ljust(1024 * 1024 + 1))
    with pytest.raises(
        ModelError, match=r"state.json cannot be read \(more than 1048576 bytes, expected at most that\)"
    ):
        read_state(path)


@pytest.mark.parametrize(("content", "floor"), [(b"7", 7), (b"9" * 19 + b"\n", 10**19 - 1), (b"0\n", 0)])
def test_a_floor_is_one_number(content: bytes, floor: int, tmp_path: Path) -> None:
    (tmp_path / "floor").write_bytes(content)
    assert read_floor(tmp_path / "floor") == floor


@pytest.mark.parametrize("content", [b"", b"-1", b"7\n\n", b"1" * 20, b"7 8", b"\xff"])
def test_anything_else_is_a_damaged_floor(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "floor").write_bytes(content)
    with pytest.raises(
        ModelError, match=r"floor is damaged, expected a number, the lowest version that may be installed"
    ):
        read_floor(tmp_path / "floor")


def test_a_state_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        STATE.floor = 0  # type: ignore[misc]
