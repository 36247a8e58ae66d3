"""Holds the import directions of docs/architecture.md by parsing every file, imports inside functions included."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = {room: sorted((ROOT / room).rglob("*.py")) for room in ("train", "convert", "edge_runtime")}
# train may see the device package through these doors only.
TRAIN_DOORS = {"contract", "preprocess", "image_file", "metrics", "errors", "quiet_start"}
# Where pixels are; everything else in edge_runtime does without OpenCV.
INTERPRETERS = {"ai_edge_litert", "tflite_runtime"}
# Libraries of the extras, each with the one place that may import it.
EXTRAS = {
    "picamera2": "cameras/",
    "starlette": "web/",
    "uvicorn": "web/",
    "prometheus_client": "web/",
    "paho": "sinks/mqtt",
    "cryptography": "signatures.py",
}
LAYERS = [
    {"errors"},
    {"contract"},
    {"preprocess", "quantization", "postprocess", "metrics", "image_file"},
    {"appended_zip", "flatbuffer"},
    {"goldens", "tflite_metadata", "interpreter"},
    {"foreign_model"},
    {"durable", "signatures"},
    {"model_file"},
    {"classifier"},
    {"loop", "selftest", "bench", "collect"},
    {"store", "probe"},
    {"installation", "probation"},
    {"verbs/run", "verbs/classify", "verbs/info", "verbs/selftest", "verbs/bench", "verbs/doctor", "verbs/collect"},
    {"cli"},
]


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Every absolute dotted name that ``path`` imports, with its line; ``from a import b`` gives both a and a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: relative import; write the whole name"
            assert node.module
            yield node.module, node.lineno
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            if node.args and isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value), node.lineno


def violations(room: str, allowed: object) -> list[str]:
    assert callable(allowed)
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in FILES[room]
        for name, line in imported(path)
        if not allowed(path, name)
    ]


def test_every_room_has_files() -> None:
    assert all(len(files) > 5 for files in FILES.values())


def test_the_device_package_imports_the_standard_library_numpy_cv2_and_its_own_only() -> None:
    def allowed(path: Path, name: str) -> bool:
        top, place = name.split(".")[0], path.relative_to(ROOT / "edge_runtime").as_posix()
        if top in EXTRAS:
            return place.startswith(EXTRAS[top])
        return top in sys.stdlib_module_names or top in {"edge_runtime", "numpy", "cv2"} | INTERPRETERS

    assert violations("edge_runtime", allowed) == []


def test_only_interpreter_py_imports_an_interpreter() -> None:
    def allowed(path: Path, name: str) -> bool:
        return name.split(".")[0] not in INTERPRETERS or path.name == "interpreter.py"

    assert violations("edge_runtime", allowed) == []


def test_train_never_imports_convert_and_sees_the_device_package_through_its_doors() -> None:
    def allowed(path: Path, name: str) -> bool:
        parts = name.split(".")
        if parts[0] == "edge_runtime":
            return len(parts) == 1 or parts[1] in TRAIN_DOORS
        return parts[0] != "convert"

    assert violations("train", allowed) == []


def test_convert_never_imports_train() -> None:
    assert violations("convert", lambda path, name: name.split(".")[0] != "train") == []


def test_only_quantize_py_touches_the_tflite_converter() -> None:
    users = [
        path.name for path in FILES["convert"] + FILES["train"] if "TFLiteConverter" in path.read_text(encoding="utf-8")
    ]
    assert users == ["quantize.py"]


@pytest.mark.parametrize("layer", range(len(LAYERS)))
def test_lower_layers_of_the_device_package_never_import_higher_ones(layer: int) -> None:
    higher = {module.split("/")[0] for modules in LAYERS[layer + 1 :] for module in modules}
    found = [
        f"{module}.py:{line} imports {name}"
        for module in LAYERS[layer]
        for name, line in imported(ROOT / "edge_runtime" / f"{module}.py")
        if name.startswith("edge_runtime.") and name.split(".")[1] in higher
    ]
    assert found == []


def test_no_shipped_module_is_a_drawer_of_odds_and_ends() -> None:
    names = {path.stem for files in FILES.values() for path in files}
    assert not names & {"utils", "util", "common", "helpers", "misc"}


def test_the_architecture_page_says_what_every_module_is_for() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    modules = [path for room in FILES for path in (ROOT / room).glob("*.py") if not path.stem.startswith("__")]
    assert len(modules) > 100
    assert [str(path) for path in modules if not re.search(rf"\b{path.stem}\b", page)] == []
