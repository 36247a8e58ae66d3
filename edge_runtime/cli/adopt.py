"""``edge-runtime adopt``: gives a third-party model a contract, so that it works like one of ours."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.cli.flags import (
    add_format_flag,
    add_stated_flags,
    make_first_run,
    print_result,
    read_stated_flags,
    say,
    verb_parser,
)


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    parser = verb_parser(
        "adopt",
        "Writes a copy of a model by others, with a contract behind its unchanged flatbuffer: labels, "
        "a description of its input, and golden frames recorded here. The copy needs no flags, and "
        "can be installed, tested and signed like one of ours.",
        "edge-runtime adopt model_unquant.tflite --labels labels.txt --normalize -1..1 --out bottles.tflite",
        "edge-runtime adopt yolov8n-cls_float32.tflite --out yolo.tflite",
        "edge-runtime adopt caffe.tflite --labels labels.json --channels bgr --normalize 0..255 --resize crop "
        "--out pets.tflite",
    )
    parser.add_argument("file", metavar="FILE", help="a .tflite file without a contract")
    parser.add_argument("--out", type=Path, required=True, metavar="NEW.tflite", help="the copy to write")
    parser.add_argument("--labels", metavar="FILE", help="its labels, if it carries none: one per line, or JSON")
    add_stated_flags(parser)
    parser.add_argument("--name", help="what to call the model (default: the copy's file name)")
    parser.add_argument(
        "--threshold", type=float, default=0.0, metavar="P", help="answer unknown below this probability (default 0)"
    )
    parser.add_argument("--replace", action="store_true", help="replace the copy if it exists")
    add_format_flag(parser)
    flags = parser.parse_args(arguments)

    from edge_runtime.errors import UsageError
    from edge_runtime.installed.adopt import adopt
    from edge_runtime.model.model_file import open_model
    from edge_runtime.system.durable import write_durably

    if flags.out.exists() and not flags.replace:
        raise UsageError(f"{flags.out} already exists; name another file, or add --replace.")
    flags.backend = "all"  # adopting records what each backend answers
    model = open_model(flags.file, flags.labels, read_stated_flags(flags), meet_unproved=make_first_run(flags))
    content = adopt(model, flags.name or flags.out.stem, flags.threshold)
    write_durably(flags.out, content)
    for assumption in model.assumptions[1:]:
        say(flags, f"edge-runtime: assumed: {assumption}")
    spec = model.contract.spec

    def text() -> str:
        return (
            f"{flags.out}: {len(spec.labels)} classes, {spec.input.width}x{spec.input.height}. Its accuracy was not "
            f"measured. Look at a few answers before you rely on it: edge-runtime classify --model {flags.out} photos/"
        )

    print_result(
        flags.format,
        text,
        lambda: {"v": 1, "type": "adopted", "path": str(flags.out), "assumptions": model.assumptions},
    )
    return 0
