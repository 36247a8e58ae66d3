"""Every public function, method and class of the three packages says what it gives.

Public is what no underscore in its name or in that of its class hides. A method that a class of ours declares with a
docstring needs none where it is only carried out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("edge_runtime", "convert", "train")


def public_functions(package: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, bool]]:
    """(place, definition, whether it is a method) of everything public in ``package``."""
    for path in sorted((ROOT / package).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found: list[tuple[ast.stmt, bool]] = [(node, False) for node in tree.body]
        for node, is_method in found:
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or node.name.startswith("_"):
                continue
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node, is_method
            if isinstance(node, ast.ClassDef):
                found += [(inner, True) for inner in node.body]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_function_and_class_has_a_docstring(package: str) -> None:
    everything = list(public_functions(package))
    assert len(everything) > 100
    declared = {node.name for _, node, is_method in everything if is_method and ast.get_docstring(node)}
    silent = [
        place
        for place, node, is_method in everything
        if not ast.get_docstring(node) and not (is_method and node.name in declared)
    ]
    assert silent == []
