"""The formats of names, keys and values: each function gives what is wrong, in apimachinery's words; [] for nothing."""

from __future__ import annotations

import ipaddress
import re

LABEL_LENGTH, SUBDOMAIN_LENGTH = 63, 253
_SUBDOMAIN_MESSAGE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character"
)
_LOOSE_SUBDOMAIN_MESSAGE = _SUBDOMAIN_MESSAGE.replace("'-' or '.'", "'_', '-' or '.'")
_LABEL_MESSAGE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character"
)
_1035_MESSAGE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character"
)
_QUALIFIED_MESSAGE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_LABEL_VALUE_MESSAGE = "a valid label must be an empty string or consist of " + _QUALIFIED_MESSAGE.removeprefix(
    "must consist of "
)
_CONFIG_KEY_MESSAGE = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
_ENV_MESSAGE = "a valid environment variable name must consist only of printable ASCII characters other than '='"
_WILDCARD_MESSAGE = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
)
LABEL, LABEL_1035 = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", r"[a-z]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
_LOOSE_LABEL = r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_LOOSE_SUBDOMAIN = rf"{_LOOSE_LABEL}(\.{_LOOSE_LABEL})*"
_WILDCARD = rf"\*\.{SUBDOMAIN}"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = rf"({_QUALIFIED})?"
_CONFIG_KEY = r"[-._a-zA-Z0-9]+"
_PATTERNS = {
    text: re.compile(text)
    for text in (LABEL, LABEL_1035, SUBDOMAIN, _LOOSE_SUBDOMAIN, _WILDCARD, _QUALIFIED, _LABEL_VALUE, _CONFIG_KEY)
}
_ENV = re.compile(r"[ -<>-~]+")
_PORT_CHARACTERS = re.compile(r"[-a-z0-9]+")
_HTTP_HEADER = re.compile(r"[-A-Za-z0-9]+")


def _fits(pattern: str, text: str) -> bool:
    return _PATTERNS[pattern].fullmatch(text) is not None


def longer_than(limit: int) -> str:
    """The sentence about a text that is too long."""
    return f"must be no more than {limit} characters"


def _expected(message: str, pattern: str, *examples: str) -> str:
    if not examples:
        return f"{message} (regex used for validation is '{pattern}')"
    listed = ",  or ".join(f"'{example}'" for example in examples)
    return f"{message} (e.g. {listed}, regex used for validation is '{pattern}')"


def _checked(text: str, limit: int, pattern: str, message: str, *examples: str) -> list[str]:
    errors = [longer_than(limit)] if len(text.encode()) > limit else []
    if not _fits(pattern, text):
        errors.append(_expected(message, pattern, *examples))
    return errors


def subdomain(text: str) -> list[str]:
    """A DNS-1123 subdomain: the name of most objects."""
    return _checked(text, SUBDOMAIN_LENGTH, SUBDOMAIN, _SUBDOMAIN_MESSAGE, "example.com")


def subdomain_with_underscores(text: str) -> list[str]:
    """The same where DNS names are searched for, some of which begin with an underscore."""
    return _checked(text, SUBDOMAIN_LENGTH, _LOOSE_SUBDOMAIN, _LOOSE_SUBDOMAIN_MESSAGE, "example.com")


def label(text: str) -> list[str]:
    """A DNS-1123 label: the name of a namespace, a container, a volume."""
    return _checked(text, LABEL_LENGTH, LABEL, _LABEL_MESSAGE, "my-name", "123-abc")


def label_1035(text: str) -> list[str]:
    """A DNS-1035 label: the name of a Service."""
    return _checked(text, LABEL_LENGTH, LABEL_1035, _1035_MESSAGE, "my-name", "abc-123")


def wildcard(text: str) -> list[str]:
    """A subdomain whose first label is ``*``."""
    return _checked(text, SUBDOMAIN_LENGTH, _WILDCARD, _WILDCARD_MESSAGE, "*.example.com")


def path_segment(text: str) -> list[str]:
    """A name that may be anything that fits in a path: RBAC."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{bad}'" for bad in ("/", "%") if bad in text]


def qualified(text: str) -> list[str]:
    """A label key: an optional subdomain and a slash, then a name."""
    parts = text.split("/")
    errors: list[str] = []
    if len(parts) > 2:
        detail = _expected(_QUALIFIED_MESSAGE, _QUALIFIED, "MyName", "my.name", "123-abc")
        return [f"a qualified name {detail} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    if len(parts) == 2:
        if not parts[0]:
            errors.append("prefix part must be non-empty")
        else:
            errors += [f"prefix part {error}" for error in subdomain(parts[0])]
    name = parts[-1]
    if not name:
        errors.append("name part must be non-empty")
    elif len(name.encode()) > LABEL_LENGTH:
        errors.append(f"name part {longer_than(LABEL_LENGTH)}")
    if not _fits(_QUALIFIED, name):
        errors.append(f"name part {_expected(_QUALIFIED_MESSAGE, _QUALIFIED, 'MyName', 'my.name', '123-abc')}")
    return errors


def label_value(text: str) -> list[str]:
    """A label's value."""
    return _checked(text, LABEL_LENGTH, _LABEL_VALUE, _LABEL_VALUE_MESSAGE, "MyValue", "my_value", "12345")


def port_name(text: str) -> list[str]:
    """The name of a container's port."""
    errors = [longer_than(15)] if len(text.encode()) > 15 else []
    if not _PORT_CHARACTERS.fullmatch(text):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", text):
        errors.append("must contain at least one letter (a-z)")
    if "--" in text:
        errors.append("must not contain consecutive hyphens")
    if text and (text[0] == "-" or text[-1] == "-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def config_key(text: str) -> list[str]:
    """A key in a ConfigMap or Secret, which may become a file."""
    errors = _checked(text, SUBDOMAIN_LENGTH, _CONFIG_KEY, _CONFIG_KEY_MESSAGE, "key.name", "KEY_NAME", "key-name")
    return errors + _dots(text)


def _dots(text: str) -> list[str]:
    if text == ".":
        return ["must not be '.'"]
    if text == "..":
        return ["must not be '..'"]
    return ["must not start with '..'"] if text.startswith("..") else []


def environment_variable(text: str) -> list[str]:
    """The name of an environment variable, as containers may have them since 1.34."""
    if not text:
        return ["environment variable name must be non-empty"]
    return [] if _ENV.fullmatch(text) else [_ENV_MESSAGE]


def http_header(text: str) -> list[str]:
    """The name of an HTTP header."""
    if _HTTP_HEADER.fullmatch(text):
        return []
    message = "a valid HTTP header must consist of alphanumeric characters or '-'"
    return [_expected(message, _HTTP_HEADER.pattern, "X-Header-Name")]


def number_of_port(value: int) -> list[str]:
    """The number of a port."""
    return [] if 1 <= value <= 65535 else ["must be between 1 and 65535, inclusive"]


def ip(text: str) -> list[str]:
    """An address of either family."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return []


def cidr(text: str) -> list[str]:
    """A network with its prefix length."""
    try:
        if "/" not in text:
            raise ValueError(text)
        ipaddress.ip_interface(text)
    except ValueError:
        return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]
    return []


def without_trailing_dash(name: str) -> str:
    """A prefix for generated names, made checkable as a name."""
    return name[:-1] + "a" if len(name) > 1 and name.endswith("-") else name
