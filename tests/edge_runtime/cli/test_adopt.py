"""``adopt``: a model that others made becomes a file of ours, which needs no flags and is installed, tested and rolled
back like any other.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime import cli
from edge_runtime.errors import UsageError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.inference.selftest import selftest
from edge_runtime.installed.adopt import adopt
from edge_runtime.model.model_file import open_model, read_model
from edge_runtime.model.signatures import make_keys, sign
from edge_runtime.model.stated_input import StatedInput
from tests.edge_runtime.toy_graphs import LOGISTIC, SOFTMAX, Graph, colours

pytestmark = pytest.mark.usefixtures("lonely")
Adopt = Callable[..., int]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a model of others, its labels and a red photo."""
    (tmp_path / "theirs.tflite").write_bytes(colours())
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    cv2.imwrite(str(tmp_path / "red.png"), np.full((20, 30, 3), (0, 0, 255), np.uint8))
    return tmp_path


@pytest.fixture
def run_adopt(files: Path) -> Adopt:
    def call(*flags: str) -> int:
        return cli.main(
            ["adopt", str(files / "theirs.tflite"), "--labels", str(files / "labels.txt"),
             "--out", str(files / "ours.tflite"), *flags]
        )  # fmt: skip

    return call


def test_the_copy_classifies_is_tested_and_installed_without_a_flag(
    files: Path, run_adopt: Adopt, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_adopt("--normalize", "-1..1", "--channels", "bgr", "--threshold", "0.2") == 0
    out, err = capsys.readouterr()
    assert "3 classes, 8x8. Its accuracy was not measured." in out
    assert "assumed: The image is stretched" in err
    ours = str(files / "ours.tflite")
    assert cli.main(["classify", "--model", ours, "--format", "jsonl", str(files / "red.png")]) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out)["label"], err) == ("blue", "")  # the third channel
    assert cli.main(["selftest", "--model", ours]) == 0
    assert cli.main(["install", ours]) == 0
    assert cli.main(["status"]) == 0
    assert "ours" in capsys.readouterr().out
    assert cli.main(["info", "--model", ours]) == 0
    told = capsys.readouterr().out
    assert "8x8 BGR" in told
    assert "not measured" in told
    assert "from theirs.tflite" in told


def test_without_adoption_install_says_the_way(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["install", str(files / "theirs.tflite")]) == 65
    assert "Convert it, or give it one: edge-runtime adopt." in capsys.readouterr().err


def test_the_same_flags_without_a_copy(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["classify", "--model", str(files / "theirs.tflite"), "--labels", str(files / "labels.txt")]
    image = str(files / "red.png")
    assert cli.main([*command, image]) == 65
    assert "State it as --normalize: -1..1 (Teachable Machine" in capsys.readouterr().err
    assert cli.main([*command, "--normalize", "-1..1", image]) == 0
    assert "red" in capsys.readouterr().out
    assert cli.main([*command, "--normalize", "2", image]) == 2
    assert "--normalize is '2', expected 0..1" in capsys.readouterr().err


def test_a_copy_that_is_there_stays_unless_it_shall_be_replaced(
    run_adopt: Adopt, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_adopt("--normalize", "0..1") == 0
    assert run_adopt("--normalize", "0..1") == 2
    assert "already exists; name another file, or add --replace" in capsys.readouterr().err
    assert run_adopt("--normalize", "0..1", "--replace", "--format", "jsonl") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["type"] == "adopted"


def test_a_signed_copy_is_trusted_and_nothing_unsigned_is_adopted_any_more(
    files: Path, run_adopt: Adopt, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cryptography", reason="keys need the package cryptography")
    assert run_adopt("--normalize", "0..1") == 0
    private, public = make_keys()
    (files / "maker.pub").write_bytes(public)
    assert cli.main(["trust", str(files / "maker.pub"), "--for", "me"]) == 0
    ours = files / "ours.tflite"
    assert cli.main(["install", str(ours)]) == 76
    (files / "signed.tflite").write_bytes(sign(ours.read_bytes(), private, 1))
    assert cli.main(["install", str(files / "signed.tflite")]) == 0
    assert cli.main(["classify", str(files / "red.png")]) == 0
    capsys.readouterr()
    assert run_adopt("--normalize", "0..1", "--replace") == 76
    assert "theirs.tflite" in capsys.readouterr().err


def test_the_flatbuffer_is_unchanged_and_the_same_statement_gives_the_same_bytes(files: Path) -> None:
    theirs = open_model(files / "theirs.tflite", files / "labels.txt", StatedInput.parse(normalize="0..1"))
    content = adopt(theirs, "ours")
    assert content == adopt(theirs, "ours")
    ours = read_model(content, "ours")
    assert ours.flatbuffer == theirs.flatbuffer == colours()
    assert ours.contract.provenance["adopted"]["file"] == "theirs.tflite"
    with pytest.raises(UsageError, match="ours already has a contract; use it as it is"):
        adopt(ours, "again")


@pytest.mark.parametrize("backend", list_available_backends())
@pytest.mark.parametrize(
    ("graph", "labels", "stated"),
    [
        (lambda: Graph((1, 3, 8, 8)).mean(2, 3).end(SOFTMAX), "r\ng\nb", {"normalize": "0..1"}),
        (lambda: Graph((1, 8, 8)).mean(1, 2).end(LOGISTIC), "dark\nbright", {"normalize": "-1..1"}),
        (lambda: colours((1, 1, 1, 3), (-1, -1, -1, 3)), "r\ng\nb", {"normalize": "0..1", "input_size": "6x4"}),
    ],
    ids=["channels first", "grey binary", "open size"],
)
def test_goldens_of_every_layout_pass_on_every_backend(
    graph: Callable[[], bytes], labels: str, stated: dict[str, str], backend: str
) -> None:
    theirs = read_model(graph(), "theirs", labels, stated=StatedInput.parse(**stated))
    ours = read_model(adopt(theirs, "ours"), "ours")
    with Classifier(ours, backend=backend) as classifier:
        report = selftest(classifier)
    assert report.passed, report.failures
    assert report.num_frames == 4
