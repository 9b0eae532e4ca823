"""Manifests: what the built-in ones say, and how strict the reading of a team's own is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bluegreen import manifests
from bluegreen.errors import InputError
from bluegreen.manifests import COMPUTED, NAMES
from bluegreen.settings import SETTINGS, Settings, load

CANARY = "canary-90ab"
OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"


def settings_with(directory: Path, **env: str) -> Settings:
    return load({"MANIFESTS": str(directory), **env})


def rendered(tmp_path: Path, text: str, **env: str) -> list[dict[str, Any]]:
    (tmp_path / "configmap.yaml").write_text(text)
    return manifests.render(settings_with(tmp_path, **env), "configmap")


def mistakes(tmp_path: Path, text: str | bytes) -> list[str]:
    file = tmp_path / "configmap.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        manifests.render(settings_with(tmp_path), "configmap")
    return [str(mistake).replace(str(file), "FILE") for mistake in caught.value.mistakes]


# --- the built-in ones ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built_in() -> dict[str, list[dict[str, Any]]]:
    env = {
        "INGRESS_HOST": "app.example.com",
        "TLS_SECRET": "certificate",
        "DB_HOST": "db",
        "OLLAMA_BASE_URL": "https://o",
    }
    return manifests.render_all(load(env), COLOUR="green", REPLICAS="4")


def test_every_file_renders(built_in: dict[str, list[dict[str, Any]]]) -> None:
    assert {name: [obj["kind"] for obj in objects] for name, objects in built_in.items()} == {
        "namespace": ["Namespace"],
        "service-account": ["ServiceAccount", "Role", "RoleBinding"],
        "release-role": ["ServiceAccount", "Role", "RoleBinding"],
        "secrets": ["Secret"],
        "configmap": ["ConfigMap"],
        "production-service": ["Service"],
        "preview-service": ["Service"],
        "ingress": ["Ingress"],
        "networkpolicy": ["NetworkPolicy"],
        "deployment": ["Deployment"],
        "hpa": ["HorizontalPodAutoscaler"],
        "pdb": ["PodDisruptionBudget"],
    }
    assert "${" not in json.dumps(built_in)


def test_every_object_lies_in_the_namespace(built_in: dict[str, list[dict[str, Any]]]) -> None:
    for obj in (obj for objects in built_in.values() for obj in objects if obj["kind"] != "Namespace"):
        assert obj["metadata"]["namespace"] == "gremlinsai"


def test_a_colours_objects_carry_its_labels(built_in: dict[str, list[dict[str, Any]]]) -> None:
    for name in ("deployment", "hpa", "pdb"):
        [obj] = built_in[name]
        assert obj["metadata"]["name"] == "gremlinsai-backend-green"
        assert obj["metadata"]["labels"].items() >= {"app": "gremlinsai-backend", "version": "green"}.items()


def test_the_deployment_is_as_the_settings_say(built_in: dict[str, list[dict[str, Any]]]) -> None:
    spec = built_in["deployment"][0]["spec"]
    [container] = spec["template"]["spec"]["containers"]
    assert spec["replicas"] == 4
    assert spec["progressDeadlineSeconds"] == 300
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 35
    assert container["image"] == "gremlinsai/backend:v1.0.0"
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": "512Mi"},
        "limits": {"cpu": "1000m", "memory": "1Gi"},
    }
    assert {"startupProbe", "readinessProbe", "livenessProbe", "lifecycle"} <= container.keys()
    assert container["ports"][0] == {"name": "http", "containerPort": 8080, "protocol": "TCP"}
    assert spec["template"]["metadata"]["annotations"]["prometheus.io/port"] == "8080"
    assert spec["template"]["spec"]["securityContext"]["runAsNonRoot"] is True


def test_both_services_select_nobody_at_first(built_in: dict[str, list[dict[str, Any]]]) -> None:
    for name in ("production-service", "preview-service"):
        [service] = built_in[name]
        assert service["spec"]["selector"] == {"app": "gremlinsai-backend", "version": "none"}
        assert service["spec"]["sessionAffinity"] == "None"


def test_https_and_ingress_come_with_their_settings_only(built_in: dict[str, list[dict[str, Any]]]) -> None:
    plain = manifests.render_all(load({}), COLOUR="blue")
    assert [p["name"] for p in plain["production-service"][0]["spec"]["ports"]] == ["http", "metrics"]
    assert [p["name"] for p in built_in["production-service"][0]["spec"]["ports"]] == ["http", "https", "metrics"]
    assert plain["ingress"] == []
    assert built_in["ingress"][0]["spec"]["tls"] == [{"secretName": "certificate", "hosts": ["app.example.com"]}]


def test_egress_goes_to_the_configured_dependencies_only(built_in: dict[str, list[dict[str, Any]]]) -> None:
    def ports(objects: list[dict[str, Any]]) -> list[int]:
        return [port["port"] for rule in objects[0]["spec"]["egress"] for port in rule.get("ports", [])]

    assert ports(built_in["networkpolicy"]) == [53, 53, 5432, 443]
    assert ports(manifests.render(load({}), "networkpolicy")) == [53, 53]


def test_the_load_balancers_clients_may_come_in_where_there_is_one(tmp_path: Path) -> None:
    service = (manifests.BUILT_IN / "production-service.yaml").read_text()
    (tmp_path / "production-service.yaml").write_text(service.replace("LoadBalancer", "ClusterIP"))
    anywhere = {"ports": [{"port": "http", "protocol": "TCP"}]}
    assert anywhere in manifests.render(load({}), "networkpolicy")[0]["spec"]["ingress"]
    assert anywhere not in manifests.render(settings_with(tmp_path), "networkpolicy")[0]["spec"]["ingress"]


def test_the_release_role_writes_no_rights_and_changes_no_tokens() -> None:
    [role] = [obj for obj in manifests.render(load({}), "release-role") if obj["kind"] == "Role"]
    resources = {resource for rule in role["rules"] for resource in rule["resources"]}
    assert not resources & {"roles", "rolebindings", "serviceaccounts/token", "*"}
    written = {
        r for rule in role["rules"] if {"create", "patch", "update"} & set(rule["verbs"]) for r in rule["resources"]
    }
    assert "serviceaccounts" not in written


# --- a team's own ---------------------------------------------------------------------------------------------


def test_a_file_of_the_team_replaces_the_built_in_one_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "configmap.yaml").write_text(OBJECT)
    settings = settings_with(tmp_path)
    assert manifests.render(settings, "configmap")[0]["metadata"] == {"name": "a"}
    assert manifests.source(settings, "pdb").parent == manifests.BUILT_IN


def test_an_unknown_manifest_is_refused() -> None:
    with pytest.raises(InputError, match="no manifest of that name"):
        manifests.render(load({}), "deploymnet")


def test_a_whole_placeholder_of_a_number_becomes_a_number(tmp_path: Path) -> None:
    text = OBJECT + 'number: ${REPLICAS}\ntext: "${REPLICAS}"\npart: ${REPLICAS}x\nname: ${NAMESPACE}\n'
    [obj] = rendered(tmp_path, text, NAMESPACE="123")
    assert (obj["number"], obj["text"], obj["part"], obj["name"]) == (3, "3", "3x", "123")


def test_numbers_and_truths_of_the_manifest_itself_stay_what_they_are(tmp_path: Path) -> None:
    [obj] = rendered(tmp_path, OBJECT + "a: 1\nb: true\nc: null\nd: 1.5\ne: '1'\n")
    assert [obj[key] for key in "abcde"] == [1, True, None, 1.5, "1"]


def test_a_doubled_dollar_is_a_dollar(tmp_path: Path) -> None:
    [obj] = rendered(tmp_path, OBJECT + "shell: echo $${HOME} $(POD_IP) $HOME\n")
    assert obj["shell"] == "echo ${HOME} $(POD_IP) $HOME"


def test_keys_have_placeholders_too(tmp_path: Path) -> None:
    [obj] = rendered(tmp_path, OBJECT + "labels:\n  ${APP_NAME}/tier: web\n")
    assert obj["labels"] == {"gremlinsai-backend/tier": "web"}


def test_a_condition_drops_what_follows_it(tmp_path: Path) -> None:
    text = OBJECT + "list:\n  - always\n  - !if:DB_HOST sometimes\nmap: !if:DB_HOST\n  a: 1\n"
    assert rendered(tmp_path, text)[0].keys() == {"apiVersion", "kind", "metadata", "list"}
    [obj] = rendered(tmp_path, text, DB_HOST="db")
    assert (obj["list"], obj["map"]) == (["always", "sometimes"], {"a": 1})


def test_an_alias_means_what_its_anchor_says(tmp_path: Path) -> None:
    text = OBJECT + "a: &a ['$${DB_HOST}', '${DB_NAME}']\nb: *a\nc: &c {x: 1}\nd: {<<: *c, y: 2}\n"
    [obj] = rendered(tmp_path, text, DB_NAME="${REPLICAS}")
    assert obj["a"] == obj["b"] == ["${DB_HOST}", "${REPLICAS}"]
    assert obj["d"] == {"x": 1, "y": 2}


def test_empty_documents_are_nothing(tmp_path: Path) -> None:
    assert len(rendered(tmp_path, f"---\n---\n{OBJECT}---\n# nothing\n")) == 1


def test_mistakes_are_named_by_file_and_line_all_at_once(tmp_path: Path) -> None:
    found = mistakes(tmp_path, OBJECT + "a: ${REPLICSA}\nb:\n  - ${}\n")
    assert found[0].startswith("FILE line 5: ${REPLICSA} stands for nothing here.")
    assert found[1].startswith("FILE line 7: ${} stands for nothing here.")


def test_several_files_are_refused_together(tmp_path: Path) -> None:
    (tmp_path / "hpa.yaml").write_text("a: ${X}\n")
    (tmp_path / "pdb.yaml").write_text("a: ${Y}\n")
    with pytest.raises(InputError, match=r"(?s)hpa\.yaml.*pdb\.yaml"):
        manifests.render_all(settings_with(tmp_path), COLOUR="blue")


def test_a_secret_is_put_into_a_secret_and_into_no_message(tmp_path: Path) -> None:
    [secret] = manifests.render(load({"DB_PASSWORD": CANARY}), "secrets")
    assert secret["stringData"]["DB_PASSWORD"] == CANARY
    (tmp_path / "secrets.yaml").write_text(OBJECT.replace("ConfigMap", "Secret") + "a: ${DB_PASSWORD} ${X}\n")
    with pytest.raises(InputError) as caught:
        manifests.render(settings_with(tmp_path, DB_PASSWORD=CANARY), "secrets")
    assert CANARY not in str(caught.value)


def test_placeholders_and_settings_do_not_collide() -> None:
    assert not COMPUTED.keys() & {s.name for s in SETTINGS}
    assert {path.stem for path in manifests.BUILT_IN.glob("*.yaml")} == {*NAMES, *manifests.ON_DEMAND}


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_no_value_breaks_the_yaml(tmp_path: Path, value: str) -> None:
    [secret] = manifests.render(load({"DB_PASSWORD": value}), "secrets")
    assert secret["stringData"]["DB_PASSWORD"] == (value if value.strip() else "")
    assert secret["metadata"]["name"] == "gremlinsai-backend-secrets"


def test_the_documentation_names_every_file_and_placeholder() -> None:
    page = (Path(__file__).parents[1] / "docs" / "manifests.md").read_text()
    assert not [name for name in NAMES if f"`{name}.yaml`" not in page]
    assert not [name for name in COMPUTED if f"${{{name}}}" not in page]


# --- lists ----------------------------------------------------------------------------------------------------

LIST = "apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ''}\nitems:\n"
ITEM = "- {apiVersion: v1, kind: %s, metadata: {name: %s}, %s}\n"


def test_a_list_stands_for_its_objects(tmp_path: Path) -> None:
    text = LIST + ITEM % ("ConfigMap", "a", "data: {x: '${APP_NAME}'}") + "- !if:INGRESS_HOST {}\n"
    text += ITEM % ("Service", "b", "spec: {}") + "---\n" + OBJECT.replace("name: a", "name: c")
    objects = rendered(tmp_path, text, APP_NAME="shop")
    assert [(obj["kind"], obj["metadata"]["name"]) for obj in objects] == [
        ("ConfigMap", "a"),
        ("Service", "b"),
        ("ConfigMap", "c"),
    ]
    assert objects[0]["data"] == {"x": "shop"}


def test_an_empty_list_stands_for_nothing(tmp_path: Path) -> None:
    assert rendered(tmp_path, "apiVersion: v1\nkind: List\nitems: []\n") == []


def test_mistakes_in_a_list_name_the_line_of_the_object(tmp_path: Path) -> None:
    said = mistakes(
        tmp_path, LIST + ITEM % ("ConfigMap", "a", "data: {}") + "- {apiVersion: v1, kind: Service}\n- text\n"
    )
    assert len(said) == 2
    assert said[0].startswith("FILE line 6: the object has no metadata.name.")
    assert said[1].startswith("FILE line 7: it is not a Kubernetes object.")


def test_the_same_object_inside_and_outside_a_list_is_there_twice(tmp_path: Path) -> None:
    assert "there twice" in mistakes(tmp_path, OBJECT + "---\n" + LIST + ITEM % ("ConfigMap", "a", "data: {}"))[0]


def test_an_alias_takes_no_secret_out_of_a_secret_in_a_list(tmp_path: Path) -> None:
    secret = ITEM % ("Secret", "s", "stringData: &it {p: '${DB_PASSWORD}'}")
    assert rendered(tmp_path, LIST + secret, DB_PASSWORD=CANARY)[0]["stringData"] == {"p": CANARY}
    said = mistakes(tmp_path, LIST + secret + ITEM % ("ConfigMap", "a", "data: *it"))
    assert "secret outside a Secret" in said[0]
