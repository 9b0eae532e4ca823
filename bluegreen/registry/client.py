"""Requests to one registry: what a tag or a digest means there, with the token dance of the distribution API.

The protocol: https://github.com/opencontainers/distribution-spec and, for tokens,
https://distribution.github.io/distribution/spec/auth/token/. A digest is asked for by HEAD, which Docker Hub does not
count as a pull; what it holds is read once by that digest, and believed when it has that hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bluegreen import clock
from bluegreen.errors import HarnessError
from bluegreen.kube.retry import RetryPolicy, retry_after_s
from bluegreen.registry import challenge
from bluegreen.registry.credentials import Credential
from bluegreen.registry.location import Location, is_loopback

if TYPE_CHECKING:
    import httpx

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
"""Media types of what a node can run: the list of an image's platforms, one platform's layers, its configuration."""

TIMEOUT_S = 5.0
POLICY = RetryPolicy(attempts=3, total_s=12.0)
"""Choices: a registry answers within a second or two; a release does not wait long for one that does not."""

LARGEST = 4 * 2**20
"""Bytes of a manifest; the specification asks registries to take no larger ones."""


class RegistryError(HarnessError):
    """A registry did not say what an image is."""


class NotThereError(RegistryError):
    """The registry knows no such repository, tag or digest."""


class NotAnImageError(RegistryError):
    """What the reference names is there, and is nothing that a node could run."""


class AccessRefusedError(RegistryError):
    """The registry does not show it to whoever asked: wrong or missing credentials, or, on some, no such image.

    ``secrets``: the pull secrets that were tried.
    """

    def __init__(self, sentence: str, remedy: str, secrets: Sequence[str] = ()) -> None:
        super().__init__(sentence, remedy)
        self.secrets = tuple(secrets)


class UnansweredError(RegistryError):
    """Nothing is known: no answer, too many requests, or a server that fails."""


@dataclass(frozen=True)
class Found:
    """What a registry says of a reference. ``platforms`` as ``linux/amd64``; empty where it does not say."""

    digest: str
    platforms: tuple[str, ...]
    secret: str = ""
    """The pull secret that opened it; '' for anybody."""


def resolve(location: Location, credentials: Sequence[Credential]) -> Found:
    """Ask a registry for an image: with each credential in turn, or as nobody where there is none.

    Raises ``NotThereError``, ``NotAnImageError``, ``AccessRefusedError`` or ``UnansweredError``.
    """
    refused: AccessRefusedError | None = None
    users: Sequence[Credential | None] = credentials or [None]
    for credential in users:
        try:
            with _Session(location, credential) as session:
                return session.look()
        except AccessRefusedError as error:
            refused = error
    assert refused is not None
    secrets = tuple(dict.fromkeys(credential.secret for credential in credentials))
    raise AccessRefusedError(refused.sentence, refused.remedy, secrets) from None


class _Session:
    """Questions about one image as one user."""

    def __init__(self, location: Location, credential: Credential | None) -> None:
        import httpx

        self._location, self._credential = location, credential
        self._headers: dict[str, str] = {}
        self._client = httpx.Client(
            timeout=TIMEOUT_S,
            follow_redirects=True,  # httpx drops the credentials where a redirect leads to another host
            trust_env=not is_loopback(location.registry),  # a proxy, and authorities of one's own
            event_hooks={"request": [_refuse_plain_http]},
        )

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    # --- the questions ------------------------------------------------------------------------------------------------

    def look(self) -> Found:
        """Digest and platforms of the image."""
        wanted = self._location.reference
        digest = wanted if wanted.startswith("sha256:") else self._stated(wanted)
        manifest = self._ask("GET", f"manifests/{digest or wanted}")
        content = _small(manifest.content, self._name)
        hashed = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if digest and digest.startswith("sha256:") and digest != hashed:
            raise NotAnImageError(
                f"{self._location.registry} says that {self._name} is {digest}, and sends {hashed}.",
                "Do not use this registry, or what stands between, until that is explained.",
            )
        secret = self._credential.secret if self._credential else ""
        return Found(digest or hashed, self._platforms(manifest.headers.get("Content-Type", ""), content), secret)

    def _stated(self, tag: str) -> str:
        """The digest that the registry states for a tag; '' where it has no word for HEAD, which is not its duty."""
        try:
            return str(self._ask("HEAD", f"manifests/{tag}").headers.get("Docker-Content-Digest", ""))
        except NotThereError:  # GET brings the registry's own words
            return ""
        except UnansweredError as error:
            if "HTTP 405" in error.sentence or "HTTP 501" in error.sentence:
                return ""
            raise

    def _platforms(self, content_type: str, content: bytes) -> tuple[str, ...]:
        document = _document(content, self._name)
        kind = content_type.partition(";")[0].strip() or str(document.get("mediaType", ""))
        if kind in INDEXES:
            entries = [entry.get("platform") or {} for entry in document.get("manifests") or []]
            return tuple(dict.fromkeys(platform(e) for e in entries if e.get("os") not in (None, "", "unknown")))
        config = document.get("config") or {}
        if kind not in MANIFESTS or config.get("mediaType") not in CONFIGS:
            said = config.get("mediaType") if kind in MANIFESTS else kind
            raise NotAnImageError(
                f"{self._name} on {self._location.registry} is no image that a node can run ({said or 'of no type'}).",
                "Name a container image: a chart or another artifact may lie under that name.",
            )
        try:
            return (platform(_document(self._ask("GET", f"blobs/{config.get('digest')}").content, self._name)),)
        except UnansweredError:
            return ()  # its digest is known, and that is what counts

    @property
    def _name(self) -> str:
        at = "@" if self._location.reference.startswith("sha256:") else ":"
        return f"{self._location.repository}{at}{self._location.reference}"

    # --- one question -------------------------------------------------------------------------------------------------

    def _ask(self, method: str, path: str) -> httpx.Response:
        """One request, as somebody once the registry has asked who is there; raises what it says otherwise."""
        url = f"{self._location.url}/v2/{self._location.repository}/{path}"
        headers = {"Accept": ", ".join((*INDEXES, *MANIFESTS))} if path.startswith("manifests/") else {}
        answer = self._send(method, url, headers | self._headers)
        if answer.status_code == 401 and not self._headers:
            self._headers = self._identified(answer)
            answer = self._send(method, url, headers | self._headers)
        if answer.status_code == 200:
            return answer
        if answer.status_code in (401, 403):
            raise self._refused(answer.status_code, answer)
        if answer.status_code == 404:
            said = _said(answer) or "HTTP 404"
            raise NotThereError(
                f"{self._location.registry} has no {self._name} ({said}).",
                "Push the image, or correct DOCKER_IMAGE.",
            )
        raise UnansweredError(
            f"{self._location.registry} answers HTTP {answer.status_code} to {method} of {self._name}."
        )

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """A request, repeated while the registry is busy, as the policy says. Raises UnansweredError."""
        import httpx

        started_s, failures = clock.now_s(), 0
        while True:
            wait_s, problem = 0.0, ""
            try:
                answer: httpx.Response = self._client.request(method, url, headers=dict(headers), data=form)
                if answer.status_code != 429 and answer.status_code < 500:
                    return answer
                wait_s, problem = retry_after_s(answer.headers.get("Retry-After")), _busy(answer)
            except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
                raise UnansweredError(f"The registry {self._location.registry} cannot be asked: {error}.") from None
            except httpx.HTTPError as error:
                problem = f"does not answer ({_reason(error)})"
            failures += 1
            pause_s = POLICY.pause_s(failures, wait_s)
            if POLICY.over(failures, clock.now_s() - started_s, pause_s):
                remedy = "Try again later; PIN_IMAGE=off does not ask the registry."
                raise UnansweredError(f"The registry {urlsplit(url).netloc} {problem}.", remedy) from None
            clock.sleep_s(pause_s)

    # --- who asks -----------------------------------------------------------------------------------------------------

    def _identified(self, answer: httpx.Response) -> dict[str, str]:
        """The header that answers a registry's challenge; empty where nothing we have does."""
        offered = {one.scheme: one.parameters for one in challenge.parse(answer.headers.get("WWW-Authenticate", ""))}
        if self._credential and self._credential.registry_token:
            return {"Authorization": f"Bearer {self._credential.registry_token}"}
        if "bearer" in offered:
            return {"Authorization": f"Bearer {self._token(offered['bearer'])}"}
        if "basic" in offered and self._credential:
            return _basic(self._credential)
        raise self._refused(401, answer)

    def _token(self, asked: Mapping[str, str]) -> str:
        """An access token from where the challenge points."""
        realm = asked.get("realm", "")
        scope = asked.get("scope") or f"repository:{self._location.repository}:pull"
        query = {"service": asked["service"]} if asked.get("service") else {}
        credential = self._credential
        if credential and credential.identity_token:
            form = {**query, "scope": scope, "grant_type": "refresh_token", "client_id": "bluegreen"}
            answer = self._send("POST", realm, {}, {**form, "refresh_token": credential.identity_token})
        else:
            import httpx

            url = httpx.URL(realm).copy_merge_params({**query, "scope": scope})
            answer = self._send("GET", str(url), _basic(credential) if credential else {})
        if answer.status_code != 200:
            raise self._refused(answer.status_code, answer)
        document = _document(answer.content, "the token")
        return str(document.get("token") or document.get("access_token") or "")

    def _refused(self, status: int, answer: httpx.Response) -> AccessRefusedError:
        who = f"with the pull secret {self._credential.secret}" if self._credential else "without credentials"
        said = f" {_said(answer)}" if _said(answer) else ""
        sentence = f"{self._location.registry} does not show {self._name} {who} (HTTP {status}{said})."
        if self._credential:
            return AccessRefusedError(
                sentence, "Renew the credentials in that Secret, or look whether the image is there."
            )
        remedy = (
            "Name a pull secret for this registry in the pods' ServiceAccount or in deployment.yaml (imagePullSecrets)."
        )
        return AccessRefusedError(sentence, f"{remedy} Some registries answer so for an image that is not there.")


def platform(stated: Mapping[str, Any]) -> str:
    """Operating system, architecture and perhaps variant, as ``linux/arm64/v8``; '' where it is not stated."""
    return "/".join(str(stated[key]) for key in ("os", "architecture", "variant") if stated.get(key))


def _basic(credential: Credential) -> dict[str, str]:
    from base64 import b64encode

    return {"Authorization": f"Basic {b64encode(f'{credential.username}:{credential.password}'.encode()).decode()}"}


def _refuse_plain_http(request: httpx.Request) -> None:
    """No request leaves this machine unencrypted, wherever a redirect or a challenge points."""
    import httpx

    if request.url.scheme != "https" and not is_loopback(request.url.netloc.decode()):
        raise httpx.UnsupportedProtocol(f"{request.url.host} is to be asked over plain HTTP, which is refused")


def _said(answer: httpx.Response) -> str:
    """The registry's own words for a refusal: code and message of the first error."""
    try:
        first = json.loads(answer.content)["errors"][0]
        return f"{first.get('code', '')}: {first.get('message', '')}".strip(": ")[:200]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return ""


def _busy(answer: httpx.Response) -> str:
    if answer.status_code == 429:
        wait = answer.headers.get("Retry-After")
        return f"is asked too often (HTTP 429{f', try again after {wait} s' if wait else ''})"
    return f"fails (HTTP {answer.status_code})"


def _reason(error: Exception) -> str:
    text = (str(error) or type(error).__name__).splitlines()[0]
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return f"its certificate is not trusted: {text.rpartition(': ')[2].partition(' (_ssl')[0]}"
    return text


def _small(content: bytes, name: str) -> bytes:
    if len(content) > LARGEST:
        raise NotAnImageError(f"What the registry sends of {name} has {len(content)} bytes: no manifest is so large.")
    return content


def _document(content: bytes, name: str) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise UnansweredError(f"What the registry sends of {name} is not JSON.")
    return document
