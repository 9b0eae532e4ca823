"""Bad settings: one at a time, in combination, secrets among them, and bad ``.env`` files."""

from __future__ import annotations

from tests.bad_input.case import Text, Wrong

CANARY = "canary-5e7d"
"""What stands for a secret's value: it must be in no message."""

SETTINGS: tuple[Wrong, ...] = (
    Wrong("EXTRA_SERVICES", "grpc,Admin", "it is not a DNS-1123 label", "Use lower-case letters"),
    Wrong("EXTRA_SERVICES", "grpc grpc", "grpc is there twice", "Name each Service once"),
    Wrong("EXTRA_SERVICES", "gremlinsai-service", "it names SERVICE_NAME", "Leave it out"),
    Wrong(
        "EXTRA_SERVICES", "gremlinsai-service-preview", "it is the name of the preview Service", "Name only Services"
    ),
    Wrong("SWITCH_BY", "gateway", "it is not one of the choices", "Write one of: selector, ingress, httproute"),
    Wrong("ROUTE_NAME", "front", "SWITCH_BY does not say of which kind", "Set SWITCH_BY=ingress"),
    Wrong("ROUTE_NAME", "Front_Door", "Front_Door is no name of an object", "Write small letters"),
    Wrong("ROUTE_NAME", "front front", "front is there twice", "Name each route once"),
    Wrong("ROUTE_URL", "shop.example.com", "it is not a URL", "https://shop.example.com"),
    Wrong("TRAFFIC_STEPS", "5 25 100", "SWITCH_BY is selector, which moves all", "Set SWITCH_BY=httproute"),
    Wrong("TRAFFIC_STEPS", "25 5", "it does not rise", "the smallest first"),
    Wrong("TRAFFIC_STEPS", "half", "it is not a list of whole percentages", "Write rising numbers from 1 to 100"),
    Wrong("TRAFFIC_STEPS", "0 50", "it is not a list of whole percentages", "Write rising numbers from 1 to 100"),
    Wrong(
        "DOCKER_IMAGE",
        "Team/Backend:v1",
        "an image's repository is written in lower case",
        "Write for example registry.example.com/team/backend:v1.2.3",
    ),
    Wrong(
        "DOCKER_IMAGE",
        "backend:",
        "its tag or digest is empty",
        "Write for example registry.example.com/team/backend:v1.2.3",
    ),
    Wrong(
        "DOCKER_IMAGE", "backend:v1 x", "it holds a space", "Write for example registry.example.com/team/backend:v1.2.3"
    ),
    Wrong(
        "DOCKER_IMAGE",
        "https://registry/backend:v1",
        "it is a URL, not an image reference",
        "Write for example registry.example.com/team/backend:v1.2.3",
    ),
    Wrong(
        "DOCKER_IMAGE",
        "backend@sha256:abc",
        "it is not an image reference",
        "Write for example registry.example.com/team/backend:v1.2.3",
    ),
    Wrong(
        "DOCKER_IMAGE",
        f"backend:v1@sha256:{'A' * 64}",
        "its sha256 digest is not 64 lower-case hexadecimal digits",
        "Copy the whole digest",
    ),
    Wrong(
        "DOCKER_IMAGE",
        "backend:" + "v" * 129,
        "it is not an image reference",
        "Write for example registry.example.com/team/backend:v1.2.3",
    ),
    Wrong(
        "DOCKER_IMAGE",
        "a" * 256 + ":v1",
        "it is not an image reference",
        "Write for example registry.example.com/team/backend:v1.2.3",
    ),
    Wrong(
        "DOCKER_IMAGE",
        "/backend:v1",
        "it is not an image reference",
        "Write for example registry.example.com/team/backend:v1.2.3",
    ),
    Wrong(
        "DOCKER_IMAGE",
        "team//backend:v1",
        "it is not an image reference",
        "Write for example registry.example.com/team/backend:v1.2.3",
    ),
    Wrong(
        "DOCKER_IMAGE",
        "backend:-v1",
        "it is not an image reference",
        "Write for example registry.example.com/team/backend:v1.2.3",
    ),
    Wrong(
        "DOCKER_IMAGE",
        "backend",
        "it names no version (no tag, or one that moves), so no answer can be proven to come from it",
        "Name a tag that stays, or set EXPECTED_VERSION, or VERSION_HEADER=none if it states no version",
    ),
    Wrong(
        "DOCKER_IMAGE",
        "backend:latest",
        "it names no version (no tag, or one that moves), so no answer can be proven to come from it",
        "Name a tag that stays, or set EXPECTED_VERSION, or VERSION_HEADER=none if it states no version",
    ),
    Wrong(
        "DOCKER_IMAGE",
        f"backend@sha256:{'a' * 64}",
        "it names no version (no tag, or one that moves), so no answer can be proven to come from it",
        "Name a tag that stays, or set EXPECTED_VERSION, or VERSION_HEADER=none if it states no version",
    ),
    Wrong(
        "CLUSTER",
        "a\nb",
        "it holds a line break or a control character",
        "Write it on one line of printable characters",
    ),
    Wrong(
        "NAMESPACE",
        "Upper",
        "it is not a DNS-1123 label",
        "Use lower-case letters, digits and '-', with a letter or digit at both ends",
    ),
    Wrong(
        "NAMESPACE",
        "under_score",
        "it is not a DNS-1123 label",
        "Use lower-case letters, digits and '-', with a letter or digit at both ends",
    ),
    Wrong(
        "NAMESPACE",
        "-dash",
        "it is not a DNS-1123 label",
        "Use lower-case letters, digits and '-', with a letter or digit at both ends",
    ),
    Wrong("NAMESPACE", "a" * 64, "it has 64 characters, at most 63 fit", "Choose a shorter name"),
    Wrong(
        "NAMESPACE",
        "kube-system",
        "namespaces named kube-… belong to Kubernetes itself",
        "Name a namespace of the application's",
    ),
    Wrong("APP_NAME", "a" * 48, "it has 48 characters, at most 47 fit", "Choose a shorter name"),
    Wrong(
        "APP_NAME",
        "a.b",
        "it is not a DNS-1123 label",
        "Use lower-case letters, digits and '-', with a letter or digit at both ends",
    ),
    Wrong("APP_NAME", "1app", "it starts with a digit (DNS-1035)", "Start it with a lower-case letter"),
    Wrong("SERVICE_NAME", "1service", "it starts with a digit (DNS-1035)", "Start it with a lower-case letter"),
    Wrong("SERVICE_NAME", "s" * 56, "it has 56 characters, at most 55 fit", "Choose a shorter name"),
    Wrong(
        "HEALTH_CHECK_URL",
        "localhost:8080/health",
        "it is not a URL starting with http://",
        "Write http://localhost:8080/api/v1/health/health",
    ),
    Wrong(
        "HEALTH_CHECK_URL",
        "https://localhost:8080/health",
        "it is not a URL starting with http://",
        "Write http://localhost:8080/api/v1/health/health",
    ),
    Wrong(
        "HEALTH_CHECK_URL",
        "http://localhost:99999/health",
        "it is not a URL",
        "Write for example http://localhost:8080/api/v1/health/health",
    ),
    Wrong(
        "HEALTH_CHECK_URL",
        "http://localhost:0/health",
        "its port is 0",
        "Write for example http://localhost:8080/api/v1/health/health",
    ),
    Wrong(
        "HEALTH_CHECK_URL",
        "http://localhost:8080",
        "it has no path",
        "Name the health check's path: http://localhost:8080/api/v1/health/health",
    ),
    Wrong(
        "HEALTH_CHECK_URL",
        "http://localhost:8080/health?deep=1",
        "it has a query or a fragment; only port and path are used",
        "Write for example http://localhost:8080/api/v1/health/health",
    ),
    Wrong(
        "HEALTH_CHECK_URL",
        "http://localhost:8080/a b",
        "it holds a space or a control character",
        "Write for example http://localhost:8080/api/v1/health/health",
    ),
    Wrong(
        "HEALTH_CHECK_URL",
        "http://[::1/health",
        "it is not a URL",
        "Write for example http://localhost:8080/api/v1/health/health",
    ),
    Wrong(
        "HEALTH_CHECK_TIMEOUT", "5m", "it is not a number of seconds", "Write a number without a unit, for example 300"
    ),
    Wrong("HEALTH_CHECK_TIMEOUT", "0", "it is not between 1 and 86400 seconds", "Write for example 300"),
    Wrong("HEALTH_CHECK_TIMEOUT", "-1", "it is not between 1 and 86400 seconds", "Write for example 300"),
    Wrong(
        "HEALTH_CHECK_TIMEOUT", "1e3", "it is not a number of seconds", "Write a number without a unit, for example 300"
    ),
    Wrong(
        "HEALTH_CHECK_TIMEOUT", "nan", "it is not a number of seconds", "Write a number without a unit, for example 300"
    ),
    Wrong(
        "HEALTH_CHECK_TIMEOUT", "inf", "it is not a number of seconds", "Write a number without a unit, for example 300"
    ),
    Wrong(
        "HEALTH_CHECK_TIMEOUT", "٣٠٠", "it is not a number of seconds", "Write a number without a unit, for example 300"
    ),
    Wrong("HEALTH_CHECK_TIMEOUT", "86401", "it is not between 1 and 86400 seconds", "Write for example 300"),
    Wrong("HEALTH_CHECK_INTERVAL", "0", "it is not between 0.05 and 86400 seconds", "Write for example 10"),
    Wrong("ROLLBACK_TIMEOUT", "soon", "it is not a number of seconds", "Write a number without a unit, for example 60"),
    Wrong(
        "VALIDATION_TIMEOUT", "1_000", "it is not a number of seconds", "Write a number without a unit, for example 300"
    ),
    Wrong(
        "LOAD_TEST_DURATION", "20s", "it is not a number of seconds", "Write a number without a unit, for example 20"
    ),
    Wrong(
        "LOAD_TEST_DURATION",
        "301",
        "it is more than VALIDATION_TIMEOUT=300",
        "Lower LOAD_TEST_DURATION or raise VALIDATION_TIMEOUT",
    ),
    Wrong("LOAD_SUCCESS_RATE", "95", "it is not a share above 0 and up to 1", "Write 0.95 for 95 %"),
    Wrong("LOAD_SUCCESS_RATE", "95%", "it is not a number", "Write a share between 0 and 1, for example 0.95"),
    Wrong("LOAD_SUCCESS_RATE", "0", "it is not a share above 0 and up to 1", "Write 0.95 for 95 %"),
    Wrong("METRICS_FILE", "/dev/null", "it is a directory, a pipe or a device", "Name an ordinary file"),
    Wrong("METRICS_FILE", "/dev/null/x.prom", "is in the way", "Name a directory"),
    Wrong("LOAD_SUCCESS_RATE", "-0.1", "it is not a share above 0 and up to 1", "Write 0.95 for 95 %"),
    Wrong("LOAD_P95_MS", "0", "it is not between 1 and 600000", "Write for example 500"),
    Wrong("LOAD_P95_MS", "1.5", "it is not a whole number", "Write digits only, for example 500"),
    Wrong("LOAD_MIN_REQUESTS", "0", "it is not between 1 and 1000000000", "Write for example 100"),
    Wrong("LOAD_MODEL", "closed", "it is not one of the choices", "Write one of: arrivals, users"),
    Wrong("LOAD_RATE", "0", "it is not a number above 0", "Write requests a second"),
    Wrong("LOAD_RATE", "300/s", "it is not a number above 0", "Write requests a second"),
    Wrong("LOAD_PROCESSES", "0", "it is not between 1 and 64", "Write for example 2"),
    Wrong("LOAD_PROCESSES", "21", "it is more than LOAD_USERS=20", "Lower LOAD_PROCESSES or raise LOAD_USERS"),
    Wrong("LOAD_THRESHOLDS", "limits.json", "its name says neither YAML nor TOML", "Name a file that ends in .yaml"),
    Wrong("LOAD_THRESHOLDS", "no/such/limits.toml", "there is no such file", "Name a file that exists"),
    Wrong("COMPARE", "both", "it is not one of the choices", "Write one of: off, live, copy"),
    Wrong("COMPARE_DURATION", "301", "it is more than VALIDATION_TIMEOUT=300", "Lower COMPARE_DURATION"),
    Wrong("COMPARE_IGNORE", "items..id", "items..id is not the path of a field", "Write for example version"),
    Wrong("LOAD_WORKERS", "21", "it is more than LOAD_USERS=20", "Lower LOAD_WORKERS or raise LOAD_USERS"),
    Wrong("LOAD_WORKERS", "-1", "it is not between 0 and 1000", "Write for example 4"),
    Wrong("LOAD_IMAGE", "Locust", "an image's repository is written in lower case", "Write for example"),
    Wrong("LOAD_USERS", "many", "it is not a whole number", "Write digits only, for example 20"),
    Wrong(
        "LOAD_WARMUP", "21", "it is more than LOAD_TEST_DURATION=20", "Lower LOAD_WARMUP or raise LOAD_TEST_DURATION"
    ),
    Wrong("POST_SWITCH_WATCH", "-5", "it is not between 0 and 86400 seconds", "Write for example 20"),
    Wrong("DRAIN_TIMEOUT", "never", "it is not a number of seconds", "Write a number without a unit, for example 30"),
    Wrong("REPLICAS", "0", "it is not between 1 and 10000", "Write for example 3"),
    Wrong("REPLICAS", "21.5", "it is not a whole number", "Write digits only, for example 3"),
    Wrong("REPLICAS", "10001", "it is not between 1 and 10000", "Write for example 3"),
    Wrong("REPLICAS", "99999999999999999999", "it is not a whole number", "Write digits only, for example 3"),
    Wrong("MIN_REPLICAS", "4", "it is more than REPLICAS=3", "Lower MIN_REPLICAS or raise REPLICAS"),
    Wrong("MAX_REPLICAS", "2", "it is more than MAX_REPLICAS=2", "Lower REPLICAS or raise MAX_REPLICAS"),
    Wrong("CPU_REQUEST", "0", "it is too small for a container to run", "Write for example 500m"),
    Wrong("CPU_REQUEST", "2", "it is more than CPU_LIMIT=1000m", "Lower CPU_REQUEST or raise CPU_LIMIT"),
    Wrong("CPU_REQUEST", "500mm", "it is not a Kubernetes quantity", "Write for example 500m (CPU) or 512Mi (memory)"),
    Wrong("MEMORY_REQUEST", "512", "it is too small for a container to run", "Write for example 512Mi"),
    Wrong("MEMORY_REQUEST", "2Gi", "it is more than MEMORY_LIMIT=1Gi", "Lower MEMORY_REQUEST or raise MEMORY_LIMIT"),
    Wrong("CPU_LIMIT", "1 core", "it is not a Kubernetes quantity", "Write for example 500m (CPU) or 512Mi (memory)"),
    Wrong("MEMORY_LIMIT", "1GiB", "it is not a Kubernetes quantity", "Write for example 500m (CPU) or 512Mi (memory)"),
    Wrong("MEMORY_LIMIT", "-1Gi", "it is not a Kubernetes quantity", "Write for example 500m (CPU) or 512Mi (memory)"),
    Wrong("HPA_CPU", "0", "it is not between 1 and 1000", "Write for example 70"),
    Wrong("HPA_MEMORY", "80%", "it is not a whole number", "Write digits only, for example 80"),
    Wrong("RETIRE", "burn", "it is not one of the choices", "Write one of: scale, delete, keep"),
    Wrong(
        "VERSION_HEADER", "X Version", "it is not the name of an HTTP header", "Write for example X-Version, or none"
    ),
    Wrong(
        "VERSION_HEADER", "X-Version:", "it is not the name of an HTTP header", "Write for example X-Version, or none"
    ),
    Wrong(
        "API_PATHS", "/ api/v1", "it is not the path of a URL", "Start it with '/' and leave out host, port and blanks"
    ),
    Wrong(
        "API_PATHS",
        "http://host/",
        "it is not the path of a URL",
        "Start it with '/' and leave out host, port and blanks",
    ),
    Wrong(
        "METRICS",
        "requests_total",
        "requests_total names no type",
        "Write name:type with one of: counter, gauge, histogram, summary, untyped",
    ),
    Wrong(
        "METRICS",
        "requests_total:meter",
        "requests_total:meter names no type",
        "Write name:type with one of: counter, gauge, histogram, summary, untyped",
    ),
    Wrong(
        "METRICS",
        "1requests:counter",
        "it is not the name of a metric",
        "Use letters, digits, '_' and ':', no digit first",
    ),
    Wrong(
        "REQUEST_COUNTER",
        "requests total",
        "it is not the name of a metric",
        "Use letters, digits, '_' and ':', no digit first",
    ),
    Wrong(
        "DRAIN_PATH",
        "admin/drain",
        "it is not the path of a URL",
        "Start it with '/' and leave out host, port and blanks",
    ),
    Wrong("DRAIN_COUNT_PATH", "http://x/count", "it is not the path of a URL", "Start it with '/'"),
    Wrong("DRAIN_COMMAND", "sh -c 'kill", "it cannot be taken apart into words", "Quote it as in a shell"),
    Wrong(
        "INGRESS_HOST",
        "https://example.com",
        "it is not a DNS-1123 subdomain",
        "Use lower-case letters, digits, '-' and '.', at most 253",
    ),
    Wrong(
        "INGRESS_HOST",
        "Example.com",
        "it is not a DNS-1123 subdomain",
        "Use lower-case letters, digits, '-' and '.', at most 253",
    ),
    Wrong(
        "INGRESS_HOST",
        "*.*.example.com",
        "it is not a DNS-1123 subdomain",
        "Use lower-case letters, digits, '-' and '.', at most 253",
    ),
    Wrong(
        "TLS_SECRET",
        "my secret",
        "it is not a DNS-1123 subdomain",
        "Use lower-case letters, digits, '-' and '.', at most 253",
    ),
    Wrong(
        "NETWORK_TEST_IMAGE",
        "Busybox",
        "an image's repository is written in lower case",
        "Write for example registry.example.com/team/backend:v1.2.3",
    ),
    Wrong(
        "MANIFESTS",
        "/there/is/no/such/directory",
        "there is no such directory",
        "Name a directory that exists, or leave the setting out",
    ),
    Wrong(
        "ACCESS",
        "tunnel",
        "it is not one of the choices",
        "Write one of: auto, route, load-balancer, node-port, cluster, port-forward",
    ),
    Wrong("GATE_ONLY", "maybe", "it is neither true nor false", "Write true or false"),
    Wrong(
        "FREEZE",
        "weekends",
        "'weekends' is not a window of time",
        "Write for example Fri 16:00-Mon 08:00 Europe/Berlin",
    ),
    Wrong("LEASE_DURATION", "0", "it is not between 1 and 86400 seconds", "Write for example 15"),
    Wrong("REPORTS_DIR", __file__, "a file of that name is in the way", "Name a directory"),
    Wrong("REPORTS_DIR", f"{__file__}/run", "a file of that name", "Name a directory"),
    Wrong("REPORTS_DIR", "~nobody-here/reports", "there is no home directory of that user", "Write the whole path"),
    Wrong("REPORTS_DIR", "r" * 280, "it cannot be looked for: File name too long", "Name a path that can exist"),
    Wrong("MANIFESTS", __file__, "there is no such directory", "Name a directory that exists"),
    Wrong("MANIFESTS", "m" * 280, "it cannot be looked for: File name too long", "Name a path that can exist"),
    Wrong("MIGRATION", "~nobody-here/job.yaml", "there is no home directory of that user", "Write the whole path"),
    Wrong("MIGRATION", "/dev/zero", "it is a directory, a pipe or a device", "Name an ordinary file"),
    Wrong("MIGRATION", "/proc", "it is a directory, a pipe or a device", "Name an ordinary file"),
    Wrong(
        "DB_HOST",
        "tcp://db",
        "it is neither a host name nor an address",
        "Write the host only, without scheme, port or path",
    ),
    Wrong(
        "DB_HOST",
        "db:5432",
        "it is neither a host name nor an address",
        "Write the host only, without scheme, port or path",
    ),
    Wrong("DB_PORT", "65536", "it is not between 1 and 65535", "Write for example 5432"),
    Wrong("DB_PORT", "http", "it is not a whole number", "Write digits only, for example 5432"),
    Wrong(
        "DB_NAME",
        "a\x07b",
        "it holds a line break or a control character",
        "Write it on one line of printable characters",
    ),
    Wrong(
        "REDIS_HOST",
        "re dis",
        "it is neither a host name nor an address",
        "Write the host only, without scheme, port or path",
    ),
    Wrong("REDIS_PORT", "0", "it is not between 1 and 65535", "Write for example 6379"),
    Wrong(
        "WEAVIATE_URL",
        "weaviate:8080",
        "it is not a URL starting with http:// or https://",
        "Write http://weaviate:8080",
    ),
    Wrong(
        "OLLAMA_BASE_URL",
        "ftp://ollama",
        "it is not a URL starting with http:// or https://",
        "Write http://ollama:11434",
    ),
)
"""Refused by itself, or because of what another setting is by default."""

_NUL = "it holds a NUL character"
_PASSWORD = "it holds a user or a password"

SECRETS: tuple[Wrong, ...] = (
    *(
        Wrong(name, f"{CANARY}\0", _NUL, "Give the text of the secret, not binary data")
        for name in ("DB_PASSWORD", "REDIS_PASSWORD", "WEAVIATE_API_KEY", "OLLAMA_API_KEY", "SECRET_KEY")
    ),
    Wrong("WEAVIATE_URL", f"http://user:{CANARY}@weaviate:8080", _PASSWORD, "Put credentials into the secret settings"),
    Wrong("OLLAMA_BASE_URL", f"http://{CANARY}@ollama:11434", _PASSWORD, "Put credentials into the secret settings"),
)
"""Refused without showing the value."""

_LINES = {
    "a key alone": "NAMESPACE",
    "a key that begins with a digit": "1X=2",
    "a value alone": "= 3",
    "a quote that does not end": f'DB_PASSWORD="{CANARY}',
    "a key of two words": "NAME SPACE=x",
}

DOTENV: tuple[Text, ...] = (
    *(
        Text(
            f".env: {wrong}", wrong, f"REPLICAS=2\n{line}\n", (".env line 2", "it is not KEY=VALUE", "Write KEY=VALUE")
        )
        for wrong, line in _LINES.items()
    ),
    Text(".env: too large", "5 MiB", b"#" * 5 * 2**20, (".env", "it has more than 4 MiB", "Mend or remove it")),
    Text(
        ".env: UTF-16", "another encoding", "A=1".encode("utf-16"), (".env", "it is not UTF-8 text", "Mend or remove")
    ),
    Text(".env: binary", "no text at all", b"\xff\xfe\x00", (".env", "it is not UTF-8 text", "Mend or remove it")),
)
