"""The dashboard and the alert rules in docs/monitoring: Grafana's own schema, promtool, and metrics that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from bluegreen.journal import Step
from bluegreen.observability.release_metrics import Snapshot, families
from bluegreen.sample.metrics import Metrics
from tests.observability.records import at
from tests.report.records import probe_result

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring"
DASHBOARD = MONITORING / "dashboard.json"
ALERTS = MONITORING / "alerts.yaml"
PROMTOOL = shutil.which("promtool")

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="there is no promtool here (Debian's prometheus has it)")


def dashboard() -> dict[str, Any]:
    """The dashboard as it stands in the file."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def queries() -> list[str]:
    """The dashboard's queries, with every variable put in."""
    board = dashboard()
    values = {entry["name"]: entry["query"] for entry in board["templating"]["list"] if entry["type"] == "textbox"}
    values |= {"namespace": "n", "app": "a", "__rate_interval": "1m"}
    exprs = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    exprs += [entry["expr"] for entry in board["annotations"]["list"]]
    return [re.sub(r"\$\{?(\w+)\}?", lambda found: values[found[1]], expr) for expr in exprs]


def known() -> set[str]:
    """Every metric that the harness or the sample exposes."""
    sample = Metrics()
    sample.observe("GET", "/", 200, 0.01)
    lines = sample.families(active_conversations=0)
    names = {line.split("{")[0].split(" ")[0] for line in lines if not line.startswith("#")}
    snapshot = Snapshot(at(Step.JUDGING), stages={"api": ("pass", 1.0)})
    return names | {family.name for family in families(snapshot, probe_result(), {"namespace": "n", "app": "a"}, 0)}


def named(expr: str) -> set[str]:
    """The metrics that an expression names."""
    return set(re.findall(r"\b(?:bluegreen|gremlinsai)_\w+", expr))


def test_grafana_knows_every_field_of_the_dashboard() -> None:
    register_default_plugins()
    board = dashboard()
    read = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    assert lost(board, read) == []


def lost(ours: Any, theirs: Any, at: str = "") -> list[str]:
    """What stands in ours and is missing or other in theirs, which may have more."""
    if isinstance(ours, dict):
        if not isinstance(theirs, dict):
            return [at]
        return [
            path
            for key, value in ours.items()
            for path in ([] if value is None else lost(value, theirs.get(key), f"{at}.{key}"))
        ]
    if isinstance(ours, list):
        if not isinstance(theirs, list) or len(ours) != len(theirs):
            return [at]
        return [path for index, value in enumerate(ours) for path in lost(value, theirs[index], f"{at}[{index}]")]
    return [] if ours == theirs else [at]


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_every_metric_that_is_asked_for_is_there() -> None:
    rules = yaml.safe_load(ALERTS.read_text())
    asked = queries() + [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    assert {name for expr in asked for name in named(expr)} <= known()
    assert len(asked) > 20


def promtool(*arguments: str) -> None:
    """Run promtool, which must be content."""
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_understands_the_rules_and_every_query_of_the_dashboard(tmp_path: Path) -> None:
    promtool("check", "rules", str(ALERTS))
    rules = [{"record": f"query:{number}", "expr": expr} for number, expr in enumerate(queries())]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", str(tmp_path / "queries.yaml"))


@needs_promtool
def test_alerts_fire_where_they_must_and_nowhere_else(tmp_path: Path) -> None:
    shutil.copy(ALERTS, tmp_path)
    shutil.copy(Path(__file__).with_name("alerts_test.yaml"), tmp_path)
    promtool("test", "rules", str(tmp_path / "alerts_test.yaml"))
