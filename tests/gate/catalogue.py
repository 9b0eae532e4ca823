"""Bad releases, each with the stage that must catch it and what the report must say: the measure of the gate.

``bad`` is what the application does wrong (``tests.gate.app``), ``edits`` what is wrong with a manifest, ``meanwhile``
what somebody else does while the candidate is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from bluegreen.clock import Deadline
from bluegreen.errors import HarnessError
from tests.release.conftest import App

Edit = tuple[str, str]
"""What stands in a built-in manifest, and what stands there instead."""

GATE_FAILED, COULD_NOT_START, ROLLED_BACK, SWITCHED = 1, 4, 6, 0


@dataclass(frozen=True)
class Case:
    """One bad release. ``says`` stands in the report's summary."""

    id: str
    what: str
    stage: str  # the first stage that does not pass; "" for none
    says: str
    bad: str = "good"
    settings: Mapping[str, str] = field(default_factory=dict)
    edits: Mapping[str, Sequence[Edit]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)  # whole manifests in place of built-in ones
    image: str = ""  # another reference than that of the application with the fault
    thresholds: str = ""  # the text of LOAD_THRESHOLDS
    live: str = ""  # what the live version does, for candidates that are worse than it; a good version otherwise
    code: int = GATE_FAILED
    fresh: bool = False  # on an application that was never released, for what is made only once
    meanwhile: Callable[[App, Deadline], None] | None = None  # until the deadline, or until it is done


# -- what others do meanwhile ------------------------------------------------------------------------------------------
def point_preview_at_live(app: App, deadline: Deadline) -> None:
    """Somebody's controller puts the preview back to the live colour, again and again."""
    live = app.live_colour()
    while not deadline.expired:
        with suppress(HarnessError):
            app.kube.wait(
                "Service",
                lambda found: True if _leads_elsewhere(found, live) else None,
                fields="metadata.name=gremlinsai-service-preview",
                deadline=Deadline(min(0.5, deadline.remaining_s)),
                awaited="the preview leads to the candidate",
            )
            app.kube.merge_patch("Service", "gremlinsai-service-preview", {"spec": {"selector": {"version": live}}})


def _leads_elsewhere(found: list[dict[str, object]], live: str) -> bool:
    return any(one["spec"]["selector"].get("version") not in (live, "none") for one in found)  # type: ignore[index]


def evict_one_under_load(app: App, deadline: Deadline) -> None:
    """A node is drained during the load test: one of the candidate's pods is evicted."""
    candidate = "green" if app.live_colour() == "blue" else "blue"
    seen = app.folder / "tmp"  # where the release keeps its files until it ends
    while not deadline.expired and not list(seen.glob("bluegreen-*/*-unfinished/locust*")):
        with suppress(HarnessError):  # a wait that nothing ends: time passes while the load test comes
            app.kube.wait("Pod", lambda _: None, deadline=Deadline(0.1), awaited="the load test")
    with suppress(HarnessError):
        pods = app.kube.list("Pod", labels=f"version={candidate}")
        name = pods[0]["metadata"]["name"]
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": app.namespace}}
        app.kube.post_answer(f"/api/v1/namespaces/{app.namespace}/pods/{name}/eviction", body, f"evict {name}")


# -- manifests ---------------------------------------------------------------------------------------------------------
IMAGE_LINE = "          image: ${DOCKER_IMAGE}\n"
READINESS = """          readinessProbe:
            httpGet:
              path: ${HEALTH_BASE}/ready
              port: http
            periodSeconds: 1
            timeoutSeconds: 2
            failureThreshold: 3
"""
LIVENESS = """          livenessProbe:
            httpGet:
              path: ${HEALTH_BASE}/live
              port: http
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
"""
PRESTOP = """          lifecycle:
            preStop:
              exec:
                command: [sh, -c, sleep 2]
"""
RESOURCES = """          resources:
            requests:
              cpu: "${CPU_REQUEST}"
              memory: "${MEMORY_REQUEST}"
            limits:
              cpu: "${CPU_LIMIT}"
              memory: "${MEMORY_LIMIT}"
"""
METRICS_PORT = """    - name: metrics
      port: 9090
      targetPort: metrics
      protocol: TCP
"""


NAMES_RULE = """    - ports:
        - port: 53
          protocol: UDP
        - port: 53
          protocol: TCP
"""

SHUT_IN = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: ${APP_NAME}
  namespace: ${NAMESPACE}
spec:
  podSelector:
    matchLabels:
      app: ${APP_NAME}
  policyTypes: [Ingress]
"""


def variable(text: str) -> dict[str, list[Edit]]:
    """A variable of the pods, as lines of YAML below ``env``."""
    return {"deployment": [("          env:\n", f"          env:\n{text}")]}


SECRET_KEY_MISSING = """            - name: TOKEN
              valueFrom:
                secretKeyRef:
                  name: ${APP_NAME}-secrets
                  key: NO_SUCH_KEY
"""

INIT_FAILS = """      initContainers:
        - name: migrate
          image: ${DOCKER_IMAGE}
          command: [sh, -c, exit 3]
      containers:
"""

LAST_LINES = """            capabilities:
              drop: [ALL]
"""

SIDECAR_CRASHES = f"""{LAST_LINES}        - name: helper
          image: ${{DOCKER_IMAGE}}
          command: [sh, -c, exit 3]
"""

SHORT = {"HEALTH_CHECK_TIMEOUT": "6"}
STRICT = {"LOAD_SUCCESS_RATE": "0.999", "LOAD_MIN_REQUESTS": "300", "LOAD_TEST_DURATION": "8"}

RESOURCES_CASES = [
    Case(
        "never-ready",
        "no pod ever becomes ready",
        "resources",
        "not so after",
        "good",
        SHORT,
        image="gremlinsai/backend:v1.1.0-bad-never-ready",
    ),
    Case(
        "one-not-ready",
        "ready on two of three pods",
        "resources",
        "2 of 3",
        "one-not-ready",
        {**SHORT, "REPLICAS": "3"},
        fresh=True,
    ),
    Case(
        "crash-loop",
        "the process ends after its start",
        "resources",
        "CrashLoopBackOff",
        settings=SHORT,
        image="gremlinsai/backend:v1.1.0-bad-crash-loop",
    ),
    Case(
        "crashes-once",
        "one pod crashes once and comes back",
        "resources",
        "restarts of app is 1 and not 0",
        "crashes-once",
    ),
    Case(
        "slow-start",
        "ready only after the deadline",
        "resources",
        "not so after",
        settings=SHORT,
        image="gremlinsai/backend:v1.1.0-bad-slow-start",
    ),
    Case(
        "wrong-tag",
        "a tag that does not exist",
        "resources",
        "ErrImagePull",
        image="gremlinsai/backend:absent",
        settings=SHORT,
    ),
    Case(
        "wrong-image",
        "a repository that does not exist",
        "resources",
        "ErrImagePull",
        image="gremlinsai/backand:v1.1.0",
        settings=SHORT,
    ),
    Case(
        "no-such-program",
        "the command is not in the image",
        "resources",
        "no-such-program",
        settings=SHORT,
        edits={"deployment": [(IMAGE_LINE, f"{IMAGE_LINE}          command: [no-such-program]\n")]},
    ),
    Case(
        "exits-with-error",
        "the command exits with an error",
        "resources",
        "CrashLoopBackOff",
        settings=SHORT,
        edits={"deployment": [(IMAGE_LINE, f'{IMAGE_LINE}          command: [sh, -c, "exit 3"]\n')]},
    ),
    Case(
        "init-fails",
        "an init container fails",
        "resources",
        "migrate",
        settings=SHORT,
        edits={"deployment": [("      containers:\n", INIT_FAILS)]},
    ),
    Case(
        "sidecar-crashes",
        "a sidecar crashes",
        "resources",
        "helper",
        settings=SHORT,
        edits={"deployment": [(LAST_LINES, SIDECAR_CRASHES)]},
    ),
    Case(
        "secret-key-missing",
        "a Secret lacks a key",
        "resources",
        "NO_SUCH_KEY",
        settings=SHORT,
        edits=variable(SECRET_KEY_MISSING),
    ),
    Case(
        "secret-missing",
        "a Secret is missing",
        "start",
        "Secret app-tokens: it is not in namespace",
        code=COULD_NOT_START,
        edits={"deployment": [("                name: ${APP_NAME}-secrets\n", "                name: app-tokens\n")]},
    ),
    Case(
        "config-missing",
        "a ConfigMap is missing",
        "resources",
        "app-settings",
        settings=SHORT,
        edits={"deployment": [("                name: ${APP_NAME}-config\n", "                name: app-settings\n")]},
    ),
    Case(
        "configured-as-other",
        "the pods are told that they are the other colour",
        "resources",
        "tells its pods that they are",
        edits={"deployment": [('              value: "${COLOUR}"\n', '              value: "blue"\n')]},
    ),
    Case(
        "wrong-port",
        "the readiness probe asks a port where nothing listens",
        "resources",
        "not so after",
        settings=SHORT,
        edits={"deployment": [("              containerPort: ${HTTP_PORT}\n", "              containerPort: 8999\n")]},
    ),
    Case(
        "wrong-ready-path",
        "the readiness probe asks a path that is not there",
        "resources",
        "404",
        settings=SHORT,
        edits={"deployment": [("/ready\n", "/no-such-path\n")]},
    ),
    Case(
        "live-fails",
        "/live fails, so that the kubelet never lets it start",
        "resources",
        "not so after",
        settings=SHORT,
        edits={"deployment": [("/live\n", "/no-such-path\n")]},
    ),
    Case(
        "dependency-away",
        "the name of its database does not resolve",
        "resources",
        "not so after",
        "dependency-away",
        SHORT,
    ),
    Case(
        "over-memory-limit",
        "it needs more memory than its limit",
        "resources",
        "OOMKilled",
        "burns-memory megabytes=200",
        {"MEMORY_LIMIT": "100Mi", "HEALTH_CHECK_TIMEOUT": "10"},
    ),
    Case(
        "no-requests",
        "no requests and no limits",
        "resources",
        "request of cpu is not set",
        edits={"deployment": [(RESOURCES, "")]},
    ),
    Case(
        "no-limits",
        "limits are not what was asked for",
        "resources",
        "limit of memory is 2Gi",
        edits={"deployment": [('              memory: "${MEMORY_LIMIT}"\n', "              memory: 2Gi\n")]},
    ),
    Case(
        "no-readiness",
        "no readiness probe",
        "resources",
        "has no readinessProbe",
        edits={"deployment": [(READINESS, "")]},
    ),
    Case(
        "no-liveness", "no liveness probe", "resources", "has no livenessProbe", edits={"deployment": [(LIVENESS, "")]}
    ),
    Case(
        "budget-of-others",
        "its PodDisruptionBudget selects other pods",
        "resources",
        "PodDisruptionBudget",
        fresh=True,
        edits={
            "pdb": [
                (
                    "    matchLabels:\n      app: ${APP_NAME}\n      version: ${COLOUR}\n",
                    "    matchLabels:\n      app: other\n",
                )
            ]
        },
    ),
    Case(
        "scales-others",
        "its autoscaler targets another Deployment",
        "start",
        "it scales something else than",
        code=COULD_NOT_START,
        edits={
            "hpa": [
                (
                    "    kind: Deployment\n    name: ${APP_NAME}-${COLOUR}\n",
                    "    kind: Deployment\n    name: ${APP_NAME}-other\n",
                )
            ]
        },
    ),
    Case(
        "autoscaler-too-small",
        "its autoscaler may not grow as asked for",
        "resources",
        "maximum is 4 and not 20",
        edits={"hpa": [("${MAX_REPLICAS}", "4")]},
    ),
    Case(
        "preview-port-missing",
        "the preview Service lacks a port",
        "resources",
        "port metrics is not set",
        fresh=True,
        edits={"preview-service": [(METRICS_PORT, "")]},
    ),
    Case(
        "preview-shows-live",
        "the preview answers from the live colour",
        "resources",
        "Service gremlinsai-service-preview",
        meanwhile=point_preview_at_live,
    ),
    Case(
        "live-again-preview-shows-live",
        "the live image again, with a preview that answers from the live colour",
        "resources",
        "Service gremlinsai-service-preview",
        image="gremlinsai/backend:v1.0.0",
        meanwhile=point_preview_at_live,
    ),
]

HEALTH_CASES = [
    Case(
        "ready-then-not", "ready, and no more once it was asked for its health", "health", "not ready", "ready-then-not"
    ),
    Case(
        "unhealthy",
        "health answers 200 and says unhealthy",
        "health",
        "says 'unhealthy' of itself",
        image="gremlinsai/backend:v1.1.0-bad-unhealthy",
    ),
    Case("degraded", "health answers 200 and says degraded", "health", "says 'degraded' of itself", "degraded"),
    Case("empty-health", "health answers 200 and nothing", "health", "says 'nothing' of itself", "empty-health"),
    Case("health-503", "health answers 503", "health", "status is 503 and not 200", "health-fails"),
    Case(
        "live-503",
        "/live answers 503 to all but the kubelet",
        "health",
        "/live: status is 503 and not 200",
        "health-fails live=1",
    ),
    Case("ready-flaps", "/ready says no to one of three", "health", "/ready: status is 503 and not 200", "ready-flaps"),
    Case(
        "migrations-pending",
        "its migrations were not done",
        "health",
        "says 'migrations pending'",
        "migrations-pending",
    ),
]

API_CASES = [
    Case("old-build", "the old build under the new tag", "api", "X-Version is v0.9.9", "other-version"),
    Case("old-build-on-one-pod", "one pod runs another build", "api", "X-Version is v0.9.9", "other-version one=1"),
    Case("states-no-version", "it states no version", "api", "X-Version is not set", "other-version silent=1"),
    Case(
        "version-in-body",
        "header and body state different versions",
        "api",
        "version in the body is v0.9.9",
        "body version=1",
    ),
    Case("api-500", "every API request is answered 500", "api", "status is 500 and not 200", "status status=500"),
    Case("api-404", "one API is gone", "api", "capabilities: status is 404 and not 200", "status status=404 only=1"),
    Case("api-401", "the API wants credentials", "api", "status is 401 and not 200", "status status=401"),
    Case("api-redirects", "the API redirects", "api", "status is 302 and not 200", "status status=302"),
    Case("maintenance-page", "200 and a page in HTML", "api", "calls its answer text/html", "body html=1"),
    Case(
        "wrong-type", "the right JSON under another content type", "api", "calls its answer text/plain", "body text=1"
    ),
    Case("empty-body", "200 and an empty body", "api", "answered no JSON but an empty body", "body empty=1"),
    Case("truncated", "answers are cut off in the middle", "api", "was not answered: RemoteProtocolError", "truncated"),
    Case(
        "hangs",
        "API requests are never answered",
        "api",
        "was not answered: ReadTimeout",
        "hangs of=1",
        {"VALIDATION_TIMEOUT": "200"},
    ),
    Case(
        "hangs-on-one-pod",
        "API requests to one pod are never answered",
        "api",
        "was not answered: ReadTimeout",
        "hangs of=1 one=1",
        {"VALIDATION_TIMEOUT": "200"},
    ),
    Case("no-metrics-path", "/metrics is gone", "api", "status is 404 and not 200", "metrics missing=1"),
]

NO_CLAIM = "{name: data, persistentVolumeClaim: {claimName: no-such-claim}}"

RESOURCES_CASES += [
    Case(
        "no-node",
        "no node has the label that its pods want",
        "resources",
        "node",
        settings=SHORT,
        edits={"deployment": [("      containers:\n", "      nodeSelector: {disk: none}\n      containers:\n")]},
    ),
    Case(
        "no-account",
        "its ServiceAccount does not exist",
        "start",
        "nobody-made-it",
        code=COULD_NOT_START,
        edits={"deployment": [("serviceAccountName: ${APP_NAME}\n", "serviceAccountName: nobody-made-it\n")]},
    ),
    Case(
        "no-volume",
        "its volume's claim does not exist",
        "resources",
        "no-such-claim",
        settings=SHORT,
        edits={"deployment": [("      containers:\n", f"      volumes: [{NO_CLAIM}]\n      containers:\n")]},
    ),
    Case(
        "looks-up-nothing",
        "its pods ask a name server that is not there",
        "network",
        "resolves to nothing",
        edits={
            "deployment": [
                (
                    "      containers:\n",
                    "      dnsPolicy: None\n      dnsConfig: {nameservers: [192.0.2.1]}\n      containers:\n",
                )
            ]
        },
    ),
    Case(
        "container-port-renamed",
        "the container calls its port otherwise than the Services' target",
        "start",
        "no container has a port named http",
        code=COULD_NOT_START,
        edits={"deployment": [("            - name: http\n", "            - name: web\n")]},
    ),
]

API_CASES += [
    Case("api-500-on-one-pod", "one pod answers 500", "api", "status is 500 and not 200", "status status=500 one=1"),
    Case("head-500", "HEAD is answered 500", "api", "HEAD /: status is 500", "status status=500 head=1"),
    Case("gzip-cut-off", "compressed answers are cut off", "api", "answered no JSON", "wire gzip=1"),
    Case("length-too-long", "Content-Length is larger than the body", "api", "was not answered", "wire long=1"),
    Case("length-too-short", "Content-Length is smaller than the body", "api", "answered no JSON", "wire short=1"),
    Case("huge-header", "a header of 70 kB", "network", "LineTooLong", "wire huge=1"),
    Case("redirects-to-itself", "the API redirects to itself", "api", "status is 302 and not 200", "wire loop=1"),
    Case("json-with-nan", "JSON with a NaN, which browsers refuse", "api", "answered no JSON", "wire nan=1"),
    Case("json-in-latin", "JSON that is no UTF-8", "api", "answered no JSON", "wire latin=1"),
]

MONITORING_CASES = [
    Case(
        "no-families",
        "/metrics holds nothing of the application's",
        "monitoring",
        "has no metric",
        image="gremlinsai/backend:v1.1.0-bad-no-metrics",
    ),
    Case("unparsable", "/metrics cannot be parsed", "monitoring", "metric", "metrics unparsable=1"),
    Case("metrics-in-html", "/metrics answers a page", "monitoring", "metric", "metrics html=1"),
    Case(
        "metric-gone",
        "one metric is gone",
        "monitoring",
        "has no metric gremlinsai_active_conversations",
        "metrics gone=1",
    ),
    Case(
        "metric-retyped",
        "one metric has another type",
        "monitoring",
        "type of gremlinsai_active_conversations",
        "metrics retyped=1",
    ),
    Case(
        "counter-stuck",
        "the request counter does not move",
        "monitoring",
        "does not count what it should",
        "metrics stuck=1",
    ),
    Case(
        "counter-backwards",
        "the request counter goes backwards",
        "monitoring",
        "does not count what it should",
        "metrics backwards=1",
    ),
    Case("sample-twice", "a sample is there twice", "monitoring", "is there twice", "metrics twice=1"),
    Case("counter-negative", "a counter is below zero", "monitoring", "below zero", "metrics negative=1"),
    Case(
        "histogram-crooked",
        "a histogram does not add up",
        "monitoring",
        "gremlinsai_api_request_duration_seconds",
        "metrics crooked=1",
    ),
    Case(
        "scraped-elsewhere",
        "the annotations name a port that no container has",
        "monitoring",
        "would be scraped on port 8181",
        edits={"deployment": [('prometheus.io/port: "${HTTP_PORT}"', 'prometheus.io/port: "8181"')]},
    ),
    Case(
        "not-scraped",
        "the annotations are missing",
        "monitoring",
        "prometheus.io/scrape is not set",
        edits={"deployment": [('        prometheus.io/scrape: "true"\n', "")]},
    ),
]

NETWORK_CASES = [
    Case(
        "deaf-port",
        "a port takes connections and never answers",
        "network",
        "answered nothing",
        image="gremlinsai/backend:v1.1.0-bad-deaf",
    ),
    Case(
        "shut-in",
        "a NetworkPolicy lets nobody in",
        "network",
        "lets nobody reach port http",
        fresh=True,
        files={"networkpolicy": SHUT_IN},
    ),
    Case(
        "no-names",
        "a NetworkPolicy lets it look up no names",
        "network",
        "look up names",
        fresh=True,
        edits={"networkpolicy": [(NAMES_RULE, "")]},
    ),
    Case(
        "closes-connections",
        "every connection is closed after one answer",
        "network",
        "closed the connection after the first",
        "closes-connections",
    ),
]

LOAD_CASES = [
    Case(
        "errors-20", "20 % of requests fail under load", "load", "succeeded, and 95.00% are wanted", "errors share=0.2"
    ),
    Case(
        "errors-6",
        "6 % of requests fail under load",
        "load",
        "succeeded, and 95.00% are wanted",
        "errors share=0.06",
        {"LOAD_TEST_DURATION": "10"},
    ),
    Case(
        "errors-4-strict",
        "4 % fail, under a stricter threshold",
        "load",
        "succeeded, and 99.90% are wanted",
        "errors share=0.04",
        STRICT,
    ),
    Case(
        "errors-1-strict",
        "1 % fail, under a stricter threshold",
        "load",
        "succeeded, and 99.90% are wanted",
        "errors share=0.01",
        STRICT,
    ),
    Case(
        "errors-4",
        "4 % fail: below the line of 95 %, as documented",
        "",
        "",
        "errors share=0.04",
        code=SWITCHED,
        fresh=True,
    ),
    Case(
        "errors-hidden",
        "failures are answered 200 and only counted",
        "load",
        "errors in gremlinsai_api_errors_total",
        "errors share=0.3 hidden=1",
    ),
    Case("slow", "every answer takes 800 ms under load", "load", "95 of 100 answers took up to", "slow ms=800"),
    Case(
        "slow-tail",
        "one of ten answers takes a second",
        "load",
        "95 of 100 answers took up to",
        "slow ms=1000 share=0.1",
    ),
    Case(
        "flaky",
        "every tenth request fails under load",
        "load",
        "succeeded, and 95.00% are wanted",
        image="gremlinsai/backend:v1.1.0-bad-flaky-10",
    ),
    Case("dies-under-load", "it exits under load", "load", "during the load test", "exits"),
    Case(
        "crashes-later",
        "it crashes a minute after its start",
        "load",
        "it was restarted during the load test",
        "crashes-after seconds=60",
        {"LOAD_TEST_DURATION": "70", "VALIDATION_TIMEOUT": "240"},
    ),
    Case(
        "leaks-memory",
        "memory grows with every request, up to the limit",
        "load",
        "during the load test",
        "leaks-memory kilobytes=2000",
        {"MEMORY_LIMIT": "160Mi", "LOAD_TEST_DURATION": "8"},
    ),
    Case(
        "leaks-connections",
        "connections to its database are not given back",
        "load",
        "succeeded, and 95.00% are wanted",
        "leaks-connections pool=150",
    ),
    Case(
        "falls-over",
        "it falls over with 50 users' requests under way, 25 on each of two pods",
        "load",
        "succeeded, and 95.00% are wanted",
        "falls-over users=25",
        {"LOAD_USERS": "60"},
    ),
    Case(
        "flaps-under-load",
        "its dependency comes and goes under load",
        "load",
        "was not well in",
        "ready-flaps-under-load",
        {"LOAD_TEST_DURATION": "8"},
    ),
    Case("burns-cpu", "an answer takes 100 ms of CPU", "load", "answers took up to", "burns-cpu ms=150"),
    Case(
        "evicted",
        "a pod is evicted during the load test",
        "load",
        "Gone:",
        meanwhile=evict_one_under_load,
        settings={"LOAD_TEST_DURATION": "8"},
    ),
    Case(
        "drops-at-term",
        "a pod that leaves drops its connections",
        "load",
        "was not answered",
        "drops-at-term",
        {"SHUTDOWN_TEST": "true"},
        {"deployment": [(PRESTOP, "")]},
    ),
]

COMPARED = {"COMPARE": "live", "COMPARE_DURATION": "20", "LOAD_TEST_DURATION": "6", "VALIDATION_TIMEOUT": "240"}
TAIL = "all:\n  p99_ms: 600\n"

COMPARED_CASES = [
    Case(
        "errors-1-compared", "1 % of requests fail, and none of live's", "load", "worse", "errors share=0.01", COMPARED
    ),
    Case(
        "errors-4-compared", "4 % of requests fail, and none of live's", "load", "worse", "errors share=0.04", COMPARED
    ),
    Case("latency-30", "30 % slower than live", "load", "worse", "slow ms=39", COMPARED, live="slow ms=30", fresh=True),
    Case(
        "latency-doubled",
        "twice as slow as live",
        "load",
        "worse",
        "slow ms=60",
        COMPARED,
        live="slow ms=30",
        fresh=True,
    ),
    Case(
        "latency-tail-compared",
        "3 of 100 answers take half a second, of live none",
        "load",
        "worse",
        "slow ms=500 share=0.03",
        COMPARED,
    ),
    Case(
        "latency-tail",
        "3 of 100 answers take a second, under a limit of p99",
        "load",
        "99 of 100 answers took up to",
        "slow ms=1000 share=0.02",
        thresholds=TAIL,
    ),
    Case(
        "hangs-sometimes",
        "one of fifty requests is never answered",
        "load",
        "for answers that did not come",
        "hangs of=50",
        {"VALIDATION_TIMEOUT": "240"},
    ),
    Case("wrong-body", "the right status, another body than live's", "load", "/api/v1/capabilities", "body", COMPARED),
]

PRODUCTION_CASES = [
    Case(
        "500-after-switch",
        "500 a moment after the switch",
        "production",
        "500",
        "after seconds=2 status=500",
        {"POST_SWITCH_WATCH": "20"},
        code=ROLLED_BACK,
    ),
    Case(
        "unready-after-switch",
        "not ready any more after the switch",
        "production",
        "",
        "after seconds=2 unready=1",
        {"POST_SWITCH_WATCH": "20"},
        code=ROLLED_BACK,
    ),
    Case(
        "exits-after-switch",
        "it exits after the switch",
        "production",
        "",
        "after seconds=2 exit=1",
        {"POST_SWITCH_WATCH": "20"},
        code=ROLLED_BACK,
    ),
    Case(
        "hangs-after-switch",
        "it hangs after the switch",
        "production",
        "",
        "after seconds=2 hang=1",
        {"POST_SWITCH_WATCH": "20"},
        code=ROLLED_BACK,
    ),
    Case(
        "other-version-after-switch",
        "another build answers after the switch",
        "production",
        "v0.9.9",
        "after seconds=2 version=1",
        {"POST_SWITCH_WATCH": "20"},
        code=ROLLED_BACK,
    ),
]

START_CASES = [
    Case(
        "selected-by-live",
        "a label by which the live Service selects the pods too",
        "start",
        "version",
        code=COULD_NOT_START,
        edits={
            "deployment": [
                (
                    "      app: ${APP_NAME}\n      version: ${COLOUR}\n  strategy",
                    "      app: ${APP_NAME}\n      version: blue\n  strategy",
                ),
                (
                    "        app: ${APP_NAME}\n        version: ${COLOUR}\n      annotations",
                    "        app: ${APP_NAME}\n        version: blue\n      annotations",
                ),
            ]
        },
    ),
]

CASES = [
    *RESOURCES_CASES,
    *HEALTH_CASES,
    *API_CASES,
    *MONITORING_CASES,
    *NETWORK_CASES,
    *LOAD_CASES,
    *COMPARED_CASES,
    *PRODUCTION_CASES,
    *START_CASES,
]
