"""Makes a contract for a model that carries none, from what a person states about it, its tensors, its metadata and a
label file; every guess is put into words.

Never used for a file that this project wrote: those are verified or refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePath

from edge_runtime.contract import CONTRACT_VERSION, Contract, InputSpec, ModelSpec, Normalization, TensorSpec
from edge_runtime.contract.layout import OURS, InputLayout
from edge_runtime.errors import ModelError
from edge_runtime.model.attached_files import Attached, read_attached
from edge_runtime.model.labels.text import read_labels
from edge_runtime.model.stated_input import StatedInput, parse_normalization
from edge_runtime.model.tflite_metadata import Description, describe

_RAW = Normalization((0.0,), (1.0,))
_UNIT = Normalization((0.0,), (255.0,))
# Calibration images hardly ever miss black or white by more than this fraction of the range.
RANGE_SHARE = 0.02


@dataclass(frozen=True)
class _Known:
    """Everything known about one file; ``assumptions`` grows while it is read."""

    name: str
    description: Description
    attached: Attached
    stated: StatedInput
    assumptions: list[str]


def assume_contract(
    content: bytes, name: str, label_text: str | None, stated: StatedInput | None = None
) -> tuple[Contract, tuple[str, ...]]:
    """A Contract for the .tflite ``content``, and the assumptions behind it, one sentence each.

    ``label_text`` is the text of a label file in one of the forms of `read_labels`, or None; it and ``stated`` override
    what the file says.

    Raises:
        ModelError: the file is damaged or not an image classifier, no labels match its output, or nothing says how a
            float32 input is normalised.
    """
    description = describe(content, name)
    attached = read_attached(content, description.label_file, name)
    known = _Known(name, description, attached, stated or StatedInput(), [])
    say = known.assumptions.append
    say("It has no contract of ours: its accuracy was not measured and no golden frames can be replayed.")
    labels = _choose_labels(known, label_text)
    layout = _choose_layout(known)
    spec_input = _choose_input(known)
    normalization = _choose_normalization(known)
    if not description.probabilities:
        say("Its last operator is not SOFTMAX or LOGISTIC: the outputs are taken as logits and a softmax is applied.")
    say("No threshold: the best class is always named.")
    taken = description.input_tensor
    contract = Contract(
        version=CONTRACT_VERSION,
        spec=ModelSpec(
            name=PurePath(name).stem or "model",
            labels=labels,
            input=spec_input,
            output="probabilities" if description.probabilities else "logits",
        ),
        normalization=normalization,
        input_tensor=TensorSpec(
            layout.shape(spec_input.height, spec_input.width), taken.dtype, taken.scale, taken.zero_point
        ),
        output_tensor=description.output_tensor,
        threshold=0.0,
        scores=(),
        parts={"model": hashlib.sha256(content).hexdigest()},
        provenance={},
        layout=None if layout == OURS else layout,
    )
    return contract, tuple(known.assumptions)


def _choose_labels(known: _Known, label_text: str | None) -> tuple[str, ...]:
    num_classes = known.description.output_tensor.shape[1]
    if label_text is None and known.attached.labels is not None:
        label_text = known.attached.labels
        if not known.description.label_file and not known.attached.is_ultralytics:
            known.assumptions.append("Its labels are those in the zip at its end, which no metadata names.")
    if label_text is None:
        if num_classes == 1:
            raise ModelError(
                f"{known.name} gives one number for an image: a binary classifier, or something else. Give a text file "
                "with its two labels as `labels`, first the one whose number is 0."
            )
        raise ModelError(
            f"{known.name} has neither a contract nor TFLite Metadata with labels, so its {num_classes} outputs have "
            "no names. Give a text file with one label per line as `labels`."
        )
    labels = read_labels(label_text, 2 if num_classes == 1 else num_classes, known.name, known.assumptions)
    if num_classes == 1:
        known.assumptions.append(
            f"Its one number is the score of {labels[1]!r}, the second label, against {labels[0]!r}."
        )
    return labels


def _choose_layout(known: _Known) -> InputLayout:
    found, stated = known.description.layout, known.stated.channels
    if found.channels == "grey":
        if stated is not None:
            raise ModelError(
                f"{known.name} takes one grey channel, so the order of colours {stated!r} means nothing; leave out "
                "`channels`."
            )
        known.assumptions.append("Its input has one channel, so the image goes in as grey.")
        return found
    if found.axes == "NCHW":
        known.assumptions.append("Its channels come first (NCHW).")
    if stated is None:
        known.assumptions.append("The colours go in as R, G, B.")
    return InputLayout(stated or found.channels, found.axes)


def _choose_input(known: _Known) -> InputSpec:
    shape, axes = known.description.input_tensor.shape, known.description.layout.axes
    fixed = shape[axes.index("H")], shape[axes.index("W")]
    size = known.stated.size or known.attached.size or fixed
    if known.description.has_open_size:
        if size == (1, 1):
            raise ModelError(
                f"{known.name} leaves the size of its image open; give the one that it was trained with as "
                "`input_size`, such as 224."
            )
    elif size != fixed:
        if known.stated.size:
            raise ModelError(
                f"{known.name} takes {fixed[1]}x{fixed[0]} pixels and no other size, but {size[1]}x{size[0]} was "
                "stated; leave out `input_size`."
            )
        size = fixed
    resize = known.stated.resize or known.attached.resize
    if resize is None:
        resize = "stretch"
        known.assumptions.append("The image is stretched to the input's size.")
    return InputSpec(*size, resize)


def _choose_normalization(known: _Known) -> Normalization:
    """The stated normalisation, else the file's, else raw bytes for an 8-bit input."""
    description, taken = known.description, known.description.input_tensor
    if known.stated.normalization:
        return known.stated.normalization
    if taken.dtype == "uint8":
        normalization = _raw_pixels(taken)
        if description.normalization is None:
            known.assumptions.append(_describe_raw(taken, normalization))
        return normalization
    if known.attached.is_ultralytics:
        known.assumptions.append("It is an Ultralytics file, whose pixels go in as 0 to 1.")
        return _UNIT
    if description.normalization:
        return description.normalization
    if taken.dtype == "int8":
        normalization = _raw_pixels(taken)
        known.assumptions.append(_describe_raw(taken, normalization))
        return normalization
    if found := description.rescaling:
        known.assumptions.append(
            f"Its first operators turn pixels of 0 to {found.highest:g} into {found.low:.3g} to {found.high:.3g}, so "
            f"those of 0 to {found.highest:g} go in."
        )
        return _RAW if found.highest == 255 else _UNIT
    if ranged := _read_range(known):
        return ranged
    raise ModelError(
        f"{known.name} takes float32 pixels, and neither metadata nor its graph says how they are normalised; a wrong "
        "guess gives wrong labels. State it as `normalize`: -1..1 (Teachable Machine, most of TensorFlow's own), 0..1 "
        "(Ultralytics, much of Keras), imagenet (torchvision) or 0..255. `edge-runtime adopt` writes it into a copy "
        "of the file for good."
    )


def _read_range(known: _Known) -> Normalization | None:
    """The normalisation whose values exactly fill the range that the graph was quantised for, or None."""
    if known.description.quantized_range is None:
        return None
    low, high = known.description.quantized_range
    for form in ("-1..1", "0..1", "0..255", "imagenet"):
        normalization = parse_normalization(form)
        ends = [
            (pixel - mean) / std
            for pixel in (0, 255)
            for mean, std in zip(normalization.mean, normalization.std, strict=True)
        ]
        if max(abs(min(ends) - low), abs(max(ends) - high)) <= RANGE_SHARE * (max(ends) - min(ends)):
            known.assumptions.append(
                f"It was quantised for inputs of {low:.3g} to {high:.3g}, so its pixels go in as {form}."
            )
            return normalization
    return None


def _describe_raw(taken: TensorSpec, normalization: Normalization) -> str:
    what = "raw pixel bytes go in" if taken.dtype == "uint8" else "raw pixels - 128 go in"
    return (
        f"Its {taken.dtype} input has no metadata on normalisation, so {what}: by scale {taken.scale:g} and zero point "
        f"{taken.zero_point} that is mean {normalization.mean[0]:g}, std {normalization.std[0]:g}."
    )


def _raw_pixels(tensor: TensorSpec) -> Normalization:
    """The normalisation for which stored = pixel (uint8) or pixel - 128 (int8)."""
    lowest = 0 if tensor.dtype == "uint8" else -128
    return Normalization((float(tensor.zero_point - lowest),), (1.0 / tensor.scale,))
