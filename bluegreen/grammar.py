"""What a setting's text may look like: parsers from text to value, each refusing with a reason and a remedy.

Text comes in, a value goes out, or ``Refused`` is raised. Nothing here knows which setting it is reading,
touches a file or a cluster, or repeats the text that it refuses (it might be a secret).
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from bluegreen import freeze

MAX_DURATION_S = 86_400
"""A choice: a day. Longer is a slip of the keyboard, and Kubernetes' own fields are 32 bits wide."""

Parse = Callable[[str], Any]


class Refused(ValueError):
    """A text that is not what the setting holds: ``why``, and ``remedy`` as an instruction with an example."""

    def __init__(self, why: str, remedy: str, *, reveals: bool = False) -> None:
        super().__init__(why)
        self.why, self.remedy = why, remedy
        self.reveals = reveals  # the text holds a password: do not show it


# --- text -----------------------------------------------------------------------------------------------------


def text(value: str) -> str:
    """Any printable text on one line."""
    if not value.isprintable():
        raise Refused("it holds a line break or a control character.", "Write it on one line of printable characters.")
    return value


def freeze_windows(value: str) -> str:
    """Windows of time, as ``freeze`` reads them, kept as their text."""
    try:
        freeze.parse(value)
    except ValueError as problem:
        raise Refused(str(problem), f"Write for example {freeze.EXAMPLE}; separate several by ';'.") from None
    return value


def secret(value: str) -> str:
    """Any text at all, kept as it is: a key may well end with a line break."""
    if "\0" in value:
        raise Refused("it holds a NUL character.", "Give the text of the secret, not binary data.")
    return value


def flag(value: str) -> bool:
    """A yes or a no."""
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if value.lower() not in words:
        raise Refused("it is neither true nor false.", "Write true or false.")
    return words[value.lower()]


def one_of(*choices: str) -> Parse:
    """Exactly one of a few words."""

    def parse(value: str) -> str:
        if value not in choices:
            raise Refused("it is not one of the choices.", f"Write one of: {', '.join(choices)}.")
        return value

    return parse


def some_of(*choices: str) -> Parse:
    """Some of a few words, separated by blanks; each once, in the order given."""

    def parse(value: str) -> str:
        words = value.split()
        if unknown := [word for word in words if word not in choices]:
            raise Refused(f"{' '.join(unknown)} is not among the choices.", f"Write some of: {', '.join(choices)}.")
        return " ".join(dict.fromkeys(words))

    return parse


# --- numbers --------------------------------------------------------------------------------------------------

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,9})?")


def whole(least: int, most: int, example: int) -> Parse:
    """A whole number between two bounds, both included."""

    def parse(value: str) -> int:
        if not _WHOLE.fullmatch(value):
            raise Refused("it is not a whole number.", f"Write digits only, for example {example}.")
        if not least <= int(value) <= most:
            raise Refused(f"it is not between {least} and {most}.", f"Write for example {example}.")
        return int(value)

    return parse


def seconds(least: float, example: int) -> Parse:
    """A duration in seconds: at least ``least``, at most a day."""

    def parse(value: str) -> float:
        if not _DECIMAL.fullmatch(value):
            raise Refused("it is not a number of seconds.", f"Write a number without a unit, for example {example}.")
        if not least <= float(value) <= MAX_DURATION_S:
            raise Refused(f"it is not between {least:g} and {MAX_DURATION_S} seconds.", f"Write for example {example}.")
        return float(value)

    return parse


def ratio(value: str) -> float:
    """A share above 0 and up to 1: of 0 every load test passes, whatever it found."""
    if not _DECIMAL.fullmatch(value):
        raise Refused("it is not a number.", "Write a share between 0 and 1, for example 0.95.")
    if not 0 < float(value) <= 1:
        raise Refused("it is not a share above 0 and up to 1.", "Write 0.95 for 95 %.")
    return float(value)


def rate(value: str) -> float:
    """A number of requests a second, above 0."""
    if not _DECIMAL.fullmatch(value) or not 0 < float(value) <= 1_000_000:
        raise Refused("it is not a number above 0 and up to 1000000.", "Write requests a second, for example 300.")
    return float(value)


_QUANTITY = re.compile(r"(?P<number>[0-9]+(\.[0-9]*)?|\.[0-9]+)(?P<suffix>[KMGTPE]i|[munkMGTPE]|[eE][+-]?[0-9]{1,2})?")
_FACTORS = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_FACTORS |= {f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", start=1)}


def amount(quantity: str) -> float:
    """A Kubernetes quantity as a number: ``500m`` is 0.5, ``1Gi`` is 1073741824. Raises ``Refused``.

    The grammar is that of k8s.io/apimachinery/pkg/api/resource, without signs: no request is negative.
    """
    match = _QUANTITY.fullmatch(quantity)
    if not match:
        raise Refused("it is not a Kubernetes quantity.", "Write for example 500m (CPU) or 512Mi (memory).")
    suffix = match["suffix"] or ""
    factor = _FACTORS[suffix] if suffix in _FACTORS else 10.0 ** int(suffix[1:])
    return float(match["number"]) * factor


def quantity(least: float, example: str) -> Parse:
    """A Kubernetes quantity of at least ``least``, kept as its text."""

    def parse(value: str) -> str:
        if amount(value) < least:
            raise Refused("it is too small for a container to run.", f"Write for example {example}.")
        return value

    return parse


# --- names ----------------------------------------------------------------------------------------------------

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")


def label(longest: int, *, letter_first: bool = False) -> Parse:
    """A DNS-1123 label of at most ``longest`` characters; a Service's name starts with a letter (DNS-1035)."""

    def parse(value: str) -> str:
        if not _LABEL.fullmatch(value):
            raise Refused(
                "it is not a DNS-1123 label.",
                "Use lower-case letters, digits and '-', with a letter or digit at both ends.",
            )
        if letter_first and not value[0].isalpha():
            raise Refused("it starts with a digit (DNS-1035).", "Start it with a lower-case letter.")
        if len(value) > longest:
            raise Refused(f"it has {len(value)} characters, at most {longest} fit.", "Choose a shorter name.")
        return value

    return parse


def namespace(value: str) -> str:
    """A namespace that an application may live in: not one of Kubernetes' own."""
    if value.startswith("kube-"):
        raise Refused("namespaces named kube-… belong to Kubernetes itself.", "Name a namespace of the application's.")
    return str(label(63)(value))


def subdomain(value: str) -> str:
    """A DNS-1123 subdomain: the name of most objects."""
    if not _SUBDOMAIN.fullmatch(value) or len(value) > 253:
        raise Refused("it is not a DNS-1123 subdomain.", "Use lower-case letters, digits, '-' and '.', at most 253.")
    return value


def hostname(value: str) -> str:
    """A host name or an IP address, without scheme and port."""
    try:
        return str(ip_address(value))
    except ValueError:
        pass
    if not _SUBDOMAIN.fullmatch(value.lower()) or len(value) > 253:
        raise Refused("it is neither a host name nor an address.", "Write the host only, without scheme, port or path.")
    return value


def ingress_host(value: str) -> str:
    """A host name as an Ingress rule takes it: a DNS name, its first label perhaps ``*``."""
    subdomain(value.removeprefix("*."))
    return value


def header_name(value: str) -> str:
    """The name of an HTTP header (RFC 9110 token); ``none`` or nothing for an application that sends none."""
    if value in ("", "none"):
        return ""
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", value):
        raise Refused("it is not the name of an HTTP header.", "Write for example X-Version, or none.")
    return value


# --- URLs and paths -------------------------------------------------------------------------------------------


def _split(value: str, schemes: tuple[str, ...], example: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018  (reading it is what checks it)
    except ValueError:
        raise Refused("it is not a URL.", f"Write for example {example}") from None
    if re.search(r"[\s\x00-\x20\x7f]", value):
        raise Refused("it holds a space or a control character.", f"Write for example {example}")
    if parts.username is not None or parts.password is not None:
        raise Refused("it holds a user or a password.", "Put credentials into the secret settings.", reveals=True)
    if parts.scheme not in schemes or not parts.hostname:
        raise Refused(f"it is not a URL starting with {' or '.join(s + '://' for s in schemes)}.", f"Write {example}")
    if parts.port == 0:
        raise Refused("its port is 0.", f"Write for example {example}")
    return parts


def url(example: str) -> Parse:
    """An http or https URL without credentials."""

    def parse(value: str) -> str:
        _split(value, ("http", "https"), example)
        return value

    return parse


def health_url(value: str) -> str:
    """The health address: its port and path are asked of every pod and Service, over plain HTTP."""
    example = "http://localhost:8080/api/v1/health/health"
    parts = _split(value, ("http",), example)
    if len(parts.path) < 2:
        raise Refused("it has no path.", f"Name the health check's path: {example}")
    if parts.query or parts.fragment:
        raise Refused("it has a query or a fragment; only port and path are used.", f"Write for example {example}")
    return value


def path(value: str) -> str:
    """The path of a URL, from its leading slash on."""
    if not re.fullmatch(r"/[!-~]*", value):
        raise Refused("it is not the path of a URL.", "Start it with '/' and leave out host, port and blanks.")
    return value


def optional_path(value: str) -> str:
    """The path of a URL; ``none`` or nothing for an application that has no such path."""
    return "" if value in ("", "none") else path(value)


def command(value: str) -> str:
    """A command with its arguments, separated by blanks and quoted as in a shell."""
    try:
        words = shlex.split(value)
    except ValueError as problem:
        why = f"it cannot be taken apart into words ({problem})."
        raise Refused(why, "Quote it as in a shell, for example sh -c 'kill -USR1 1'.") from None
    if not words or "\0" in value:
        raise Refused("it is not a command.", "Write for example kill -USR1 1")
    return value


def services(value: str) -> str:
    """Several names of Services, separated by blanks or commas: each with room for ``-preview``, none twice."""
    names = value.replace(",", " ").split()
    for name in names:
        label(55, letter_first=True)(name)
        if names.count(name) > 1:
            raise Refused(f"{name} is there twice.", "Name each Service once.")
    return " ".join(names)


def percents(value: str) -> str:
    """Percentages above 0 that rise, separated by blanks or commas."""
    words = value.replace(",", " ").replace("%", " ").split()
    if not all(_WHOLE.fullmatch(word) and 0 < int(word) <= 100 for word in words):
        raise Refused("it is not a list of whole percentages.", "Write rising numbers from 1 to 100: 5 25 100.")
    numbers = [int(word) for word in words]
    if numbers != sorted(set(numbers)):
        raise Refused("it does not rise.", "Write each step once, the smallest first: 5 25 100.")
    return " ".join(map(str, numbers))


def routes(value: str) -> str:
    """Several names of Ingresses or HTTPRoutes, separated by blanks or commas: none twice."""
    names = value.replace(",", " ").split()
    for name in names:
        if len(name) > 253 or not _SUBDOMAIN.fullmatch(name):
            raise Refused(f"{name} is no name of an object.", "Write small letters, digits, '-' and '.'.")
        if names.count(name) > 1:
            raise Refused(f"{name} is there twice.", "Name each route once.")
    return " ".join(names)


def place(value: str) -> str:
    """Where a document is to be found: a URL, or the path of a file."""
    if "://" in value:
        return str(url("https://grafana.example.com/d/abc")(value))
    return text(value)


def places(value: str) -> str:
    """Several places, separated by blanks."""
    return " ".join(str(place(one)) for one in value.split())


def paths(value: str) -> str:
    """Several paths, separated by blanks."""
    for one in value.split():
        path(one)
    return " ".join(value.split())


def fields(value: str) -> str:
    """Paths of fields in JSON, separated by blanks: keys, places and ``*``, joined by dots."""
    for one in value.split():
        if not all(one.split(".")):
            raise Refused(f"{one} is not the path of a field.", "Write for example version items.*.id")
    return " ".join(value.split())


_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_METRIC_TYPES = ("counter", "gauge", "histogram", "summary", "untyped")


def metric(value: str) -> str:
    """The name of a metric in Prometheus' text format."""
    if not _METRIC.fullmatch(value):
        raise Refused("it is not the name of a metric.", "Use letters, digits, '_' and ':', no digit first.")
    return value


def metrics(value: str) -> str:
    """Metrics as ``name:type``, separated by blanks."""
    for one in value.split():
        name, _, kind = one.rpartition(":")
        if kind not in _METRIC_TYPES:
            raise Refused(f"{one} names no type.", f"Write name:type with one of: {', '.join(_METRIC_TYPES)}.")
        metric(name)
    return " ".join(value.split())


def _path(value: str) -> Path:
    """A path with its ``~`` replaced. Raises ``Refused`` for one that the file system cannot even look for."""
    try:
        path = Path(value).expanduser()
        path.is_dir()
    except RuntimeError:
        raise Refused("there is no home directory of that user.", "Write the whole path.") from None
    except (OSError, ValueError) as problem:  # too long, or not to be encoded
        why = getattr(problem, "strerror", None) or "the file system cannot hold such a name"
        raise Refused(f"it cannot be looked for: {why}.", "Name a path that can exist.") from None
    return path


def _readable_file(path: Path) -> Path:
    """An ordinary file that is there and may be read: a pipe or a device would be read for ever."""
    if not path.exists():
        raise Refused("there is no such file.", "Name a file that exists, or leave the setting out.")
    if not path.is_file():
        raise Refused("it is a directory, a pipe or a device.", "Name an ordinary file.")
    if not os.access(path, os.R_OK):
        raise Refused("it may not be read.", "Give whoever runs this the right to read it.")
    return path


def directory(value: str) -> Path:
    """A directory that is there and may be read."""
    path = _path(value)
    if not path.is_dir():
        raise Refused("there is no such directory.", "Name a directory that exists, or leave the setting out.")
    if not os.access(path, os.R_OK | os.X_OK):
        raise Refused("it may not be read.", "Give whoever runs this the right to read it.")
    return path


def file(value: str) -> Path:
    """An ordinary file that is there."""
    return _readable_file(_path(value))


def existing_file(*endings: str) -> Parse:
    """An ordinary file that is there, with one of these endings."""

    def parse(value: str) -> Path:
        path = _path(value)
        if path.suffix not in endings:
            raise Refused("its name says neither YAML nor TOML.", f"Name a file that ends in {', '.join(endings)}.")
        return _readable_file(path)

    return parse


def output_directory(value: str) -> Path:
    """A directory that is there or can be made."""
    path = _path(value)
    there = next(each for each in (path, *path.absolute().parents) if os.path.lexists(each))
    if not there.is_dir():
        what = f"a file of that name ({there})" if there != path else "a file of that name"
        raise Refused(f"{what} is in the way.", "Name a directory.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise Refused(f"nothing may be written into {there}.", "Name a directory that can be written.")
    return path


def output_file(value: str) -> Path:
    """A file that is there or can be made."""
    path = _path(value)
    if path.exists() and not path.is_file():
        raise Refused("it is a directory, a pipe or a device.", "Name an ordinary file.")
    output_directory(str(path.parent))
    return path


# --- images ---------------------------------------------------------------------------------------------------

_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?P<repository>(?:{_HOST}(?::[0-9]+)?/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Image:
    """An image reference taken apart (the grammar of the OCI distribution project); an absent part is ''."""

    reference: str
    repository: str
    tag: str
    digest: str

    @property
    def version(self) -> str:
        """The version its tag states; '' when it has none or one that moves (``latest``)."""
        return "" if self.tag == "latest" else self.tag


def shown_image(reference: str, version: str = "") -> str:
    """A reference as people read it: of a digest its beginning, with the version where that is known."""
    name, at, digest = reference.partition("@")
    if not at:
        return reference
    return f"{name}@{digest[:19]}{f' ({version})' if version else ''}"


def parse_image(value: str) -> Image:
    """Take an image reference apart. Raises ``Refused``."""
    match = _IMAGE.fullmatch(value)
    if not match or len(match["repository"]) > 255:
        raise Refused(_why_not_an_image(value), "Write for example registry.example.com/team/backend:v1.2.3")
    digest = match["digest"] or ""
    if digest.startswith("sha256:") and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise Refused("its sha256 digest is not 64 lower-case hexadecimal digits.", "Copy the whole digest.")
    return Image(value, match["repository"], match["tag"] or "", digest)


def _why_not_an_image(value: str) -> str:
    repository = value.split("@")[0].rpartition(":")[0] or value
    if "://" in value:
        return "it is a URL, not an image reference."
    if re.search(r"\s", value):
        return "it holds a space."
    if value.endswith((":", "@")):
        return "its tag or digest is empty."
    if repository != repository.lower():
        return "an image's repository is written in lower case."
    return "it is not an image reference."


def image(value: str) -> str:
    """An image reference, kept as its text."""
    return parse_image(value).reference
