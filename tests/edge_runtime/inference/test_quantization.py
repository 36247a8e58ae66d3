"""Pins the one arithmetic rule with literal arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.contract import Normalization, TensorSpec
from edge_runtime.inference.quantization import (
    apply_pixel_table,
    dequantize,
    make_pixel_table,
    make_real_table,
    quantize,
)

UINT8 = TensorSpec((1, 2, 2, 3), "uint8", 1 / 128, 127)
INT8 = TensorSpec((1, 2, 2, 3), "int8", 1.0, -128)
FLOAT = TensorSpec((1, 2, 2, 3), "float32", 0.0, 0)


def test_quantize_rounds_halves_to_even_and_clips_at_both_ends():
    tensor = TensorSpec((1, 6), "int8", 0.5, 1)
    stored = quantize(np.array([-1000, -0.75, -0.25, 0.25, 0.75, 1000], np.float32), tensor)
    assert stored.dtype == np.int8
    assert stored.tolist() == [-128, -1, 1, 1, 3, 127]


def test_dequantize_widens_before_subtracting():
    assert dequantize(np.array([0, 127, 255], np.uint8), UINT8).tolist() == [-127 / 128, 0.0, 1.0]
    assert dequantize(np.array([-128, 0, 127], np.int8), INT8).tolist() == [0.0, 128.0, 255.0]


def test_float32_passes_through_both_ways():
    numbers = np.array([-1.5, 3.25], np.float32)
    assert quantize(numbers, FLOAT).tolist() == dequantize(numbers, FLOAT).tolist() == [-1.5, 3.25]


@settings(derandomize=True, max_examples=200)
@given(
    dtype=st.sampled_from(["uint8", "int8"]),
    scale=st.floats(1e-6, 1e3),
    zero_point=st.integers(-128, 255),
    byte=st.integers(0, 255),
)
def test_every_stored_value_survives_the_round_trip(dtype, scale, zero_point, byte):
    tensor = TensorSpec((1, 1), dtype, scale, zero_point)
    stored = np.array([byte], np.uint8).view(dtype)
    assert quantize(dequantize(stored, tensor), tensor) == stored


def test_the_real_table_is_indexed_by_the_byte_seen_as_uint8():
    table = make_real_table(INT8)
    stored = np.array([-128, -1, 0, 127], np.int8)
    assert table.take(stored.view(np.uint8)).tolist() == dequantize(stored, INT8).tolist() == [0.0, 127.0, 128.0, 255.0]
    assert table.shape == (256,)
    assert make_real_table(FLOAT) is None


def test_no_table_is_needed_when_scale_and_zero_point_are_the_normalisation():
    assert make_pixel_table(Normalization((127.0,), (128.0,)), UINT8) is None


def test_no_table_is_needed_when_raw_bytes_are_as_close_as_rounding_gets():
    halves = TensorSpec((1, 1, 1, 3), "uint8", 1 / 127.5, 127)  # the exact values are 0.5 below the pixels
    assert make_pixel_table(Normalization((127.5,), (127.5,)), halves) is None
    assert make_pixel_table(Normalization((128.5,), (127.5,)), halves) is not None


def test_int8_takes_pixel_minus_128():
    table = make_pixel_table(Normalization((0.0,), (1.0,)), INT8)
    assert table is not None and table.shape == (256, 1)
    assert table.dtype == np.int8
    assert table[[0, 1, 128, 255], 0].tolist() == [-128, -127, 0, 127]


def test_a_uint8_tensor_whose_scale_is_not_the_normalisation_gets_a_table():
    table = make_pixel_table(Normalization((0.0,), (255.0,)), TensorSpec((1, 1, 1, 3), "uint8", 1 / 127.5, 0))
    assert table[[0, 2, 255], 0].tolist() == [0, 1, 128]


def test_three_means_give_one_column_a_channel_in_rgb_order():
    table = make_pixel_table(Normalization((0.0, 10.0, 20.0), (1.0, 1.0, 2.0)), FLOAT)
    image = np.array([[[10, 10, 10], [0, 255, 20]]], np.uint8)
    assert apply_pixel_table(image, table).tolist() == [[[10.0, 0.0, -5.0], [0.0, 245.0, 0.0]]]


def test_one_column_serves_all_channels():
    image = np.array([[[0, 128, 255]]], np.uint8)
    assert apply_pixel_table(image, make_pixel_table(Normalization((0.0,), (1.0,)), INT8)).tolist() == [
        [[-128, 0, 127]]
    ]
    assert apply_pixel_table(image, None) is image


@pytest.mark.parametrize("tensor", [UINT8, INT8, FLOAT])
def test_the_table_has_the_tensors_dtype(tensor):
    assert make_pixel_table(Normalization((3.0,), (7.0,)), tensor).dtype == tensor.dtype
