"""The string formats that a schema may ask for (kube-openapi's strfmt); others are not looked at."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import date, datetime
from email.utils import parseaddr
from urllib.parse import urlsplit

from bluegreen.localkube.validation import names

_HEX = "[0-9a-f]"
_QUARTER, _VARIANT = f"{_HEX}{{4}}", f"[89ab]{_HEX}{{3}}"
_LABEL = r"[a-zA-Z0-9\u00a1-\U0010ffff]([-a-zA-Z0-9\u00a1-\U0010ffff]{0,61}[a-zA-Z0-9\u00a1-\U0010ffff])?"
_PAIR = f"{_HEX}{{2}}"
_MAC = (  # 6 or 8 bytes
    rf"(?i)({_PAIR}([:-])({_PAIR}\2){{4}}({_PAIR}|{_PAIR}\2{_PAIR}\2{_PAIR})|{_HEX}{{4}}(\.{_HEX}{{4}}){{2,3}})"
)
_DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)?"
)  # the first group is a date
_DURATION = re.compile(
    r"[+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*|0"
    r"|(\d+)\s*(ns|nanos?|nanoseconds?|us|µs|micros?|microseconds?|ms|millis?|milliseconds?|s|secs?|seconds?"
    r"|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)"
)


def _pattern(text: str) -> Callable[[str], bool]:
    compiled = re.compile(text)
    return lambda value: compiled.fullmatch(value) is not None


def _uuid(third: str = _QUARTER, fourth: str = _QUARTER) -> Callable[[str], bool]:
    return _pattern(rf"(?i){_HEX}{{8}}-?{_HEX}{{4}}-?{third}-?{fourth}-?{_HEX}{{12}}")


def _address(version: int) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        try:
            return ipaddress.ip_address(_without_zeros(value) if version == 4 else value).version == version
        except ValueError:
            return False

    return check


def _without_zeros(value: str) -> str:
    """An address without leading zeros, which are tolerated."""
    return ".".join(part.lstrip("0") or "0" if part.isdecimal() else part for part in value.split("."))


def _cidr(value: str) -> bool:
    address, slash, length = value.partition("/")
    try:
        ipaddress.ip_network(f"{_without_zeros(address)}/{length}", strict=False)
    except ValueError:
        return False
    return bool(slash) and length.isdecimal()


def _uri(value: str) -> bool:
    """What Go's url.ParseRequestURI takes: an absolute URI or an absolute path."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    clean = value.isprintable() and " " not in parts.netloc and "%" not in re.sub(r"%[0-9A-Fa-f]{2}", "", value)
    return clean and (value.startswith("/") or bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", value)))


def _hostname(value: str) -> bool:
    labels = value.split(".")
    if len(value) > 255 or not all(re.fullmatch(_LABEL, label) for label in labels):
        return False
    return len(labels) == 1 or re.fullmatch(r"[a-zA-Z\u00a1-\U0010ffff]{2,63}", labels[-1]) is not None


def _email(value: str) -> bool:
    address = parseaddr(value, strict=True)[1] if "@" in value else ""
    local, _, domain = address.rpartition("@")
    return bool(local and domain) and " " not in address


def _date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return len(value) == 10


def _date_time(value: str) -> bool:
    found = _DATE_TIME.fullmatch(value)
    if found is None or not _date(found[1]) or found[2] > "23" or found[3] > "59" or found[4] > "59":
        return False
    try:
        datetime.fromisoformat(value[:19].upper())
    except ValueError:
        return False
    return True


def _base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return bool(value)


def _isbn10(value: str) -> bool:
    digits = re.sub(r"[\s-]+", "", value)
    if not re.fullmatch(r"\d{9}[\dX]", digits):
        return False
    return sum((place + 1) * (10 if digit == "X" else int(digit)) for place, digit in enumerate(digits)) % 11 == 0


def _isbn13(value: str) -> bool:
    digits = re.sub(r"[\s-]+", "", value)
    return bool(re.fullmatch(r"\d{13}", digits)) and (
        sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10 == 0
    )


def _credit_card(value: str) -> bool:
    digits = re.sub(r"[^0-9]+", "", value)
    known = (
        r"4\d{12}(\d{3})?|5[1-5]\d{14}|6(011|5\d\d)\d{12}|3[47]\d{13}|3(0[0-5]|[68]\d)\d{11}|(2131|1800|35\d{3})\d{11}"
    )
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return bool(re.fullmatch(known, digits)) and sum(each // 10 + each % 10 for each in doubled) % 10 == 0


_PART = r"\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*"
_CHECKS: dict[str, Callable[[str], bool]] = {
    "bsonobjectid": _pattern(r"(?i)[0-9a-f]{24}"),
    "byte": _base64,
    "cidr": _cidr,
    "creditcard": _credit_card,
    "date": _date,
    "datetime": _date_time,
    "duration": lambda value: _DURATION.fullmatch(value) is not None,
    "email": _email,
    "hexcolor": _pattern(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "hostname": _hostname,
    "ipv4": _address(4),
    "ipv6": _address(6),
    "isbn": lambda value: _isbn10(value) or _isbn13(value),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "k8slongname": lambda value: not names.subdomain(value),
    "k8sshortname": lambda value: not names.label(value),
    "mac": _pattern(_MAC),
    "password": lambda _: True,
    "rgbcolor": _pattern(rf"rgb\({_PART},{_PART},{_PART}\)"),
    "ssn": _pattern(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "uri": _uri,
    "uuid": _uuid(),
    "uuid3": _uuid(f"3{_HEX}{{3}}"),
    "uuid4": _uuid(f"4{_HEX}{{3}}", _VARIANT),
    "uuid5": _uuid(f"5{_HEX}{{3}}", _VARIANT),
}


def is_known(name: str) -> bool:
    """Whether values are held against that format."""
    return name.replace("-", "") in _CHECKS


def matches(name: str, value: str) -> bool:
    """Whether a string is of a known format."""
    return _CHECKS[name.replace("-", "")](value)
