"""Training and conversion need nothing that only POSIX has: they import, train and convert with all of that hidden.

It shows that they ask for none of it, not that they work on Windows or macOS, which no test here runs on.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
# The libraries come first: what they ask of the system is theirs. The standard library has chosen its ways by then, too.
HIDE = """
import importlib, multiprocessing, os, select, signal, socket, subprocess, sys, tempfile, shutil
for name in {libraries}:
    importlib.import_module(name)
for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "readline"):
    sys.modules[name] = None
for module, names in {{
    os: "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK chown fchown fchmod fork forkpty getegid geteuid getgid "
        "getpgid getuid killpg lchown memfd_create mkfifo nice posix_fadvise posix_fallocate pread preadv pwrite "
        "pwritev sched_getaffinity sched_setaffinity sendfile setpgid setresuid setsid setuid statvfs sync sysconf uname",
    signal: "SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGUSR1 SIGUSR2 pthread_kill setitimer sigwait",
    socket: "AF_UNIX",
    select: "epoll poll",
}}.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
"""
LIGHT = ["cv2", "numpy", "jinja2", "PIL", "pillow_heif", "flatbuffers", "ai_edge_litert.interpreter", "uvicorn", "starlette",
         "anyio", "asyncio", "http.server", "urllib.request", "venv", "pathlib", "matplotlib.figure"]  # fmt: skip
# As in tests/conftest.py: tflite-runtime misreads models when TensorFlow is there before it.
HEAVY = [*LIGHT, "tests.conftest", "tensorflow", "keras", "optuna", "matplotlib.pyplot", "cryptography"]


def run_hidden(libraries: list[str], program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", HIDE.format(libraries=libraries) + program],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules(*packages: str) -> list[str]:
    files = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files]


PURE = [
    name
    for name in modules("train/datasets", "train/recipes", "train/runs", "train/sort", "convert/output", "convert/measure",
                        "convert/report", "convert/inputs")
]  # fmt: skip


@pytest.mark.slow
def test_the_pure_parts_import_with_all_that_only_posix_has_hidden() -> None:
    said = run_hidden(
        LIGHT,
        f"for name in {PURE}:\n    importlib.import_module(name)\nprint('fcntl' in sys.modules and sys.modules['fcntl'])",
    )
    assert said.strip() == "None"


def test_photos_are_checked_files_written_and_records_kept_without_posix(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
import numpy as np
from edge_runtime.contract import InputSpec
from edge_runtime.system.durable import write_durably
from convert.output.atomic import write_atomically
from train.datasets import open_dataset
from train.transfer.features.image_store import ImageStore
folder = Path({str(tmp_path)!r})
for label in ("dark", "light"):
    (folder / "photos" / label).mkdir(parents=True)
    for number in range(12):
        image = np.random.default_rng(number).integers(0, 120, (40, 40, 3), np.uint8) + (120 if label == "light" else 0)
        cv2 = sys.modules["cv2"]
        cv2.imwrite(str(folder / "photos" / label / f"{{number}}.png"), image.astype(np.uint8))
data = open_dataset(str(folder / "photos"), None, InputSpec(32, 32, "stretch"), 0)
print(data.labels, len(data.train.labels))
write_atomically(folder / "out" / "model.tflite", b"old", force=False)
write_atomically(folder / "out" / "model.tflite", b"new", force=True)
with ImageStore(folder / "cache", "lossless") as store:
    image = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    store.add(image), store.add(255 - image)
    print((store.read(1) == 255 - image).all(), (store.read(0) == image).all())
"""
    said = run_hidden(LIGHT, program)
    assert said.split("\n")[0].startswith("('dark', 'light')")
    assert said.split("\n")[1] == "True True"
    assert (tmp_path / "out" / "model.tflite").read_bytes() == b"new"
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.slow
@pytest.mark.tensorflow
def test_every_module_imports_a_run_is_trained_and_converted_without_posix(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label, darkest in (("dark", 0), ("light", 130)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(40):
            image = rng.integers(darkest, darkest + 120, (32, 32, 3), np.uint8)
            cv2.imwrite(str(tmp_path / "photos" / label / f"{number}.png"), image)
    program = f"""
for name in {modules("train", "convert")}:
    importlib.import_module(name)
from train.__main__ import main as train
from convert.__main__ import main as convert
out = {str(tmp_path)!r}
flags = ["--data", out + "/photos", "--model", "seed_cnn", "--size", "32", "--epochs", "2", "--batch-size", "8"]
assert train([*flags, "--out", out + "/run"]) == 0
assert convert([out + "/run", "--out", out + "/model.tflite", "--max-drop", "100", "--field-test", "off", "--json"]) == 0
"""
    result = json.loads(run_hidden(HEAVY, program).splitlines()[-1])
    assert result["passed"] is True
    assert (tmp_path / "model.tflite").stat().st_size > 5_000
