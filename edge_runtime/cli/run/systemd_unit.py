"""The systemd unit that runs the classifier at boot, with as few rights as a camera and a network need.

`systemd-analyze security` must rate it at or below 2.0, and `systemd-analyze verify` stay silent; tests check both.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from edge_runtime.errors import ConfigurationError

WATCHDOG_S = 10
_UNIT = """\
[Unit]
Description=Labels what the camera sees (edge-runtime)
Documentation=man:systemd.exec(5)
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
# Fed by the pipeline between frames: a hang ends the process, and this starts it again.
WatchdogSec={watchdog_s}
Restart=always
RestartSec=1
# Configuration that cannot work, and refused signatures, do not heal by themselves.
RestartPreventExitStatus=2 76 78
TimeoutStartSec=90
TimeoutStopSec=10
KillMode=mixed

# A user that exists only while this runs; installed models are in /var/lib/edge-runtime.
DynamicUser=yes
SupplementaryGroups=video
StateDirectory=edge-runtime
StateDirectoryMode=0755
WorkingDirectory=/var/lib/edge-runtime
Environment=PYTHONDONTWRITEBYTECODE=1 HOME=/var/lib/edge-runtime
UMask=0022

# Cameras, and nothing else of the hardware.
DevicePolicy=closed
DeviceAllow=char-video4linux rw
DeviceAllow=char-media rw
DeviceAllow=char-dma_heap rw
PrivateDevices=no

MemoryMax={memory_mb}M
TasksMax=64
OOMScoreAdjust=200
LimitCORE=0

ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectProc=invisible
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
NoNewPrivileges=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
CapabilityBoundingSet=
AmbientCapabilities=
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class ServiceConfig:
    """``program`` and ``arguments`` are what is run; ``memory_mb`` is the most that all its processes may use."""

    program: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    memory_mb: int = 400

    def __post_init__(self) -> None:
        path = self.program[0]
        if not path.startswith("/"):
            raise ConfigurationError(f"`program` is {path}, expected an absolute path, as systemd wants it.")
        if path.startswith(("/home/", "/root/")):
            raise ConfigurationError(
                f"The program {path} is in a home folder, which the service may not read. Install edge-runtime in "
                "/opt/edge-runtime instead (python3 -m venv /opt/edge-runtime), or name another as `program`."
            )
        if self.memory_mb < 150:
            raise ConfigurationError(f"`memory_mb` is {self.memory_mb}, expected at least 150.")


def write_unit_text(config: ServiceConfig) -> str:
    """The content of ``edge-runtime.service``."""
    words = [*config.program, "run", "--give-up-s", "inf", "--changes-only", *config.arguments]
    command = " ".join(_quoted(word) for word in words)
    return _UNIT.format(command=command, watchdog_s=WATCHDOG_S, memory_mb=config.memory_mb)


def _quoted(word: str) -> str:
    """``word`` quoted so that systemd reads it as one argument, with % and $ doubled."""
    if any(character in word for character in "\n\r\0"):
        raise ConfigurationError(f"The argument {word!r} has a line break, which a unit cannot hold.")
    doubled = word.replace("%", "%%").replace("$", "$$")
    if shlex.quote(doubled) == doubled:
        return doubled
    return '"' + doubled.replace("\\", "\\\\").replace('"', '\\"') + '"'
