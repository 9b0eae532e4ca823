"""Bad clusters: a kubeconfig that leads nowhere, a server of another age, a namespace in which no release can work.

``Lost`` cases are refused on the way to the cluster, ``Unfit`` ones on it: each arranges one thing in a namespace that
is otherwise set up, and what must be refused before anything changes is the beginning of a release.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bluegreen.kube import Kube, connect_handle
from bluegreen.settings import Settings
from tests.bad_input.kubeconfigs import Place

Obj = dict[str, Any]

APP, LIVE = "gremlinsai-backend", "gremlinsai-service"


@dataclass(frozen=True)
class Lost:
    """A kubeconfig or a server; ``arrange`` writes it and returns the settings that lead there."""

    id: str
    wrong: str
    arrange: Callable[[Place], dict[str, str]]
    shows: tuple[str, ...]


@dataclass(frozen=True)
class Unfit:
    """A namespace; ``arrange`` makes it unfit and returns the connection and settings of the release, if others."""

    id: str
    wrong: str
    arrange: Callable[[Site], Site | None]
    shows: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """A namespace that is set up: the administrator's connection, and what the release uses."""

    kube: Kube
    settings: Settings
    own: Kube | None = None  # the release's connection, where it is not the administrator's

    def service(self, *ops: Obj, name: str = LIVE) -> None:
        """Change a Service."""
        self.kube.json_patch("Service", name, list(ops), manager="somebody")

    def make(self, kind: str, name: str, **parts: Any) -> None:
        """Create an object."""
        version = {"Lease": "coordination.k8s.io/v1", "Deployment": "apps/v1"}.get(kind, "v1")
        labels = parts.pop("labels", {})
        self.kube.create({"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}, **parts})

    def journal(self, **data: str) -> None:
        """Write what an earlier run is said to have left."""
        self.make("ConfigMap", f"{APP}-release-journal", data=data)

    def deployment(self, colour: str, selector: Obj, labels: dict[str, str]) -> None:
        """A Deployment of no pods, with any selector."""
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "a:v1"}]}}
        self.make("Deployment", f"{APP}-{colour}", spec={"replicas": 0, "selector": selector, "template": template})

    def quota(self, **hard: str) -> None:
        """A quota, counted already."""
        limits = {key.replace("_", "."): value for key, value in hard.items()}
        self.make("ResourceQuota", "team", spec={"hard": limits})

    def as_release_account(self, without: tuple[str, str] | None = None) -> Site:
        """The same, asked by the documented account; ``without``: a resource and a verb taken from its Role."""
        if without is not None:
            role = self.kube.get("Role", f"{APP}-release")
            assert role is not None
            rules = role["rules"]
            for rule in rules:
                if without[0] in rule["resources"]:
                    rule["verbs"] = [verb for verb in rule["verbs"] if verb != without[1]]
            rules = [rule for rule in rules if rule["verbs"]]
            self.kube.merge_patch("Role", f"{APP}-release", {"rules": rules})
        path = f"/api/v1/namespaces/{self.kube.namespace}/serviceaccounts/{APP}-release/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = self.kube.post_answer(path, request, "ask for a token")["status"]["token"]
        place = Place.of(self.kube)
        kubeconfig = place.write(place.config(user={"token": token}))
        return dataclasses.replace(self, own=connect_handle(kubeconfig, self.kube.context, self.kube.namespace))


def _replace(path: str, value: Any) -> Obj:
    return {"op": "add", "path": path, "value": value}


_ALIAS = [_replace("/spec/type", "ExternalName"), _replace("/spec/externalName", "example.com")]


def _headless(site: Site) -> None:
    found = site.kube.get("Service", LIVE)
    assert found is not None
    site.kube.delete("Service", LIVE)
    ports = [{"name": "http", "port": 80}]
    site.make("Service", LIVE, spec={"clusterIP": "None", "selector": found["spec"]["selector"], "ports": ports})


def _alias(site: Site) -> None:
    site.kube.delete("Service", LIVE)
    site.make("Service", LIVE, spec={"type": "ExternalName", "externalName": "example.com"})


def _held_lease(site: Site, labels: dict[str, str]) -> None:
    now = "2999-01-01T00:00:00.000000Z"
    spec = {"holderIdentity": "somebody@host", "leaseDurationSeconds": 3600, "acquireTime": now, "renewTime": now}
    site.make("Lease", f"{APP}-release", labels=labels, spec=spec)


def _terminating(site: Site) -> None:
    site.kube.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    )
    site.kube.delete("Namespace", site.kube.namespace)


def _not_creatable(site: Site) -> Site:
    other = site.as_release_account()
    assert other.own is not None
    other.own.namespace = f"{site.kube.namespace}-none"
    settings = dataclasses.replace(site.settings, namespace=other.own.namespace, cluster="local")
    return dataclasses.replace(other, settings=settings)


def _nowhere(site: Site) -> Site:
    namespace = f"{site.kube.namespace}-none"
    own = connect_handle(site.kube.kubeconfig, site.kube.context, namespace)
    return dataclasses.replace(site, settings=dataclasses.replace(site.settings, namespace=namespace), own=own)


def _wrong_token(site: Site) -> Site:
    place = Place.of(site.kube)
    kubeconfig = place.write(place.config(user={"token": "none-of-yours"}))
    return dataclasses.replace(site, own=connect_handle(kubeconfig, site.kube.context, site.kube.namespace))


def _tls(site: Site) -> Site:
    return dataclasses.replace(site, settings=dataclasses.replace(site.settings, tls_secret="certificate"))


def _foreign_fields(site: Site) -> Site:
    site.kube.merge_patch("Service", LIVE, {"spec": {"sessionAffinity": "ClientIP"}}, manager="argocd-controller")
    return dataclasses.replace(site, settings=dataclasses.replace(site.settings, cluster="local"))


def _missing(kind: str, name: str) -> Unfit:
    shows = (f"is not set up: no {kind} {name}", "Run `bluegreen setup`")
    return Unfit(f"no {kind} {name}", "setting up was undone", lambda site: site.kube.delete(kind, name), shows)


def _forbidden(resource: str, verb: str) -> Unfit:
    return Unfit(
        f"may not {verb} {resource}",
        "the account's Role lacks a verb",
        lambda site: site.as_release_account(without=(resource, verb)),
        (f"may not {verb} {resource}", "in namespace", f"Bind it to Role {APP}-release"),
    )


_RECORD = {"id": "1", "step": "closed", "candidate": "blue", "live": None}

UNFIT: tuple[Unfit, ...] = (
    Unfit("wrong token", "the server does not know it", _wrong_token, ("Unauthorized", "Log in again")),
    Unfit("namespace missing", "nobody set it up", _nowhere, ("is not set up: no Namespace", "Run `bluegreen setup`")),
    Unfit("namespace terminating", "it is being deleted", _terminating, ("NAMESPACE=", "being deleted, since", "Wait")),
    Unfit(
        "namespace not creatable",
        "it is not there, and this account may not make one",
        _not_creatable,
        ("-none", "cannot get resource", "Run as an account"),
    ),
    *(
        _missing(kind, name)
        for kind, name in (
            ("Service", LIVE),
            ("Service", f"{LIVE}-preview"),
            ("ConfigMap", f"{APP}-config"),
            ("Secret", f"{APP}-secrets"),
            ("ServiceAccount", APP),
            ("NetworkPolicy", APP),
        )
    ),
    Unfit(
        "TLS Secret missing",
        "TLS_SECRET names one",
        _tls,
        ("Secret certificate", "TLS_SECRET names it", "create secret"),
    ),
    *(
        _forbidden(resource, verb)
        for resource, verb in (
            ("services", "patch"),
            ("leases", "create"),
            ("deployments", "create"),
            ("pods", "delete"),
            ("endpointslices", "watch"),
            ("configmaps", "patch"),
            ("events", "list"),
        )
    ),
    Unfit(
        "quota of pods",
        "no room for a pod",
        lambda site: site.quota(pods="0"),
        ("ResourceQuota team allows pods 0", "Raise the quota"),
    ),
    Unfit(
        "quota of CPU",
        "room for half of it",
        lambda site: site.quota(requests_cpu="50m"),
        ("allows requests.cpu 50m", "0 is used", "Raise"),
    ),
    Unfit(
        "quota of memory",
        "too small",
        lambda site: site.quota(limits_memory="64Mi"),
        ("allows limits.memory 64Mi", "Raise the quota"),
    ),
    Unfit(
        "live Service without a selector",
        "it selects nothing by itself",
        lambda site: site.service({"op": "remove", "path": "/spec/selector"}),
        (f"Service {LIVE} selects nothing", "APP_NAME=gremlinsai-backend", "set SERVICE_NAME or APP_NAME"),
    ),
    Unfit(
        "live Service of both colours",
        "its selector has no version",
        lambda site: site.service({"op": "remove", "path": "/spec/selector/version"}),
        (f"Service {LIVE} selects", "its `version` is not blue, green or none", "Set its selector's `version`"),
    ),
    Unfit(
        "live Service of a third colour",
        "its version is no colour",
        lambda site: site.service(_replace("/spec/selector/version", "red")),
        ("'version': 'red'", "its `version` is not blue, green or none", "Set its selector's `version`"),
    ),
    Unfit(
        "live Service of another app",
        "it belongs to something else",
        lambda site: site.service(_replace("/spec/selector/app", "shop")),
        ("'app': 'shop'", "its `app` is not APP_NAME=gremlinsai-backend", "set SERVICE_NAME or APP_NAME"),
    ),
    Unfit(
        "live Service with one label more",
        "the candidate's pods lack it",
        lambda site: site.service(_replace("/spec/selector/tier", "web")),
        ("selects by more than app and version: {'tier': 'web'}", "take them out of the selector"),
    ),
    Unfit(
        "live Service headless",
        "it has no address",
        _headless,
        (f"Service {LIVE}: spec.clusterIP is None", "headless", "Leave clusterIP out"),
    ),
    Unfit(
        "live Service an alias",
        "ExternalName",
        _alias,
        (f"Service {LIVE}: spec.type is ExternalName", "selects no pods", "Make it ClusterIP"),
    ),
    Unfit(
        "live Service without the port http",
        "its port has another name",
        lambda site: site.service(_replace("/spec/ports", [{"name": "web", "port": 80}])),
        ("spec.ports is web", "no port named http", "Name the port"),
    ),
    Unfit(
        "preview Service of another app",
        "it belongs to something else",
        lambda site: site.service(_replace("/spec/selector/app", "shop"), name=f"{LIVE}-preview"),
        (f"Service {LIVE}-preview", "'app': 'shop'", "set SERVICE_NAME or APP_NAME"),
    ),
    Unfit(
        "live colour without a Deployment",
        "somebody deleted it",
        lambda site: site.service(_replace("/spec/selector/version", "green")),
        (f"selects green, but there is no Deployment {APP}-green", "`bluegreen rollback`"),
    ),
    Unfit(
        "Deployment with another selector",
        "it was made by another tool",
        lambda site: site.deployment("blue", {"matchLabels": {"app": "shop"}}, {"app": "shop"}),
        (f"Deployment {APP}-blue selects {{'app': 'shop'}}", "cannot be changed", "choose another APP_NAME"),
    ),
    Unfit(
        "Deployment that selects by expressions",
        "it was made by another tool",
        lambda site: site.deployment(
            "green", {"matchExpressions": [{"key": "app", "operator": "Exists"}]}, {"app": "gremlinsai-backend"}
        ),
        (f"Deployment {APP}-green selects by expressions", "cannot be changed", "choose another APP_NAME"),
    ),
    Unfit(
        "Lease of something else",
        "its name is taken",
        lambda site: _held_lease(site, {}),
        (f"Lease {APP}-release", "held by somebody@host", "no release's lock", "Choose another APP_NAME"),
    ),
    Unfit(
        "journal that is no JSON",
        "somebody edited it",
        lambda site: site.journal(release="{oops"),
        (f"ConfigMap {APP}-release-journal", "no release record", "delete it when no release is under way"),
    ),
    Unfit(
        "journal of a newer version",
        "it has a key that this version does not know",
        lambda site: site.journal(release=json.dumps({**_RECORD, "mood": "new"})),
        (f"ConfigMap {APP}-release-journal", "'mood'", "A newer version of this software"),
    ),
    Unfit(
        "journal at an unknown step",
        "a newer version has other steps",
        lambda site: site.journal(release=json.dumps({**_RECORD, "step": "dancing"})),
        (f"ConfigMap {APP}-release-journal", "'dancing'", "A newer version of this software"),
    ),
    Unfit(
        "journal with a broken history",
        "somebody edited it",
        lambda site: site.journal(history="[1"),
        (f"ConfigMap {APP}-release-journal", "history is no list of releases", "delete it when no release"),
    ),
    Unfit(
        "fields of another tool",
        "setting up would take them",
        _foreign_fields,
        ("sessionAffinity (argocd-controller)", "Leave those fields out of the manifest"),
    ),
)
"""Refused when a release begins, before anything is changed."""

LOST: tuple[Lost, ...] = (
    Lost(
        "unreachable",
        "nobody listens there",
        Place.unreachable,
        ("CLUSTER=", "127.0.0.1:1", "Check that the cluster runs"),
    ),
    Lost(
        "wrong authority", "another CA signed the server", Place.wrong_authority, ("CLUSTER=", "certificate", "Check")
    ),
    Lost("expired authority", "the CA has expired", Place.expired_authority, ("CLUSTER=", "certificate", "Check")),
    Lost(
        "authority that is no base64",
        "cut off",
        Place.broken_authority,
        ("CLUSTER=", "of no use", "Mend the kubeconfig"),
    ),
    Lost("kubeconfig missing", "no such file", Place.no_file, ("CLUSTER=", "no/such/file", "There is no such file")),
    Lost("kubeconfig empty", "an empty file", Place.empty, ("CLUSTER=", "It knows no context at all", "KUBECONFIG")),
    Lost("kubeconfig no YAML", "a bracket is not closed", Place.no_yaml, ("KUBECONFIG=", "cannot be read", "Mend it")),
    Lost("kubeconfig binary", "no text", Place.binary, ("KUBECONFIG=", "cannot be read", "Mend it")),
    Lost("kubeconfig a pipe", "it never ends", Place.a_pipe, ("KUBECONFIG=", "a pipe or a device", "Mend it")),
    Lost("kubeconfig too deep", "lists in lists", Place.too_deep, ("KUBECONFIG=", "cannot be read", "Mend it")),
    Lost("cluster of words", "no map", Place.words_for_a_cluster, ("KUBECONFIG=", "holds no cluster", "Mend it")),
    Lost("server a number", "no URL", Place.number_for_a_server, ("CLUSTER=", "states 6443 for its server", "Mend")),
    Lost(
        "server of FTP", "another scheme", Place.another_scheme, ("CLUSTER=", "'ftp://127.0.0.1'", "https://HOST:PORT")
    ),
    Lost("login of words", "no map", Place.words_for_a_login, ("CLUSTER=", "names no command", "Mend")),
    Lost("login by a provider", "removed", Place.removed_login, ("CLUSTER=", "auth-provider", "1.26 removed", "Mend")),
    Lost("kubeconfig a list", "no kubeconfig", Place.a_list, ("KUBECONFIG=", "cannot be read", "Mend it")),
    Lost(
        "context unknown",
        "a slip",
        Place.no_context,
        ("CLUSTER='nowhere'", "has no context nowhere", "Name one of them"),
    ),
    Lost("context without a cluster", "an entry is missing", Place.no_cluster, ("CLUSTER=", "of no use", "Mend")),
    Lost(
        "context without a user", "an entry is missing", Place.no_user, ("CLUSTER=", "is not in the kubeconfig", "Mend")
    ),
    Lost("login program missing", "exec names no program", Place.no_program, ("no-such-login", "not on PATH", "Mend")),
    Lost(
        "in-cluster outside a pod", "there is no account", Place.in_cluster, ("CLUSTER='in-cluster'", "Name a context")
    ),
    Lost("server too old", "1.24", Place.too_old, ("CLUSTER=", "v1.24.3", "1.29 is the oldest", "Upgrade the cluster")),
    Lost(
        "server without a version", "another API", Place.no_version, ("CLUSTER=", "no version at all", "name another")
    ),
    Lost("server that speaks HTML", "a login page", Place.a_page, ("CLUSTER=", "127.0.0.1", "Check")),
)
"""Refused on the way to the cluster."""
