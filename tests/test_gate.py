"""The gate's checks: what is good passes, and each single thing that is wrong is found and said in a sentence."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from bluegreen import gate, load
from bluegreen.metrics import parse
from bluegreen.thresholds import Limits, Thresholds
from tests.report import records

Obj = dict[str, Any]
LABELS = {"app": "shop", "version": "green"}
IMAGE = "shop/backend:v2"
SIZES = {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": "1000m", "memory": "1Gi"}}


def deployment() -> Obj:
    """A Deployment of three available replicas."""
    container = {
        "name": "backend",
        "image": IMAGE,
        "resources": {"requests": {"cpu": "0.5", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1024Mi"}},
        "readinessProbe": {"httpGet": {}},
        "livenessProbe": {"httpGet": {}},
    }
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 3)
    return {
        "metadata": {"name": "shop-green", "generation": 4},
        "spec": {"replicas": 3, "template": {"spec": {"containers": [container]}}},
        "status": {"observedGeneration": 4, **counts, "conditions": []},
    }


def pod(number: int = 1) -> Obj:
    """A ready pod that never restarted."""
    ports = [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}]
    told = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080", "prometheus.io/path": "/metrics"}
    return {
        "metadata": {"name": f"shop-green-{number}", "annotations": told, "labels": LABELS},
        "spec": {"containers": [{"name": "backend", "image": IMAGE, "ports": ports, "resources": SIZES}]},
        "status": {
            "podIP": f"10.0.0.{number}",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "backend", "restartCount": 0, "state": {"running": {}}}],
        },
    }


def pods() -> list[Obj]:
    """Three of them."""
    return [pod(number) for number in (1, 2, 3)]


def change(good: Obj, path: str, value: Any) -> Obj:
    """A copy with the value at the dotted path replaced; a value of None takes it away."""
    changed = copy.deepcopy(good)
    *parents, last = path.split(".")
    place: Any = changed
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return changed


def budget() -> Obj:
    """A PodDisruptionBudget of the colour."""
    return {"metadata": {"name": "shop-green"}, "spec": {"selector": {"matchLabels": LABELS}, "maxUnavailable": 1}}


def autoscaler() -> Obj:
    """A HorizontalPodAutoscaler of the colour."""
    target = {"kind": "Deployment", "name": "shop-green"}
    return {"metadata": {"name": "shop-green"}, "spec": {"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 20}}


def service() -> Obj:
    """The preview Service."""
    ports = [{"name": "http", "port": 80, "targetPort": "http"}, {"name": "metrics", "port": 9090}]
    spec = {"selector": LABELS, "ports": ports, "clusterIP": "10.96.0.7"}
    return {"metadata": {"name": "shop-preview"}, "spec": spec}


def slices(*numbers: int) -> list[Obj]:
    """EndpointSlices that hold these pods as ready."""
    return [{"endpoints": [{"addresses": [f"10.0.0.{n}"], "conditions": {"ready": True}} for n in numbers]}]


def sentences(checks: list[gate.Check]) -> str:
    """What the failed checks say."""
    return "\n".join(check.sentence for check in checks if not check.passed)


FIRST = "spec.template.spec.containers.0."
CHECKS: dict[str, tuple[Callable[[], Obj], Callable[[Any], list[gate.Check]]]] = {
    "image": (deployment, lambda found: gate.image(found, pods(), IMAGE)),
    "image of a pod": (pod, lambda found: gate.image(deployment(), [found], IMAGE)),
    "replicas": (deployment, lambda found: gate.replicas(found, 3)),
    "pods": (pod, lambda found: gate.pods_ready([found], 1)),
    "sizes": (deployment, lambda found: gate.requests_and_limits(found, SIZES)),
    "probes": (deployment, gate.probes),
    "budget": (budget, lambda found: gate.disruption_budget(found, LABELS)),
    "autoscaler": (autoscaler, lambda found: gate.autoscaler(found, "shop-green", 3, 20)),
    "service": (service, lambda found: gate.service(found, LABELS, {"http": 80, "metrics": 9090})),
    "annotations": (pod, gate.scrape_annotations),
    "live": (service, lambda found: gate.live_selector(found, LABELS)),
}


@pytest.mark.parametrize("name", CHECKS)
def test_what_is_good_passes(name: str) -> None:
    good, check = CHECKS[name]
    made = gate.require(check(good()))
    assert all(one.sentence.endswith(".") for one in made)


@pytest.mark.parametrize(
    ("name", "path", "value", "said"),
    [
        ("image", FIRST + "image", "shop/backend:v1", "shop/backend:v1 and not shop/backend:v2"),
        ("image of a pod", "spec.containers.0.image", "shop/backend:v2@sha256:1", "Pod shop-green-1: image"),
        ("replicas", "status.observedGeneration", 3, "has seen generation 3 of 4"),
        ("replicas", "spec.replicas", 2, "2 replicas are asked for, and live has 3"),
        ("replicas", "status.readyReplicas", None, "ready replicas is 0 and not 3"),
        ("replicas", "status.updatedReplicas", 1, "updated replicas is 1 and not 3"),
        ("replicas", "status.availableReplicas", 2, "available replicas is 2 and not 3"),
        ("replicas", "status.replicas", 4, "older pods are still there"),
        ("pods", "status.conditions", [{"type": "Ready", "status": "False", "message": "not yet"}], "not yet"),
        ("pods", "status.containerStatuses.0.restartCount", 2, "restarts of backend is 2 and not 0"),
        (
            "pods",
            "status.containerStatuses.0.state",
            {"waiting": {"reason": "ErrImagePull", "message": "no such tag"}},
            "backend waits: ErrImagePull (no such tag)",
        ),
        ("sizes", FIRST + "resources.limits.memory", "2Gi", "limit of memory is 2Gi and not 1Gi"),
        ("sizes", FIRST + "resources.requests", None, "request of cpu is not set and not 500m"),
        ("probes", FIRST + "readinessProbe", None, "has no readinessProbe"),
        ("probes", FIRST + "livenessProbe", None, "has no livenessProbe"),
        ("budget", "spec.selector.matchLabels", {"app": "shop"}, "selector is app=shop and not"),
        ("budget", "spec.maxUnavailable", None, "limits nothing"),
        ("autoscaler", "spec.scaleTargetRef.name", "shop-blue", "it would scale something else"),
        ("autoscaler", "spec.minReplicas", 1, "may go down to 1 pods, and 3 are wanted"),
        ("autoscaler", "spec.maxReplicas", 5, "maximum is 5 and not 20"),
        ("service", "spec.selector", {"app": "shop"}, "selector is app=shop and not app=shop,version=green"),
        ("service", "spec.ports", [{"name": "http", "port": 80}], "port metrics is not set and not 9090"),
        ("annotations", "metadata.annotations", {}, "prometheus.io/scrape is not set"),
        ("annotations", "metadata.annotations", {"prometheus.io/scrape": "true", "prometheus.io/port": "1"}, "port 1,"),
        ("live", "spec.selector.version", "blue", "selector version is blue and not green"),
        ("live", "spec.selector.extra", "x", "labels in the selector is 3 and not 2"),
    ],
)
def test_one_thing_that_is_wrong_is_found_and_said(name: str, path: str, value: Any, said: str) -> None:
    good, check = CHECKS[name]
    found = check(change(good(), path, value))
    assert said in sentences(found)
    with pytest.raises(gate.CheckError):
        gate.require(found)


def test_an_autoscaler_that_raised_the_replicas_is_no_failure() -> None:
    raised = deployment()
    raised["spec"]["replicas"] = 5
    for field in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"):
        raised["status"][field] = 5
    gate.require(gate.replicas(raised, 3))


@pytest.mark.parametrize(
    "checks",
    [
        gate.disruption_budget(None, LABELS),
        gate.autoscaler(None, "shop-green", 3, 20),
        gate.service(None, LABELS, {}),
        gate.pods_ready([], 3),
    ],
)
def test_what_is_not_there_is_a_failure(checks: list[gate.Check]) -> None:
    assert sentences(checks)


def test_nothing_to_check_is_no_evidence() -> None:
    with pytest.raises(gate.CheckError, match="proves nothing"):
        gate.require([])


def test_usage_is_held_against_limits_and_unknown_usage_is_left_out() -> None:
    used = {"shop-green-1": {"backend": {"cpu": "20m", "memory": "900Mi"}}}
    gate.require(gate.usage(used, pods()))
    used["shop-green-1"]["backend"] = {"cpu": "1500m", "memory": "2Gi"}
    assert "cpu of backend in use is 1500m, 150% of its limit" in sentences(gate.usage(used, pods()))
    assert gate.usage({}, pods()) == []


# --- health and api ---------------------------------------------------------------------------------------------------


def answer(status: int = 200, text: str = '{"status": "healthy", "version": "v2"}', **headers: str) -> gate.Answer:
    """An answer of the candidate."""
    return gate.Answer("Pod a /health", status, {"content-type": "application/json", **headers}, text)


@pytest.mark.parametrize(
    ("found", "must_say", "said"),
    [
        (answer(), True, ""),
        (answer(text="OK"), True, ""),
        (answer(text='"healthy"'), True, ""),
        (answer(text=""), False, ""),
        (answer(text='{"uptime": 4}'), False, ""),
        (answer(text='{"status": "unhealthy"}'), True, "says 'unhealthy' of itself, with status 200"),
        (answer(text='{"status": "degraded"}'), False, "says 'degraded'"),
        (answer(text=""), True, "says 'nothing' of itself"),
        (answer(text="<html>not healthy at all</html>"), True, "says 'nothing' of itself"),
        (answer(status=503), True, "status is 503 and not 200"),
    ],
)
def test_health_is_what_the_body_says_too(found: gate.Answer, must_say: bool, said: str) -> None:
    failed = sentences(gate.healthy(found, must_say))
    assert said in failed
    assert bool(said) == bool(failed)


def test_a_success_has_status_200_and_json() -> None:
    gate.require(gate.succeeded(answer()))
    gate.require(gate.succeeded(answer(text="plain"), in_json=False))
    assert "answered no JSON but 'plain'" in sentences(gate.succeeded(answer(text="plain")))
    assert "status is 500 and not 200: 'oops'" in sentences(gate.succeeded(answer(500, "oops")))


def test_an_unknown_path_has_to_be_404() -> None:
    gate.require(gate.found_nothing(answer(404)))
    assert "status is 500 and not 404" in sentences(gate.found_nothing(answer(500)))
    assert "status is 200 and not 404" in sentences(gate.found_nothing(answer()))


def test_the_version_is_told_by_header_and_body() -> None:
    gate.require(gate.version(answer(**{"x-version": "v2"}), "X-Version", "v2"))
    assert "X-Version is v1 and not v2" in sentences(gate.version(answer(**{"x-version": "v1"}), "X-Version", "v2"))
    assert "X-Version is not set and not v2" in sentences(gate.version(answer(), "X-Version", "v2"))
    mixed = answer(text='{"version": "v1"}', **{"x-version": "v2"})
    assert "version in the body is v1 and not v2" in sentences(gate.version(mixed, "X-Version", "v2"))
    assert gate.version(answer(), "", "v2") == []


# --- monitoring -------------------------------------------------------------------------------------------------------

WANTED = {"requests_total": "counter", "seconds": "histogram", "active": "gauge"}
METRICS = """\
# TYPE requests_total counter
requests_total{status="200"} 10
requests_total{status="500"} 1
# TYPE seconds histogram
seconds_bucket{le="+Inf"} 11
seconds_count 11
seconds_sum 0.1
# TYPE active gauge
active 0
"""


def test_metrics_that_are_there_with_their_types_pass() -> None:
    found = parse(METRICS)
    gate.require(gate.families(found, WANTED, "Pod a") + gate.histograms(found, WANTED, "Pod a"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("active", "other", "Pod a has no metric active"),
        ("TYPE active gauge", "TYPE active counter", "type of active is"),
        ("seconds_count 11", "seconds_count 12", "its count 12 is not its +Inf 11"),
    ],
)
def test_a_metric_that_is_gone_or_different_is_found(old: str, new: str, said: str) -> None:
    found = parse(METRICS.replace(old, new))
    assert said in sentences(gate.families(found, WANTED, "Pod a") + gate.histograms(found, WANTED, "Pod a"))


@pytest.mark.parametrize(
    ("good", "bad", "said"), [(15, 1, ""), (14, 1, "4 further after 5"), (3, 1, "-7 further"), (12, 4, "")]
)
def test_the_counter_has_to_move_by_what_was_asked(good: int, bad: int, said: str) -> None:
    after = METRICS.replace('"200"} 10', f'"200"}} {good}').replace('"500"} 1', f'"500"}} {bad}')
    failed = sentences(gate.counted(parse(METRICS), parse(after), "requests_total", 5, "Pod a"))
    assert said in failed
    assert bool(said) == bool(failed)
    errors = sentences(gate.no_server_errors(parse(METRICS), parse(after), "requests_total", "Pod a"))
    assert ("counted 3 answers of 5xx" in errors) == (bad == 4)


def test_a_counter_that_is_gone_is_said() -> None:
    checks = gate.counted(parse(METRICS), parse(""), "requests_total", 5, "Pod a")
    assert "not there after 5 requests" in sentences(checks)


# --- network ----------------------------------------------------------------------------------------------------------


def test_the_endpoints_are_exactly_the_pods() -> None:
    gate.require(gate.endpoints(slices(1, 2, 3), pods(), "preview"))
    assert "Pod shop-green-3: endpoint of Service preview is missing" in sentences(
        gate.endpoints(slices(1, 2), pods(), "preview")
    )
    assert "also leads to 10.0.0.9" in sentences(gate.endpoints(slices(1, 2, 3, 9), pods(), "preview"))
    unready = [{"endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": False}}]}]
    assert "is missing and not ready" in sentences(gate.endpoints(unready, [pod()], "preview"))


def test_names_ports_and_spread() -> None:
    gate.require(gate.resolves("shop-preview", ["10.96.0.7"], service()))
    assert "resolves to nothing and not to 10.96.0.7" in sentences(gate.resolves("shop-preview", [], service()))
    gate.require(gate.answered("metrics", 404, "Pod a"))
    assert "Port metrics of Pod a answered nothing: ReadTimeout." in sentences(
        gate.answered("metrics", None, "Pod a", "ReadTimeout")
    )
    counts = {"shop-green-1": 4, "shop-green-2": 5}
    assert "Pod shop-green-3 got none of 9 requests" in sentences(gate.reached_every_pod(counts, pods(), 9))


# --- load and production ----------------------------------------------------------------------------------------------


LIMITS = Thresholds(Limits(success=0.95, p95_ms=500, requests=100))


def measured(**changed: Any) -> load.LoadResult:
    """A load result of 1,000 good requests within 20 ms."""
    entry = {
        "method": "GET",
        "path": "/",
        "requests": 1000,
        "failures": 0,
        "max_ms": 20.0,
        "histogram_ms": {"20": 1000},
    }
    figures = {"seconds": 10.0, "users": 5, "rate": 100.0, "late": 0, "dropped": 0, "endpoints": [entry], "errors": []}
    for name, value in changed.items():
        (entry if name in entry else figures)[name] = value
    return load.read(figures)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"failures": 50}, ""),
        ({"histogram_ms": {"20": 950, "5000": 50}}, ""),
        ({"failures": 51}, "94.90% of 1,000 requests succeeded, and 95.00% are wanted"),
        ({"histogram_ms": {"20": 949, "501": 51}}, "95 of 100 answers took up to 501 ms"),
        ({"requests": 99}, "99 requests, too few to prove anything: 100 are wanted"),
        ({"requests": 0, "histogram_ms": {}}, "0 requests, too few"),
    ],
)
def test_load_is_judged_by_number_success_and_time(changed: dict[str, Any], said: str) -> None:
    failed = sentences(gate.load(measured(**changed), LIMITS))
    assert said in failed
    assert bool(said) == bool(failed)


def test_no_request_is_no_pass_even_when_none_is_asked_for() -> None:
    empty = measured(requests=0, histogram_ms={})
    assert sentences(gate.load(empty, Thresholds(Limits(success=0.0, p95_ms=500))))


def test_what_failed_is_said_with_the_success_rate() -> None:
    errors = [{"method": "GET", "path": "/", "error": "status 500", "count": 100}]
    failed = gate.load(measured(failures=100, errors=errors), LIMITS)
    assert "100 x GET /: status 500" in sentences(failed)


def test_each_endpoint_has_thresholds_of_its_own() -> None:
    slow = {"method": "GET", "path": "/slow", "requests": 100, "failures": 2, "max_ms": 901.0}
    fast = {**slow, "path": "/fast", "requests": 4000, "max_ms": 5.0, "histogram_ms": {"5": 4000}, "failures": 0}
    figures = {"seconds": 10.0, "users": 5, "rate": 0.0, "late": 0, "dropped": 0, "errors": []}
    result = load.read({**figures, "endpoints": [{**slow, "histogram_ms": {"10": 90, "900": 10}}, fast]})
    limits = {
        "GET /slow": Limits(success=0.99, p95_ms=500, p99_ms=950, max_ms=900, rate=100, requests=100),
        "GET /fast": Limits(success=0.99, p50_ms=10),
        "POST /never": Limits(success=0.5),
    }
    checks = gate.load(result, Thresholds(Limits(requests=100), limits))
    said = {check.name: check for check in checks if not check.passed}
    assert said.keys() == {
        "load: GET /slow: success rate",
        "load: GET /slow: p95",
        "load: GET /slow: slowest",
        "load: GET /slow: rate",
        "load: POST /never: requests",
    }
    assert "GET /slow: 95 of 100 answers took up to 900 ms" in said["load: GET /slow: p95"].sentence
    assert said["load: POST /never: requests"].unproven
    assert [check.name for check in checks if check.unproven] == ["load: POST /never: requests"]


def test_what_nobody_could_tell_is_no_evidence_and_no_failure() -> None:
    few = gate.load(measured(requests=50, histogram_ms={"10": 50}), LIMITS)
    with pytest.raises(gate.NoEvidenceError, match="too few to prove anything: 100 are wanted"):
        gate.require(few)
    broken = gate.Check.that("pods", False, 1, "none gone", "Gone: shop-1.")
    with pytest.raises(gate.CheckError) as caught:
        gate.require([*few, broken])
    assert not isinstance(caught.value, gate.NoEvidenceError)


@pytest.mark.parametrize(("lag_ms", "unproven"), [(0, False), (99, False), (100, True), (400, True)])
def test_a_generator_that_was_itself_so_late_proves_nothing(lag_ms: int, unproven: bool) -> None:
    """p95 is 600 ms and 500 are allowed: with 100 ms of lag of its own the generator may have made the difference."""
    slow = measured(histogram_ms={"10": 900, "600": 100}, lags_ms={str(lag_ms): 1000})
    [bad] = [check for check in gate.load(slow, LIMITS) if not check.passed]
    assert bad.unproven is unproven
    assert ("it was the limit, not the application" in bad.sentence) is unproven


def test_a_generator_that_did_not_make_the_load_proves_nothing() -> None:
    idle = measured(rate=1000.0, late=900, overslept=800)
    assert "made 800 of 900 late arrivals late" in sentences(gate.load(idle, LIMITS))
    assert [check.unproven for check in gate.load(idle, LIMITS) if not check.passed] == [True]
    assert sentences(gate.load(measured(rate=1000.0, late=900, overslept=10), LIMITS)) == ""


@pytest.mark.parametrize(
    ("rate", "busy", "unproven"), [(1000.0, 0.97, True), (1000.0, 0.5, False), (100.0, 0.97, False)]
)
def test_times_prove_nothing_where_a_busy_generator_did_not_make_the_load(
    rate: float, busy: float, unproven: bool
) -> None:
    slow = measured(histogram_ms={"900": 1000}, rate=rate, busy=busy)
    failed = [check for check in gate.load(slow, LIMITS) if not check.passed]
    assert [check.unproven for check in failed if "answers took" in check.sentence] == [unproven]
    assert ("ran, or waited for a core, for 97% of the time" in sentences(failed)) is unproven


def test_answers_that_never_came_are_the_applications() -> None:
    hung = measured(rate=1000.0, overslept=3, unanswered=20)
    assert "20 users waited until the end for answers that did not come" in sentences(gate.load(hung, LIMITS))
    assert [check.unproven for check in gate.load(hung, LIMITS) if not check.passed] == [False]


def test_a_test_is_ended_when_nothing_to_come_can_save_it_and_not_before() -> None:
    bad = measured(requests=1000, failures=60)
    assert gate.hopeless(bad, 100, LIMITS) == "60 of 1000 requests failed: 95.00% cannot be reached any more"
    assert gate.hopeless(bad, 200, LIMITS) == ""
    slow = measured(histogram_ms={"10": 900, "600": 100})
    assert "100 of 1000 answers took longer than 500 ms" in gate.hopeless(slow, 900, LIMITS)
    assert gate.hopeless(slow, 1000, LIMITS) == ""
    assert gate.hopeless(measured(histogram_ms={"10": 900, "600": 100}, lags_ms={"100": 9}), 0, LIMITS) == ""


def test_a_pod_that_restarted_or_went_during_the_load_is_found() -> None:
    gate.require(gate.restarts_unchanged(pods(), pods()))
    restarted = change(pod(3), "status.containerStatuses.0.restartCount", 1)
    assert "it was restarted during the load test" in sentences(
        gate.restarts_unchanged(pods(), [pod(1), pod(2), restarted])
    )
    assert "Gone: shop-green-3." in sentences(gate.restarts_unchanged(pods(), [pod(1), pod(2), pod(4)], wanted=3))


def test_a_pod_that_the_autoscaler_took_away_is_no_fault_of_the_application() -> None:
    gate.require(gate.restarts_unchanged(pods(), [pod(1), pod(2)], wanted=2))
    assert "Gone: shop-green-3." in sentences(gate.restarts_unchanged(pods(), [pod(1), pod(2)], wanted=3))


def test_live_is_unharmed_only_when_somebody_asked_and_nothing_failed() -> None:
    good = records.probe_result()
    gate.require(gate.nobody_harmed(good))
    harmed = sentences(gate.nobody_harmed(records.probe_result(failed_from_s=37.2)))
    assert "13 of 1160 requests to live failed" in harmed
    assert "the answer was an error (500)" in harmed
    assert "no answer that counts" in sentences(gate.nobody_harmed(records.probe_result(seconds=0.0)))
