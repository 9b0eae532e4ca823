"""Kubernetes quantities (``500m``, ``1.5Gi``, ``1e3``): parse, compare, and write as the API server writes them.

A quantity is held as an integer of nano-units: the server keeps no finer precision and rounds up to it.
Canonical form (apimachinery's resource.Quantity): the form of the suffix is kept, no fraction, the largest suffix that
needs none; so ``0.5`` becomes ``500m``, ``1000m`` becomes ``1`` and ``1.5Gi`` becomes ``1536Mi``.
"""

from __future__ import annotations

import re
from functools import lru_cache

NANO = 10**9
_MOST = (2**63 - 1) * NANO  # what the server's integers hold
_SHAPE = re.compile(r"([+-]?)([0-9.]*)([eEinumkKMGTP]*[-+]?[0-9]*)")
_NUMBER = re.compile(r"([0-9]*)\.?([0-9]*)")
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)")
WRONG_FORMAT = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"  # as the server says
)
WRONG_SUFFIX = "unable to parse quantity's suffix"

DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX = {power: suffix for suffix, power in DECIMAL.items()}
_BINARY_SUFFIX = {power: suffix for suffix, power in BINARY.items()}


class QuantityError(ValueError):
    """The text is no quantity; the message is the server's own."""


def _scaled(sign: str, number: str, numerator: int, denominator: int) -> int:
    found = _NUMBER.fullmatch(number)
    if not found:
        raise QuantityError(WRONG_FORMAT)
    whole, fraction = found.groups()
    size = int((whole + fraction) or "0") * numerator
    size = int(-(-size // (denominator * 10 ** len(fraction))))  # away from zero, as the server rounds
    return -size if sign == "-" else size


def _split(text: str) -> tuple[int, str]:
    found = _SHAPE.fullmatch(text)
    if not found or not text:
        raise QuantityError(WRONG_FORMAT)
    sign, number, suffix = found.groups()
    if suffix in BINARY:
        nano = _scaled(sign, number, NANO << BINARY[suffix], 1)
        return max(-_MOST, min(_MOST, nano)), "binary"
    exponent = _EXPONENT.fullmatch(suffix)
    if suffix not in DECIMAL and not exponent:
        raise QuantityError(WRONG_SUFFIX)
    power = int(exponent.group(1)) if exponent else DECIMAL[suffix]
    if abs(power) > 60:  # beyond anything the server can hold; it caps, and so do we
        power = 60 if power > 0 else -60
    up, down = (10**power, 1) if power >= 0 else (1, 10**-power)
    return _scaled(sign, number, NANO * up, down), "exponent" if exponent else "decimal"


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[int, str]:
    return _split(text)


def parse(quantity: str | int | float) -> int:
    """The quantity in nano-units. Raises QuantityError with the server's words."""
    return _parsed(quantity if isinstance(quantity, str) else repr(quantity))[0]


def milli(quantity: str | int | float) -> int:
    """The quantity in thousandths, rounded up: CPU in millicores."""
    return -(-parse(quantity) // 10**6)


def whole(quantity: str | int | float) -> int:
    """The quantity in whole units, rounded up: memory in bytes."""
    return -(-parse(quantity) // NANO)


def compare(left: str | int | float, right: str | int | float) -> int:
    """Negative, zero or positive as ``left`` is less than, equal to or more than ``right``."""
    return parse(left) - parse(right)


def _decimal(nano: int, form: str) -> str:
    power = -9
    while nano and nano % 10 == 0:
        nano, power = nano // 10, power + 1
    nano, power = nano * 10 ** (power % 3), power - power % 3
    if nano == 0:
        return "0"
    if power > 18:
        nano, power = nano * 10 ** (power - 18), 18
    suffix = _DECIMAL_SUFFIX[power] if form != "exponent" else f"e{power}" if power else ""
    return f"{nano}{suffix}"


def _binary(nano: int) -> str:
    number, power = nano // NANO, 0
    while number and number % 1024 == 0 and power < 60:
        number, power = number // 1024, power + 10
    return f"{number}{_BINARY_SUFFIX.get(power, '')}"


def written(nano: int, form: str = "decimal") -> str:
    """Nano-units as the server writes them; ``form`` is "decimal", "binary" (Ki, Mi, ...) or "exponent"."""
    if form == "binary" and abs(nano) >= 1024 * NANO and nano % NANO == 0:
        return _binary(nano)
    return _decimal(nano, "decimal" if form == "binary" else form)


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    nano, form = _split(text)
    return text if nano and _is_kept(text, form) else written(nano, form)


def _is_kept(text: str, form: str) -> bool:
    """Whether the server keeps a text as it came: when its digits and exponent are canonical, padding or not."""
    found = _SHAPE.fullmatch(text)
    digits, _, fraction = found.group(2).partition(".") if found else ("", "", "")
    suffix, mantissa = (found.group(3) if found else ""), int((digits + fraction) or "0")
    if form == "binary":  # only whole numbers that fit beside the suffix in fifteen digits
        room = 15 - len(digits.lstrip("0")) - BINARY[suffix] * 3 // 10 - 1
        return not fraction and mantissa % 8 != 0 and room >= 0
    exponent = DECIMAL.get(suffix) if suffix in DECIMAL else int(suffix[1:])
    power = (exponent or 0) - len(fraction)
    if fraction and not int(digits or "0"):
        return False
    return power % 3 == 0 and mantissa % 1000 != 0 and power >= -9


def canonical(quantity: str | int | float) -> str:
    """The quantity as the server writes it back. Raises QuantityError with the server's words."""
    return _canonical(quantity if isinstance(quantity, str) else repr(quantity))


def form_of(quantity: str | int | float) -> str:
    """Which family of suffixes the quantity is written in: "decimal", "binary" or "exponent"."""
    return _parsed(quantity if isinstance(quantity, str) else repr(quantity))[1]


def total(quantities: list[str | int | float]) -> str:
    """Their sum in canonical form, written as the first of them is ("0" for none), as the server adds."""
    if not quantities:
        return "0"
    form = form_of(next((q for q in quantities if parse(q)), quantities[0]))
    return written(sum(parse(q) for q in quantities), form)
