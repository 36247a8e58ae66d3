"""Opens a .tflite file: verifies every byte, then hands out its contract and goldens. The only writer of such files.

The file is read once, so the interpreter gets exactly the bytes that were hashed. Nothing of a file that fails a check
is handed out.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.contract import Contract, contract_from_json, to_json
from edge_runtime.errors import MissingInputError, ModelError, UsageError
from edge_runtime.model.appended_zip import split_zip, write_zip
from edge_runtime.model.goldens import Goldens, goldens_from_npz, goldens_to_npz
from edge_runtime.model.labels.text import decode_labels
from edge_runtime.model.npy import array_from_npy, array_to_npy
from edge_runtime.model.signatures import Signature, require_trusted, split_signature
from edge_runtime.store.naming import find_model
from edge_runtime.store.shipped import is_shipped
from edge_runtime.system.guarded_read import open_plain, read_at_most

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.model.stated_input import StatedInput

MAX_MODEL_BYTES = 512 * 1024 * 1024
MODEL, LABELS, GOLDENS, CONTRACT = "model", "labels.txt", "golden.npz", "contract.json"
NEIGHBOURS = "neighbours.npy"
_NEEDED = (LABELS, CONTRACT)


@dataclass(frozen=True)
class ModelFile:
    """A verified model. ``flatbuffer`` is what the interpreter gets; ``golden_npz`` holds the stored goldens, or None.

    ``assumptions`` says in words what had to be assumed about a foreign file; empty for our own files. ``signature`` is
    the one that the file carries; ``is_trusted`` says whether it was verified with a key that this device trusts.
    ``neighbours_npy`` is the stored table of the contract's neighbours, or None.
    """

    path: Path | None
    flatbuffer: bytes = dataclasses.field(repr=False)
    contract: Contract
    golden_npz: bytes | None = dataclasses.field(repr=False)
    assumptions: tuple[str, ...]
    signature: Signature | None = None
    is_trusted: bool = False
    neighbours_npy: bytes | None = dataclasses.field(default=None, repr=False)

    @cached_property
    def goldens(self) -> Goldens | None:
        """The recorded frames, parsed on first use; ModelError if they contradict the contract."""
        if self.golden_npz is None:
            return None
        try:
            return goldens_from_npz(self.golden_npz, self.contract)
        except (ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError) as error:
            if isinstance(error, ModelError):
                raise
            raise ModelError(f"{GOLDENS} cannot be read ({error!r}). Convert the model again.") from error

    @cached_property
    def neighbours(self) -> NDArray[np.int8] | None:
        """(rows, width) int8: what features are compared with, or None; ModelError if it contradicts the contract."""
        found = self.contract.neighbours
        if found is None or self.neighbours_npy is None:
            return None
        table = array_from_npy(NEIGHBOURS, self.neighbours_npy)
        if table.shape != (found.num_images, found.width) or table.dtype != np.int8:
            raise ModelError(
                f"{NEIGHBOURS} holds {table.shape} {table.dtype}, expected {(found.num_images, found.width)} int8. "
                "Convert the model again."
            )
        return table


def open_model(
    model: str | Path | None = None,
    labels: str | Path | None = None,
    stated: StatedInput | None = None,
    *,
    meet_unproved: Callable[[bytes, str, Callable[[], ModelFile]], None] | None = None,
) -> ModelFile:
    """The verified model file that ``model`` names: a path, or a shipped model such as "resnet8"; None means the
    installed model, or the package's default if none is installed.

    ``labels``, a text file with one label per line, and ``stated``, which describes the input, are for models without a
    contract. If neither this package nor a trusted key vouches for the file, ``meet_unproved`` is called before
    anything in it is parsed, with its bytes, its name and the function that would parse it; its exceptions pass
    through.

    Raises:
        MissingInputError: there is no such model or label file.
        ModelError: the file is damaged or contradicts itself, or it is foreign and no labels match it or nothing says
            how its input is normalised.
        UsageError: ``labels`` or ``stated`` was given for a model that has a contract.
        SignatureError: this device trusts a key, and the file is not signed with one that it trusts; the models that
            come with this package are as trusted as the package.
        ConfigurationError: ``model`` is None and this user may not read what is installed.
    """
    path = find_model(model)
    label_text = None
    if labels is not None:
        try:
            label_text = decode_labels(_read(Path(labels), "label file"))
        except UnicodeDecodeError as error:
            raise ModelError(
                f"The label file {labels} is not UTF-8 text ({error}); expected one label per line, saved as UTF-8."
            ) from error
    content = _read(path, "model")
    verified = require_trusted(content, path.name) if not is_shipped(path) else None
    is_vouched = verified is not None or is_shipped(path)

    def read() -> ModelFile:
        return read_model(content, path.name, label_text, path, stated=stated, is_vouched=is_vouched)

    if meet_unproved is not None and not is_vouched:
        meet_unproved(content, path.name, read)
    opened = read()
    return dataclasses.replace(opened, is_trusted=verified is not None)


def read_model(
    content: bytes,
    name: str,
    label_text: str | None = None,
    path: Path | None = None,
    *,
    needs_contract: bool = False,
    stated: StatedInput | None = None,
    is_vouched: bool = False,
) -> ModelFile:
    """The verified model in ``content``; ``name`` is for error texts, ``label_text`` and ``stated`` are for models
    without a contract, which are refused with ``needs_contract``. With ``is_vouched`` the flatbuffer is not walked.

    Raises: as `open_model`, but signatures are not verified.
    """
    if content[4:8] != b"TFL3":
        from edge_runtime.model.wrong_file import name_wrong_file

        if told := name_wrong_file(content, name):
            raise ModelError(told)
    content, signature = split_signature(content, name)
    if CONTRACT.encode() in content or GOLDENS.encode() in content:
        if label_text is not None:
            raise UsageError(f"{name} carries its own labels in its contract; leave out `labels`.")
        if stated:
            raise UsageError(
                f"{name} carries in its contract how its input is made; leave out `normalize`, `channels`, `resize` "
                "and `input_size`."
            )
        ours = _read_ours(content, name, path)
        if not is_vouched:  # matching hashes do not tell who computed them
            from edge_runtime.model.soundness import expect_sound

            expect_sound(ours.flatbuffer)
        return dataclasses.replace(ours, signature=signature)
    if needs_contract:
        raise ModelError(
            f"{name} has no contract with golden frames, so it cannot be verified here. Convert it, or give it one: "
            "edge-runtime adopt."
        )
    from edge_runtime.model.foreign_model import assume_contract

    contract, assumptions = assume_contract(content, name, label_text, stated)
    return ModelFile(path, content, contract, None, assumptions, signature)


def write_model(
    flatbuffer: bytes, contract: Contract, goldens: Goldens | None, neighbours: NDArray[np.int8] | None = None
) -> bytes:
    """The bytes of a model file: ``flatbuffer``, then the zip of its parts; ``contract.parts`` is filled in here.
    ``neighbours`` are the (images, width) features that the contract's neighbours describe.

    The same arguments always give the same bytes, which have been read back and verified.
    """
    members = {LABELS: _label_text(contract)}
    if goldens is not None:
        members[GOLDENS] = goldens_to_npz(goldens)
    if neighbours is not None:
        members[NEIGHBOURS] = array_to_npy(neighbours)
    parts = {MODEL: _sha256(flatbuffer), **{name: _sha256(content) for name, content in members.items()}}
    members[CONTRACT] = to_json(dataclasses.replace(contract, parts=parts)).encode()
    content = flatbuffer + write_zip(members, len(flatbuffer))
    # Parses the goldens and neighbours, too, so that only what a device accepts is written.
    opened = read_model(content, contract.spec.name)
    _ = opened.goldens, opened.neighbours
    return content


def _read(path: Path, what: str) -> bytes:
    try:
        with open_plain(path, follow_links=True) as file:
            content = read_at_most(file, MAX_MODEL_BYTES + 1)
    except FileNotFoundError as error:
        raise MissingInputError(f"There is no {what} {path}; check the path.") from error
    except OSError as error:
        raise ModelError(f"The {what} {path} cannot be read ({error.strerror}); expected a readable file.") from error
    if len(content) > MAX_MODEL_BYTES:
        raise ModelError(f"The {what} {path} has more than {MAX_MODEL_BYTES} bytes, the most that is read.")
    return content


def _read_ours(content: bytes, name: str, path: Path | None) -> ModelFile:
    flatbuffer, members = split_zip(content, name)
    allowed = [part for part in (LABELS, GOLDENS, NEIGHBOURS, CONTRACT) if part in members or part in _NEEDED]
    if list(members) != allowed:
        raise ModelError(
            f"{name} has the parts {list(members)}, expected {LABELS}, {GOLDENS}, {CONTRACT} and at most {NEIGHBOURS}. "
            "Install a matching edge-runtime, or convert it again."
        )
    contract = _read_contract(members[CONTRACT], name)
    if (NEIGHBOURS in members) != (contract.neighbours is not None):
        raise ModelError(
            f"{name} has {'no ' if contract.neighbours else ''}{NEIGHBOURS}, but its contract speaks of "
            f"{'some' if contract.neighbours else 'none'}. Convert it again."
        )
    parts = {MODEL: flatbuffer, **{part: data for part, data in members.items() if part != CONTRACT}}
    if contract.parts.keys() != parts.keys():
        raise ModelError(
            f"{name} has the parts {sorted(parts)} but its contract lists {sorted(contract.parts)}. Convert it again."
        )
    for part, data in parts.items():
        found, expected = _sha256(data), contract.parts[part]
        if found != expected:
            raise ModelError(
                f"{name} is damaged: its part {part!r} has SHA-256 {found}, its contract says {expected}. "
                "Copy the file again, or convert the model again."
            )
    if members[LABELS] != _label_text(contract):
        raise ModelError(
            f"{name}: {LABELS} and the contract's labels {contract.spec.labels} differ. Convert the model again."
        )
    table = members.get(NEIGHBOURS)
    return ModelFile(path, flatbuffer, contract, members.get(GOLDENS), (), neighbours_npy=table)


def _read_contract(content: bytes, name: str) -> Contract:
    try:
        contract = contract_from_json(content.decode())
        canonical = to_json(contract).encode() == content
    except ModelError:
        raise
    except (ValueError, OverflowError, RecursionError) as error:
        raise ModelError(
            f"{name}: {CONTRACT} cannot be read ({error}). Copy the file again, or convert again."
        ) from error
    if not canonical:
        raise ModelError(f"{name}: {CONTRACT} is not in the form that convert writes. Convert the model again.")
    return contract


def _label_text(contract: Contract) -> bytes:
    return "".join(label + "\n" for label in contract.spec.labels).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
