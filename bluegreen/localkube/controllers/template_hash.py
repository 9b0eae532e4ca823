"""The hash in a ReplicaSet's name and ``pod-template-hash`` label, the same one Kubernetes 1.34 computes. Pure.

Kubernetes prints the Go struct of the pod template (package spew, ``%#v``), takes the 32-bit FNV-1a of that text and
writes its decimal digits in an alphabet without vowels. So the same Deployment gets the same ReplicaSet name here as
on a real cluster. ``template_layout.json`` (see ``generate_template_layout.go``) has the order and types of the fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from bluegreen.localkube import quantities

Obj = dict[str, Any]

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Characters of generated names: no vowels and nothing that looks like one, so that no words appear."""
_FNV_OFFSET, _FNV_PRIME, _32_BITS = 0x811C9DC5, 0x01000193, 0xFFFFFFFF
_FORMATS = {"decimal": "DecimalSI", "binary": "BinarySI", "exponent": "DecimalExponent"}
_QUANTITY = re.compile(r"(-?\d+)([A-Za-z]*)([+-]?\d*)")


def template_hash(template: Obj, collisions: int | None = None) -> str:
    """The hash of a pod template; ``collisions`` is the Deployment's status.collisionCount, where there is one."""
    data = as_go(template).encode()
    if collisions is not None:
        data += collisions.to_bytes(8, "little")
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(_fnv32a(data)))


def as_go(template: Obj) -> str:
    """A pod template as spew prints the Go struct."""
    return "".join(_value("=v1.PodTemplateSpec", "v1.PodTemplateSpec", template, typed=True))


def _fnv32a(data: bytes) -> int:
    digest = _FNV_OFFSET
    for byte in data:
        digest = ((digest ^ byte) * _FNV_PRIME) & _32_BITS
    return digest


@cache
def _structs() -> dict[str, list[tuple[str, str, str, str]]]:
    layout: dict[str, Any] = orjson.loads((Path(__file__).parent / "template_layout.json").read_bytes())
    structs: dict[str, list[tuple[str, str, str, str]]] = layout["structs"]
    return structs


def _value(form: str, go_type: str, value: Any, *, typed: bool) -> Iterator[str]:
    """One Go value; ``typed`` says whether its type stands before it (items of lists and maps have none)."""
    if form.startswith("*"):
        yield from _pointer(form, go_type, value, typed=typed)
        return
    if typed:
        yield f"({go_type})"
    if form.startswith("="):
        yield from _struct(form[1:], value or {})
    elif form.startswith(("[]", "{}")):
        yield from _collection(form, value)
    else:
        yield _LEAVES[form](value)


def _pointer(form: str, go_type: str, value: Any, *, typed: bool) -> Iterator[str]:
    if value is None:
        yield f"({go_type})<nil>" if typed else "<nil>"
        return
    yield f"({go_type})" if typed else "<*>"
    yield from _value(form[1:], go_type[1:], value, typed=False)


def _struct(name: str, value: Obj) -> Iterator[str]:
    yield "{"
    for index, (go_name, json_name, go_type, form) in enumerate(_structs()[name]):
        yield f"{' ' if index else ''}{go_name}:"
        yield from _value(form, go_type, value.get(json_name) if json_name else value, typed=True)
    yield "}"


def _collection(form: str, value: Any) -> Iterator[str]:
    if not value:  # stored objects do not tell empty from absent
        yield "<nil>"
        return
    is_map = form.startswith("{}")
    yield "map[" if is_map else "["
    for index, key in enumerate(sorted(value) if is_map else range(len(value))):
        yield f"{' ' if index else ''}{f'{key}:' if is_map else ''}"
        yield from _value(form[2:], "", value[key], typed=False)
    yield "]"


def _int_or_string(value: Any) -> str:
    is_text = isinstance(value, str)
    number, text = (0, value) if is_text else (value or 0, "")
    return f"{{Type:(intstr.Type){int(is_text)} IntVal:(int32){number} StrVal:(string){text}}}"


def _quantity(value: Any) -> str:
    amount, scale, text, form = (0, 0, "", "") if value is None else _amount(quantities.canonical(value))
    return (
        f"{{i:(resource.int64Amount){{value:(int64){amount} scale:(resource.Scale){scale}}} "
        f"d:(resource.infDecAmount){{Dec:(*inf.Dec)<nil>}} s:(string){text} Format:(resource.Format){form}}}"
    )


def _amount(text: str) -> tuple[int, int, str, str]:
    """(value, scale, text, format) as Go holds a canonical quantity; it drops the text of some."""
    form = quantities.form_of(text)
    found = _QUANTITY.fullmatch(text)
    if text == "0" or found is None:
        return 0, 0, text, _FORMATS[form]
    number, suffix, power = int(found[1]), found[2], found[3]
    if form == "binary":
        return number << quantities.BINARY[suffix], 0, text if number & 7 else "", _FORMATS[form]
    scale = int(power) if form == "exponent" else quantities.DECIMAL[suffix]
    return number, scale, "" if found[1].endswith("000") else text, _FORMATS[form]


_ZERO_TIME = "{Time:(time.Time){wall:(uint64)0 ext:(int64)0 loc:(*time.Location)<nil>}}"
_LEAVES: dict[str, Callable[[Any], str]] = {
    "string": lambda value: value or "",
    "bool": lambda value: "true" if value else "false",
    "int32": lambda value: str(value or 0),
    "int64": lambda value: str(value or 0),
    "quantity": _quantity,
    "intOrString": _int_or_string,
    "time": lambda _: _ZERO_TIME,  # a template has no creation time of its own
}
