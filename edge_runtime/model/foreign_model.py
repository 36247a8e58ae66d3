"""The contract of a model that carries none: from its tensors, metadata and a label file, each guess put into words.

Never used for a file that this project wrote: those are verified or refused.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from pathlib import PurePath

from edge_runtime.contract import CONTRACT_VERSION, Contract, InputSpec, ModelSpec, Normalization, TensorSpec
from edge_runtime.errors import ModelError
from edge_runtime.model.tflite_metadata import Description, describe

MAX_LABEL_BYTES = 4_000_000
_LOCAL_FILE_HEADER = b"PK\x03\x04\x14\x00"
_ZIP_END = b"PK\x05\x06"


def assume_contract(content: bytes, name: str, label_text: str | None) -> tuple[Contract, tuple[str, ...]]:
    """A Contract for the .tflite ``content``, and what had to be assumed for it, one sentence each.

    ``label_text`` is the text of a label file, one label a line in output order, or None; it beats the file's own.

    Raises:
        ModelError: the file is damaged, classifies no images, or there are no labels that fit its output.
    """
    description = describe(content, name)
    attached = _attached_labels(content, description.label_file, name)
    text = attached if label_text is None else label_text
    if text is None:
        raise ModelError(
            f"{name} has neither a contract nor TFLite Metadata with labels, so its "
            f"{description.output_tensor.shape[1]} outputs have no names. "
            "Give a text file with one label a line as `labels`."
        )
    assumptions = ["It has no contract of ours: its accuracy was not measured and no golden frames can be replayed."]
    labels = _labels(text, description.output_tensor.shape[1], name, assumptions)
    normalization = _normalization(description, assumptions)
    taken = description.input_tensor
    assumptions.append("The image is stretched to the input's size and its colours go in as R, G, B.")
    if not description.probabilities:
        assumptions.append(
            "Its last operator is no SOFTMAX or LOGISTIC, so the outputs are taken as logits and a softmax is applied."
        )
    assumptions.append("No threshold: the best class is always named.")
    contract = Contract(
        version=CONTRACT_VERSION,
        spec=ModelSpec(
            name=PurePath(name).stem or "model",
            labels=labels,
            input=InputSpec(taken.shape[1], taken.shape[2], "stretch"),
            output="probabilities" if description.probabilities else "logits",
        ),
        normalization=normalization,
        input_tensor=taken,
        output_tensor=description.output_tensor,
        threshold=0.0,
        scores=(),
        parts={"model": hashlib.sha256(content).hexdigest()},
        provenance={},
    )
    return contract, tuple(assumptions)


def _attached_labels(content: bytes, label_file: str, name: str) -> str | None:
    # Of a file that was cut short inside its appended zip, the beginning of the zip remains.
    cut = _ZIP_END not in content[-65_557:] and _LOCAL_FILE_HEADER in content
    if not label_file and not cut:
        return None
    try:
        if cut:
            raise zipfile.BadZipFile("no end of the zip")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            info = archive.getinfo(label_file)
            if info.file_size > MAX_LABEL_BYTES:
                raise zipfile.BadZipFile(f"{info.file_size} bytes of labels, at most {MAX_LABEL_BYTES} are read")
            return archive.read(info).decode("utf-8")
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ModelError(
            f"{name} ({len(content)} bytes) should have the file {label_file!r} in a zip at its end, which "
            f"cannot be read ({error}): the file was cut short or damaged. Copy it again."
        ) from error


def _labels(text: str, num_classes: int, name: str, assumptions: list[str]) -> tuple[str, ...]:
    rows = [row.strip() for row in text.lstrip("\ufeff").splitlines()]
    while rows and not rows[-1]:
        rows.pop()
    if rows and all(re.match(rf"{index}[\s:,]+\S", row) for index, row in enumerate(rows)):
        rows = [re.sub(r"^\d+[\s:,]+", "", row) for row in rows]
        assumptions.append("The label file's rows begin with their own number, which is not part of the label.")
    if len(rows) != num_classes:
        hint = (
            " One row more is often a first row for the background class." if abs(len(rows) - num_classes) == 1 else ""
        )
        raise ModelError(
            f"{name} has {num_classes} outputs but there are {len(rows)} labels; expected one label a line, "
            f"in output order.{hint}"
        )
    if len(set(rows)) != len(rows):
        rows = [f"{row} (class {index})" if rows.count(row) > 1 else row for index, row in enumerate(rows)]
        assumptions.append("Some labels occur more than once; the class number was added to those.")
    return tuple(rows)


def _normalization(description: Description, assumptions: list[str]) -> Normalization:
    if description.normalization:
        return description.normalization
    taken = description.input_tensor
    if taken.dtype == "float32":
        assumptions.append("Its float32 input has no metadata on normalisation, so raw pixel values 0 to 255 go in.")
        return Normalization((0.0,), (1.0,))
    normalization = _raw_pixels(taken)
    what = "raw pixel bytes go in" if taken.dtype == "uint8" else "raw pixels - 128 go in"
    assumptions.append(
        f"Its {taken.dtype} input has no metadata on normalisation, so {what}: by scale {taken.scale:g} and zero point "
        f"{taken.zero_point} that is mean {normalization.mean[0]:g}, std {normalization.std[0]:g}."
    )
    return normalization


def _raw_pixels(tensor: TensorSpec) -> Normalization:
    """The normalisation for which stored = pixel (uint8) or pixel - 128 (int8)."""
    lowest = 0 if tensor.dtype == "uint8" else -128
    return Normalization((float(tensor.zero_point - lowest),), (1.0 / tensor.scale,))
