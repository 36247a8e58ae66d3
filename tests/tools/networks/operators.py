"""Makes convert/tflite/operator_table.py: which operators, up to which version, each backend really runs.

Every toy of `layers` is converted to full integers and run on each backend. What ran is in the table, up to the highest
version that the backend loads, below every version that it refused.
Usage: python -m tests.tools.networks.operators
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import flatbuffers
import numpy as np

from convert.converter import quantize
from convert.tflite import schema
from edge_runtime.errors import ModelError
from edge_runtime.inference.interpreter import BACKENDS, Interpreter, list_available_backends
from tests.tools.networks.layers import SIDE, list_toys
from tests.tools.networks.sane import fill_biases, make_source, settle_head

TABLE = Path(__file__).parents[3] / "convert" / "tflite" / "operator_table.py"
MANY = 30


@dataclass(frozen=True)
class Seen:
    """One conversion of a toy: its (operator, version) pairs, and what each backend says, None where it runs."""

    toy: str
    operators: tuple[tuple[str, int], ...]
    floating: tuple[str, ...]
    refusals: dict[str, str | None]


def convert_toys() -> Iterator[Seen | tuple[str, str]]:
    """Each toy as Seen, or its name and why the converter refuses it."""
    import keras

    images = np.random.default_rng(0).integers(0, 256, (24, SIDE, SIDE, 3), np.uint8)
    for name in list_toys():
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        with tempfile.TemporaryDirectory() as folder:
            network = list_toys()[name]()  # its layers are made, and numbered, anew
            fill_biases(network, seed=1)
            settle_head(network, images.astype(np.float32))
            source = make_source(network, Path(folder), images, images, mean=0.0, std=1.0)
            try:
                flatbuffer = quantize.to_integer(source, images)
            except ModelError as error:
                yield name, str(error)
                continue
            refusals = {backend: try_out(flatbuffer, backend) for backend in BACKENDS}
            yield Seen(name, read_operators(flatbuffer), _list_floating(flatbuffer), refusals)


def read_operators(flatbuffer: bytes) -> tuple[tuple[str, int], ...]:
    """The operators of a .tflite with their versions, sorted."""
    codes = schema.read_tree(flatbuffer).operatorCodes
    return tuple(sorted({(schema.read_operator_name(code), int(code.version)) for code in codes}))


def _list_floating(flatbuffer: bytes) -> tuple[str, ...]:
    """The operators whose output is floating point: they have no integer kernel."""
    tree = schema.read_tree(flatbuffer)
    found = set()
    for subgraph in tree.subgraphs:
        for operator in subgraph.operators:
            if schema.is_float(subgraph.tensors[operator.outputs[0]]):
                found.add(schema.read_operator_name(tree.operatorCodes[operator.opcodeIndex]))
    return tuple(sorted(found))


def try_out(flatbuffer: bytes, backend: str) -> str | None:
    """Loads and runs a model; why that fails, None where it does not."""
    try:
        interpreter = Interpreter(flatbuffer, backend)
        interpreter.invoke(np.full(interpreter.input.shape[1:], 7, interpreter.input.dtype))
    except (ModelError, RuntimeError, ValueError) as error:
        return str(error)
    return None


def find_ceiling(flatbuffer: bytes, kind: str, backend: str) -> int:
    """The highest version of the operator ``kind`` that ``backend`` loads, 0 for none; ``flatbuffer`` is any model."""
    versions = [version for version in range(1, MANY) if _loads(flatbuffer, kind, version, backend)]
    return max(versions, default=0)


def _loads(flatbuffer: bytes, kind: str, version: int, backend: str) -> bool:
    from ai_edge_litert import schema_py_generated as generated

    tree = schema.read_tree(flatbuffer)
    code = getattr(generated.BuiltinOperator, kind)
    tree.operatorCodes.append(
        generated.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=min(code, 127), version=version)
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(tree.Pack(builder), schema.IDENTIFIER)
    return try_out(bytes(builder.Output()), backend) is None


def tabulate(seen: list[Seen], any_model: bytes) -> dict[str, dict[str, int]]:
    """For each backend the highest version of each operator that ran; floating operators are left out."""
    table: dict[str, dict[str, int]] = {}
    for backend in BACKENDS:
        ran = {pair for item in seen if item.refusals[backend] is None for pair in item.operators}
        # Which of a refused toy's operators was meant is told by those that never ran.
        failed = {pair for item in seen if item.refusals[backend] is not None for pair in item.operators} - ran
        kinds = sorted(
            {kind for item in seen for kind, _ in item.operators if kind not in item.floating}
            & {kind for kind, _ in ran}
        )
        table[backend] = {}
        for kind in kinds:
            bad = min((version for name, version in failed if name == kind), default=MANY)
            table[backend][kind] = min(find_ceiling(any_model, kind, backend), bad - 1)
    return table


def write_table(table: dict[str, dict[str, int]]) -> str:
    """The text of the module that holds ``table``."""
    lines = [
        '"""Which operators each backend runs in integers, and up to which version; whatever is not listed is refused.',
        "",
        "Made by `python -m tests.tools.networks.operators` from toy networks that ran; never edited by hand.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "HIGHEST: dict[str, dict[str, int]] = {",
    ]
    for backend, highest in table.items():
        lines += [
            f'    "{backend}": {{',
            *(f'        "{kind}": {version},' for kind, version in highest.items()),
            "    },",
        ]
    return "\n".join([*lines, "}", ""])


def main() -> None:
    """Writes the table, and prints what did not convert or did not run."""
    list_available_backends()  # before TensorFlow: see convert/inputs/keras_model.py
    seen = []
    for item in convert_toys():
        if isinstance(item, Seen):
            seen.append(item)
            for backend, refusal in item.refusals.items():
                if refusal:
                    print(f"{item.toy}: {backend}: {refusal}", flush=True)
        else:
            print(f"{item[0]}: not converted: {item[1]}", flush=True)
    any_model = (Path(__file__).parents[2] / "edge_runtime" / "toys" / "uint8.tflite").read_bytes()
    TABLE.write_text(write_table(tabulate(seen, any_model)), "utf-8")


if __name__ == "__main__":
    main()
