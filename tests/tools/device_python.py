"""Prints the path of the Python to make a device environment with: `python -m tests.tools.device_python litert|tflite`.

tflite-runtime 2.14 has wheels for Python 3.9 to 3.11 only, so the newest suitable one on this machine is looked for.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

SUITABLE = {"litert": ((3, 13), (3, 12), (3, 11), (3, 10)), "tflite": ((3, 11), (3, 10))}


def device_python(kind: str) -> str:
    """The path of a Python that works and has a version in ``SUITABLE[kind]``; this one when it fits."""
    versions = SUITABLE[kind]
    if sys.version_info[:2] in versions:
        return getattr(sys, "_base_executable", sys.executable)
    for major, minor in versions:
        found = shutil.which(f"python{major}.{minor}")
        # A pyenv shim exists for versions that are not selected, so it must prove that it runs.
        if found and subprocess.run([found, "-c", "import ensurepip"], capture_output=True).returncode == 0:
            return found
    wanted = ", ".join(f"{major}.{minor}" for major, minor in versions)
    sys.exit(f"The {kind} tests need Python {wanted}; this is {sys.version.split()[0]} and none of them is on PATH.")


if __name__ == "__main__":
    print(device_python(sys.argv[1]))
