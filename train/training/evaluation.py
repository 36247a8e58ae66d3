"""Scores the finished model on the test split, once, and shows the result as a table."""

from __future__ import annotations

import keras

from edge_runtime.metrics import ClassificationReport, classification_report, confusion_matrix
from train.datasets.dataset import Dataset
from train.training.logits import compute_logits


def evaluate(model: keras.Model, dataset: Dataset) -> ClassificationReport:
    """Accuracy, precision, recall, F1 and confusion of ``model`` on the whole test split."""
    predicted = compute_logits(model, dataset.test).argmax(axis=1)
    return classification_report(confusion_matrix(dataset.test.labels, predicted, len(dataset.labels)), dataset.labels)


def render_table(report: ClassificationReport) -> str:
    """The report for people: a row per class, the macro averages, the confusion matrix, accuracy with its interval."""
    width = max(len("class"), len("macro"), *(len(row.label) for row in report.per_class))
    lines = [f"{'class':{width}}  precision  recall      F1  images"]
    for row in report.per_class:
        lines.append(f"{row.label:{width}}  {row.precision:9.3f}  {row.recall:6.3f}  {row.f1:6.3f}  {row.support:6d}")
    num = sum(row.support for row in report.per_class)
    macro = f"{report.macro_precision:9.3f}  {report.macro_recall:6.3f}  {report.macro_f1:6.3f}"
    lines.append(f"{'macro':{width}}  {macro}  {num:6d}")
    cell = max(len(str(count)) for counts in report.confusion for count in counts)
    lines += ["", "confusion (row = truth, column = prediction)"]
    for row, counts in zip(report.per_class, report.confusion, strict=True):
        lines.append(f"{row.label:{width}}  " + " ".join(f"{count:{cell}d}" for count in counts))
    low, high = report.accuracy_interval
    lines += ["", f"test accuracy {report.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%}, {num} images)"]
    return "\n".join(lines)
