"""Puts one small fault after another into the code that must not be wrong, and counts how many its tests notice:

    python -m tests.tools.mutate                       (all faults of all modules: hours)
    python -m tests.tools.mutate --count 40 --seed 1   (as many of each module, drawn by chance)

Each fault is tried in a forked process that has the libraries imported already and gets the changed module instead of
the true one. What no test notices is printed with its line; equal programs among them are for a reader to see. Ends
with 1 when fewer than ``FLOOR`` of them were noticed. Linux only.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
# Of all faults, including those that change nothing.
FLOOR = 0.8
CONTRACT_TESTS = ["tests/edge_runtime/test_contract.py", "tests/edge_runtime/test_contract_values.py"]
TESTS = {
    "edge_runtime.inference.quantization": ["tests/edge_runtime/inference/test_quantization.py"],
    "edge_runtime.contract.values": CONTRACT_TESTS,
    "edge_runtime.contract.json_form": CONTRACT_TESTS,
    "edge_runtime.model.signatures": [
        "tests/edge_runtime/model/test_signatures.py",
        "tests/attacks/test_08_misplaced_keys.py",
    ],
    "edge_runtime.store.state": ["tests/edge_runtime/store/test_state.py"],
    "edge_runtime.store.store": ["tests/edge_runtime/store/test_store.py", "tests/attacks/test_09_foreign_stores.py"],
}
# Tests of these that run programs under strace take minutes for one fault.
LEFT_OUT = "not kill and not trace and not processes"
# How often as long as without a fault the tests may take; what does not end by then is noticed. On a busy machine a fixed
# time would call every fault noticed.
PATIENCE, LONGEST_S = 8.0, 1200.0

_OPPOSITE: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One change of a module: what and where, and the changed source."""

    what: str
    line: int
    source: str


def list_faults(source: str) -> list[Fault]:
    """Every fault that is put into ``source``, in the order of its lines."""
    tree = ast.parse(source)
    found = []
    for number, node in enumerate(ast.walk(tree)):
        for what, change in _changes(node):
            changed = copy.deepcopy(tree)
            change(next(other for place, other in enumerate(ast.walk(changed)) if place == number))
            text = ast.unparse(ast.fix_missing_locations(changed))
            compile(text, what, "exec")  # what is no program is noticed by everybody
            found.append(Fault(what, getattr(node, "lineno", 0), text))
    return sorted(found, key=lambda fault: (fault.line, fault.what))


def _changes(node: ast.AST) -> Iterator[tuple[str, Callable[[Any], None]]]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OPPOSITE:
        yield f"{type(node.ops[0]).__name__} turned", lambda other: _turn(other.ops, 0)
    elif isinstance(node, (ast.BoolOp, ast.BinOp)) and type(node.op) in _OPPOSITE and not _is_of_types(node):
        yield f"{type(node.op).__name__} turned", lambda other: setattr(other, "op", _OPPOSITE[type(other.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not left out", lambda other: setattr(other, "operand", ast.UnaryOp(ast.Not(), other.operand))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} turned", lambda other: setattr(other, "value", not other.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield f"{node.value} plus 1", lambda other: setattr(other, "value", other.value + 1)
    elif isinstance(node, ast.Raise):
        yield "raise left out", lambda other: _become_pass(other)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield "None returned", lambda other: setattr(other, "value", ast.Constant(None))


def _is_of_types(node: ast.AST) -> bool:
    """Whether ``node`` is an annotation such as ``str | None``, which nothing reads while a program runs."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)


def _turn(operators: list[ast.cmpop], place: int) -> None:
    operators[place] = _OPPOSITE[type(operators[place])]()  # type: ignore[call-overload]


def _become_pass(node: ast.Raise) -> None:
    node.__class__ = ast.Expr  # type: ignore[assignment]
    node.__dict__.update(value=ast.Constant(None))


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives out the changed source under the module's name."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name, self._path, self._source = name, path, source

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> Any:
        if name != self._name:
            return None
        return importlib.util.spec_from_file_location(name, self._path, loader=self)

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, str(self._path), "exec"), module.__dict__)


def is_noticed(name: str, source: str, patience_s: float = LONGEST_S) -> bool:
    """Whether the tests of module ``name`` fail, or do not end within ``patience_s``, when it is ``source``."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_child(name, source, write_end)
    os.close(write_end)
    answer = os.read(read_end, 1) if select.select([read_end], [], [], patience_s)[0] else b""
    os.close(read_end)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return answer != b"0"


def _be_child(name: str, source: str, pipe: int) -> None:
    os.setpgid(0, 0)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1), os.dup2(nowhere, 2)
    code = 1
    home = tempfile.mkdtemp()
    os.environ["HOME"] = home  # a fault may lead past what a test sets
    try:
        import pytest

        sys.meta_path.insert(0, _Changed(name, ROOT / (name.replace(".", "/") + ".py"), source))
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-k", LEFT_OUT]
        code = int(pytest.main([*options, *TESTS[name]]))
    finally:
        shutil.rmtree(home, ignore_errors=True)
        os.write(pipe, b"0" if code == 0 else b"1")
        os._exit(0)


def main() -> int:
    """Tries the faults; 1 when too few were noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.mutate", description=__doc__.split("\n")[0])
    parser.add_argument("--module", action="append", help="only this one, as edge_runtime.store.store")
    parser.add_argument("--count", type=int, help="so many of each module, drawn by chance (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="which ones (default 0)")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no further one after so long")
    flags = parser.parse_args()
    import cv2  # noqa: F401  imported once, for all children
    import numpy  # noqa: F401
    import pytest  # noqa: F401

    end_s = time.monotonic() + 60 * flags.minutes
    num_tried = num_noticed = 0
    for name in flags.module or TESTS:
        source = (ROOT / (name.replace(".", "/") + ".py")).read_text(encoding="utf-8")
        faults = list_faults(source)
        drawn = sorted(
            random.Random(flags.seed).sample(range(len(faults)), min(flags.count or len(faults), len(faults)))
        )
        began_s = time.monotonic()
        assert not is_noticed(name, ast.unparse(ast.parse(source))), f"the tests of {name} fail without any fault"
        patience_s = 20 + PATIENCE * (time.monotonic() - began_s)
        noticed = tried = 0
        for number in drawn:
            if time.monotonic() > end_s:
                break
            fault, tried = faults[number], tried + 1
            if is_noticed(name, fault.source, patience_s):
                noticed += 1
            else:
                print(f"{name} line {fault.line}: {fault.what}, and no test fails", flush=True)
        print(f"{name}: {noticed} of {tried} noticed ({len(faults)} there are)", flush=True)
        num_tried, num_noticed = num_tried + tried, num_noticed + noticed
    print(f"{num_noticed} of {num_tried} noticed, expected at least {FLOOR:.0%}")
    return 0 if num_noticed >= FLOOR * num_tried else 1


if __name__ == "__main__":
    sys.exit(main())
