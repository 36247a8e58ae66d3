"""Whatever a flag or the store's state says, it is understood or refused in words."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest
from hypothesis import given

from edge_runtime.cameras.address import parse_camera
from edge_runtime.cameras.sources.synthetic import parse_options
from edge_runtime.cli.flags import read_threshold_flags
from edge_runtime.live.smoothing import parse_hold
from edge_runtime.model.stated_input import StatedInput
from edge_runtime.outputs.mqtt.config import parse_mqtt
from edge_runtime.outputs.web.config import parse_web_address
from edge_runtime.pixels.region import parse_region
from edge_runtime.store.store import Store
from tests.fuzz import corpus
from tests.fuzz.claim import fuzzed, parsed
from tests.fuzz.mutations import spoiled_json, spoiled_text


@fuzzed(120)
@given(spoiled_text(corpus.CAMERAS))
def test_a_camera(text: str) -> None:
    address = parsed(parse_camera, text)
    if address is not None:
        assert isinstance(address.shown, str)
        if address.kind == "synthetic":
            parsed(parse_options, address.value)


@fuzzed(80)
@given(spoiled_text(["0.25,0.25,0.5,0.5", "0,0,1,1"]))
def test_a_region(text: str) -> None:
    region = parsed(parse_region, text)
    assert region is None or 0 <= region.left <= 1


@fuzzed(80)
@given(spoiled_text(["3/5", "1000/1000", "9" * 5000 + "/1"]))
def test_a_hold(text: str) -> None:
    hold = parsed(parse_hold, text)
    assert hold is None or 1 <= hold.votes <= hold.window


@fuzzed(80)
@given(spoiled_text(["0.8", "mug=0.8", "a=b=1"]))
def test_a_threshold(text: str) -> None:
    parsed(read_threshold_flags, Namespace(threshold=[text]))


@fuzzed(80)
@given(spoiled_text(["imagenet", "-1..1", "0..255", "127.5,127.5", "1,2,3,4,5,6", "224", "320x240"]))
def test_what_is_stated_of_an_input(text: str) -> None:
    parsed(StatedInput.parse, text)
    parsed(StatedInput.parse, None, None, None, text)


@fuzzed(80)
@given(
    spoiled_text(
        ["127.0.0.1:8080", "[::1]:80", "8080", "1" * 5000, "mqtt://user@broker:1883/home/door", "mqtts://[::1]/a"]
    )
)
def test_the_address_of_an_output(text: str) -> None:
    parsed(parse_web_address, text)
    parsed(parse_mqtt, text)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@fuzzed(80)
@given(content=spoiled_json(corpus.STATES))
def test_the_state_of_a_store(store: Store, content: bytes) -> None:
    store.state_path.write_bytes(content)
    state = parsed(store.state)
    if state is not None:
        assert isinstance(store.current_path(), Path)
