"""Settings: precedence, what is derived, and every mistake in one message that says what to write instead."""

from __future__ import annotations

import contextlib
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


# --- mistakes -------------------------------------------------------------------------------------------------


def test_all_mistakes_are_reported_at_once() -> None:
    problem = refused(**{"REPLICAS": "x", "RETIRE": "y", "CLUSTER": "prod", "CPU_REQUEST": "4"})
    assert [m.setting for m in problem.mistakes] == ["REPLICAS", "RETIRE", "CPU_REQUEST", "DOCKER_IMAGE"]
    assert len(str(problem).splitlines()) == 4


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
    settings = load({s.name: f"{CANARY}-{s.name}" for s in secrets} | {"NOTIFY_URL": f"https://hooks.invalid/{CANARY}"})
    assert settings.db_password == f"{CANARY}-DB_PASSWORD"
    assert CANARY not in repr(settings)
    assert CANARY not in json.dumps(settings.public())


def test_public_values_load_to_the_same_settings() -> None:
    settings = load({"DOCKER_IMAGE": IMAGE, "DRAIN_TIMEOUT": "2.5", "GATE_ONLY": "yes"})
    again = load({name: as_text(value) for name, value in settings.public().items()})
    assert again == settings


# --- whatever anybody types -----------------------------------------------------------------------------------

NAMES = [s.name for s in SETTINGS if s.name not in ("MANIFESTS", "REPORTS_DIR")]


HOSTILE = (
    "a" * 5000,
    "/" + "a" * 300,
    "/dev/zero",
    "/dev/null",
    "..",
    "~nobody-at-all/x",
    "9" * 400,
    "1e999",
    "nan",
    "١٢",
    "-",
)
"""Texts that a file system, a number or a name cannot hold, or should not."""


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


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_taken_or_refused_in_words_by_every_setting(text: str) -> None:
    for setting in SETTINGS:
        with contextlib.suppress(InputError):
            load({setting.name: text})


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
