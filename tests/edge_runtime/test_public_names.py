"""The package's door: names load on first use, so that a light import stays light."""

from __future__ import annotations

import subprocess
import sys

import pytest

import edge_runtime


@pytest.mark.parametrize("name", [name for name in edge_runtime.__all__ if name != "__version__"])
def test_each_public_name_is_there(name: str) -> None:
    assert getattr(edge_runtime, name).__name__ == name


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
