"""The results of the emulated devices as a table, and how large an installation is."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tests.tools.device.material import NUM_PICTURES
from tests.tools.device.trial import Trial

ON_TOP = ("numpy", "numpy.libs", "cv2", "opencv_python_headless.libs")


@dataclass(frozen=True)
class Installed:
    """10^6 bytes on the device: all that pip installed, and that without NumPy and OpenCV."""

    all_mb: float
    on_top_mb: float


def installed_size(site: Path, app: Path) -> Installed:
    """The size of the dependencies in ``site`` and the device package in ``app``, with the bytecode that pip makes."""
    return Installed(_size_mb(site) + _size_mb(app), _size_mb(site, ON_TOP) + _size_mb(app))


def table(trials: list[Trial], installed: dict[str, Installed]) -> str:
    """The results in columns."""
    lines = [
        f"{'device':<23} {'processor':<11} works  right of {NUM_PICTURES}  largest step  other labels  import s  "
        "peak MB  installed MB (on top)  M instructions a frame"
    ]
    for trial in trials:
        size = installed[trial.row]
        count = "-" if trial.instructions_a_frame is None else f"{trial.instructions_a_frame / 1e6:.2f}"
        lines.append(
            f"{trial.row:<23} {trial.cpu:<11} {'NO' if trial.failures else 'yes':<5}  {trial.num_correct:>12}  "
            f"{trial.largest_step:>12}  {trial.num_other_label:>12}  {trial.import_s:>8.2f}  {trial.peak_mb:>7.0f}  "
            f"{size.all_mb:>12.0f} ({size.on_top_mb:>6.1f})  {count:>22}"
        )
    software = sorted({f"{trial.row}: {trial.kernels}" for trial in trials if trial.kernels})
    names = list(dict.fromkeys(name for trial in trials for name in trial.steps_s))
    spent = [f"{name} {sum(trial.steps_s.get(name, 0.0) for trial in trials):.0f} s" for name in names]
    lines += ["", *software, "", "Import seconds are emulated ones, and peak memory includes the emulator (about 50 MB a process): "
              "compare rows, not devices.", "On top: without NumPy and OpenCV."]  # fmt: skip
    if spent:
        lines.append(f"Where the time went, all trials together: {', '.join(spent)}.")
    num_stalls = sum(trial.num_stalls for trial in trials)
    if num_stalls:
        lines.append(f"The emulator stood still {num_stalls} times; the program was started again each time.")
    return "\n".join(lines)


def _size_mb(folder: Path, without: tuple[str, ...] = ()) -> float:
    """10^6 bytes of the files below ``folder``, without the named entries of it. Of the bytecode only what this machine's pip
    made counts: what emulated runs add varies.
    """
    return (
        sum(
            path.stat().st_size
            for path in folder.rglob("*")
            if path.is_file()
            and not path.is_symlink()
            and path.relative_to(folder).parts[0] not in without
            and (path.suffix != ".pyc" or f".{sys.implementation.cache_tag}." in path.name)
        )
        / 1e6
    )
