"""Which folder may import which: one table for all three packages, held by parsing every file.

Imports inside functions and under TYPE_CHECKING count. A module that stands in no row, a circle between modules and a
folder with too many entries fail as well.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("edge_runtime", "convert", "train")
MOST_ENTRIES = 16

# Each folder, and the folders (of its own package, or with its name in front of edge_runtime) that its modules may import beside itself. A
# module in a package's top folder is a row of its own. What stands lower in a package never imports what stands higher.
GROUND = "contract errors metrics version"
ARROWS = {
    # edge_runtime: the device
    "edge_runtime/errors": "",
    "edge_runtime/version": "",
    "edge_runtime/contract": "errors",
    "edge_runtime/metrics": "errors",
    "edge_runtime/system": GROUND,
    "edge_runtime/pixels": f"{GROUND} system",  # whoever decodes hears the decoder on stderr, which it takes for that time
    "edge_runtime/store": f"{GROUND} system",
    "edge_runtime/model": f"{GROUND} pixels system store model/labels",
    "edge_runtime/model/labels": "errors",
    "edge_runtime/inference": f"{GROUND} pixels model system",
    "edge_runtime/cameras": f"{GROUND} pixels model system cameras/sources cameras/capture",
    "edge_runtime/cameras/sources": f"{GROUND} pixels model system store cameras cameras/sources/opencv",
    "edge_runtime/cameras/sources/opencv": f"{GROUND} pixels system cameras cameras/sources",
    "edge_runtime/cameras/capture": f"{GROUND} pixels model system cameras cameras/sources",
    "edge_runtime/installed": f"{GROUND} pixels model system store inference",
    "edge_runtime/installed/teach": f"{GROUND} pixels model system store inference installed",
    "edge_runtime/live": f"{GROUND} pixels model system inference cameras",
    "edge_runtime/reports": f"{GROUND} pixels model system store inference cameras cameras/sources installed live",
    "edge_runtime/outputs": f"{GROUND} pixels system inference cameras live",
    "edge_runtime/outputs/mqtt": f"{GROUND} system live outputs",
    "edge_runtime/outputs/web": f"{GROUND} pixels system inference cameras live outputs",
    "edge_runtime/cli": f"{GROUND} pixels model system store inference cameras installed live reports outputs",
    "edge_runtime/cli/run": f"{GROUND} pixels model system store inference cameras installed live outputs outputs/mqtt outputs/web cli",
    "edge_runtime/cli/store": f"{GROUND} model system store installed installed/teach cli",
    "edge_runtime/cli/teach": f"{GROUND} pixels model system store cameras live installed/teach cli",
    "edge_runtime/__main__": "cli system",
    "edge_runtime/__init__": "errors version cameras inference model",
    # convert: run directory or .keras -> one verified file. Any folder may use the device's own code (`DEVICE`).
    "convert/__init__": "",
    "convert/config": "",
    "convert/output": "",
    "convert/tflite": "",
    "convert/inputs": "config tflite output",
    "convert/converter": "config inputs tflite output",
    "convert/measure": "config converter inputs tflite output",
    "convert/report": "config measure converter inputs tflite output",
    "convert/pipeline": "config report measure converter inputs tflite output",
    "convert/foreign_flags": "config",
    "convert/compare": "foreign_flags pipeline config report measure converter inputs tflite output",
    "convert/explain": "foreign_flags pipeline config report measure converter inputs tflite output",
    "convert/improve": "report measure inputs output",
    "convert/pack": "tflite output",
    "convert/sign": "output",
    "convert/__main__": "foreign_flags pipeline config report output",
    # train: images -> run directory.
    "train/__init__": "arrays curves",
    "train/curves": "",
    "train/progress": "curves",
    "train/arrays": "curves progress recipes datasets runs training scratch transfer",
    "train/recipes": "",
    "train/models": "recipes",
    "train/datasets": "progress datasets/cifar10_mini datasets/layout",
    "train/datasets/layout": "datasets",
    "train/datasets/cifar10_mini": "datasets",
    "train/training": "progress recipes datasets",
    "train/runs": "models recipes datasets datasets/layout training",
    "train/scratch": "progress models recipes datasets training runs",
    "train/transfer": "progress models recipes datasets training runs transfer/backbone transfer/features transfer/scenes",
    "train/transfer/scenes": "recipes datasets datasets/cifar10_mini datasets/layout",
    "train/transfer/backbone": "",
    "train/transfer/features": "progress datasets training",
    "train/prune": "progress models recipes datasets training runs scratch",
    "train/edge_train": "recipes runs",
    "train/__main__": "curves progress models recipes datasets training runs scratch transfer",
    "train/zoo": "__main__",
    "train/search": "models recipes datasets",
    # Its page is guarded as the live page is: one Host check and one set of headers for both.
    "train/sort": "progress datasets datasets/layout edge_runtime/outputs/web",
}
# What the host packages may use of the device: all of it for convert, which measures through it; for train the doors to
# pixels, the contract and the ground.
DEVICE = {
    "convert": f"{GROUND} model model/labels inference pixels system store live reports installed cli",
    "train": f"{GROUND} pixels system cli",
}


@cache
def modules() -> dict[str, Path]:
    """Every module of the three packages by its dotted name; a package is its ``__init__``."""
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


@cache
def imports(path: Path) -> tuple[tuple[str, int], ...]:
    """Every absolute dotted name that ``path`` imports, with its line; of ``from a import b`` the module that it is."""

    def found() -> Iterator[tuple[str, int]]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{path}:{node.lineno}: relative import; write the whole name"
                assert node.module
                for alias in node.names:
                    name = f"{node.module}.{alias.name}"
                    yield (name if name in modules() else node.module), node.lineno
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
                "import_module",
                "__import__",
            ):
                if node.args and isinstance(node.args[0], ast.Constant):
                    yield str(node.args[0].value), node.lineno

    return tuple(found())


def row(name: str) -> str:
    """The row of `ARROWS` for a module: its folder, or the module itself in a package's top folder."""
    path = modules()[name].relative_to(ROOT)
    return path.parent.as_posix() if len(path.parts) > 2 else path.with_suffix("").as_posix()


def test_every_module_stands_in_a_row_and_every_row_has_a_module() -> None:
    rows = {row(name) for name in modules()}
    assert sorted(rows - ARROWS.keys()) == []
    assert sorted(ARROWS.keys() - rows) == []


def test_modules_import_only_the_folders_of_their_row() -> None:
    found = []
    for name, path in modules().items():
        package, place = name.split(".")[0], row(name)
        allowed = ARROWS[place].split()
        targets = {place, *(entry if entry.startswith("edge_runtime/") else f"{package}/{entry}" for entry in allowed)}
        targets |= {f"edge_runtime/{entry}" for entry in DEVICE.get(package, "").split()}
        for other, line in imports(path):
            if (
                other in modules()
                and row(other) not in targets
                and row(other) != f"{row(other).split('/')[0]}/__init__"
            ):
                found.append(f"{path.relative_to(ROOT)}:{line} imports {other}, {place} may import {sorted(targets)}")
    assert found == []


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {
        name: sorted({other for other, _ in imports(path) if other in modules()} - {name})
        for name, path in modules().items()
    }
    done: set[str] = set()
    circles: list[str] = []

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            circles.append(" -> ".join([*way[way.index(name) :], name]))
        elif name not in done:
            for other in graph[name]:
                visit(other, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())
    assert circles == []


def test_no_folder_has_more_entries_than_a_reader_can_hold() -> None:
    folders = {path.parent for path in modules().values()}
    entries = {
        str(folder.relative_to(ROOT)): [
            entry.name
            for entry in folder.iterdir()
            if (entry.suffix == ".py" and entry.name != "__init__.py") or (entry.is_dir() and entry in folders)
        ]
        for folder in folders
    }
    assert {folder: names for folder, names in entries.items() if len(names) > MOST_ENTRIES} == {}


def test_every_folder_says_what_lives_there_and_what_never_may() -> None:
    signs = {
        name: ast.get_docstring(ast.parse(path.read_text("utf-8")))
        for name, path in modules().items()
        if path.name == "__init__.py"
    }
    assert sorted(name for name, text in signs.items() if not text or "ever" not in text) == []


# The standard library and NumPy are everywhere on the device; anything else has one place.
ONE_PLACE = {
    "cv2": "pixels/opencv.py",
    "ai_edge_litert": "inference/interpreter.py",
    "tflite_runtime": "inference/interpreter.py",
    "pillow_heif": "pixels/heif.py",
    "picamera2": "cameras/sources/",
    "starlette": "outputs/web/",
    "uvicorn": "outputs/web/",
    "prometheus_client": "outputs/web/",
    "paho": "outputs/mqtt/",
    "cryptography": "model/signatures.py",
}


def of_package(package: str) -> Iterator[tuple[str, str, int]]:
    """(place within the package, imported name, line) of every import in ``package``."""
    for name, path in modules().items():
        if name.split(".")[0] == package:
            for other, line in imports(path):
                yield path.relative_to(ROOT / package).as_posix(), other, line


def test_the_device_package_imports_the_standard_library_numpy_and_its_own_only() -> None:
    ground = sys.stdlib_module_names | {"edge_runtime", "numpy"}
    found = [
        f"edge_runtime/{place}:{line} imports {name}"
        for place, name, line in of_package("edge_runtime")
        if (top := name.split(".")[0]) not in ground and not (top in ONE_PLACE and place.startswith(ONE_PLACE[top]))
    ]
    assert found == []


@pytest.mark.parametrize(("package", "never"), [("convert", "train"), ("train", "convert")])
def test_the_two_host_packages_never_import_each_other(package: str, never: str) -> None:
    assert [entry for entry in of_package(package) if entry[1].split(".")[0] == never] == []


def test_of_the_devices_command_line_the_host_uses_the_parser_alone() -> None:
    used = {name for package in ("convert", "train") for _, name, _ in of_package(package)}
    assert {name for name in used if name.startswith("edge_runtime.cli")} == {"edge_runtime.cli.verb_parser"}


def test_only_quantize_py_touches_the_tflite_converter() -> None:
    users = [
        str(path.relative_to(ROOT))
        for path in modules().values()
        if "TFLiteConverter" in path.read_text(encoding="utf-8")
    ]
    assert [Path(user).name for user in users] == ["quantize.py"]


def test_no_shipped_module_is_a_drawer_of_odds_and_ends() -> None:
    assert not {path.stem for path in modules().values()} & {"utils", "util", "common", "helpers", "misc"}


# Folders whose tests ask what NumPy, OpenCV or the interpreter answers; in the others they only carry it.
ARITHMETIC = ("inference", "installed", "model", "pixels")


def test_what_numpy_opencv_or_the_interpreter_decides_is_tested_in_both_device_environments() -> None:
    found = []
    for path in sorted((ROOT / "tests" / "edge_runtime").rglob("test_*.py")):
        if path.relative_to(ROOT / "tests" / "edge_runtime").parts[0] not in ARITHMETIC:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                marks = {ast.unparse(mark).removeprefix("pytest.mark.") for mark in node.decorator_list}
                found += [f"{path.name}: {node.name}"] if "slow" in marks and "arithmetic" not in marks else []
    assert found == [], "mark them with pytest.mark.arithmetic"
    commands = [line for line in (ROOT / "Makefile").read_text("utf-8").splitlines() if "pytest -q tests/edge_" in line]
    assert ["-m" in line.split("pytest", 1)[1] for line in commands] == [False, True]
    assert '-m "not slow or arithmetic"' in commands[1]
