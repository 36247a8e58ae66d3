"""Makes the virtual device's disk: Debian with systemd, and on it this package, installed as docs/service.md says for
a device without internet. Nothing is booted for it.

Both parts are kept by the digest of what went into them, so a second run on the same pins and code makes nothing.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.tools.device.bundle import make_bundle
from tests.tools.device.root import debian_mirror
from tests.tools.device.rows import PC
from tests.tools.vm.kernel import Kernel

PACKAGES = (
    *("systemd-sysv", "udev", "kmod", "libnss-systemd", "passwd", "login", "procps", "util-linux", "mount"),
    *("python3", "libpython3-stdlib", "libstdc++6", "zlib1g", "ca-certificates", "tar", "gzip"),
)
SIZE = "1500M"
SERVICE_FLAGS = ("--camera", "0")
AGENT = Path(__file__).with_name("agent.py")
_AGENT_UNIT = """\
[Unit]
DefaultDependencies=no
After=local-fs.target
[Service]
ExecStart=/usr/bin/python3 /opt/vm/agent.py
Restart=on-failure
[Install]
WantedBy=sysinit.target
"""
# Logins, and what only makes a boot longer.
_MASKED = (
    *("getty.target", "fstrim.timer", "systemd-firstboot.service", "systemd-update-utmp.service"),
    *("systemd-update-utmp-runlevel.service", "systemd-random-seed.service", "systemd-hwdb-update.service"),
    "systemd-sysctl.service",  # names settings that this small kernel lacks
)


def make_disk(kernel: Kernel, cache: Path) -> Path:
    """An ext4 image below ``cache`` with Debian, the kernel's modules and this package with its service."""
    base = _base(cache)
    with tempfile.TemporaryDirectory(prefix="disk-", dir=cache) as folder:
        work = Path(folder)
        release = make_bundle(PC, None, None, work / "bundle.tar", work)
        recipe = "\n".join([base.name, release, kernel.program.parent.name, AGENT.read_text(), _source()])
        image = cache / f"disk-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.ext4"
        if not image.exists():
            for old in cache.glob("disk-*.ext4"):
                old.unlink()
            _say(f"making {image}")
            _fill(base, work, kernel)
            subprocess.run(
                ["mke2fs", "-q", "-t", "ext4", "-d", work / "root", work / "image", SIZE], check=True, stdout=sys.stderr
            )
            (work / "image").rename(image)
    return image


def _base(cache: Path) -> Path:
    recipe = ",".join([PC.suite, *PACKAGES])
    root = cache / f"vm-{PC.suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if not root.exists():
        _say(f"unpacking {PC.suite} with systemd")
        unfinished = cache / f"unfinished-{root.name}"
        shutil.rmtree(unfinished, ignore_errors=True)
        cache.mkdir(parents=True, exist_ok=True)
        command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=essential", f"--include={','.join(PACKAGES)}"]
        command += ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", '--aptopt=Acquire::Languages "none"']
        command += ['--aptopt=APT::Install-Recommends "false"']
        command += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "locale", "doc")]
        subprocess.run([*command, PC.suite, str(unfinished), *debian_mirror()], check=True)
        unfinished.rename(root)
    return root


def _fill(base: Path, work: Path, kernel: Kernel) -> None:
    root = work / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", base, root], check=True)
    shutil.copytree(kernel.modules, root / "lib" / "modules", dirs_exist_ok=True, symlinks=True)
    (root / "opt" / "vm").mkdir()
    shutil.copy2(AGENT, root / "opt" / "vm")
    (root / "etc" / "systemd" / "system" / "vm-agent.service").write_text(_AGENT_UNIT)
    (root / "etc" / "fstab").write_text("/dev/ubda / ext4 rw,errors=remount-ro 0 1\n")
    # One camera from boot on, which draws its pictures.
    (root / "etc" / "modules-load.d" / "camera.conf").write_text("vivid\n")
    (root / "etc" / "modprobe.d" / "camera.conf").write_text(
        "options vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0\n"
    )
    (root / "etc" / "hostname").write_text("device\n")
    (root / "host").mkdir()
    subprocess.run(["tar", "xf", work / "bundle.tar", "-C", root / "opt" / "vm"], check=True)
    _inside(root, f"/opt/vm/edge-runtime-{PC.name}/install.sh")
    shutil.rmtree(root / "opt" / "vm" / f"edge-runtime-{PC.name}")
    _inside(root, "ln -s /opt/edge-runtime/current/bin/edge-runtime /usr/local/bin/")
    flags = " ".join(SERVICE_FLAGS)
    _inside(root, f"edge-runtime service -- {flags} > /etc/systemd/system/edge-runtime.service")
    _inside(root, "systemctl enable vm-agent edge-runtime")
    _inside(root, f"systemctl mask {' '.join(_MASKED)}")
    for version in kernel.modules.iterdir():
        _inside(root, f"depmod {version.name}")


def _inside(root: Path, command: str) -> None:
    """Runs a shell command with ``root`` as its root file system, and a /proc and /dev of its own."""
    prepare = f"mount -t proc proc {root}/proc && mount --bind /dev {root}/dev && exec chroot {root} /bin/sh -ec"
    subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "/bin/sh", "-ec", f'{prepare} "$1"', "sh", command],
        check=True,
        stdout=sys.stderr,
        env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"},
    )


def _source() -> str:
    return Path(__file__).read_text()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
