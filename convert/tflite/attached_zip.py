"""Removes and restores the zip that TFLite files carry behind their flatbuffer (labels and other associated files).

Works on any TFLite file; those of this project have a stricter form, which `edge_runtime.model.model_file` handles.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

from edge_runtime.errors import ModelError


def split_attached(content: bytes, name: str) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The flatbuffer of a file, and a function that appends the same members to another flatbuffer.

    Raises:
        ModelError: the zip at the end cannot be read.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content, lambda flatbuffer: flatbuffer
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(info, archive.read(info)) for info in archive.infolist()]
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise ModelError(f"{name} has a zip at its end that cannot be read ({error}); copy the file again.") from error
    if not members:
        return content, lambda flatbuffer: flatbuffer
    start = min(info.header_offset for info, _ in members)
    return content[:start], lambda flatbuffer: _append(flatbuffer, members)


def _append(flatbuffer: bytes, members: list[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    stream = io.BytesIO(flatbuffer)
    # In append mode `zipfile` counts its offsets from the file's beginning, as the TFLite readers expect.
    with zipfile.ZipFile(stream, "a") as archive:
        for info, data in members:
            copy = zipfile.ZipInfo(info.filename, info.date_time)
            copy.compress_type, copy.external_attr, copy.create_system = (
                info.compress_type,
                info.external_attr,
                info.create_system,
            )
            archive.writestr(copy, data)
    return stream.getvalue()
