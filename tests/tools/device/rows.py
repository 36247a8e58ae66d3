"""The devices that `python -m tests.tools.device.check` builds and tries: what is in each root, and which processors run it."""

from __future__ import annotations

from dataclasses import dataclass

PYTHON_PACKAGES = ("python3", "libpython3-stdlib", "libstdc++6", "zlib1g", "ca-certificates")
# Every tag that the pinned wheels use; tflite-runtime 2.14 has 2_34 for aarch64, which no older list names.
AARCH64 = (*(f"manylinux_2_{minor}_aarch64" for minor in (34, 28, 27, 17)), "manylinux2014_aarch64")
ARMV7L = ("manylinux_2_34_armv7l", "manylinux_2_31_armv7l", "manylinux_2_17_armv7l", "manylinux2014_armv7l")
ARM64_CPUS = ("cortex-a53", "cortex-a72", "cortex-a76")
# The 32-bit emulator has no 64-bit cores: the Pi 2's core, the nearest to a Cortex-A72, and all that 32-bit ARMv8 has.
ARM32_CPUS = ("cortex-a7", "cortex-a15", "max")


@dataclass(frozen=True)
class Row:
    """One kind of device. ``only`` names the pinned packages that pip installs, all of ``requirements`` when empty;
    ``links`` are files that Debian's update-alternatives would have made, target relative to the link.
    """

    name: str
    suite: str
    architecture: str
    python: str
    requirements: str
    backend: str
    platforms: tuple[str, ...]
    cpus: tuple[str, ...]
    only: tuple[str, ...] = ()
    debs: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()

    @property
    def emulator(self) -> str:
        return {"arm64": "qemu-aarch64", "armhf": "qemu-arm"}[self.architecture]

    @property
    def machine(self) -> str:
        return {"arm64": "aarch64", "armhf": "armv7l", "amd64": "x86_64"}[self.architecture]


ROWS = (
    Row("bookworm-arm64-litert", "bookworm", "arm64", "3.11", "litert.txt", "litert", AARCH64, ARM64_CPUS),
    Row("bookworm-arm64-tflite", "bookworm", "arm64", "3.11", "tflite.txt", "tflite", AARCH64, ARM64_CPUS),
    Row("trixie-arm64-litert", "trixie", "arm64", "3.13", "litert.txt", "litert", AARCH64, ARM64_CPUS),
    Row(
        "bookworm-armhf-tflite",
        "bookworm",
        "armhf",
        "3.11",
        "tflite.txt",
        "tflite",
        ARMV7L,
        ARM32_CPUS,
        only=("tflite-runtime",),
        debs=("python3-numpy", "python3-opencv"),
        links=(
            ("usr/lib/arm-linux-gnueabihf/libblas.so.3", "blas/libblas.so.3"),
            ("usr/lib/arm-linux-gnueabihf/liblapack.so.3", "lapack/liblapack.so.3"),
        ),
    ),
)

# Not emulated: a small PC beside the Pis, and what deploying is tried on.
X86_64 = tuple(f"manylinux_2_{minor}_x86_64" for minor in (34, 28, 27, 17))
PC = Row(
    "bookworm-amd64-litert", "bookworm", "amd64", "3.11", "litert.txt", "litert", (*X86_64, "manylinux2014_x86_64"), ()
)


def row_named(name: str, rows: tuple[Row, ...] = ROWS) -> Row:
    """The row of that name; ends the program with the list of names when there is none."""
    for row in rows:
        if row.name == name:
            return row
    raise SystemExit(f"There is no row {name!r}, expected one of {', '.join(row.name for row in rows)}.")
