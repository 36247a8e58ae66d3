"""The flag for each argument that a library message names: `max_age_ms` there is --max-age-ms here."""

from __future__ import annotations

import re

# Errors from the library name their arguments in backticks; a name that is missing here is printed unchanged.
FLAGS = {
    "again": "--again",
    "allow_host": "--allow-host",
    "as_backbone": "--as-backbone",
    "backbone": "--backbone",
    "backend": "--backend",
    "camera": "--camera",
    "camera_ca": "--camera-ca",
    "camera_password_file": "--camera-password-file",
    "channels": "--channels",
    "class_thresholds": "--threshold",
    "every_s": "--every",
    "expect_fps": "--expect-fps",
    "explain": "--explain",
    "folder": "--out",
    "give_up_s": "--give-up-s",
    "hold": "--hold",
    "input_size": "--input-size",
    "label": "--label",
    "labels": "--labels",
    "log_file": "--log-file",
    "log_limit_mb": "--log-limit-mb",
    "loop": "--loop",
    "max_age_ms": "--max-age-ms",
    "max_fps": "--max-fps",
    "max_frames": "--frames",
    "max_images": "--count",
    "max_latency_ms": "--max-latency-ms",
    "max_mb": "--max-mb",
    "memory_mb": "--memory-mb",
    "min_change": "--min-change",
    "min_sharpness": "--min-sharpness",
    "model": "--model",
    "mqtt": "--mqtt",
    "mqtt_ca": "--mqtt-ca",
    "mqtt_password_file": "--mqtt-password-file",
    "normalize": "--normalize",
    "on_motion": "--on-motion",
    "program": "--program",
    "region": "--region",
    "resize": "--resize",
    "realtime": "--realtime",
    "runs": "--runs",
    "save_changes": "--save-changes",
    "save_limit_mb": "--save-limit-mb",
    "save_differences": "--save-differences",
    "save_uncertain": "--save-uncertain",
    "shadow": "--shadow",
    "threads": "--threads",
    "threshold": "--threshold",
    "top_k": "--top-k",
    "web": "--web",
    "web_token_file": "--web-token-file",
}
_NAMED = re.compile(r"`([a-z_]+)`")


def name_flags(message: object) -> str:
    """``message`` with each `argument` that it names replaced by its flag."""
    return _NAMED.sub(lambda found: FLAGS.get(found.group(1), found.group(0)), str(message))
