"""Makes hostile model files out of the toy model: flatbuffers that lead in circles, and files whose hashes are right."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

from edge_runtime.contract import Contract
from edge_runtime.model.model_file import read_model, write_model

TOY = Path(__file__).parents[1] / "edge_runtime" / "toys" / "uint8_metadata.tflite"


def toy_flatbuffer() -> bytes:
    """The toy's flatbuffer, without the zip behind it."""
    whole = TOY.read_bytes()
    return whole[: whole.index(b"PK\x03\x04")]


def toy_contract() -> Contract:
    """What the toy's metadata say, as a contract."""
    return read_model(TOY.read_bytes(), "toy").contract


def forge(flatbuffer: bytes, contract: Contract) -> bytes:
    """A file of ours with ``flatbuffer``, every hash of which is right, as anybody can write one."""
    from edge_runtime.model import soundness

    judge, soundness.expect_sound = soundness.expect_sound, lambda flatbuffer: None
    try:
        return write_model(flatbuffer, contract, None)
    finally:
        soundness.expect_sound = judge


def mutants(flatbuffer: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """``flatbuffer`` with one to four bytes, words or runs changed: most still are what an interpreter begins to load."""
    chance = random.Random(seed)
    for _ in range(count):
        content = bytearray(flatbuffer)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(8, len(content) - 8)
            kind = chance.randrange(4)
            if kind == 0:
                content[place] ^= 1 << chance.randrange(8)
            elif kind == 1:
                content[place] = chance.randrange(256)
            elif kind == 2:
                word = chance.choice(
                    (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, len(content), chance.randrange(1 << 32))
                )
                struct.pack_into("<I", content, place & ~3, word)
            else:
                content[place : place + 8] = chance.randbytes(8)
        yield bytes(content)


def many_codes(count: int) -> bytes:
    """A vector of ``count`` offsets that all lead to one operator code: four bytes a table, in each walk."""
    return _repeat_vector(toy_flatbuffer(), 1, count)


def many_buffers(count: int) -> bytes:
    """As `many_codes`, of the buffers, each of which may be a megabyte to whoever copies it."""
    return _repeat_vector(toy_flatbuffer(), 4, count)


def _repeat_vector(flatbuffer: bytes, field: int, count: int) -> bytes:
    from edge_runtime.model.flatbuffer import Table

    content = bytearray(flatbuffer) + bytes(-len(flatbuffer) % 4)
    root = Table.root(bytes(content))
    place = root.place(field)
    vector = place + struct.unpack_from("<I", content, place)[0]
    num = struct.unpack_from("<I", content, vector)[0]
    # Offsets lead forwards only, so the table that all lead to is copied behind them; it may point anywhere, and does.
    target = vector + 4 * num + struct.unpack_from("<I", content, vector + 4 * num)[0]
    vtable = target - struct.unpack_from("<i", content, target)[0]
    size = struct.unpack_from("<H", content, vtable + 2)[0]
    new_vector = len(content)
    struct.pack_into("<I", content, place, new_vector - place)
    table = new_vector + 4 + 4 * count
    content += struct.pack("<I", count)
    content += b"".join(struct.pack("<I", table - (new_vector + 4 + 4 * index)) for index in range(count))
    copy = bytearray(content[target : target + size])
    struct.pack_into("<i", copy, 0, table - vtable)
    return bytes(content + copy + bytes(16))
