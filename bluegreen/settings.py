"""What the user set: environment, ``.env``, options; all mistakes reported at once, before anything is touched.

In come the environment, the options of the command and perhaps a ``.env`` file; out goes one frozen ``Settings``,
or an ``InputError`` with every mistake. The table ``SETTINGS`` is the only place that names a setting: the options
of pytest and of the command line, the README's table and the placeholders of the manifests are made from it.

Never done here: looking at a cluster, or showing the value of a secret.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bluegreen import dotenv as dotenv_file
from bluegreen import grammar
from bluegreen.errors import InputError, Mistake
from bluegreen.grammar import Parse, Refused

LOCAL = "local"
KIND = "kind"

SELECTOR = "selector"
"""The value of SWITCH_BY that names no routes."""

ROUTE_KINDS = {"ingress": "Ingress", "httproute": "HTTPRoute"}
"""The values that do, and the kind of those."""

KIND_NODE_PORT, KIND_PREVIEW_NODE_PORT = 30080, 30081
"""A choice: NODE_PORT and PREVIEW_NODE_PORT on kind, within Kubernetes' own range of 30000 to 32767."""
"""The value of CLUSTER that means the embedded cluster."""

LOCAL_IMAGE = "gremlinsai/backend:v1.0.0"
"""What is released when no image is named; only the embedded cluster has such a default."""


@dataclass(frozen=True)
class Setting:
    """One setting: how its text is read, what it is when nobody sets it, and what it means."""

    name: str
    """As in the environment."""
    parse: Parse
    default: str | None
    """As text; ``None``: nothing, or worked out from the others (``_derive``)."""
    help: str
    """Meaning and unit, as the option's help and the README show it."""
    metavar: str = "TEXT"
    secret: bool = False
    """A secret has no option (command lines are visible to everybody) and is never shown."""
    blank: bool = False
    """An empty value means something; elsewhere it means that the setting is not set."""
    bare: str | None = None
    """What its option means when it is given without a value; ``None``: it needs one."""

    @property
    def attribute(self) -> str:
        """Its name in ``Settings``."""
        return self.name.lower()

    @property
    def option(self) -> str | None:
        """Its option, for pytest and for the command line; a secret has none."""
        return None if self.secret else f"--{self.name.lower().replace('_', '-')}"

    @property
    def is_flag(self) -> bool:
        """Whether its option takes no value."""
        return self.parse is grammar.flag


_HOST = "HOST"
_SECONDS = "SECONDS"

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "DOCKER_IMAGE",
        grammar.image,
        None,
        f"The image to release. Required, except on the embedded cluster and kind, where it is {LOCAL_IMAGE}.",
        "REFERENCE",
    ),
    Setting(
        "CLUSTER",
        grammar.text,
        LOCAL,
        "Where to release: local (the embedded cluster, started when it does not run), kind (made when it is not "
        "there), in-cluster (the service account of the pod this runs in), or a context of the kubeconfig.",
        "CONTEXT",
    ),
    Setting(
        "KIND_NODE_IMAGE",
        grammar.image,
        None,
        "The image of kind's node, and so its version of Kubernetes: kindest/node:VERSION; kind's own choice.",
        "REFERENCE",
    ),
    Setting("KUBECONFIG", grammar.text, None, "The kubeconfig files, as kubectl takes them; ~/.kube/config.", "PATH"),
    Setting("NAMESPACE", grammar.namespace, "gremlinsai", "The namespace of the application.", "NAME"),
    Setting(
        "APP_NAME",
        grammar.label(47, letter_first=True),
        "gremlinsai-backend",
        "The application: the pods' `app` label, and its Deployments are APP_NAME-blue and APP_NAME-green.",
        "NAME",
    ),
    Setting(
        "SERVICE_NAME",
        grammar.label(55, letter_first=True),
        "gremlinsai-service",
        "The live Service; SERVICE_NAME-preview shows the candidate to the gate.",
        "NAME",
    ),
    Setting(
        "EXTRA_SERVICES",
        grammar.services,
        "",
        "Further live Services of the application, separated by blanks: they move together with SERVICE_NAME or not "
        "at all, and each has its NAME-preview.",
        "NAMES",
    ),
    Setting(
        "SWITCH_BY",
        grammar.one_of(SELECTOR, *ROUTE_KINDS),
        SELECTOR,
        "What moves live traffic: selector (the live Services' own), or before them ingress or httproute (the routes "
        "named by ROUTE_NAME).",
        "WORD",
    ),
    Setting(
        "ROUTE_NAME",
        grammar.routes,
        "",
        "The Ingresses or HTTPRoutes by which users come in, separated by blanks: they move together.",
        "NAMES",
    ),
    Setting(
        "ROUTE_URL",
        grammar.url("https://shop.example.com"),
        None,
        "The URL at which users come in by the route; else what the Ingress or the Gateway states, over plain HTTP.",
        "URL",
    ),
    Setting(
        "TRAFFIC_STEPS",
        grammar.percents,
        "",
        "With SWITCH_BY=httproute: how many per cent of live traffic the candidate gets, step by step, for example "
        "5 25 100; all at once where it is not set.",
        "PERCENTS",
    ),
    Setting(
        "TRAFFIC_STEP_WATCH",
        grammar.seconds(0, 10),
        "10",
        "How long each of those steps but the last is watched, in seconds.",
        _SECONDS,
    ),
    Setting(
        "HEALTH_CHECK_URL",
        grammar.health_url,
        "http://localhost:8080/api/v1/health/health",
        "Port and path of the health check; asked of every pod and Service, whatever host it names.",
        "URL",
    ),
    Setting(
        "HEALTH_CHECK_TIMEOUT",
        grammar.seconds(1, 300),
        "300",
        "How long the candidate may take to become ready, in seconds.",
        _SECONDS,
    ),
    Setting(
        "HEALTH_CHECK_INTERVAL",
        grammar.seconds(0.05, 10),
        "10",
        "At most so long between two looks, in seconds; an upper bound: the cluster is watched.",
        _SECONDS,
    ),
    Setting("ROLLBACK_TIMEOUT", grammar.seconds(1, 60), "60", "How long a switch back may take, in seconds.", _SECONDS),
    Setting(
        "VALIDATION_TIMEOUT",
        grammar.seconds(1, 300),
        "300",
        "How long the gate's tests may take together, in seconds.",
        _SECONDS,
    ),
    Setting("LOAD_TEST_DURATION", grammar.seconds(1, 20), "20", "How long the load test runs, in seconds.", _SECONDS),
    Setting("LOAD_SUCCESS_RATE", grammar.ratio, "0.95", "The share of load-test requests that must succeed.", "SHARE"),
    Setting(
        "LOAD_P95_MS",
        grammar.whole(1, 600_000, 500),
        "500",
        "What 95 of 100 of the load test's answers must not exceed, in milliseconds.",
        "MS",
    ),
    Setting(
        "LOAD_MIN_REQUESTS",
        grammar.whole(1, 10**9, 100),
        "100",
        "With fewer requests than this the load test is no evidence.",
        "NUMBER",
    ),
    Setting(
        "LOAD_THRESHOLDS",
        grammar.existing_file(".yaml", ".yml", ".toml"),
        None,
        "A YAML or TOML file of thresholds of the load test, for all requests and for single endpoints.",
        "FILE",
    ),
    Setting(
        "LOAD_MODEL",
        grammar.one_of("arrivals", "users"),
        "arrivals",
        "How the load test asks: arrivals (at fixed moments, however slow the answers are) or users (each waits for "
        "its answer before it asks again).",
        "WORD",
    ),
    Setting(
        "LOAD_RATE",
        grammar.rate,
        None,
        "Requests a second of the load test in all; 15 for each of LOAD_USERS.",
        "NUMBER",
    ),
    Setting(
        "LOAD_WORKERS",
        grammar.whole(0, 1000, 4),
        "0",
        "Pods in the cluster that make the load, as locust's workers; 0: it is made where the release runs, unless "
        "only a port-forward that cannot carry it leads to the application.",
        "NUMBER",
    ),
    Setting(
        "LOAD_IMAGE",
        grammar.image,
        None,
        "The image of those pods; locustio/locust of the version installed here, on the embedded cluster that itself.",
        "REFERENCE",
    ),
    Setting("LOAD_PROCESSES", grammar.whole(1, 64, 2), "1", "Processes that make the load.", "NUMBER"),
    Setting(
        "COMPARE",
        grammar.one_of("off", "live", "copy"),
        "off",
        "Whether the candidate is loaded beside what is live and compared: off, live (the live pods themselves), or "
        "copy (fresh pods of the live release, which must have room).",
        "WORD",
        bare="live",
    ),
    Setting(
        "COMPARE_DURATION",
        grammar.seconds(1, 20),
        None,
        "How long both are loaded for the comparison, in seconds; LOAD_TEST_DURATION.",
        _SECONDS,
    ),
    Setting(
        "COMPARE_IGNORE",
        grammar.fields,
        "version",
        "Fields of JSON answers in which the candidate may differ from live, as paths such as items.*.id, separated by "
        "blanks.",
        "FIELDS",
        blank=True,
    ),
    Setting("LOAD_USERS", grammar.whole(1, 100_000, 20), "20", "Users that the load test simulates.", "NUMBER"),
    Setting(
        "LOAD_WARMUP",
        grammar.seconds(0, 2),
        None,
        "The load test's first seconds, left out of its figures; a tenth of LOAD_TEST_DURATION, at most 2.",
        _SECONDS,
    ),
    Setting(
        "POST_SWITCH_WATCH",
        grammar.seconds(0, 20),
        "20",
        "How long production is watched after the switch, in seconds; 900 to 1800 in production.",
        _SECONDS,
    ),
    Setting(
        "DRAIN_TIMEOUT",
        grammar.seconds(0, 30),
        "30",
        "How long the old colour may take to let go of its last clients, in seconds.",
        _SECONDS,
    ),
    Setting(
        "DRAIN_PATH",
        grammar.optional_path,
        "/api/v1/admin/drain",
        "A path that tells a pod to let go of its clients (POST); none when there is none. A pod that answers 404 is "
        "left to its preStop hook.",
        "PATH",
        blank=True,
    ),
    Setting(
        "DRAIN_COMMAND",
        grammar.command,
        None,
        "A command that tells a pod to let go of its clients, run in its first container instead of asking DRAIN_PATH; "
        "it begins the drain and does not wait for its end.",
        "COMMAND",
    ),
    Setting(
        "DRAIN_COUNT_PATH",
        grammar.optional_path,
        "/api/v1/admin/connections",
        "A path where a pod states how many clients it has (GET), as JSON with open_connections, connections or "
        "in_flight, and perhaps clients by kind; none when there is none.",
        "PATH",
        blank=True,
    ),
    Setting(
        "REPLICAS",
        grammar.whole(1, 10_000, 3),
        "3",
        "Pods of a first release; later ones take the live colour's present number.",
        "NUMBER",
    ),
    Setting(
        "MIN_REPLICAS",
        grammar.whole(1, 10_000, 3),
        None,
        "The autoscaler's least number of pods; 3, or REPLICAS when that is less.",
        "NUMBER",
    ),
    Setting(
        "MAX_REPLICAS",
        grammar.whole(1, 10_000, 20),
        None,
        "The autoscaler's greatest number of pods; 20, or REPLICAS when that is more.",
        "NUMBER",
    ),
    Setting("CPU_REQUEST", grammar.quantity(0.001, "500m"), "500m", "CPU reserved for a pod.", "QUANTITY"),
    Setting("MEMORY_REQUEST", grammar.quantity(2**20, "512Mi"), "512Mi", "Memory reserved for a pod.", "QUANTITY"),
    Setting("CPU_LIMIT", grammar.quantity(0.001, "1000m"), "1000m", "CPU a pod may use.", "QUANTITY"),
    Setting("MEMORY_LIMIT", grammar.quantity(2**20, "1Gi"), "1Gi", "Memory a pod may use.", "QUANTITY"),
    Setting(
        "HPA_CPU",
        grammar.whole(1, 1000, 70),
        "70",
        "The autoscaler's CPU target, in percent of the request.",
        "PERCENT",
    ),
    Setting(
        "HPA_MEMORY",
        grammar.whole(1, 1000, 80),
        "80",
        "The autoscaler's memory target, in percent of the request.",
        "PERCENT",
    ),
    Setting(
        "RETIRE",
        grammar.one_of("scale", "delete", "keep"),
        "scale",
        "What becomes of the old colour: scale (to zero), delete, or keep.",
        "WORD",
    ),
    Setting(
        "SCALE_DOWN_DELAY",
        grammar.seconds(0, 600),
        "0",
        "How long the old colour is kept at full size after a release, in seconds: until then `bluegreen rollback` is "
        "one patch. The release itself ends before; `bluegreen retire --wait`, or the next release, retires it.",
        _SECONDS,
    ),
    Setting(
        "ROLLBACK_WINDOW",
        grammar.seconds(0, 3600),
        "3600",
        "How long after a switch a return to the colour that served before needs only its health confirmed, not the "
        "whole gate, in seconds.",
        _SECONDS,
    ),
    Setting(
        "REHEARSE",
        grammar.flag,
        "false",
        "Switch forward, back and forward again, and measure each, before production is verified.",
        "BOOL",
    ),
    Setting(
        "KEEP_REFUSED",
        grammar.flag,
        "false",
        "Leave a candidate that the gate refused standing behind the preview Service, to look at or for "
        "`bluegreen retry`; the next release or `bluegreen recover` takes it away.",
        "BOOL",
    ),
    Setting(
        "VERSION_HEADER",
        grammar.header_name,
        "X-Version",
        "The header in which the application states its version; none when it states it nowhere.",
        "HEADER",
        blank=True,
    ),
    Setting(
        "API_PATHS",
        grammar.paths,
        "/ /api/v1/capabilities",
        "Paths that answer 200 with JSON, separated by blanks; the API stage asks for each.",
        "PATHS",
    ),
    Setting(
        "METRICS",
        grammar.metrics,
        "gremlinsai_api_requests_total:counter gremlinsai_api_request_duration_seconds:histogram "
        "gremlinsai_api_errors_total:counter gremlinsai_active_conversations:gauge",
        "Metrics every pod must expose, as name:type, separated by blanks.",
        "METRICS",
    ),
    Setting(
        "REQUEST_COUNTER",
        grammar.metric,
        "gremlinsai_api_requests_total",
        "The counter that moves with every request; with the label `status` it also tells server errors.",
        "METRIC",
    ),
    Setting(
        "PROMETHEUS_URL",
        grammar.url("http://prometheus:9090"),
        None,
        "The Prometheus that the queries of checks.yaml are asked of.",
        "URL",
    ),
    Setting(
        "PROMETHEUS_TOKEN", grammar.secret, None, "The bearer token that Prometheus asks for, if it does.", secret=True
    ),
    Setting(
        "ERROR_COUNTER",
        grammar.metric,
        "gremlinsai_api_errors_total",
        "The counter of errors, whose climb under load is held against LOAD_SUCCESS_RATE where it is there.",
        "METRIC",
    ),
    Setting("KEEP_ALIVE", grammar.flag, "true", "Whether connections must be kept open between requests.", "BOOL"),
    Setting(
        "SHUTDOWN_TEST",
        grammar.flag,
        "false",
        "Delete one of the candidate's pods after the load test, and require that no request fails meanwhile.",
        "BOOL",
    ),
    Setting("EXPECTED_VERSION", grammar.text, None, "The version the candidate must state; the image's tag."),
    Setting("INGRESS_HOST", grammar.ingress_host, None, "The Ingress' host name; without it there is none.", _HOST),
    Setting("TLS_SECRET", grammar.subdomain, None, "The TLS Secret of the Ingress; also opens the https port.", "NAME"),
    Setting(
        "NETWORK_TEST_IMAGE",
        grammar.image,
        None,
        "The image of the pod that tests the cluster's network; the released image itself.",
        "REFERENCE",
    ),
    Setting(
        "SELFTEST_IMAGE",
        grammar.image,
        None,
        "An image known to be bad, which `bluegreen selftest` expects the gate to refuse; the sample's when embedded.",
        "REFERENCE",
    ),
    Setting(
        "PIN_IMAGE",
        grammar.one_of("auto", "require", "off"),
        "auto",
        "Whether the image is deployed by the digest that its registry states: auto (where the registry can be asked; "
        "an image that is not there is refused), require (nothing else is released), or off (the registry is not "
        "asked).",
        "WORD",
    ),
    Setting(
        "MANIFESTS",
        grammar.directory,
        None,
        "A directory of YAML: your application as it is, or files that replace the built-in ones.",
        "DIR",
    ),
    Setting(
        "ACCESS",
        grammar.one_of("auto", "route", "load-balancer", "node-port", "cluster", "port-forward"),
        "auto",
        "How this machine reaches the application: auto, route (the one that SWITCH_BY moves), load-balancer, "
        "node-port, cluster or port-forward.",
        "WORD",
    ),
    Setting(
        "NODE_PORT",
        grammar.whole(1, 65535, 30080),
        None,
        "The NodePort of the live Service's first port; the cluster's own choice, and 30080 on kind.",
        "PORT",
    ),
    Setting(
        "PREVIEW_NODE_PORT",
        grammar.whole(1, 65535, 30080),
        None,
        "Publishes the preview Service at this NodePort; it is inside the cluster only otherwise, and 30081 on kind.",
        "PORT",
    ),
    Setting(
        "MIGRATION",
        grammar.file,
        None,
        "A manifest of one Job or Pod that is run to its end before the candidate stands up; live is checked after it.",
        "FILE",
    ),
    Setting(
        "MIGRATION_TIMEOUT", grammar.seconds(1, 600), "600", "How long the migration may take, in seconds.", _SECONDS
    ),
    Setting(
        "MIGRATION_JOB",
        grammar.subdomain,
        None,
        "A Job in the namespace, run by others, that must have completed before a release begins.",
        "NAME",
    ),
    Setting(
        "MIGRATION_COMMAND",
        grammar.command,
        None,
        "A command, run where the release runs, that ends with 0 when the migrations are done; with any other code no "
        "release begins.",
        "COMMAND",
    ),
    Setting(
        "DASHBOARDS",
        grammar.places,
        None,
        "Where a person watches a release, as URLs or files separated by blanks; `bluegreen preflight` looks whether "
        "they are there.",
        "PLACES",
    ),
    Setting(
        "ROLLBACK_PLAN",
        grammar.place,
        None,
        "The plan for going back, as a URL or a file; `bluegreen preflight` looks whether it is there.",
        "PLACE",
    ),
    Setting(
        "APPROVAL",
        grammar.some_of("standing-up", "judging", "switching", "retiring"),
        None,
        "The steps before which a release waits for `bluegreen approve`, separated by blanks.",
        "STEPS",
    ),
    Setting(
        "APPROVAL_TIMEOUT",
        grammar.seconds(1, 3600),
        "3600",
        "How long a release waits for an approval before it goes back, in seconds.",
        _SECONDS,
    ),
    Setting(
        "FREEZE",
        grammar.freeze_windows,
        None,
        "Times at which no release starts and no traffic moves to a new version, as Fri 16:00-Mon 08:00 Europe/Berlin; "
        "several are separated by ';'. Going back is never frozen.",
        "WINDOWS",
    ),
    Setting(
        "FREEZE_OVERRIDE",
        grammar.text,
        None,
        "Why this release may run in a freeze all the same; kept in the history.",
        "REASON",
    ),
    Setting("GATE_ONLY", grammar.flag, "false", "Run the gate and stop before the switch.", "BOOL"),
    Setting("REPORTS_DIR", grammar.output_directory, "reports", "Where reports are written.", "DIR"),
    Setting(
        "LEASE_DURATION",
        grammar.seconds(1, 15),
        "15",
        "After so many seconds without a sign of life a release's lock may be taken over.",
        _SECONDS,
    ),
    Setting(
        "METRICS_FILE",
        grammar.output_file,
        None,
        "A file that the release's own metrics are written to at each step, for Prometheus' node exporter (*.prom).",
        "FILE",
    ),
    Setting(
        "PUSHGATEWAY_URL",
        grammar.url("http://pushgateway:9091"),
        None,
        "The Pushgateway that the release's own metrics are pushed to at each step.",
        "URL",
    ),
    Setting(
        "METRICS_PORT",
        grammar.whole(1, 65535, 9464),
        None,
        "A port where the release's own metrics can be scraped while it runs.",
        "PORT",
    ),
    Setting(
        "METRICS_HOST",
        grammar.hostname,
        "127.0.0.1",
        "The address of this machine that METRICS_PORT is opened on; 0.0.0.0 for a Prometheus elsewhere.",
        _HOST,
    ),
    Setting(
        "OTLP_ENDPOINT",
        grammar.url("http://collector:4318"),
        None,
        "The OpenTelemetry collector (OTLP over HTTP) that a trace of the release is sent to, one span a step; needs "
        "the extra `traces`.",
        "URL",
    ),
    Setting(
        "NOTIFY_URL",
        grammar.url("https://hooks.example.com/services/T0/B0/xyz"),
        None,
        "A webhook that takes Slack's messages: told of the start, of the outcome, and when a person is needed.",
        secret=True,
    ),
    Setting("DB_HOST", grammar.hostname, None, "The database's host.", _HOST),
    Setting("DB_PORT", grammar.whole(1, 65535, 5432), "5432", "The database's port.", "PORT"),
    Setting("DB_NAME", grammar.text, None, "The database's name."),
    Setting("DB_USER", grammar.text, None, "The database's user."),
    Setting("DB_PASSWORD", grammar.secret, None, "The database's password.", secret=True),
    Setting("REDIS_HOST", grammar.hostname, None, "Redis' host.", _HOST),
    Setting("REDIS_PORT", grammar.whole(1, 65535, 6379), "6379", "Redis' port.", "PORT"),
    Setting("REDIS_PASSWORD", grammar.secret, None, "Redis' password.", secret=True),
    Setting("WEAVIATE_URL", grammar.url("http://weaviate:8080"), None, "Where Weaviate answers.", "URL"),
    Setting("WEAVIATE_API_KEY", grammar.secret, None, "Weaviate's key.", secret=True),
    Setting("OLLAMA_BASE_URL", grammar.url("http://ollama:11434"), None, "Where Ollama answers.", "URL"),
    Setting("OLLAMA_API_KEY", grammar.secret, None, "Ollama's key.", secret=True),
    Setting("ENCRYPTION_KEY", grammar.secret, None, "Encrypts stored data; made once when not set.", secret=True),
    Setting("SECRET_KEY", grammar.secret, None, "Signs tokens; made once when not set.", secret=True),
)


@dataclass(frozen=True)
class Settings:
    """Every setting's value; see ``SETTINGS`` for meaning and unit. What nobody set is '' (or ``None`` for a path)."""

    docker_image: str
    cluster: str
    kind_node_image: str | None
    kubeconfig: str
    namespace: str
    app_name: str
    service_name: str
    extra_services: str
    switch_by: str
    route_name: str
    route_url: str
    traffic_steps: str
    traffic_step_watch: float
    health_check_url: str
    health_check_timeout: float
    health_check_interval: float
    rollback_timeout: float
    validation_timeout: float
    load_test_duration: float
    load_success_rate: float
    load_p95_ms: int
    load_min_requests: int
    load_thresholds: Path | None
    compare: str
    compare_duration: float
    compare_ignore: str
    load_model: str
    load_rate: float | None
    load_workers: int
    load_image: str
    load_processes: int
    load_users: int
    load_warmup: float
    post_switch_watch: float
    drain_timeout: float
    drain_path: str
    drain_command: str
    drain_count_path: str
    replicas: int
    min_replicas: int
    max_replicas: int
    cpu_request: str
    memory_request: str
    cpu_limit: str
    memory_limit: str
    hpa_cpu: int
    hpa_memory: int
    retire: str
    scale_down_delay: float
    rollback_window: float
    rehearse: bool
    keep_refused: bool
    version_header: str
    api_paths: str
    metrics: str
    request_counter: str
    prometheus_url: str
    error_counter: str
    keep_alive: bool
    shutdown_test: bool
    expected_version: str
    ingress_host: str
    tls_secret: str
    network_test_image: str
    selftest_image: str
    pin_image: str
    manifests: Path | None
    access: str
    node_port: int | None
    preview_node_port: int | None
    migration: Path | None
    migration_timeout: float
    migration_job: str
    migration_command: str
    dashboards: str
    rollback_plan: str
    approval: str
    approval_timeout: float
    freeze: str
    freeze_override: str
    gate_only: bool
    reports_dir: Path
    lease_duration: float
    metrics_file: Path | None
    pushgateway_url: str
    metrics_port: int | None
    metrics_host: str
    otlp_endpoint: str
    db_host: str
    db_port: int
    db_name: str
    db_user: str
    redis_host: str
    redis_port: int
    weaviate_url: str
    ollama_base_url: str
    db_password: str = field(repr=False)
    redis_password: str = field(repr=False)
    weaviate_api_key: str = field(repr=False)
    ollama_api_key: str = field(repr=False)
    encryption_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    prometheus_token: str = field(repr=False)
    notify_url: str = field(repr=False)

    @property
    def embedded(self) -> bool:
        """Whether the embedded cluster was asked for: the only one a release may set up by itself."""
        return self.cluster == LOCAL

    @property
    def own_cluster(self) -> bool:
        """Whether the cluster is one that the harness makes itself: a release may set up there what it needs."""
        return self.cluster in (LOCAL, KIND)

    @property
    def preview_service_type(self) -> str:
        """ClusterIP: unreleased code is not published; NodePort where PREVIEW_NODE_PORT asks for it."""
        return "NodePort" if self.preview_node_port else "ClusterIP"

    @property
    def preview_service_name(self) -> str:
        """The Service through which the gate sees the candidate."""
        return f"{self.service_name}-preview"

    @property
    def live_services(self) -> tuple[str, ...]:
        """All Services that carry live traffic and move together: SERVICE_NAME first."""
        return (self.service_name, *self.extra_services.split())

    @property
    def routes(self) -> tuple[tuple[str, str], ...]:
        """Kind and name of the routes by which users come in; none where Services alone are switched."""
        return tuple((ROUTE_KINDS[self.switch_by], name) for name in self.route_name.split())

    @property
    def shares(self) -> tuple[int, ...]:
        """The percentages of live traffic that the candidate gets before all of it."""
        return tuple(percent for percent in map(int, self.traffic_steps.split()) if percent < 100)

    @property
    def health_port(self) -> int:
        """The port on which pods answer health checks; also the application's."""
        return urlsplit(self.health_check_url).port or 80

    @property
    def health_path(self) -> str:
        """The path of the health check, with its leading slash."""
        return urlsplit(self.health_check_url).path

    @property
    def health_base(self) -> str:
        """The path that ``/ready`` and ``/live`` are added to: the health check's, without its last part."""
        return self.health_path.rstrip("/").rpartition("/")[0]

    @property
    def image(self) -> grammar.Image:
        """The image to release, taken apart."""
        return grammar.parse_image(self.docker_image)

    def releasing(self, reference: str, version: str) -> Settings:
        """The same for another image: what asks from inside the cluster is that image too, unless another is set."""
        asks = reference if self.network_test_image == self.docker_image else self.network_test_image
        return replace(self, docker_image=reference, expected_version=version, network_test_image=asks)

    def public(self) -> dict[str, Any]:
        """Everything but the secrets, by the settings' names, as plain JSON values: for reports and workers."""
        return {s.name: _plain(getattr(self, s.attribute)) for s in SETTINGS if not s.secret}

    def as_text(self) -> dict[str, str]:
        """Every setting as text by its name, secrets too: what placeholders in a manifest stand for."""
        return {s.name: as_text(getattr(self, s.attribute)) for s in SETTINGS}


def load(
    env: Mapping[str, str],
    options: Mapping[str, str | None] | None = None,
    dotenv: Path | None = None,
    *,
    image_required: bool = True,
    image_default: bool = True,
) -> Settings:
    """Read all settings: an option beats the environment, which beats ``.env``, which beats the default.

    ``options`` has the settings' names for keys; ``dotenv`` may name a file that is not there. An empty value means
    "not set". ``image_required``: whether a named cluster needs DOCKER_IMAGE (setting up does not). ``image_default``:
    whether one's own clusters have a default for it (looking at what is live does not: it is what is there).
    Raises ``InputError`` with all mistakes.
    """
    mistakes: list[Mistake] = []
    texts = _texts(env, options or {}, dotenv, mistakes)
    values = {s.attribute: _parse(s, texts.get(s.name), mistakes) for s in SETTINGS}
    refused = {mistake.setting for mistake in mistakes}
    _derive(values, image_default=image_default)
    _check_together(values, refused, mistakes, image_required=image_required)
    if mistakes:
        raise InputError(mistakes)
    return Settings(**values)


def as_text(value: Any) -> str:
    """A value as a manifest or a ConfigMap shows it: 300 and not 300.0, true and not True, nothing for None."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return "" if value is None else str(value)


def markdown_table() -> str:
    """The README's table of settings."""
    rows = ["| Setting | Option | Default | Meaning |", "|---|---|---|---|"]
    for s in SETTINGS:
        option = f"`{s.option}`" if s.option else "none: secret"
        rows.append(f"| `{s.name}` | {option} | {f'`{s.default}`' if s.default else ''} | {s.help} |")
    return "\n".join(rows)


def _texts(
    env: Mapping[str, str], options: Mapping[str, str | None], dotenv: Path | None, mistakes: list[Mistake]
) -> dict[str, str]:
    """Each setting's text from the source that goes first."""
    file: dict[str, str] = {}
    if dotenv is not None and os.path.lexists(dotenv):  # one that cannot be read is refused, not passed over
        try:
            file = dotenv_file.read(dotenv)
        except InputError as problem:
            mistakes.extend(problem.mistakes)
    found: dict[str, str] = {}
    for s in SETTINGS:
        sources = [env, file] if s.secret else [options, env, file]
        for source in sources:
            value = source.get(s.name)
            if value is not None and (value.strip() or s.blank):
                found[s.name] = value
                break
    return found


def _parse(setting: Setting, given: str | None, mistakes: list[Mistake]) -> Any:
    """A setting's value; its default (perhaps ``None`` or '') where nothing is given or what is given is refused."""
    if given is not None:
        try:
            return setting.parse(given if setting.secret else given.strip())
        except Refused as refused:
            shown = None if setting.secret or refused.reveals else given
            mistakes.append(Mistake(setting.name, shown, refused.why, refused.remedy))
    return setting.parse(setting.default) if setting.default is not None else _nothing(setting)


def _nothing(setting: Setting) -> Any:
    """What a setting holds that nobody set and that has no default: '' for text, ``None`` for anything else."""
    annotation = {f.name: str(f.type) for f in fields(Settings)}[setting.attribute]
    return "" if annotation == "str" else None


def _derive(values: dict[str, Any], *, image_default: bool) -> None:
    """Fill in the defaults that follow from other settings."""
    v = values
    if image_default and not v["docker_image"] and v["cluster"] in (LOCAL, KIND):
        v["docker_image"] = LOCAL_IMAGE
    if v["cluster"] == KIND:
        v["node_port"] = v["node_port"] or KIND_NODE_PORT
        v["preview_node_port"] = v["preview_node_port"] or KIND_PREVIEW_NODE_PORT
    v["network_test_image"] = v["network_test_image"] or v["docker_image"]
    if v["min_replicas"] is None:
        v["min_replicas"] = min(3, v["replicas"], v["max_replicas"] or 3)
    if v["max_replicas"] is None:
        v["max_replicas"] = max(20, v["replicas"], v["min_replicas"])
    if v["compare_duration"] is None:
        v["compare_duration"] = v["load_test_duration"]
    if v["load_warmup"] is None:
        v["load_warmup"] = min(2.0, v["load_test_duration"] / 10)
    if v["docker_image"] and not v["expected_version"]:
        v["expected_version"] = grammar.parse_image(v["docker_image"]).version


_AT_MOST: tuple[tuple[str, str, Parse], ...] = (
    ("CPU_REQUEST", "CPU_LIMIT", grammar.amount),
    ("MEMORY_REQUEST", "MEMORY_LIMIT", grammar.amount),
    ("MIN_REPLICAS", "MAX_REPLICAS", float),
    ("MIN_REPLICAS", "REPLICAS", float),
    ("REPLICAS", "MAX_REPLICAS", float),
    ("LOAD_WARMUP", "LOAD_TEST_DURATION", float),
    ("LOAD_TEST_DURATION", "VALIDATION_TIMEOUT", float),
    ("LOAD_PROCESSES", "LOAD_USERS", float),
    ("LOAD_WORKERS", "LOAD_USERS", float),
    ("COMPARE_DURATION", "VALIDATION_TIMEOUT", float),
)
"""Pairs of settings of which the first may not exceed the second, and how to compare them."""


def _check_together(
    values: dict[str, Any], refused: set[str], mistakes: list[Mistake], *, image_required: bool
) -> None:
    """Find what is wrong only in combination; settings that were refused by themselves are not judged again."""
    for low, high, measure in _AT_MOST:
        small, great = values[low.lower()], values[high.lower()]
        if not {low, high} & refused and measure(small) > measure(great):
            why = f"it is more than {high}={as_text(great)}."
            mistakes.append(Mistake(low, as_text(small), why, f"Lower {low} or raise {high}."))
    if not {"SERVICE_NAME", "EXTRA_SERVICES"} & refused:
        _check_services(values["service_name"], values["extra_services"].split(), mistakes)
    if not {"SWITCH_BY", "ROUTE_NAME"} & refused:
        _check_routes(values["switch_by"], values["route_name"], mistakes)
    if values["traffic_steps"] and not {"SWITCH_BY", "TRAFFIC_STEPS", "REHEARSE"} & refused:
        _check_steps(values, mistakes)
    _check_image(values, refused, mistakes, required=image_required)
    if values["migration"] and (elsewhere := values["migration_job"] or values["migration_command"]):
        why = "MIGRATION is run by the release itself, so it cannot be done before."
        name = "MIGRATION_JOB" if values["migration_job"] else "MIGRATION_COMMAND"
        mistakes.append(Mistake(name, elsewhere, why, "Leave one of the two out."))


def _check_services(main: str, extra: list[str], mistakes: list[Mistake]) -> None:
    """No Service is live twice, and none is another one's preview or that of a colour."""
    previews = {f"{name}-preview": name for name in (main, *extra)}
    if main in extra:
        why = "it names SERVICE_NAME, which moves anyway."
        mistakes.append(Mistake("EXTRA_SERVICES", main, why, "Leave it out."))
    for name in (name for name in (main, *extra) if name in previews):
        setting = "SERVICE_NAME" if name == main else "EXTRA_SERVICES"
        why = f"it is the name of the preview Service of {previews[name]}."
        mistakes.append(Mistake(setting, name, why, "Name only Services that carry live traffic."))
    for name in extra:
        base, _, colour = name.rpartition("-")
        if colour in ("blue", "green") and base in (main, *extra):
            why = f"it is the name of {base}'s Service of one colour, which a route leads to."
            mistakes.append(Mistake("EXTRA_SERVICES", name, why, "Name only Services that carry live traffic."))


def _check_routes(switch_by: str, names: str, mistakes: list[Mistake]) -> None:
    """A way that goes by routes needs them, and the other one takes none."""
    if switch_by != SELECTOR and not names:
        why = f"it is not set, and SWITCH_BY={switch_by} needs to know by which objects users come in."
        mistakes.append(Mistake("ROUTE_NAME", None, why, "Name them, or leave SWITCH_BY out."))
    if switch_by == SELECTOR and names:
        why = "it names routes, and SWITCH_BY does not say of which kind."
        mistakes.append(Mistake("ROUTE_NAME", names, why, "Set SWITCH_BY=ingress or SWITCH_BY=httproute."))


def _check_steps(values: dict[str, Any], mistakes: list[Mistake]) -> None:
    """Steps need a route that can share traffic out, and are no steps after a rehearsal of the whole."""
    if values["switch_by"] != "httproute":
        why = f"SWITCH_BY is {values['switch_by']}, which moves all of live traffic at once."
        mistakes.append(Mistake("TRAFFIC_STEPS", values["traffic_steps"], why, "Set SWITCH_BY=httproute."))
    if values["rehearse"]:
        why = "REHEARSE moves all of live traffic to the candidate before the first step."
        mistakes.append(Mistake("TRAFFIC_STEPS", values["traffic_steps"], why, "Leave one of the two out."))


def _check_image(values: dict[str, Any], refused: set[str], mistakes: list[Mistake], *, required: bool) -> None:
    image, cluster = values["docker_image"], values["cluster"]
    if "DOCKER_IMAGE" in refused:
        return
    if not image:
        if required:
            why = f"it is not set, and only the embedded cluster has a default (CLUSTER is {cluster!r})."
            mistakes.append(Mistake("DOCKER_IMAGE", None, why, "Name the image: DOCKER_IMAGE=registry/team/app:v1.2.3"))
        return
    if values["version_header"] and not values["expected_version"]:
        why = "it names no version (no tag, or one that moves), so no answer can be proven to come from it."
        remedy = "Name a tag that stays, or set EXPECTED_VERSION, or VERSION_HEADER=none if it states no version."
        mistakes.append(Mistake("DOCKER_IMAGE", image, why, remedy))


def _plain(value: Any) -> Any:
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    return str(value) if isinstance(value, Path) else value
