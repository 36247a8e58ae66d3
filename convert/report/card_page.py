"""The text of a model card as Markdown, and its curves as an SVG file; `card_facts` reads what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from convert.output.page import count, render_markdown_table
from convert.output.plot import Curve, draw_curves
from convert.report.robustness_section import render_marked
from edge_runtime.metrics import wilson_interval

if TYPE_CHECKING:
    from convert.report.card_facts import Card


def draw_history(metrics: Mapping[str, Any]) -> str:
    """Training and validation accuracy by epoch as an SVG file, a dot on the epoch whose weights were kept."""
    history, best = metrics["history"], metrics["best_epoch"]
    epochs = tuple(float(row["epoch"]) for row in history)
    kept = next((index for index, row in enumerate(history) if row["epoch"] == best), None)
    found = [
        Curve("training", epochs, tuple(row["train_accuracy"] for row in history), "two"),
        Curve("validation", epochs, tuple(row["validation_accuracy"] for row in history), "one", kept),
    ]
    return draw_curves(found, ("epoch", "accuracy"), alone=True)


def to_markdown(card: Card, chart: str) -> str:
    """The whole card; ``chart`` is the file name of its curves."""
    integer = card.verification["backends"][0]
    parts = [
        f"# {card.name}",
        f"A full-integer image classifier: {card.input_pixels[0]}x{card.input_pixels[1]} RGB images, "
        f"{len(card.labels)} classes ({', '.join(card.labels)}). Written by `python -m convert.report.card` from the "
        "run's own files; no figure here was typed.",
        "## Figures",
        _accuracies(card),
        _sizes(card),
        "## Training",
        _recipe(card),
        f"![Accuracy by epoch]({chart})",
        f"The dot is epoch {card.metrics['best_epoch']}, whose weights were kept: the best on the validation split; "
        "the test split had no part in it.",
        f"To make it again: `make zoo MODEL={card.config['model']}`; it continues where it was stopped.",
        "## Each class",
        f"int8 on {integer['backend']}, {card.verification['num_images']:,} test images.",
        _classes(card),
        "## Confusion matrix",
        "Rows are the truth, columns the answers of the same model.",
        _confusion(card),
        *(("## As a camera would show them", _render_marked_scenes(card.field_test)) if card.field_test else ()),
        *(("## Corrupted images", render_marked(card.robustness)) if card.robustness else ()),
        "## Intended use",
        f"Says which of the {len(card.labels)} classes one image shows when its object fills most of it. Made for "
        "comparing networks and devices, for trying a device before you train a model of your own, "
        "and as a starting point for one. Not made for decisions about people, health or safety.",
        "## Limits",
        _limits(card),
    ]
    return "\n\n".join(parts) + "\n"


def _accuracies(card: Card) -> str:
    verified = card.verification
    num, correct = verified["num_images"], verified["float_num_correct"]
    low, high = wilson_interval(correct, num)
    rows = [["float32", f"{correct:,}", f"{correct / num:.2%}", f"{low:.2%} to {high:.2%}", "–", "–", "–"]]
    for row in verified["backends"]:
        low, high = wilson_interval(row["num_correct"], num)
        # Adding zero turns -0.0 into 0.0.
        change = f"{-100 * row['drop'] + 0.0:+.2f}"
        span = f"{-100 * row['drop_interval'][1]:+.2f} to {-100 * row['drop_interval'][0]:+.2f}"
        rate = f"{row['num_correct'] / num:.2%}"
        cells = [f"int8 on {row['backend']}", f"{row['num_correct']:,}", rate, f"{low:.2%} to {high:.2%}"]
        rows.append([*cells, f"{change} ({span})", f"{row['mcnemar_p']:.2g}", f"{row['agreement']:.2%}"])
    head = ["model", f"right of {num:,}", "accuracy", "95 % interval (Wilson)", "against float, points (95 %)"]
    return render_markdown_table([*head, "McNemar p", "same label as float"], rows)


def _sizes(card: Card) -> str:
    saved = 1 - card.flatbuffer_bytes / card.bytes_before_packing
    rows = [
        ["flatbuffer with metadata", f"{card.flatbuffer_bytes:,} bytes"],
        ["before packing, without metadata", f"{card.bytes_before_packing:,} bytes ({saved:.1%} saved)"],
        [f"`{card.file}`: with labels, contract and golden frames", f"{card.file_bytes:,} bytes"],
        ["SHA-256 of that file", f"`{card.file_sha256}`"],
        ["multiplications per image (MACs)", f"{card.macs:,}"],
        ["weights and biases in the file; while training", f"{card.parameters:,}; {card.metrics['parameters']:,}"],
    ]
    return render_markdown_table(["what", "measured"], rows)


def _recipe(card: Card) -> str:
    config, data = card.config, card.config["dataset"]
    seconds = card.metrics["training_seconds"]
    rows = [
        [
            "data",
            f"{data['name']}: {data['train']:,} training, {data['validation']:,} validation, {data['test']:,} test",
        ],
        ["source", data["citation"]],
        ["architecture", config["model"]],
        ["seed", str(config["seed"])],
        *_list_earlier_runs(config),
        *([name.replace("_", " "), _plain(value)] for name, value in sorted(config["recipe"].items())),
        [
            "training time",
            f"{seconds:,.0f} s, {seconds / len(card.metrics['history']):.1f} s an epoch",
        ],
        ["calibration", f"{card.num_calibration_images} training images, the same number of each class"],
        ["made with", ", ".join(f"{name} {version}" for name, version in sorted(card.versions.items()))],
    ]
    return render_markdown_table(["what", "value"], rows)


def _list_earlier_runs(config: Mapping[str, Any]) -> list[list[str]]:
    """A row for the run whose weights this one starts from, and one for its teacher."""
    roles = (("start", "goes on from the weights of"), ("teacher", "teacher"))
    return [
        [what, f"{config[role]['name']}, SHA-256 `{config[role]['sha256']}`"]
        for role, what in roles
        if config.get(role)
    ]


def _classes(card: Card) -> str:
    verified = card.verification
    floats = {row["label"]: row for row in verified["float_report"]["per_class"]}
    rows = []
    for row in verified["backends"][0]["report"]["per_class"]:
        cells = [f"{row[name]:.3f}" for name in ("precision", "recall", "f1")]
        rows.append([row["label"], *cells, f"{floats[row['label']]['recall']:.3f}", f"{row['support']:,}"])
    return render_markdown_table(["class", "precision", "recall", "F1", "recall, float", "images"], rows)


def _confusion(card: Card) -> str:
    matrix = card.verification["backends"][0]["report"]["confusion"]
    rows = [[label, *map(str, row)] for label, row in zip(card.labels, matrix, strict=True)]
    return render_markdown_table(["", *card.labels], rows)


def _render_marked_scenes(field_test: Mapping[str, Any]) -> str:
    """The scenes between markers, so that this section of a card can be measured again and replaced."""
    return f"<!-- field test -->\n{render_scenes(field_test)}\n<!-- end of field test -->"


def render_scenes(field_test: Mapping[str, Any]) -> str:
    """A row for each scene of a `FieldTest` as plain values, on the first backend."""
    num, backend = field_test["num_images"], field_test["rows"][0]["backend"]
    rows = [
        # Adding zero turns -0.0 into 0.0.
        [row["scene"], f"{row['num_correct'] / num:.1%}", f"{100 * row['change'] + 0.0:+.1f}"]
        for row in field_test["rows"]
        if row["backend"] == backend
    ]
    return (
        f"int8 on {backend}, {count(num, 'test image')} in the scenes of `convert/measure/field_test.py`; changes "
        "against the same images as they are.\n\n"
        + render_markdown_table(["scene", "accuracy", "change, points"], rows)
    )


def _limits(card: Card) -> str:
    verified = card.verification
    first = verified["backends"][0]
    worst = min(first["report"]["per_class"], key=lambda row: row["recall"])
    count, truth, answer = _commonest(first["report"]["confusion"], card.labels)
    unknown = (
        f"An answer below a probability of {card.threshold:g} is given as unknown."
        if card.threshold
        else "There is no class for anything else: whatever the image shows, one of these classes is the answer, "
        "unless `--threshold` is given."
    )
    items = [
        unknown,
        f"The weakest class is {worst['label']}: {worst['recall']:.1%} of them are found. The commonest mistake is "
        f"{answer} for {truth}, {count} times.",
        f"The accuracy is that of images like {card.config['dataset']['name']}'s; a camera's frames differ in light, "
        "distance and background, and it will be lower there.",
        f"Frames are resized to {card.input_pixels[0]}x{card.input_pixels[1]} ({card.config['input']['resize']}): what "
        "is small in the frame is lost.",
        f"The backends do not always agree: all give the same label on {verified['backend_agreement']:.2%} of the "
        "test images.",
        "The data set comes without a formal licence; cite its author (above).",
    ]
    return "\n".join(f"- {item}" for item in items)


def _commonest(matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> tuple[int, str, str]:
    """(how often, the truth, the wrong answer) of the largest entry off the diagonal."""
    mistakes = [
        (count, labels[row], labels[column])
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
        if row != column
    ]
    return max(mistakes)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
