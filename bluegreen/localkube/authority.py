"""Who is asking, and may they: tokens to users, users to what RBAC lets them do, reviews and token requests."""

from __future__ import annotations

import hmac
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bluegreen import clock
from bluegreen.localkube import rbac
from bluegreen.localkube.kinds import KINDS, Kind, Obj
from bluegreen.localkube.rbac import Attributes, Grant, User
from bluegreen.localkube.status import ApiError, Cause, bad_request, invalid, not_found
from bluegreen.localkube.store import Change, Store
from bluegreen.localkube.tokens import ISSUER, Signer
from bluegreen.localkube.validation import fields

ADMIN = User("kubernetes-admin", (rbac.MASTERS, "system:authenticated"))
_SHORTEST_S = 600  # a token lives ten minutes at least, as Kubernetes demands
_LONGEST_S = 1 << 32
_DEFAULT_S = 3600
_REMEMBERED = 4096  # users' rules by namespace, until a role or binding changes; a choice
_CREDENTIAL = "authentication.kubernetes.io/credential-id"
_ROLES = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


class Authority:
    """Decides over a store's ServiceAccounts, roles and bindings."""

    def __init__(self, store: Store, admin_token: str) -> None:
        self._store = store
        self._admin_token = admin_token.encode()
        self._signer = Signer(admin_token)
        self._grants: dict[tuple[User, str], list[Grant]] = {}
        for name in _ROLES:
            store.subscribe(KINDS[name], self._forget)

    # -- who -------------------------------------------------------------------
    def authenticate(self, token: str) -> User | None:
        """The user a bearer token stands for; None for one that is unknown, expired or of an account that is gone."""
        if hmac.compare_digest(token.encode(errors="replace"), self._admin_token):
            return ADMIN
        claims = self._signer.read(token)
        if claims is None or claims["exp"] < clock.wall_s() or ISSUER not in claims["aud"]:
            return None
        user = self._account_user(claims["kubernetes.io"])
        return user and replace(user, extra=((_CREDENTIAL, (f"JTI={claims['jti']}",)),) if "jti" in claims else ())

    def _account_user(self, claim: dict[str, Any]) -> User | None:
        namespace, account = claim["namespace"], claim["serviceaccount"]
        if not self._lives("ServiceAccount", namespace, account):
            return None
        for kind, key in (("Pod", "pod"), ("Secret", "secret")):
            if key in claim and not self._lives(kind, namespace, claim[key]):
                return None
        return service_account(namespace, account["name"], account["uid"])

    def _lives(self, kind: str, namespace: str, reference: dict[str, str]) -> bool:
        found = self._store.get(KINDS[kind], namespace, reference["name"])
        return found is not None and found["metadata"]["uid"] == reference["uid"]

    # -- may they --------------------------------------------------------------
    def authorize(
        self,
        user: User,
        verb: str,
        group: str,
        resource: str,
        subresource: str = "",
        namespace: str = "",
        name: str = "",
    ) -> bool:
        """Whether RBAC allows it."""
        return self.allows(user, Attributes(verb, group, resource, subresource, namespace, name)) is not None

    def allows(self, user: User, asked: Attributes) -> str | None:
        """Why it is allowed ("" for masters); None when it is not."""
        if user.is_master:
            return ""
        for grant in self.grants(user, asked.namespace):
            if rbac.covers(grant.rule, asked):
                return grant.source
        return None

    def refusal(self, user: User, asked: Attributes) -> str:
        """Why it is not allowed: no rule does, and which roles the user is bound to are not there."""
        missing = self.missing_roles(user, asked.namespace)
        return asked.refusal(user) + (f": RBAC: {missing}" if missing else "")

    def missing_roles(self, user: User, namespace: str) -> str:
        """The roles that a user is bound to in a namespace and that do not exist, in the words of Go's aggregates."""
        bound = (binding for binding in self._bindings(namespace) if rbac.applies_to(binding, user) is not None)
        missing = dict.fromkeys(
            f'{binding["roleRef"]["kind"].lower()}.rbac.authorization.k8s.io "{binding["roleRef"]["name"]}" not found'
            for binding in bound
            if self.rules_of(binding["roleRef"], binding["metadata"].get("namespace", "")) is None
        )
        return next(iter(missing), "") if len(missing) < 2 else f"[{', '.join(missing)}]"

    def _bindings(self, namespace: str) -> list[Obj]:
        """Every binding that counts in a namespace ("" for cluster-wide only)."""
        everywhere = self._store.list(KINDS["ClusterRoleBinding"])
        return everywhere + self._store.list(KINDS["RoleBinding"], namespace) if namespace else everywhere

    def grants(self, user: User, namespace: str) -> list[Grant]:
        """Every rule a user has in a namespace ("" for cluster-wide only)."""
        found = self._grants.get((user, namespace))
        if found is None:
            found = [grant for binding in self._bindings(namespace) for grant in self._granted(binding, user)]
            if len(self._grants) >= _REMEMBERED:
                self._grants.clear()
            self._grants[user, namespace] = found
        return found

    def _granted(self, binding: Obj, user: User) -> list[Grant]:
        subject = rbac.applies_to(binding, user)
        if subject is None:
            return []
        rules = self.rules_of(binding["roleRef"], binding["metadata"].get("namespace", ""))
        source = rbac.source(binding, subject)
        return [Grant(rule, source) for rule in rules or ()]

    def rules_of(self, reference: Obj, namespace: str) -> list[Obj] | None:
        """The rules of the role a binding refers to; None when there is no such role."""
        kind = KINDS["ClusterRole" if reference["kind"] == "ClusterRole" else "Role"]
        role = self._store.get(kind, namespace if kind.namespaced else "", reference["name"])
        return None if role is None else role.get("rules") or []

    def _forget(self, _: Change) -> None:
        self._grants.clear()

    # -- tokens ----------------------------------------------------------------
    def token_for(
        self, namespace: str, account: str, *, lifetime_s: int = _DEFAULT_S, audiences: list[str] | None = None,
        bound: Obj | None = None,
    ) -> tuple[str, float]:  # fmt: skip
        """A token for a service account and when it expires (seconds since the epoch). 404 without the account.

        ``bound``: an object (a Pod or a Secret) with which the token dies.
        """
        found = self._store.get(KINDS["ServiceAccount"], namespace, account)
        if found is None:
            raise not_found("serviceaccounts", "", account)
        now = int(clock.wall_s())
        claim: dict[str, Any] = {
            "namespace": namespace,
            "serviceaccount": {"name": account, "uid": found["metadata"]["uid"]},
        }
        if bound is not None:
            claim[bound["kind"].lower()] = {"name": bound["metadata"]["name"], "uid": bound["metadata"]["uid"]}
        claims = {"aud": audiences or [ISSUER], "exp": now + lifetime_s, "iat": now, "nbf": now, "iss": ISSUER,
                  "sub": f"system:serviceaccount:{namespace}:{account}", "kubernetes.io": claim,
                  "jti": str(uuid.uuid4())}  # fmt: skip
        return self._signer.sign(claims), float(now + lifetime_s)

    def answer_token_request(self, namespace: str, account: str, request: Obj) -> Obj:
        """The answer to POST .../serviceaccounts/NAME/token."""
        spec = request.get("spec") or {}
        lifetime_s = spec.get("expirationSeconds") or _DEFAULT_S
        _check_lifetime(lifetime_s)
        audiences = spec.get("audiences") or [ISSUER]
        bound = self._bound(namespace, spec.get("boundObjectRef"))
        token, expires_s = self.token_for(namespace, account, lifetime_s=lifetime_s, audiences=audiences, bound=bound)
        expires = datetime.fromtimestamp(expires_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        shown = {"audiences": audiences, "expirationSeconds": lifetime_s, "boundObjectRef": spec.get("boundObjectRef")}
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": account, "namespace": namespace, "creationTimestamp": clock.timestamp()},
            "spec": shown,
            "status": {"token": token, "expirationTimestamp": expires},
        }

    def _bound(self, namespace: str, reference: Obj | None) -> Obj | None:
        if not reference:
            return None
        kind, name = reference.get("kind"), reference.get("name", "")
        if kind not in ("Pod", "Secret"):
            raise bad_request(f"cannot bind token to object of type /{reference.get('apiVersion', '')}, Kind={kind}")
        found = self._store.get(KINDS[kind], namespace, name)
        if found is None:
            raise not_found(KINDS[kind].plural, "", name)
        return found

    # -- reviews ---------------------------------------------------------------
    def review(self, kind: Kind, user: User, request: Obj, namespace: str) -> Obj:
        """The answer to a review: the request with its status filled in."""
        spec = request.get("spec") or {}
        status = _REVIEWS[kind.kind](self, user, spec, namespace)
        meta = request.get("metadata") or {}
        if not kind.namespaced:
            meta = {key: value for key, value in meta.items() if key != "namespace"}
        answer = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta, "spec": spec, "status": status}
        if kind.kind == "SelfSubjectReview":
            del answer["spec"]
        return answer

    def _own_access(self, user: User, spec: Obj, _: str) -> Obj:
        return self._verdict(user, _asked(spec, "SelfSubjectAccessReview"))

    def _access(self, _: User, spec: Obj, namespace: str) -> Obj:
        asked = _asked(spec, "LocalSubjectAccessReview" if namespace else "SubjectAccessReview", namespace)
        subject = User(spec.get("user") or "", tuple(spec.get("groups") or ()))
        return self._verdict(subject, asked)

    def _verdict(self, user: User, asked: Attributes) -> Obj:
        allowed = self.allows(user, asked)
        missing = self.missing_roles(user, asked.namespace) if allowed is None else ""
        reason = f"RBAC: {missing}" if missing else allowed
        return {"allowed": allowed is not None} | ({"reason": reason} if reason else {})

    def _rules(self, user: User, spec: Obj, _: str) -> Obj:
        if not spec.get("namespace"):
            raise bad_request("no namespace on request")
        resource_rules, other_rules = rbac.merged(self.grants(user, spec["namespace"]))
        found = {"resourceRules": resource_rules, "nonResourceRules": other_rules, "incomplete": False}
        missing = self.missing_roles(user, spec["namespace"])
        return found | ({"evaluationError": missing} if missing else {})

    def _self(self, user: User, _spec: Obj, _namespace: str) -> Obj:
        return {"userInfo": user.as_user_info()}

    def _token(self, _: User, spec: Obj, _namespace: str) -> Obj:
        if not spec.get("token"):
            raise bad_request("token is required for TokenReview in authentication")
        found = self.authenticate(spec["token"])
        if found is None:
            return {"user": {}, "error": "invalid bearer token"}
        return {"authenticated": True, "user": found.as_user_info(), "audiences": [ISSUER]}


_REVIEWS = {
    "SelfSubjectAccessReview": Authority._own_access,
    "SubjectAccessReview": Authority._access,
    "LocalSubjectAccessReview": Authority._access,
    "SelfSubjectRulesReview": Authority._rules,
    "SelfSubjectReview": Authority._self,
    "TokenReview": Authority._token,
}


def service_account(namespace: str, name: str, uid: str = "") -> User:
    """The user a service account is."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"system:serviceaccount:{namespace}:{name}", groups, uid)


def _asked(spec: Obj, kind: str, namespace: str = "") -> Attributes:
    """The request a review asks about; 422 for one that cannot be meant (pkg/apis/authorization/validation)."""
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    causes = _one_question(resource, other)
    if kind != "SelfSubjectAccessReview" and not spec.get("user") and not spec.get("groups"):
        causes.append(fields.invalid("spec.user", "", "at least one of user or group must be specified"))
    if namespace and resource is not None and (resource.get("namespace") or "") != namespace:
        given = resource.get("namespace") or ""
        causes.append(fields.invalid("spec.resourceAttributes.namespace", given, "must match metadata.namespace"))
    if namespace and other is not None:
        detail = "disallowed on this kind of request"
        causes.append(fields.invalid("spec.nonResourceAttributes", _as_go(other), detail))
    if causes:
        raise invalid("", "authorization.k8s.io", "", causes)  # Kubernetes does not say of which kind
    if resource is None:
        return Attributes((other or {}).get("verb") or "", path=(other or {}).get("path") or "/")
    words = {key: resource.get(key) or "" for key in ("verb", "group", "resource", "subresource", "namespace", "name")}
    return Attributes(**words)


def _one_question(resource: Obj | None, other: Obj | None) -> list[Cause]:
    if resource is not None and other is not None:
        detail = "cannot be specified in combination with resourceAttributes"
        return [fields.invalid("spec.nonResourceAttributes", _as_go(other), detail)]
    if resource is None and other is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        return [fields.invalid("spec.resourceAttributes", None, detail)]
    return []


def _as_go(other: Obj) -> Obj:
    """As Go prints the internal type."""
    return {"Path": other.get("path") or "", "Verb": other.get("verb") or ""}


def _check_lifetime(seconds: Any) -> None:
    if seconds < _SHORTEST_S:
        why = f"Invalid value: {seconds}: may not specify a duration less than 10 minutes"
    elif seconds > _LONGEST_S:
        why = f"Invalid value: {seconds}: may not specify a duration larger than 2^32 seconds"
    else:
        return
    cause = Cause("spec.expirationSeconds", "FieldValueInvalid", why)
    raise invalid("TokenRequest", "authentication.k8s.io", "", [cause])


def unauthorized() -> ApiError:
    """401, in which Kubernetes says no more."""
    return ApiError(401, "Unauthorized", "Unauthorized")
