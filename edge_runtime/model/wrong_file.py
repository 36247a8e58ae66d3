"""Names, by its first bytes, a file that was given instead of a .tflite file, and says how to get the right one.

Only for error texts: nothing here decides whether a file is loaded.
"""

from __future__ import annotations

import io
import zipfile

_KERAS = "a Keras model; convert it with `python -m convert` on the host"
_TORCH = "a PyTorch model; export it to TFLite (with ai-edge-torch, say) and give the .tflite file"
_IMAGE = "an image; give it after the flags, and a .tflite file as `model`"
_C_SOURCE = "the C source of a model; turn its bytes back into a file (xxd -r -p), or give the .tflite file"
_SOURCE = "; give the .tflite or ONNX file that it was made from"
_PACKED = "; unpack it and give the .tflite file inside"
# The first match counts.
_BEGINNINGS = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; fetch that with `git lfs pull`"),
    (b"\x89HDF\r\n\x1a\n", _KERAS),
    (b"\x1f\x8b", "a gzip archive" + _PACKED),
    (b"\xfd7zXZ\x00", "an xz archive" + _PACKED),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive" + _PACKED),
    (b"Rar!", "a RAR archive" + _PACKED),
    (b"\x80\x02", _TORCH),
    (b"\x80\x03", "a Python pickle, such as a scikit-learn model; give a .tflite file"),
    (b"\x80\x04", "a Python pickle, such as a scikit-learn model; give a .tflite file"),
    (b"\xff\xd8\xff", _IMAGE),
    (b"\x89PNG", _IMAGE),
    (b"RKNN", "a model compiled for a Rockchip NPU" + _SOURCE),
    (b"<?xml", "an XML file (OpenVINO's format for models); give the .tflite file that it was made from"),
    (b"BZh", "a bzip2 archive" + _PACKED),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive" + _PACKED),
    (b"GGUF", "a language model in GGUF; give the .tflite file of an image classifier"),
    (b"ftrt", "a TensorRT engine, compiled for one Nvidia GPU" + _SOURCE),
    (b"\x01HEF", "a model compiled for a Hailo NPU" + _SOURCE),
    (b"7767517", "the network of an ncnn model" + _SOURCE),
    (b"\x7fELF", "a program or library; give the .tflite file"),
    (b"%PDF", "a PDF document; give the .tflite file"),
    (b"\x93NUMPY", "a NumPy array; give the .tflite file"),
    (b"\x08\x01\x12", "a TensorFlow SavedModel's graph; convert it to TFLite on the host"),
)
# ir_version, then the next field of ONNX's ModelProto.
_ONNX_FIELDS = b"\x12\x1a\x22\x3a"


def name_wrong_file(content: bytes, name: str) -> str:
    """One sentence on what ``content`` is and what to do; "" if it begins like a .tflite file or is not recognised."""
    if content[4:8] == b"TFL3":
        return ""
    kind = _kind(content)
    return f"{name} is not a TFLite file: it is {kind}." if kind else ""


def _kind(content: bytes) -> str:
    if not content:
        return "empty; copy it again"
    for beginning, kind in _BEGINNINGS:
        if content.startswith(beginning):
            return kind
    if content[4:8] == b"ET12":
        return "an ExecuTorch model; export it to TFLite (with ai-edge-torch, say) and give the .tflite file"
    if content[8:9] == b"{" and content[:8] != b"\0" * 8 and content[2:8] == b"\0" * 6:
        return "a safetensors file, which has weights but no network; convert the model to TFLite on the host"
    if content.startswith(b"PK\x03\x04"):
        return _zip_kind(content)
    if content[257:262] == b"ustar":
        return "a tar archive" + _PACKED
    if content[4:8] == b"ftyp":
        return "a video or photo; give it as `camera` or after the flags, and a .tflite file as `model`"
    if content[:1] == b"\x0a" and b"Placeholder" in content[:1000]:
        return "a TensorFlow graph (.pb); convert it to TFLite on the host"
    if content[:1] == b"\x08" and content[2:3] and content[2] in _ONNX_FIELDS:
        return "an ONNX model; convert it to TFLite (with onnx2tf, say) and give the .tflite file"
    beginning = content[:4096].lstrip()
    if beginning[:1] in (b"{", b"["):
        return "JSON (TensorFlow.js's format for models, and a common one for labels); give the .tflite file"
    if b"unsigned char" in beginning and b"0x" in beginning:
        return _C_SOURCE
    if content[:512].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "a web page; download the file itself (GitHub: the address of its 'raw' button)"
    if _is_text(content[:4096]):
        return "a text file, such as a label list or a program; give the .tflite file"
    return ""


def _is_text(beginning: bytes) -> bool:
    """Whether these bytes are lines of text; the last character may be cut off."""
    shown = beginning.decode("utf-8", "ignore")
    is_whole = len(beginning) - len(shown.encode()) < 4
    return is_whole and "\n" in shown and all(each.isprintable() or each in "\r\n\t" for each in shown)


def _zip_kind(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return "a zip that was cut short or damaged; copy it again"
    if "model.weights.h5" in members:
        return _KERAS
    if any(member.endswith("data.pkl") for member in members):
        return _TORCH
    models = [member for member in members if member.endswith(".tflite")]
    if models:
        return f"a zip (as .task bundles and exports are) with {', '.join(map(repr, models[:3]))}" + _PACKED
    if members and all(member.endswith(".npy") for member in members):
        return "NumPy arrays (.npz), weights without a network perhaps; give the .tflite file"
    if any(member.endswith(".mlmodel") for member in members):
        return "a Core ML model; convert the model that it was made from to TFLite"
    return "a zip without a .tflite file in it; give the .tflite file"
