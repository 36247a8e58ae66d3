"""Finds layer names in tensor names: the mark that survives the converter, and how it is read back."""

from __future__ import annotations

import re

# Marks the end of a layer's own name in the converter's scope paths; no Keras layer's automatic name has a dot.
MARK = "."


_CONVERTER_NAMES = (
    (r"serving_default_image:0", "image"),
    (r"StatefulPartitionedCall\S*", "probabilities"),
    (r"arith\.constant\d*", "constant"),
    (r"tfl\.quantize\d*", "quantize"),
)


def find_layer_name(tensor_name: str) -> str:
    """The Keras layer's name in a tensor name that our conversion made; what the converter itself added gets a short
    name.
    """
    found = re.findall(rf"([^/;]+?)\{MARK}(?:_\d+)*/", tensor_name)
    if found:
        # A fused operator is named after all its layers; the one with the weights comes last, apart from a batch norm.
        return str(([name for name in found if not name.startswith("batch_norm")] or found)[-1])
    for pattern, word in _CONVERTER_NAMES:
        if re.fullmatch(pattern, tensor_name):
            return word
    return tensor_name
