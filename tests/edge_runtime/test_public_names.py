"""The package's door: names load on first use, so that a light import stays light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import edge_runtime
from edge_runtime import errors


@pytest.mark.parametrize("name", [name for name in edge_runtime.__all__ if name != "__version__"])
def test_each_public_name_is_there(name: str) -> None:
    assert getattr(edge_runtime, name).__name__ == name
    assert name in dir(edge_runtime)


def test_every_error_that_can_be_raised_can_be_imported_from_the_package() -> None:
    tree = {name for name in vars(errors) if name.endswith("Error")}
    assert tree <= set(edge_runtime.__all__)
    assert edge_runtime.ModelError is errors.ModelError


def test_the_package_tells_type_checkers_that_it_is_typed() -> None:
    assert (Path(edge_runtime.__file__).parent / "py.typed").is_file()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'edge_runtime' has no attribute 'Clasifier'"):
        edge_runtime.Clasifier  # noqa: B018


def test_the_contract_imports_neither_opencv_nor_numpy_nor_an_interpreter() -> None:
    program = (
        "import sys, edge_runtime.contract\n"
        "print(sorted({'cv2', 'numpy', 'ai_edge_litert', 'tflite_runtime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
