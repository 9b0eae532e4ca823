"""The gate's checks: measurements and thresholds in, checks out. Pure: nothing here reads a cluster or a network.

Measurements are plain objects as the Kubernetes API has them, parsed metrics, HTTP answers and load results. Every
function gives a list of ``Check``; ``require`` turns those that did not pass into one failure of a test, in plain
sentences. A stage's tests put the two together::

    require(gate.replicas(deployment, wanted=3) + gate.pods_ready(pods, wanted=3))
"""

from bluegreen.gate.application import Answer, found_nothing, head, healthy, succeeded, version
from bluegreen.gate.check import Check, CheckError, NoEvidenceError, require
from bluegreen.gate.compared import compared, same_content
from bluegreen.gate.configuration import own_configuration
from bluegreen.gate.load_limits import hopeless, load
from bluegreen.gate.measured_load import Look, errors_counted, restarts_unchanged, well_throughout
from bluegreen.gate.mesh import sidecars
from bluegreen.gate.monitoring import counted, families, histograms, no_server_errors, scrape_annotations, well_formed
from bluegreen.gate.network import admitted, answered, endpoints, kept_open, reached_every_pod, resolves
from bluegreen.gate.objects import (
    autoscaler,
    available,
    disruption_budget,
    image,
    pods_ready,
    probes,
    replicas,
    requests_and_limits,
    service,
    usage,
)
from bluegreen.gate.production import live_selector, nobody_harmed
from bluegreen.gate.queries import Thresholds, within
from bluegreen.gate.repeated import load_again, load_warnings, loads

__all__ = [
    "Answer",
    "Check",
    "CheckError",
    "Look",
    "NoEvidenceError",
    "Thresholds",
    "admitted",
    "answered",
    "autoscaler",
    "available",
    "compared",
    "counted",
    "disruption_budget",
    "endpoints",
    "errors_counted",
    "families",
    "found_nothing",
    "head",
    "healthy",
    "histograms",
    "hopeless",
    "image",
    "kept_open",
    "live_selector",
    "load",
    "load_again",
    "load_warnings",
    "loads",
    "no_server_errors",
    "nobody_harmed",
    "own_configuration",
    "pods_ready",
    "probes",
    "reached_every_pod",
    "replicas",
    "requests_and_limits",
    "require",
    "resolves",
    "restarts_unchanged",
    "same_content",
    "scrape_annotations",
    "service",
    "sidecars",
    "succeeded",
    "usage",
    "version",
    "well_formed",
    "well_throughout",
    "within",
]
