"""Reads and writes the TFLite flatbuffer as a tree of objects: the only file that touches the generated schema.

The schema is the one that ships with LiteRT, so that reading a model does not load TensorFlow. Nothing is interpreted
here.
"""

from __future__ import annotations

import struct
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as generated

from edge_runtime.errors import ModelError

IDENTIFIER = b"TFL3"
# Both backends map the file and read weights in place; the schema asks for 16 bytes (`force_align`).
DATA_ALIGNMENT = 16

_DTYPES = {code: name.lower() for name, code in vars(generated.TensorType).items() if isinstance(code, int)}
_OPERATORS = {code: name for name, code in vars(generated.BuiltinOperator).items() if isinstance(code, int)}
_FLOATS = ("float16", "float32", "float64", "bfloat16", "complex64", "complex128")


def read_tree(flatbuffer: bytes, name: str = "The model") -> Any:
    """The ``ModelT`` tree of a .tflite flatbuffer; ``name`` is for the error text.

    Raises:
        ModelError: it is not a TFLite flatbuffer, is damaged, or keeps weights outside the flatbuffer.
    """
    if flatbuffer[4:8] != IDENTIFIER:
        raise ModelError(f"{name} is not a TFLite file: bytes 4 to 7 are {flatbuffer[4:8]!r}, expected {IDENTIFIER!r}.")
    try:
        tree = generated.ModelT.InitFromPackedBuf(flatbuffer)
    except (struct.error, ValueError, IndexError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{name} is damaged: its flatbuffer cannot be read ({error}). Copy or convert it again."
        ) from error
    if not tree.subgraphs or not tree.buffers:
        raise ModelError(f"{name} has no subgraph or no buffers; expected a model with at least one of each.")
    outside = [index for index, buffer in enumerate(tree.buffers) if buffer.offset or buffer.size]
    if outside or tree.externalBuffers or tree.externalBufferGroups:
        raise ModelError(f"{name} keeps buffers {outside[:5]} outside its flatbuffer; expected all weights inside it.")
    return tree


def read_dtype(tensor: Any) -> str:
    """ "int8", "float32", ... of a ``TensorT``."""
    return str(_DTYPES.get(tensor.type, f"type {tensor.type}"))


def set_dtype(tensor: Any, dtype: str) -> None:
    """Gives a ``TensorT`` the type "int8", "uint8", ... of the schema."""
    tensor.type = next(code for code, name in _DTYPES.items() if name == dtype)


def is_float(tensor: Any) -> bool:
    """Whether a ``TensorT`` holds floating-point numbers."""
    return read_dtype(tensor) in _FLOATS


def read_operator_name(code: Any) -> str:
    """ "CONV_2D", ... of an ``OperatorCodeT``, or the name of a custom operator."""
    # Files from before 2020 have only the one-byte code.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _OPERATORS.get(number, f"operator {number}")
    return f"CUSTOM {read_text(code.customCode)}" if name == "CUSTOM" else str(name)


def read_buffer(tree: Any, index: int) -> bytes:
    """The content of buffer ``index``; empty where there is none."""
    data = tree.buffers[index].data
    return b"" if data is None else np.asarray(data, np.uint8).tobytes()


def read_text(name: bytes | str | None) -> str:
    """A name of the schema, which is bytes where it was read and text where it was set; empty where there is none."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name or ""


def make_metadata_entry(name: str, buffer: int) -> Any:
    """The model's entry that says: the metadata called ``name`` is in buffer ``buffer``."""
    return generated.MetadataT(name=name, buffer=buffer)


class AlignedBuffer(generated.BufferT):  # type: ignore[misc]
    """A buffer whose data starts at a multiple of 16 bytes: the generated code forgets the schema's alignment."""

    def Pack(self, builder: Any) -> int:  # the generated code's name
        """The offset of this buffer in ``builder``."""
        data = None if self.data is None else builder.aligned_bytes(np.asarray(self.data, np.uint8).tobytes())
        generated.BufferStart(builder)
        if data is not None:
            generated.BufferAddData(builder, data)
        return int(generated.BufferEnd(builder))


class SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Writes each distinct string, vector and table once, and reuses its offset from then on.

    FlatBuffers allow this: an offset says where something is, not who owns it. The methods with capitals are those of
    `flatbuffers.Builder`.
    """

    def __init__(self, initial_size: int) -> None:
        super().__init__(initial_size)
        self._written: dict[tuple[Any, ...], int] = {}
        self._fields: list[tuple[Any, ...]] | None = []

    def CreateString(self, s: Any, encoding: str = "utf-8", errors: str = "strict") -> int:
        """The offset of a string."""
        content = s.encode(encoding, errors) if isinstance(s, str) else s
        return self._once(("string", content), lambda: super(SharingBuilder, self).CreateString(content))

    def CreateNumpyVector(self, x: Any) -> int:
        """The offset of a vector of the numbers of ``x``, (n,) of any number dtype."""
        key = ("vector", x.itemsize, x.tobytes())
        return self._once(key, lambda: super(SharingBuilder, self).CreateNumpyVector(x))

    def aligned_bytes(self, content: bytes) -> int:
        """The offset of a byte vector whose first byte is at a multiple of `DATA_ALIGNMENT`."""
        return self._once(("data", content), lambda: self._write_aligned(content))

    def StartObject(self, numfields: int) -> None:
        """Begins a table and records its fields, so that an equal table is recognised."""
        super().StartObject(numfields)
        self._fields = []

    def PrependSlot(self, flags: Any, o: int, x: Any, d: Any) -> None:
        """Writes a number into field ``o``, unless it is the default ``d``."""
        super().PrependSlot(flags, o, x, d)
        if self._fields is not None and self.current_vtable and self.current_vtable[o]:
            self._fields.append((o, flags.bytewidth, flags.packer_type.format, x))

    def PrependUOffsetTRelativeSlot(self, o: int, x: int, d: int) -> None:
        """Writes an offset into field ``o``, unless it is the default ``d``."""
        super().PrependUOffsetTRelativeSlot(o, x, d)
        if self._fields is not None and self.current_vtable and self.current_vtable[o]:
            self._fields.append((o, "offset", x))

    def PrependStructSlot(self, v: int, x: int, d: int) -> None:
        """Puts a struct into field ``v``."""
        self._fields = None  # a struct lies inside its table, so this table is never shared
        super().PrependStructSlot(v, x, d)

    def EndObject(self) -> int:
        """The offset of the table that was begun last, or of an equal one written earlier."""
        if self._fields is None:
            return int(super().EndObject())
        key = ("table", *self._fields)
        if key in self._written:
            # Discards the fields that were just written; the table's vtable has not been written yet.
            self.assertNested()
            self.head = len(self.Bytes) - self.objectEnd
            self.nested, self.current_vtable = False, None
            return self._written[key]
        self._written[key] = int(super().EndObject())
        return self._written[key]

    def _once(self, key: tuple[Any, ...], write: Any) -> int:
        if key not in self._written:
            self._written[key] = int(write())
        return self._written[key]

    def _write_aligned(self, content: bytes) -> int:
        self.StartVector(1, len(content), DATA_ALIGNMENT)
        self.head -= len(content)
        self.Bytes[self.head : self.head + len(content)] = content
        return int(self.EndVector())


def write_tree(tree: Any) -> bytes:
    """The flatbuffer of a ``ModelT`` tree: equal parts written once, data aligned; the same tree always gives the
    same bytes.
    """
    for index, buffer in enumerate(tree.buffers):
        tree.buffers[index] = AlignedBuffer(data=buffer.data)
    builder = SharingBuilder(1 << 20)
    builder.Finish(tree.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())
