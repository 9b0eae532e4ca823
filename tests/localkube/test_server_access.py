"""RBAC over HTTPS: service accounts' tokens, what roles allow, reviews, impersonation, rights given away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bluegreen import clock
from bluegreen.localkube.tokens import ISSUER, Signer
from tests.localkube.serving import Served, serving

RBAC = "/apis/rbac.authorization.k8s.io/v1"
HERE = f"{RBAC}/namespaces/default"
CORE = "/api/v1/namespaces/default"
REVIEWS = "/apis/authorization.k8s.io/v1"
SA = "system:serviceaccount:default:sa"


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as running, running.client() as admin:
        admin.post(f"{CORE}/serviceaccounts", json={"metadata": {"name": "sa"}})
        yield running


@pytest.fixture
def admin(served: Served) -> Iterator[httpx.Client]:
    with served.client() as client:
        yield client


def token(admin: httpx.Client, account: str = "sa", **spec: Any) -> str:
    answer = admin.post(f"{CORE}/serviceaccounts/{account}/token", json={"spec": spec})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["status"]["token"])


@pytest.fixture
def account(served: Served, admin: httpx.Client) -> Iterator[httpx.Client]:
    with served.client(token(admin)) as client:
        yield client


def rule(resources: list[str], verbs: list[str], group: str = "", **more: Any) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs, **more}


def allow(admin: httpx.Client, *rules: dict[str, Any], base: str = HERE, name: str = "r") -> None:
    cluster = base == RBAC
    prefix, kind = ("cluster", "ClusterRole") if cluster else ("", "Role")
    made = admin.post(f"{base}/{prefix}roles", json={"metadata": {"name": name}, "rules": list(rules)})
    assert made.status_code == 201, made.text
    subject = {"kind": "ServiceAccount", "name": "sa", "namespace": "default"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    body = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
    assert admin.post(f"{base}/{prefix}rolebindings", json=body).status_code == 201


# -- rules ---------------------------------------------------------------------
def test_nothing_is_allowed_at_first(account: httpx.Client) -> None:
    answer = account.get(f"{CORE}/pods/x")
    assert answer.status_code == 403
    assert answer.json()["message"] == (
        f'pods "x" is forbidden: User "{SA}" cannot get resource "pods" in API group "" in the namespace "default"'
    )
    assert account.get("/api").status_code == 200  # discovery is everybody's
    other = account.get("/secret/path")
    assert other.json()["message"] == f'forbidden: User "{SA}" cannot get path "/secret/path"'


def test_a_role_allows_what_it_says_where_it_stands(admin: httpx.Client, account: httpx.Client) -> None:
    allow(admin, rule(["configmaps"], ["get", "list"]))
    assert account.get(f"{CORE}/configmaps").status_code == 200
    assert account.get(f"{CORE}/configmaps?watch=1").status_code == 403
    assert account.get(f"{CORE}/secrets").status_code == 403
    assert account.get("/api/v1/configmaps").status_code == 403
    assert account.get("/api/v1/namespaces/other/configmaps").status_code == 403
    admin.delete(f"{HERE}/rolebindings/r")
    assert account.get(f"{CORE}/configmaps").status_code == 403


def test_a_cluster_role_reaches_as_far_as_its_binding(admin: httpx.Client, account: httpx.Client) -> None:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    subject = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:serviceaccounts:default"}
    body = {"metadata": {"name": "v"}, "roleRef": reference, "subjects": [subject]}
    admin.post(f"{HERE}/rolebindings", json=body)
    assert account.get(f"{CORE}/pods").status_code == 200
    assert account.get(f"{CORE}/secrets").status_code == 403
    assert account.get("/api/v1/pods").status_code == 403
    admin.post(f"{RBAC}/clusterrolebindings", json=body)
    assert account.get("/api/v1/pods").status_code == 200


def test_names_and_subresources_are_told_apart(admin: httpx.Client, account: httpx.Client) -> None:
    allow(
        admin,
        rule(["configmaps"], ["get", "list"], resourceNames=["mine"]),
        rule(["pods/log"], ["get"]),
        rule(["*/scale"], ["get"], "apps"),
    )
    assert account.get(f"{CORE}/configmaps/mine").status_code == 404
    assert account.get(f"{CORE}/configmaps/yours").status_code == 403
    assert account.get(f"{CORE}/configmaps").status_code == 403
    assert account.get(f"{CORE}/configmaps?fieldSelector=metadata.name%3Dmine").status_code == 200
    assert account.get(f"{CORE}/pods/p").status_code == 403
    assert account.get(f"{CORE}/pods/p/log").status_code != 403
    assert account.get("/apis/apps/v1/namespaces/default/deployments/d/scale").status_code == 404


def test_paths_that_are_no_resources_have_rules_too(admin: httpx.Client, account: httpx.Client) -> None:
    allow(admin, {"nonResourceURLs": ["/extra/*"], "verbs": ["get"]}, base=RBAC)
    assert account.get("/extra/x").status_code == 404
    assert account.post("/extra/x").status_code == 403


def test_permission_is_asked_before_anything_is_said(account: httpx.Client) -> None:
    assert account.post(f"{CORE}/pods", content="{").status_code == 403
    assert account.get("/apis/apps/v1/namespaces/default/gadgets").status_code == 403


# -- tokens --------------------------------------------------------------------
def test_a_token_says_whose_it_is(account: httpx.Client) -> None:
    me = account.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json={}).json()["status"]["userInfo"]
    assert me["username"] == SA
    assert me["groups"] == ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]


def test_a_token_dies_with_its_account(admin: httpx.Client, account: httpx.Client) -> None:
    admin.delete(f"{CORE}/serviceaccounts/sa")
    assert account.get(f"{CORE}/pods").status_code == 401
    admin.post(f"{CORE}/serviceaccounts", json={"metadata": {"name": "sa"}})
    assert account.get(f"{CORE}/pods").status_code == 401  # the same name is another account


def test_a_token_may_be_bound_to_an_object(served: Served, admin: httpx.Client) -> None:
    admin.post(f"{CORE}/secrets", json={"metadata": {"name": "s"}})
    bound = token(admin, boundObjectRef={"kind": "Secret", "apiVersion": "v1", "name": "s"})
    with served.client(bound) as client:
        assert client.get(f"{CORE}/pods").status_code == 403
        admin.delete(f"{CORE}/secrets/s")
        assert client.get(f"{CORE}/pods").status_code == 401


def test_a_token_for_others_does_not_let_in(served: Served, admin: httpx.Client) -> None:
    with served.client(token(admin, audiences=["vault"])) as client:
        assert client.get(f"{CORE}/pods").status_code == 401


def test_a_token_ends(served: Served, admin: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with served.client(token(admin, expirationSeconds=600)) as client:
        assert client.get(f"{CORE}/pods").status_code == 403
        now = clock.wall_s()
        monkeypatch.setattr(clock, "wall_s", lambda: now + 601)
        assert client.get(f"{CORE}/pods").status_code == 401


@pytest.mark.parametrize("seconds", [1, 599, 2**33])
def test_a_tokens_lifetime_has_bounds(admin: httpx.Client, seconds: int) -> None:
    answer = admin.post(f"{CORE}/serviceaccounts/sa/token", json={"spec": {"expirationSeconds": seconds}})
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
    assert admin.post(f"{CORE}/serviceaccounts/none/token", json={"spec": {}}).status_code == 404


def test_a_forged_token_is_worth_nothing(served: Served, admin: httpx.Client) -> None:
    genuine = token(admin)
    claims = Signer("another secret")
    forged = claims.sign({"aud": [ISSUER], "exp": 2**40, "kubernetes.io": {"namespace": "default"}})
    for text in (forged, genuine[:-2] + "xx", genuine.rpartition(".")[0] + ".", "a.b.c", "..", "ü"):
        with served.client("") as client:
            answer = client.get(f"{CORE}/pods", headers={b"Authorization": f"Bearer {text}".encode()})
            assert answer.status_code == 401


# -- reviews -------------------------------------------------------------------
def test_one_may_ask_what_one_may_do(admin: httpx.Client, account: httpx.Client) -> None:
    allow(admin, rule(["pods"], ["list"]))

    def allowed(verb: str) -> dict[str, Any]:
        asked = {"namespace": "default", "verb": verb, "resource": "pods"}
        body = {"spec": {"resourceAttributes": asked}}
        return dict(account.post(f"{REVIEWS}/selfsubjectaccessreviews", json=body).json()["status"])

    assert allowed("list") == {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "r/default" of Role "r" to ServiceAccount "sa/default"',
    }
    assert allowed("delete") == {"allowed": False}
    rules = account.post(f"{REVIEWS}/selfsubjectrulesreviews", json={"spec": {"namespace": "default"}}).json()
    assert rule(["pods"], ["list"]) in [dict(each) for each in rules["status"]["resourceRules"]]


def test_one_may_ask_about_others_if_allowed(admin: httpx.Client, account: httpx.Client) -> None:
    asked = {"namespace": "default", "verb": "get", "resource": "pods"}
    body = {"spec": {"resourceAttributes": asked, "user": SA}}
    path = f"{REVIEWS}/subjectaccessreviews"
    assert admin.post(path, json=body).json()["status"] == {"allowed": False}
    assert account.post(path, json=body).status_code == 403


@pytest.mark.parametrize("spec", [{}, {"resourceAttributes": {}, "nonResourceAttributes": {}}])
def test_a_review_asks_one_thing(admin: httpx.Client, spec: dict[str, Any]) -> None:
    assert admin.post(f"{REVIEWS}/selfsubjectaccessreviews", json={"spec": spec}).status_code == 422


def test_a_token_is_reviewed(admin: httpx.Client) -> None:
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    status = admin.post(path, json={"spec": {"token": token(admin)}}).json()["status"]
    assert (status["authenticated"], status["user"]["username"]) == (True, SA)
    assert "authenticated" not in admin.post(path, json={"spec": {"token": "x"}}).json()["status"]


@pytest.mark.parametrize(
    ("path", "spec", "field", "why"),
    [
        ("/subjectaccessreviews", {"resourceAttributes": {}}, "spec.user", "at least one of user or group"),
        (
            "/subjectaccessreviews",
            {"user": "u", "resourceAttributes": {}, "nonResourceAttributes": {"path": "/x"}},
            "spec.nonResourceAttributes",
            'Invalid value: {"Path":"/x","Verb":""}: cannot be specified in combination with resourceAttributes',
        ),
        (
            "/namespaces/default/localsubjectaccessreviews",
            {"user": "u", "resourceAttributes": {"namespace": "other"}},
            "spec.resourceAttributes.namespace",
            'Invalid value: "other": must match metadata.namespace',
        ),
    ],
)
def test_a_review_that_cannot_be_meant(
    admin: httpx.Client, path: str, spec: dict[str, Any], field: str, why: str
) -> None:
    """pkg/apis/authorization/validation."""
    answer = admin.post(REVIEWS + path, json={"spec": spec})
    assert answer.status_code == 422
    (cause,) = answer.json()["details"]["causes"]
    assert cause["field"] == field
    assert why in cause["message"]


def test_reviews_need_what_they_are_about(admin: httpx.Client, account: httpx.Client) -> None:
    """The REST storages of TokenReview and SelfSubjectRulesReview; a token's user carries the token's own name."""
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    assert (
        admin.post(path, json={"spec": {}}).json()["message"] == "token is required for TokenReview in authentication"
    )
    assert admin.post(path, json={"spec": {"token": "x"}}).json()["status"]["error"] == "invalid bearer token"
    rules = account.post(f"{REVIEWS}/selfsubjectrulesreviews", json={"spec": {}})
    assert (rules.status_code, rules.json()["message"]) == (400, "no namespace on request")
    me = account.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json={}).json()["status"]["userInfo"]
    assert me["extra"]["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")


def test_only_who_may_everything_gathers_rules(admin: httpx.Client, account: httpx.Client) -> None:
    """rbac/clusterrole/policybased: an aggregationRule could bring any rule."""
    allow(admin, rule(["clusterroles"], ["create"], "rbac.authorization.k8s.io"), base=RBAC, name="maker")
    body = {"metadata": {"name": "gathers"}, "aggregationRule": {"clusterRoleSelectors": [{}]}}
    refused = account.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", json=body)
    assert refused.status_code == 403
    assert refused.json()["message"].endswith("must have cluster-admin privileges to use the aggregationRule")


# -- in somebody's name ----------------------------------------------------------
def test_who_may_impersonate_is_seen_as_somebody_else(admin: httpx.Client, account: httpx.Client) -> None:
    as_account = {"Impersonate-User": SA}
    assert admin.get(f"{CORE}/secrets", headers=as_account).status_code == 403
    as_user = {"Impersonate-User": "jane", "Impersonate-Group": "system:masters"}
    assert admin.get(f"{CORE}/secrets", headers=as_user).status_code == 200
    refused = account.get(f"{CORE}/pods", headers={"Impersonate-User": "jane"})
    assert 'cannot impersonate resource "users"' in refused.json()["message"]


ME = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@pytest.mark.parametrize(
    ("headers", "seen"),
    [
        ({"Impersonate-User": "jane"}, {"username": "jane", "groups": ["system:authenticated"]}),
        (
            {"Impersonate-User": SA, "Impersonate-Group": "devs"},
            {"username": SA, "groups": ["devs", "system:authenticated"]},
        ),
        (
            {"Impersonate-User": "jane", "Impersonate-Uid": "7", "Impersonate-Extra-Example.com%2fTeam": "a"},
            {
                "username": "jane",
                "uid": "7",
                "groups": ["system:authenticated"],
                "extra": {"example.com/team": ["a"]},
            },
        ),
    ],
)
def test_somebody_else_is_who_the_headers_say(
    admin: httpx.Client, headers: dict[str, str], seen: dict[str, Any]
) -> None:
    assert admin.post(ME, json={}, headers=headers).json()["status"]["userInfo"] == seen


def test_each_part_of_somebody_else_has_to_be_allowed(admin: httpx.Client, account: httpx.Client) -> None:
    allow(admin, rule(["users"], ["impersonate"]), base=RBAC)
    assert account.post(ME, json={}, headers={"Impersonate-User": "jane"}).status_code == 201
    for header, resource in (("Group", "groups"), ("Uid", "uids"), ("Extra-Team", "userextras/team")):
        refused = account.post(ME, json={}, headers={"Impersonate-User": "jane", f"Impersonate-{header}": "x"})
        assert f'cannot impersonate resource "{resource}"' in refused.json()["message"]


def test_groups_of_nobody_are_refused(admin: httpx.Client) -> None:
    refused = admin.get(f"{CORE}/pods", headers={"Impersonate-Group": "devs"})
    assert refused.json()["code"] == refused.status_code == 400
    assert refused.json()["message"] == "requested [{Group  devs    }] without impersonating a user"


def test_a_refusal_names_the_roles_that_are_not_there(admin: httpx.Client, account: httpx.Client) -> None:
    allow(admin, rule(["pods"], ["get"]))
    assert admin.delete(f"{HERE}/roles/r").status_code == 200
    why = 'RBAC: role.rbac.authorization.k8s.io "r" not found'
    assert account.get(f"{CORE}/pods").json()["message"].endswith(f'in the namespace "default": {why}')
    asked = {"spec": {"resourceAttributes": {"namespace": "default", "verb": "get", "resource": "pods"}}}
    review = account.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json=asked).json()
    assert review["status"] == {"allowed": False, "reason": why}
    assert review["metadata"] == {}


def test_who_may_update_may_not_create_by_it(admin: httpx.Client, account: httpx.Client) -> None:
    allow(admin, rule(["services"], ["update", "patch"]))
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    refused = account.put(f"{CORE}/services/s", json=service)
    assert refused.status_code == 403
    assert 'cannot create resource "services"' in refused.json()["message"]
    assert admin.post(f"{CORE}/services", json=service).status_code == 201
    assert account.put(f"{CORE}/services/s", json=service).status_code == 200


# -- rights given away -------------------------------------------------------------
def test_nobody_gives_away_more_than_he_has(admin: httpx.Client, account: httpx.Client) -> None:
    manage = rule(["roles", "rolebindings"], ["create", "update", "patch", "get"], "rbac.authorization.k8s.io")
    allow(admin, rule(["pods"], ["get"]), manage)
    given = {"metadata": {"name": "given"}, "rules": [rule(["pods"], ["get"])]}
    assert account.post(f"{HERE}/roles", json=given).status_code == 201
    more = {"metadata": {"name": "more"}, "rules": [rule(["pods", "secrets"], ["get", "list"])]}
    refused = account.post(f"{HERE}/roles", json=more)
    assert refused.status_code == 403
    assert refused.json()["message"] == (
        f'roles.rbac.authorization.k8s.io "more" is forbidden: user "{SA}" (groups=["system:serviceaccounts"'
        ' "system:serviceaccounts:default" "system:authenticated"]) is attempting to grant RBAC permissions not'
        ' currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["list"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}'
    )
    admin.post(f"{HERE}/roles", json=more)
    for role, code in (("given", 201), ("more", 403), ("absent", 404)):
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}
        body = {"metadata": {"name": role}, "roleRef": reference, "subjects": []}
        assert account.post(f"{HERE}/rolebindings", json=body).status_code == code


def test_who_may_escalate_or_bind_may_do_so(admin: httpx.Client, account: httpx.Client) -> None:
    verbs = ["create", "escalate", "bind"]
    allow(admin, rule(["roles", "rolebindings"], verbs, "rbac.authorization.k8s.io"))
    role = {"metadata": {"name": "any"}, "rules": [rule(["secrets"], ["*"])]}
    assert account.post(f"{HERE}/roles", json=role).status_code == 201
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "any"}
    body = {"metadata": {"name": "any"}, "roleRef": reference, "subjects": []}
    assert account.post(f"{HERE}/rolebindings", json=body).status_code == 201


def test_who_may_not_ask_is_not_told_what_is_not_served(account: httpx.Client, admin: httpx.Client) -> None:
    refused = account.get("/apis/example.com/v1/things")
    assert refused.status_code == 403
    assert refused.json()["message"] == (
        f'things.example.com is forbidden: User "{SA}" cannot list resource "things" in API group "example.com"'
        " at the cluster scope"
    )
    assert admin.get("/apis/example.com/v1/things").text == "404 page not found\n"
