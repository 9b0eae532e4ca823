"""Settings: precedence, what is derived, and every mistake in one message that says what to write instead."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen import grammar
from bluegreen.errors import InputError
from bluegreen.settings import LOCAL_IMAGE, SETTINGS, Settings, as_text, load, markdown_table

IMAGE = "registry.example.com:5000/team/backend:v1.2.3"
DIGEST = "sha256:" + "a" * 64
CANARY = "canary-5e7d"


def refused(**env: str) -> InputError:
    with pytest.raises(InputError) as caught:
        load(env)
    return caught.value


# --- defaults and precedence ----------------------------------------------------------------------------------


def test_the_embedded_cluster_needs_nothing_set() -> None:
    settings = load({})
    assert settings.docker_image == LOCAL_IMAGE
    assert settings.embedded
    assert (settings.namespace, settings.app_name) == ("gremlinsai", "gremlinsai-backend")
    assert (settings.health_port, settings.health_path) == (8080, "/api/v1/health/health")
    assert settings.health_base == "/api/v1/health"
    assert (settings.replicas, settings.min_replicas, settings.max_replicas) == (3, 3, 20)
    assert settings.expected_version == "v1.0.0"
    assert settings.network_test_image == LOCAL_IMAGE
    assert settings.load_warmup == 2


def test_a_named_cluster_needs_an_image() -> None:
    [mistake] = refused(CLUSTER="production").mistakes
    assert mistake.setting == "DOCKER_IMAGE"
    assert "DOCKER_IMAGE=" in mistake.remedy
    assert load({"CLUSTER": "production"}, image_required=False).docker_image == ""


def test_an_option_beats_the_environment_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("REPLICAS=4\nNAMESPACE=from-file\nAPP_NAME=from-file\n")
    env = {"REPLICAS": "5", "NAMESPACE": "from-env"}
    settings = load(env, {"REPLICAS": "6"}, file)
    assert (settings.replicas, settings.namespace, settings.app_name) == (6, "from-env", "from-file")
    assert settings.service_name == "gremlinsai-service"


def test_an_empty_value_means_not_set() -> None:
    assert load({"NAMESPACE": "", "REPLICAS": " "}, {"CLUSTER": None}).namespace == "gremlinsai"


def test_an_empty_version_header_means_none() -> None:
    assert load({"VERSION_HEADER": ""}).version_header == ""
    assert load({"VERSION_HEADER": "none"}).version_header == ""


def test_secrets_are_never_taken_from_options() -> None:
    assert load({}, {"DB_PASSWORD": CANARY}).db_password == ""
    assert all(s.option is None for s in SETTINGS if s.secret)


def test_a_missing_file_is_no_mistake(tmp_path: Path) -> None:
    assert load({}, dotenv=tmp_path / ".env").embedded


def test_replicas_take_the_autoscalers_bounds_along() -> None:
    assert load({"REPLICAS": "1"}).min_replicas == 1
    assert load({"REPLICAS": "50"}).max_replicas == 50
    assert load({"MAX_REPLICAS": "2", "REPLICAS": "2"}).min_replicas == 2


# --- the .env file --------------------------------------------------------------------------------------------


def test_the_file_has_quotes_comments_and_exports(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# a comment\n\nexport NAMESPACE=one # why\n"
        "DB_NAME='single # not a comment'\n"
        'DB_PASSWORD="two\\nlines \\"quoted\\""\n'
        "DB_USER=a#b\n"
    )
    settings = load({}, dotenv=file)
    assert settings.namespace == "one"
    assert settings.db_name == "single # not a comment"
    assert settings.db_password == 'two\nlines "quoted"'
    assert settings.db_user == "a#b"


@pytest.mark.parametrize("line", ["NAMESPACE", "1X=2", "= 3", f'DB_PASSWORD="{CANARY}', "NAME SPACE=x"])
def test_a_line_that_says_nothing_is_named_and_not_shown(tmp_path: Path, line: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"REPLICAS=2\n{line}\n")
    with pytest.raises(InputError) as caught:
        load({}, dotenv=file)
    assert f"{file} line 2" in str(caught.value)
    assert CANARY not in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        load({}, dotenv=file)


# --- mistakes -------------------------------------------------------------------------------------------------

BAD: list[tuple[str, str]] = [
    ("DOCKER_IMAGE", "Team/Backend:v1"),
    ("DOCKER_IMAGE", "backend:"),
    ("DOCKER_IMAGE", "backend:v1 "[:-1] + " x"),
    ("DOCKER_IMAGE", "https://registry/backend:v1"),
    ("DOCKER_IMAGE", "backend@sha256:abc"),
    ("DOCKER_IMAGE", f"backend:v1@sha256:{'A' * 64}"),
    ("DOCKER_IMAGE", "backend:" + "v" * 129),
    ("DOCKER_IMAGE", "a" * 256 + ":v1"),
    ("DOCKER_IMAGE", "/backend:v1"),
    ("DOCKER_IMAGE", "team//backend:v1"),
    ("DOCKER_IMAGE", "backend:-v1"),
    ("DOCKER_IMAGE", "backend"),
    ("DOCKER_IMAGE", "backend:latest"),
    ("DOCKER_IMAGE", f"backend@{DIGEST}"),
    ("CLUSTER", "a\nb"),
    ("NAMESPACE", "Upper"),
    ("NAMESPACE", "under_score"),
    ("NAMESPACE", "-dash"),
    ("NAMESPACE", "a" * 64),
    ("NAMESPACE", "kube-system"),
    ("APP_NAME", "a" * 48),
    ("APP_NAME", "a.b"),
    ("APP_NAME", "1app"),
    ("SERVICE_NAME", "1service"),
    ("SERVICE_NAME", "s" * 56),
    ("HEALTH_CHECK_URL", "localhost:8080/health"),
    ("HEALTH_CHECK_URL", "https://localhost:8080/health"),
    ("HEALTH_CHECK_URL", "http://localhost:99999/health"),
    ("HEALTH_CHECK_URL", "http://localhost:0/health"),
    ("HEALTH_CHECK_URL", "http://localhost:8080"),
    ("HEALTH_CHECK_URL", "http://localhost:8080/health?deep=1"),
    ("HEALTH_CHECK_URL", "http://localhost:8080/a b"),
    ("HEALTH_CHECK_URL", "http://[::1/health"),
    ("HEALTH_CHECK_TIMEOUT", "5m"),
    ("HEALTH_CHECK_TIMEOUT", "0"),
    ("HEALTH_CHECK_TIMEOUT", "-1"),
    ("HEALTH_CHECK_TIMEOUT", "1e3"),
    ("HEALTH_CHECK_TIMEOUT", "nan"),
    ("HEALTH_CHECK_TIMEOUT", "inf"),
    ("HEALTH_CHECK_TIMEOUT", "٣٠٠"),
    ("HEALTH_CHECK_TIMEOUT", "86401"),
    ("HEALTH_CHECK_INTERVAL", "0"),
    ("ROLLBACK_TIMEOUT", "soon"),
    ("VALIDATION_TIMEOUT", "1_000"),
    ("LOAD_TEST_DURATION", "20s"),
    ("LOAD_TEST_DURATION", "301"),
    ("LOAD_SUCCESS_RATE", "95"),
    ("LOAD_SUCCESS_RATE", "95%"),
    ("LOAD_SUCCESS_RATE", "-0.1"),
    ("LOAD_P95_MS", "0"),
    ("LOAD_P95_MS", "1.5"),
    ("LOAD_MIN_REQUESTS", "0"),
    ("LOAD_USERS", "many"),
    ("LOAD_WARMUP", "21"),
    ("POST_SWITCH_WATCH", "-5"),
    ("DRAIN_TIMEOUT", "never"),
    ("REPLICAS", "0"),
    ("REPLICAS", "21.5"),
    ("REPLICAS", "10001"),
    ("REPLICAS", "99999999999999999999"),
    ("MIN_REPLICAS", "4"),
    ("MAX_REPLICAS", "2"),
    ("CPU_REQUEST", "0"),
    ("CPU_REQUEST", "2"),
    ("CPU_REQUEST", "500mm"),
    ("MEMORY_REQUEST", "512"),
    ("MEMORY_REQUEST", "2Gi"),
    ("CPU_LIMIT", "1 core"),
    ("MEMORY_LIMIT", "1GiB"),
    ("MEMORY_LIMIT", "-1Gi"),
    ("HPA_CPU", "0"),
    ("HPA_MEMORY", "80%"),
    ("RETIRE", "burn"),
    ("VERSION_HEADER", "X Version"),
    ("VERSION_HEADER", "X-Version:"),
    ("API_PATHS", "/ api/v1"),
    ("API_PATHS", "http://host/"),
    ("METRICS", "requests_total"),
    ("METRICS", "requests_total:meter"),
    ("METRICS", "1requests:counter"),
    ("REQUEST_COUNTER", "requests total"),
    ("DRAIN_PATH", "admin/drain"),
    ("DRAIN_COUNT_PATH", "http://x/count"),
    ("DRAIN_COMMAND", "sh -c 'kill"),
    ("INGRESS_HOST", "https://example.com"),
    ("INGRESS_HOST", "Example.com"),
    ("INGRESS_HOST", "*.*.example.com"),
    ("TLS_SECRET", "my secret"),
    ("NETWORK_TEST_IMAGE", "Busybox"),
    ("MANIFESTS", "/there/is/no/such/directory"),
    ("ACCESS", "tunnel"),
    ("GATE_ONLY", "maybe"),
    ("LEASE_DURATION", "0"),
    ("REPORTS_DIR", __file__),
    ("DB_HOST", "tcp://db"),
    ("DB_HOST", "db:5432"),
    ("DB_PORT", "65536"),
    ("DB_PORT", "http"),
    ("DB_NAME", "a\x07b"),
    ("REDIS_HOST", "re dis"),
    ("REDIS_PORT", "0"),
    ("WEAVIATE_URL", "weaviate:8080"),
    ("OLLAMA_BASE_URL", "ftp://ollama"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_named_shown_and_mended(name: str, value: str) -> None:
    mistakes = refused(**{name: value}).mistakes
    [mistake] = [m for m in mistakes if name in str(m)]
    sentence = str(mistake)
    assert repr(value)[1:-1] in sentence
    assert mistake.why.endswith(".")
    assert mistake.remedy


def test_all_mistakes_are_reported_at_once() -> None:
    problem = refused(**{"REPLICAS": "x", "RETIRE": "y", "CLUSTER": "prod", "CPU_REQUEST": "4"})
    assert [m.setting for m in problem.mistakes] == ["REPLICAS", "RETIRE", "CPU_REQUEST", "DOCKER_IMAGE"]
    assert len(str(problem).splitlines()) == 4


def test_credentials_in_a_url_are_refused_and_not_shown() -> None:
    message = str(refused(WEAVIATE_URL=f"http://user:{CANARY}@weaviate:8080"))
    assert "WEAVIATE_URL" in message
    assert CANARY not in message


def test_a_refused_secret_is_not_shown() -> None:
    message = str(refused(DB_PASSWORD=f"{CANARY}\0"))
    assert "DB_PASSWORD" in message
    assert CANARY not in message


# --- images and versions --------------------------------------------------------------------------------------

GOOD_IMAGES = [
    ("backend:v1", "v1"),
    (IMAGE, "v1.2.3"),
    (f"backend:v1@{DIGEST}", "v1"),
    ("localhost/backend:1", "1"),
    ("[2001:db8::1]:5000/backend:1", "1"),
    ("a/b/c/d__e.f-g--h:V_1.0-rc.1", "V_1.0-rc.1"),
    ("gremlinsai/backend:v1.0.0-bad-http-500", "v1.0.0-bad-http-500"),
]


@pytest.mark.parametrize(("reference", "version"), GOOD_IMAGES)
def test_the_tag_is_the_version_to_expect(reference: str, version: str) -> None:
    assert load({"DOCKER_IMAGE": reference}).expected_version == version


@pytest.mark.parametrize("reference", ["backend", "backend:latest", f"backend@{DIGEST}"])
def test_without_a_version_it_must_be_told_or_there_is_none(reference: str) -> None:
    assert load({"DOCKER_IMAGE": reference, "EXPECTED_VERSION": "v9"}).expected_version == "v9"
    assert load({"DOCKER_IMAGE": reference, "VERSION_HEADER": "none"}).expected_version == ""


@pytest.mark.parametrize(
    ("quantity", "number"),
    [("500m", 0.5), ("1", 1), (".5", 0.5), ("1.5", 1.5), ("1Ki", 1024), ("2Gi", 2**31), ("1e3", 1000), ("1M", 10**6)],
)
def test_quantities_are_read_as_kubernetes_reads_them(quantity: str, number: float) -> None:
    assert grammar.amount(quantity) == pytest.approx(number)


# --- the table ------------------------------------------------------------------------------------------------


def test_the_table_and_the_dataclass_name_the_same_settings() -> None:
    assert {s.attribute for s in SETTINGS} == {f.name for f in dataclasses.fields(Settings)}
    assert len({s.option for s in SETTINGS if s.option}) == sum(not s.secret for s in SETTINGS)


def test_help_can_be_shown_by_argparse() -> None:
    assert not [s.name for s in SETTINGS if "%" in s.help + s.metavar]


def test_the_readme_table_has_every_setting() -> None:
    table = markdown_table()
    assert all(f"| `{s.name}` |" in table for s in SETTINGS)


def test_secrets_are_in_no_repr_and_not_in_public() -> None:
    secrets = [s for s in SETTINGS if s.secret]
    settings = load({s.name: f"{CANARY}-{s.name}" for s in secrets})
    assert settings.db_password == f"{CANARY}-DB_PASSWORD"
    assert CANARY not in repr(settings)
    assert CANARY not in json.dumps(settings.public())


def test_public_values_load_to_the_same_settings() -> None:
    settings = load({"DOCKER_IMAGE": IMAGE, "DRAIN_TIMEOUT": "2.5", "GATE_ONLY": "yes"})
    again = load({name: as_text(value) for name, value in settings.public().items()})
    assert again == settings


# --- whatever anybody types -----------------------------------------------------------------------------------

NAMES = [s.name for s in SETTINGS if s.name not in ("MANIFESTS", "REPORTS_DIR")]


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=30), max_size=4))
def test_any_text_gives_settings_or_a_complete_message(env: dict[str, str]) -> None:
    try:
        mistakes = load(env) and ()
    except InputError as problem:
        mistakes = problem.mistakes
    for mistake in mistakes:
        assert mistake.setting in {s.name for s in SETTINGS}
        assert mistake.why
        assert mistake.remedy


@given(st.text(alphabet="abzAZ019._-/:@ ", max_size=40))
def test_any_reference_is_taken_apart_or_refused(reference: str) -> None:
    try:
        image = grammar.parse_image(reference)
    except grammar.Refused:
        return
    rebuilt = image.repository + (f":{image.tag}" if image.tag else "") + (f"@{image.digest}" if image.digest else "")
    assert rebuilt == reference


def test_the_documented_table_is_this_one() -> None:
    page = Path(__file__).parents[1] / "docs" / "settings.md"
    assert markdown_table() in page.read_text(), "write bluegreen.settings.markdown_table() into docs/settings.md"
