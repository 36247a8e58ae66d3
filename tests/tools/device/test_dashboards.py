"""Dashboard and alert rules ask for metrics that devices give, in expressions that Prometheus understands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("prometheus_client", reason="metrics need prometheus-client")

from edge_runtime.outputs.web import prometheus

DEPLOY = Path(__file__).parents[3] / "docs" / "deploy"
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH")


def expressions() -> list[str]:
    """Every expression of the dashboard."""
    dashboard = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_every_metric_that_is_asked_for_is_one_that_devices_give() -> None:
    source = Path(prometheus.__file__).read_text(encoding="utf-8")
    given = set(re.findall(r'"edge_runtime_(\w+)"', source)) | set(
        re.findall(r'^            "(\w+)": \(', source, re.M)
    )
    alerts = (DEPLOY / "alerts.yml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\bedge_runtime_(\w+)", alerts + "\n".join(expressions())))
    plain = {re.sub(r"_(total|bucket|info)$", "", name) for name in asked}
    assert len(plain) >= 8 and sorted(plain - given) == []


def test_panels_have_numbers_places_and_titles_of_their_own() -> None:
    panels = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))["panels"]
    for key in ("id", "title"):
        assert len({panel[key] for panel in panels}) == len(panels) >= 8
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)


@needs_promtool
def test_rules_scrape_configuration_and_dashboard_are_what_prometheus_reads(tmp_path: Path) -> None:
    for name in ("prometheus.yml", "alerts.yml"):
        shutil.copy(DEPLOY / name, tmp_path)
    (tmp_path / "token").write_text("a token")
    rules = [{"record": f"panel_{n}", "expr": expr.replace("$device", ".*")} for n, expr in enumerate(expressions())]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    for command in (["check", "config", "prometheus.yml"], ["check", "rules", "panels.yml"]):
        checked = subprocess.run(["promtool", *command], cwd=tmp_path, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr


CASES = """
rule_files: [alerts.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'up{job="edge-runtime",instance="off"}', values: '1x5 0x20'}
      - {series: 'edge_runtime_camera_up{instance="blind"}', values: '1x5 0x20'}
      - {series: 'edge_runtime_frames_captured_total{instance="mute",job="j"}', values: '0+60x60'}
      - {series: 'edge_runtime_predictions_total{instance="mute",job="j",label="mug"}', values: '7x60'}
      - {series: 'edge_runtime_frames_captured_total{instance="good",job="j"}', values: '0+60x60'}
      - {series: 'edge_runtime_predictions_total{instance="good",job="j",label="mug"}', values: '0+60x60'}
      - {series: 'edge_runtime_frames_captured_total{instance="still",job="j"}', values: '0+60x60'}
      - {series: 'edge_runtime_frames_skipped_total{instance="still",job="j"}', values: '0+60x60'}
      - {series: 'edge_runtime_predictions_total{instance="still",job="j",label="mug"}', values: '7x60'}
    alert_rule_test:
      - {eval_time: 8m, alertname: DeviceSilent, exp_alerts: []}
      - eval_time: 15m
        alertname: DeviceSilent
        exp_alerts:
          - exp_labels: {severity: page, job: edge-runtime, instance: "off"}
            exp_annotations: {summary: "off has not answered for 5 minutes: is it on, and does the service run?"}
      - eval_time: 15m
        alertname: NoFreshFrames
        exp_alerts:
          - exp_labels: {severity: page, instance: blind}
            exp_annotations: {summary: "blind gets no fresh frames: look at its camera and cable."}
      - eval_time: 30m
        alertname: NoLabels
        exp_alerts:
          - exp_labels: {severity: page, job: j, instance: mute}
            exp_annotations: {summary: "mute gets frames and gives no labels."}
  - interval: 1m
    input_series:
      - {series: 'edge_runtime_predictions_total{instance="lost",job="j",label="unknown"}', values: '0+50x200'}
      - {series: 'edge_runtime_predictions_total{instance="lost",job="j",label="mug"}', values: '0+10x200'}
      - {series: 'edge_runtime_predictions_total{instance="good",job="j",label="unknown"}', values: '0+10x200'}
      - {series: 'edge_runtime_predictions_total{instance="good",job="j",label="mug"}', values: '0+50x200'}
    alert_rule_test:
      - eval_time: 3h
        alertname: MostlyUnknown
        exp_alerts:
          - exp_labels: {severity: ticket, job: j, instance: lost}
            exp_annotations:
              summary: "lost answers unknown more often than not: what it sees is not what it learnt. Collect, sort, train."
"""


@needs_promtool
def test_alerts_come_for_what_they_are_for_and_not_otherwise(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "alerts.yml", tmp_path)
    (tmp_path / "cases.yml").write_text(CASES)
    tested = subprocess.run(["promtool", "test", "rules", "cases.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert tested.returncode == 0, tested.stdout + tested.stderr
