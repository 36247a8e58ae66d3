"""What is given by mistake for a .tflite file is named, with the way to the right one."""

from __future__ import annotations

import io
import zipfile

import pytest

from edge_runtime.errors import ModelError
from edge_runtime.model.model_file import read_model


def zipped(*members: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for member in members:
            archive.writestr(member, b"contract.json golden.npz")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "a Git LFS pointer.*`git lfs pull`"),
        (b"\x89HDF\r\n\x1a\n....", "a Keras model; convert it with `python -m convert`"),
        (zipped("config.json", "model.weights.h5"), "a Keras model; convert it"),
        (zipped("net/data.pkl", "net/version"), "a PyTorch model; export it to TFLite"),
        (b"\x80\x02\x8a\x0a", "a PyTorch model; export it to TFLite"),
        (zipped("model.tflite", "labels.txt"), r"a zip .* with 'model.tflite'; unpack it"),
        (zipped("notes.txt"), "a zip without a .tflite file in it"),
        (zipped("notes.txt")[:-9], "a zip that was cut short or damaged; copy it again"),
        (b"\x08\x07\x12\x07pytorch", "an ONNX model; convert it to TFLite"),
        (b"\x08\x01\x12\x9a\x01", "a TensorFlow SavedModel's graph"),
        (b"\n<!DOCTYPE html><title>x</title>", "a web page; download the file itself"),
        (b"\x1f\x8b\x08\x00\x00", "a gzip archive; unpack it"),
        (b"\xfd7zXZ\x00\x00", "an xz archive; unpack it"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it"),
        (b"Rar!\x1a\x07", "a RAR archive; unpack it"),
        (b"\x80\x04\x95....", "a Python pickle, such as a scikit-learn model"),
        (b"\xff\xd8\xff\xe0..JFIF", "an image; give it after the flags"),
        (b"\x89PNG\r\n\x1a\n", "an image; give it after the flags"),
        (b"RKNN....", "a model compiled for a Rockchip NPU"),
        (b'<?xml version="1.0"?><net>', "an XML file"),
        (b"\x10\0\0\0ET12....", "an ExecuTorch model; export it to TFLite"),
        (b'\x20\1\0\0\0\0\0\0{"a":{}}', "a safetensors file, which has weights but no network"),
        (b'{"format": "layers-model"}', "JSON .*TensorFlow.js"),
        (b"const unsigned char g_model[] = {\n 0x1c, 0x00", "the C source of a model"),
        (b"", "empty; copy it again"),
        (b"BZh91AY", "a bzip2 archive; unpack it"),
        (b"x" * 257 + b"ustar\x0000", "a tar archive; unpack it"),
        (b"GGUF\x03\0\0\0", "a language model in GGUF"),
        (b"ftrt\0\0\0\0", "a TensorRT engine, .*; give the .tflite or ONNX file that it was made from"),
        (b"\x01HEF\0\0", "a model compiled for a Hailo NPU"),
        (b"7767517\n75 83\n", "the network of an ncnn model"),
        (b"\x7fELF\x02\x01", "a program or library"),
        (b"\0\0\0 ftypisom", "a video or photo"),
        (b"\x0a\x1c\x0a\x05input\x12\x0bPlaceholder", "a TensorFlow graph"),
        (b"import tensorflow as tf\n", "a text file, such as a label list or a program"),
        ("Käse\nBrot\n".encode() * 500, "a text file, such as a label list"),
        (zipped("arr_0.npy"), "NumPy arrays"),
        (zipped("Data/com.apple.CoreML/model.mlmodel"), "a Core ML model"),
    ],
)
def test_a_file_of_another_kind_is_named_with_its_remedy(content, told):
    with pytest.raises(ModelError, match=rf"toy is not a TFLite file: it is {told}"):
        read_model(content, "toy", "a\nb\n")
