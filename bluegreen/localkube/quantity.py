"""Resource quantities ("500m", "1Gi", "2e3"): read, added up, written the way Kubernetes writes them. Pure.

Amounts are whole numbers of nano units (10^-9), the finest Kubernetes knows: sums stay exact.
"""

from __future__ import annotations

import re

NANO = 10**9
"""Nano units in one unit."""
MILLI = 10**6
"""Nano units in a thousandth, the unit of CPU arithmetic."""

DECIMAL, BINARY, EXPONENT = "DecimalSI", "BinarySI", "DecimalExponent"
_FORM = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(?:([eE])([+-]?\d+)|([KMGTPE]i|[numkMGTPE]?))")
DECIMAL_POWERS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_SUFFIXES = {power: suffix for suffix, power in DECIMAL_POWERS.items()}
BINARY_SHIFTS = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_BINARY_SUFFIXES = {shift: suffix for suffix, shift in BINARY_SHIFTS.items()}


def parse(text: str | float) -> int:
    """The amount in nano units, what is finer rounded up. ValueError for what is not a quantity."""
    return _parsed(text)[0]


def form_of(text: str | float) -> str:
    """The format a quantity is written in: a sum is written in that of its first term."""
    return _parsed(text)[1]


def canonical(text: str | float) -> str:
    """The quantity as the API server gives it back: ``1000m`` as ``1``, ``1024Mi`` as ``1Gi``."""
    return written(*_parsed(text))


def written(amount_nano: int, form: str = DECIMAL) -> str:
    """An amount as text, with the largest suffix that leaves a whole number."""
    if form == BINARY and abs(amount_nano) >= 1024 * NANO:
        return _in_powers_of_1024(-(-amount_nano // NANO))
    if amount_nano == 0:
        return "0"
    power = -9
    while amount_nano % 1000 == 0 and (power < 18 or form == EXPONENT):
        amount_nano //= 1000
        power += 3
    if form == EXPONENT:
        return f"{amount_nano}e{power}" if power else str(amount_nano)
    return f"{amount_nano}{_SUFFIXES[power]}"


def _in_powers_of_1024(units: int) -> str:
    shift = 0
    while units % 1024 == 0 and shift < 60:
        units //= 1024
        shift += 10
    return f"{units}{_BINARY_SUFFIXES.get(shift, '')}"


def _parsed(text: str | float) -> tuple[int, str]:
    found = _FORM.fullmatch(str(text))
    if found is None:
        raise ValueError(f"not a quantity: {text!r}")
    sign, number, exponent, power, suffix = found.groups()
    whole, _, fraction = number.partition(".")
    digits = int(whole + fraction or "0")
    if suffix in BINARY_SHIFTS:
        scaled, divisor = digits * NANO << BINARY_SHIFTS[suffix], 10 ** len(fraction)
    else:
        tens = 9 - len(fraction) + (int(power) if exponent else DECIMAL_POWERS[suffix])
        scaled, divisor = digits * 10 ** max(tens, 0), 10 ** max(-tens, 0)
    amount = -(-scaled // divisor)
    form = BINARY if suffix in BINARY_SHIFTS else EXPONENT if exponent else DECIMAL
    return (-amount if sign == "-" else amount), form
