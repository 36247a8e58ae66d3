"""The wheel holds the device package and nothing else, and works from ``/`` in a fresh environment."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True)
    (found,) = folder.glob("edge_runtime-*.whl")
    return found


def test_the_wheel_holds_edge_runtime_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"edge_runtime"}
    assert "edge_runtime/models/default.tflite" in names
    assert not [
        name
        for name in names
        if name.endswith((".pyc", ".npz")) or "test" in name.split("/")[-1].lower().replace("selftest", "")
    ]


def test_the_wheel_classifies_a_picture_from_the_root_folder_of_a_fresh_environment(
    wheel: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    zipfile.ZipFile(wheel).extractall(site)
    # The interpreter, NumPy and OpenCV are the tested ones: this environment's, without TensorFlow or the checkout in reach.
    import cv2

    libraries = Path(cv2.__file__).parents[1]
    for name in ("cv2", "numpy", "numpy.libs", "opencv_python_headless.libs", "ai_edge_litert", "tflite_runtime", "ml_dtypes",
                 "flatbuffers", "backports", "google", "tqdm", "typing_extensions.py"):  # fmt: skip
        if (libraries / name).exists():
            (Path(site) / name).symlink_to(libraries / name)
    import numpy as np

    picture = tmp_path / "photo.png"
    cv2.imwrite(str(picture), np.full((48, 64, 3), 90, np.uint8))
    done = subprocess.run(
        [python, "-m", "edge_runtime", "classify", str(picture), "--format", "jsonl"],
        cwd="/", capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert '"type":"prediction"' in done.stdout.replace(" ", "")


def test_pip_install_of_the_wheel_alone_is_enough_to_classify(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    installed = subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], capture_output=True, text=True)
    if "No matching distribution" in installed.stderr or "Temporary failure" in installed.stderr:
        pytest.skip(f"no package registry: {installed.stderr.strip().splitlines()[-1]}")
    assert installed.returncode == 0, installed.stderr
    import cv2
    import numpy as np

    image = tmp_path / "photo.png"
    cv2.imwrite(str(image), np.full((48, 64, 3), 90, np.uint8))
    done = subprocess.run(
        [tmp_path / "env" / "bin" / "edge-runtime", "classify", image],
        cwd="/", capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "photo.png" in done.stdout


def test_two_clones_build_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    built = []
    for name in ("one", "two"):
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tmp_path / name)], check=True)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w"]
        subprocess.run([*command, str(tmp_path / f"{name}-dist"), str(tmp_path / name)], check=True)
        (found,) = (tmp_path / f"{name}-dist").glob("edge_runtime-*.whl")
        built.append(found.read_bytes())
    assert built[0] == built[1]


def test_the_wheel_says_in_cyclonedx_what_is_in_it_and_what_it_asks_for(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if "/sboms/" in name]
        assert re.fullmatch(r"edge_runtime-[0-9.]+\.dist-info/sboms/edge-runtime\.cdx\.json", name)
        assert name in archive.read(name.split("/")[0] + "/RECORD").decode()
        text = archive.read(name).decode()
        models = {path: archive.read(path) for path in archive.namelist() if path.endswith(".tflite")}
    validation = pytest.importorskip("cyclonedx.validation.json")
    schema = pytest.importorskip("cyclonedx.schema")
    assert validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(text) is None
    components = {each["name"]: each for each in json.loads(text)["components"]}
    for path, content in models.items():
        (found,) = components[path.rsplit("/", 1)[1]]["hashes"]
        assert found == {"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}
    assert {"numpy", "ai-edge-litert"} <= components.keys()
    assert json.loads(text)["metadata"]["component"]["purl"] == f"pkg:pypi/edge-runtime@{wheel.name.split('-')[1]}"
