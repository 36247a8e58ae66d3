"""The outputs of ``run`` beside stdout: their flags, and how they become the loop's sink and observer."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.cli.flags import say
from edge_runtime.cli.run.named_flags import NamingObserver, NamingSink
from edge_runtime.errors import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from edge_runtime.contract import InputSpec
    from edge_runtime.live.observers import Observer, Sink
    from edge_runtime.live.shadow import Shadow
    from edge_runtime.model.model_file import ModelFile
    from edge_runtime.outputs.stdout import Outlet

# The live page shows images of about this size, so the camera need not decode larger ones for it.
PAGE_HEIGHT, PAGE_WIDTH = 360, 480


@dataclass(frozen=True)
class Outputs:
    """``observer`` is None when nobody needs more than results, so that the loop does no more than it must;
    ``wants_look`` says whether a viewer is waiting for a frame of a camera that skips frames on purpose.
    """

    sink: Sink
    observer: Observer | None = None
    wants_look: Callable[[], bool] = lambda: False


def add_output_flags(parser: ArgumentParser) -> None:
    """Adds the flags of the live page, of MQTT and of files."""
    web = parser.add_argument_group("live page (extra: web, metrics)")
    web.add_argument("--web", nargs="?", const="", metavar="ADDRESS", help="serve it (default 127.0.0.1:8080)")
    web.add_argument(
        "--web-token-file",
        metavar="FILE",
        help="a file with the token that viewers need; required unless only this machine can open the page",
    )
    web.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name of this machine; repeatable",
    )
    mqtt = parser.add_argument_group("MQTT (extra: mqtt)")
    mqtt.add_argument("--mqtt", metavar="URL", help="publish to mqtts://[USER@]HOST[:PORT][/PREFIX]")
    mqtt.add_argument("--mqtt-password-file", metavar="FILE", help="or the variable EDGE_RUNTIME_MQTT_PASSWORD")
    mqtt.add_argument(
        "--mqtt-ca", metavar="FILE", help="the authority for the broker's certificate (default: the system's)"
    )
    files = parser.add_argument_group("files")
    files.add_argument("--save-uncertain", metavar="DIR", help="save frames that the model is unsure of")
    files.add_argument("--save-changes", metavar="DIR", help="save the frame at each change of the label")
    files.add_argument(
        "--save-limit-mb", type=float, default=500.0, metavar="MB", help="delete the oldest beyond this (default 500)"
    )
    files.add_argument("--log-file", metavar="FILE", help="write JSON lines there too, rotating to FILE.1")
    files.add_argument(
        "--log-limit-mb", type=float, default=20.0, metavar="MB", help="both log files together (default 20)"
    )


def choose_smallest_input(flags: Namespace, spec: InputSpec, candidate: InputSpec | None = None) -> InputSpec | None:
    """How far a camera may shrink its images while decoding, for the model in use and for a candidate; None when
    whole frames are wanted.
    """
    if _list_folders(flags):
        return None
    from edge_runtime.contract import MAX_INPUT_SIDE, InputSpec
    from edge_runtime.pixels.region import WHOLE, region_of

    if flags.web is None and candidate in (None, spec):
        return spec
    height, width = (PAGE_HEIGHT, PAGE_WIDTH) if flags.web is not None else (1, 1)
    for each in (spec, candidate or spec):
        region = region_of(each) or WHOLE
        height = max(height, math.ceil(each.height / region.height))
        width = max(width, math.ceil(each.width / region.width))
    if max(height, width) > MAX_INPUT_SIDE:
        return None
    return InputSpec(height, width, spec.resize if candidate is None else "stretch")


def needs_maps(flags: Namespace) -> bool:
    """Whether something shows where the model looked."""
    return bool(flags.web is not None or _list_folders(flags))


@contextlib.contextmanager
def open_outputs(
    flags: Namespace, printed: Sink, printer: Outlet, *, patient: bool = False, shadow: Shadow | None = None
) -> Iterator[Outputs]:
    """Everything that the flags ask for beside ``printed``, which ``printer`` prints; closed when the block ends.
    ``shadow`` sees every frame.

    In a ``patient`` run, files need not be writable at first.

    Raises:
        ConfigurationError, OutputError, UsageError, MissingInputError: before anything is opened where possible.
    """
    from edge_runtime.outputs.mqtt.config import parse_mqtt
    from edge_runtime.outputs.web.config import parse_web

    refuse_lone_flags(flags)
    page_config = parse_web(flags.web, flags.web_token_file, flags.allow_host) if flags.web is not None else None
    broker = None
    if flags.mqtt:
        shown, address = _camera_shown(flags), flags.camera
        broker = parse_mqtt(flags.mqtt, flags.mqtt_password_file, flags.mqtt_ca, shown, address)
    sinks: list[Sink] = [printed]
    observers: list[Observer] = []
    talkers: list[Any] = [printer]
    with contextlib.ExitStack() as stack:
        for config in _recorders(flags):
            from edge_runtime.outputs.recorder import Recorder

            recorder = stack.enter_context(contextlib.closing(Recorder(config, patient=patient)))
            observers.append(recorder)
            talkers.append(recorder)
            if shadow is not None and "difference" in config.reasons:
                shadow.keepers.append(recorder)
        if shadow is not None:
            observers.append(shadow)
        if flags.log_file:
            from edge_runtime.outputs.log_file import LogFileSink

            log_file = LogFileSink(Path(flags.log_file), flags.log_limit_mb, patient=patient)
            stack.enter_context(contextlib.closing(log_file))
            sinks.append(NamingSink(log_file))
            talkers.append(log_file)
        wants_look = Outputs.wants_look
        if page_config is not None or broker is not None:
            from edge_runtime.live.live_state import LiveState
            from edge_runtime.system.thermal import SystemWatch

            live = LiveState(describe_signature, shadow=shadow.summary if shadow is not None else lambda: None)
            observers.insert(0, NamingObserver(live))
            watch = stack.enter_context(contextlib.closing(SystemWatch()))
            if broker is not None:
                from edge_runtime.outputs.mqtt.client import MqttOutput

                talkers.append(stack.enter_context(contextlib.closing(MqttOutput(broker, live, lambda: watch.state))))
            if page_config is not None:
                from edge_runtime.outputs.web.server import open_live_page

                page = stack.enter_context(open_live_page(page_config, live, lambda: watch.state))
                observers.extend(page.observers)
                wants_look = page.wants_look
                say(flags, f"live page: {page.url}")
        if len(sinks) == 1 and not observers and len(talkers) == 1:
            yield Outputs(printed)
            return
        from edge_runtime.outputs.fan_out import FanOut

        every = FanOut(sinks, observers, talkers)
        yield Outputs(every, every, wants_look)


def _camera_shown(flags: Namespace) -> str:
    from edge_runtime.cameras.address import parse_camera

    return parse_camera(flags.camera).shown


def describe_signature(model: ModelFile) -> str:
    """What is known about the signature of an opened model; opening has already refused one that must be refused."""
    if model.path is None:
        return "not checked"
    if model.signature is None:
        return "not signed"
    if model.is_trusted:
        return f"valid, key {model.signature.key_id}, version {model.signature.version}"
    return f"signed with key {model.signature.key_id}, which is not trusted here"


def _list_folders(flags: Namespace) -> dict[Path, list[str]]:
    """Each folder for frames, with all the reasons for which frames go there."""
    named = {"uncertain": flags.save_uncertain, "change": flags.save_changes}
    if getattr(flags, "shadow", None):
        named["difference"] = flags.save_differences or flags.save_uncertain or flags.save_changes
    folders: dict[Path, list[str]] = {}
    for reason, folder in named.items():
        if folder:
            folders.setdefault(Path(folder).expanduser().absolute(), []).append(reason)
    return folders


def _recorders(flags: Namespace) -> list[Any]:
    """One recorder per folder."""
    folders = _list_folders(flags)
    if not folders:
        return []
    from edge_runtime.outputs.recorder import RecorderConfig

    return [RecorderConfig(folder, tuple(reasons), flags.save_limit_mb) for folder, reasons in folders.items()]


def refuse_lone_flags(flags: Namespace) -> None:
    """Raises UsageError for a flag that is given without the one it belongs to."""
    lone = {
        "--web-token-file needs --web": flags.web_token_file and flags.web is None,
        "--allow-host needs --web": flags.allow_host and flags.web is None,
        "--mqtt-password-file needs --mqtt": flags.mqtt_password_file and not flags.mqtt,
        "--save-differences needs --shadow": getattr(flags, "save_differences", None) and not flags.shadow,
        "--mqtt-ca needs --mqtt": flags.mqtt_ca and not flags.mqtt,
    }
    for words, is_so in lone.items():
        if is_so:
            raise UsageError(f"{words}, which is missing; add it, or leave the flag out.")
