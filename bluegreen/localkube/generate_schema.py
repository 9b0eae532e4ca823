"""Writes ``schema_table.json`` and ``schema_text.json``: what the served kinds consist of, in a compact form.

Two sources are joined. The OpenAPI definitions of the package ``kubernetes-validate`` (in the dev extra) give fields,
formats, list types, keys, merge keys and descriptions. ``generate_schema.go`` beside this file prints what OpenAPI
leaves out: which fields are pointers, which are left out of JSON when zero, and the Go names that appear in decoding
errors. Not needed at run time. To regenerate::

    (cd $(mktemp -d) && go mod init facts && cp .../generate_schema.go . && \
        go get k8s.io/api@v0.34.1 k8s.io/apiextensions-apiserver@v0.34.1 && go run . > facts.json)
    python -m bluegreen.localkube.generate_schema facts.json
"""

from __future__ import annotations

import json
import sys
from importlib import metadata, resources
from pathlib import Path
from typing import Any

KUBERNETES = "v1.34.0"
PREFIXES = ("io.k8s.api.", "io.k8s.apimachinery.pkg.apis.", "io.k8s.apiextensions-apiserver.pkg.apis.")
# the kinds localkube serves, by definition; what they refer to comes with them
ROOTS = (
    *(f"core.v1.{k}" for k in ("Namespace", "Node", "Pod", "Service", "Endpoints", "ConfigMap", "Secret")),
    *(f"core.v1.{k}" for k in ("ServiceAccount", "Event", "ResourceQuota", "LimitRange", "Binding")),
    *(f"apps.v1.{k}" for k in ("Deployment", "ReplicaSet")),
    *(f"rbac.v1.{k}" for k in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")),
    *(f"authentication.v1.{k}" for k in ("TokenRequest", "TokenReview", "SelfSubjectReview")),
    *(f"authorization.v1.{k}" for k in ("SelfSubjectAccessReview", "SelfSubjectRulesReview")),
    *(f"authorization.v1.{k}" for k in ("SubjectAccessReview", "LocalSubjectAccessReview")),
    *("batch.v1.Job", "autoscaling.v1.Scale", "autoscaling.v2.HorizontalPodAutoscaler"),
    *("policy.v1.PodDisruptionBudget", "policy.v1.Eviction", "networking.v1.Ingress", "networking.v1.NetworkPolicy"),
    *("discovery.v1.EndpointSlice", "coordination.v1.Lease", "meta.v1.DeleteOptions", "meta.v1.Status"),
    *("networking.v1.IngressClass", "apiextensions.v1.CustomResourceDefinition", "scheduling.v1.PriorityClass"),
)
# definitions that are leaves: the type's own JSON form is a scalar
LEAVES = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "intOrString",
    "meta.v1.Time": "time",
    "meta.v1.MicroTime": "microTime",
    "meta.v1.FieldsV1": "any",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "any",
    "apiextensions.v1.JSON": "any",
    "apiextensions.v1.JSONSchemaPropsOrArray": "any",
    "apiextensions.v1.JSONSchemaPropsOrBool": "any",
    "apiextensions.v1.JSONSchemaPropsOrStringArray": "any",
}
# defaults of keys of associative lists (pkg/apis/core/v1/defaults.go): an item without the key has this value
KEY_DEFAULTS = {("core.v1.ContainerPort", "protocol"): "TCP", ("core.v1.ServicePort", "protocol"): "TCP"}


def short(name: str) -> str:
    """A definition's name without what all of them share."""
    for prefix in PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


class Generator:
    """One run: follows the roots through the definitions and collects their compact form."""

    def __init__(self, definitions: dict[str, Any], facts: dict[str, Any]) -> None:
        self.definitions = {short(name): body for name, body in definitions.items()}
        self.facts = {short(name): body for name, body in facts.items()}
        self.types: dict[str, Any] = {}
        self.text: dict[str, Any] = {}

    def visit(self, name: str) -> None:
        """Collects a definition and everything it refers to."""
        if name in self.types:
            return
        body = self.definitions[name]
        entry: dict[str, Any] = {"f": {}}
        self.types[name] = entry
        if body.get("required"):
            entry["r"] = sorted(body["required"])
        if body.get("x-kubernetes-map-type") == "atomic":
            entry["a"] = 1
        kinds = body.get("x-kubernetes-group-version-kind")
        if kinds and len(kinds) == 1:
            entry["k"] = [kinds[0]["group"], kinds[0]["version"], kinds[0]["kind"]]
        text = {"": body.get("description", "")}
        for field, spec in sorted(body.get("properties", {}).items()):
            entry["f"][field] = self.field(name, field, spec)
            text[field] = spec.get("description", "")
        self.text[name] = text

    def field(self, owner: str, field: str, spec: dict[str, Any]) -> dict[str, Any]:
        """One field's compact form: its type and the Go facts about it."""
        made = self.type(spec)
        fact = self.facts[owner][field]
        go = fact["go"].removeprefix("*")
        if fact["go"].startswith("*"):
            made["p"] = 1
        if fact.get("omit", "never") != "empty":
            made["o"] = fact.get("omit", "never")
        if made["t"] in ("string", "list", "map") and go not in ("string", "[]string", "map[string]string"):
            made["g"] = go
        default = KEY_DEFAULTS.get((owner, field))
        if default:
            made["d"] = default
        return made

    def type(self, spec: dict[str, Any]) -> dict[str, Any]:
        """A type without the facts of the field it stands in."""
        made = self.bare_type(spec)
        strategy = spec.get("x-kubernetes-patch-strategy")
        if strategy:
            made["s"] = strategy
        if spec.get("x-kubernetes-patch-merge-key"):
            made["m"] = spec["x-kubernetes-patch-merge-key"]
        if spec.get("x-kubernetes-map-type") == "atomic":
            made["a"] = 1
        return made

    def bare_type(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Only what kind of value it is."""
        if "$ref" in spec:
            name = short(spec["$ref"].removeprefix("#/$defs/"))
            if name in LEAVES:
                return {"t": LEAVES[name]}
            self.visit(name)
            return {"t": name}
        kind = (
            next(t for t in [spec.get("type", "object")] if t)
            if not isinstance(spec.get("type"), list)
            else spec["type"][0]
        )
        if kind == "array":
            made: dict[str, Any] = {"t": "list", "i": self.type(spec["items"])}
            if spec.get("x-kubernetes-list-type") in ("map", "set"):
                made["l"] = spec["x-kubernetes-list-type"]
            if spec.get("x-kubernetes-list-map-keys"):
                made["k"] = spec["x-kubernetes-list-map-keys"]
            return made
        if kind == "object":
            if "additionalProperties" not in spec:
                return {"t": "any"}
            return {"t": "map", "i": self.type(spec["additionalProperties"])}
        if kind == "integer":
            return {"t": spec.get("format", "int64")}
        if kind == "string" and spec.get("format") == "byte":
            return {"t": "bytes"}
        return {"t": {"number": "double"}.get(kind, kind)}


def main(facts_file: str) -> None:
    """Writes both files beside this module."""
    source = resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"{KUBERNETES}-local"
    definitions = json.loads((source / "_definitions.json").read_text())["$defs"]
    generator = Generator(definitions, json.loads(Path(facts_file).read_text()))
    for root in ROOTS:
        generator.visit(root)
    package = f"kubernetes-validate {metadata.version('kubernetes-validate')}"
    header = {"kubernetes": KUBERNETES, "package": package, "generator": "bluegreen/localkube/generate_schema.py"}
    here = Path(__file__).parent
    for file, key, content in (("table", "types", generator.types), ("text", "text", generator.text)):
        lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(content[k], separators=(',', ':'))}" for k in sorted(content))
        target = here / f"schema_{file}.json"
        target.write_text(f'{{"source": {json.dumps(header)},\n"{key}": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main(sys.argv[1])
