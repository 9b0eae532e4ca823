"""HTTP/2 header blocks (RFC 7541), as far as a gRPC client of one request needs them. Pure.

What is written uses neither Huffman codes nor a table. What is read may use both: the dynamic table is kept, of the
static table only the statuses are (no other header of an answer with a name from it is looked at), and Huffman codes
are known for text. Anything else raises ValueError.
"""

from __future__ import annotations

_STATIC_SIZE = 61
_STATUSES = {8: "200", 9: "204", 10: "206", 11: "304", 12: "400", 13: "404", 14: "500"}
_INDEXED, _ADDED, _RESIZED = 0x80, 0x40, 0x20  # the first bits of a field's form
# Appendix B: characters by the number of bits of their codes. The codes are canonical: they follow from these alone.
_BITS = {
    5: "012aceiost",
    6: " %-./3456789=A_bdfghlmnpru",
    7: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: "&*,;XZ",
    10: '!"()?',
    11: "'+|",
    12: "#>",
    13: "\0$@[]~",
    14: "^}",
    15: "<`{",
}


def _codes() -> dict[tuple[int, int], str]:
    """(bits, code) -> character."""
    codes, code, before = {}, 0, 0
    for bits, characters in _BITS.items():
        code <<= bits - before
        for character in characters:
            codes[bits, code] = character
            code += 1
        before = bits
    return codes


_CODES = _codes()


def literal(name: str, value: str) -> bytes:
    """One header, written out."""
    return b"\0" + _string(name) + _string(value)


def _string(text: str) -> bytes:
    data = text.encode()
    return _integer(len(data), 7) + data


def _integer(number: int, bits: int) -> bytes:
    limit = (1 << bits) - 1
    if number < limit:
        return bytes([number])
    out, number = [limit], number - limit
    while number >= 128:
        out.append(number % 128 + 128)
        number //= 128
    return bytes([*out, number])


class Decoder:
    """Reads the header blocks of one connection, in their order."""

    def __init__(self) -> None:
        self._table: list[tuple[str, str]] = []  # newest first; what would have been evicted is never asked for
        self._data, self._at = b"", 0

    def read(self, block: bytes) -> dict[str, str]:
        """The headers of a block; of those with a static name only ``:status``."""
        self._data, self._at, found = block, 0, {}
        while self._at < len(block):
            first = block[self._at]
            if first & _INDEXED:
                name, value = self._entry(self._number(7))
            elif first & _ADDED:
                name, value = self._field(self._number(6))
                self._table.insert(0, (name, value))
            elif first & _RESIZED:
                self._number(5)
                continue
            else:
                name, value = self._field(self._number(4))
            found[name] = value
        found.pop("", None)
        return found

    def _entry(self, index: int) -> tuple[str, str]:
        if index <= _STATIC_SIZE:
            return (":status", _STATUSES[index]) if index in _STATUSES else ("", "")
        if index - _STATIC_SIZE > len(self._table):
            raise ValueError(f"no header has the number {index}")
        return self._table[index - _STATIC_SIZE - 1]

    def _field(self, index: int) -> tuple[str, str]:
        name = self._entry(index)[0] if index else self._text()
        return name, self._text()

    def _byte(self) -> int:
        if self._at >= len(self._data):
            raise ValueError("a header block ends too early")
        self._at += 1
        return self._data[self._at - 1]

    def _number(self, bits: int) -> int:
        limit = (1 << bits) - 1
        number, shift = self._byte() & limit, 0
        if number < limit:
            return number
        while True:
            byte = self._byte()
            number += (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7

    def _text(self) -> str:
        is_coded = self._at < len(self._data) and self._data[self._at] & 0x80
        length = self._number(7)
        data = self._data[self._at : self._at + length]
        self._at += length
        return decoded(data) if is_coded else data.decode("latin-1")


def decoded(data: bytes) -> str:
    """A Huffman-coded text. Raises ValueError for characters that are no text."""
    out, code, bits = [], 0, 0
    for position in range(len(data) * 8):
        code = code << 1 | data[position // 8] >> (7 - position % 8) & 1
        bits += 1
        if character := _CODES.get((bits, code)):
            out.append(character)
            code = bits = 0
    if bits > 7 or code != (1 << bits) - 1:  # what is left over is padding: fewer than eight ones
        raise ValueError("a header's code is not known")
    return "".join(out)
