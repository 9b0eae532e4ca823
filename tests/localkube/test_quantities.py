"""Quantities: parsed, compared, summed, and written as the server writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.localkube import quantities

SUFFIXES = ["", "m", "u", "n", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"]
AMOUNTS = st.builds(
    lambda number, suffix: f"{number}{suffix}",
    st.one_of(st.integers(0, 10**6), st.decimals(0, 10**4, places=3, allow_nan=False)),
    st.sampled_from(SUFFIXES),
)


@pytest.mark.parametrize(
    ("given_text", "written"),
    [
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1", "1"),
        ("1.5Gi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("1024Ki", "1Mi"),
        ("1000Mi", "1000Mi"),
        ("100000", "100k"),
        ("1.1Mi", "1153433600m"),
        ("1e3", "1e3"),
        ("0Gi", "0"),
        ("-0.5", "-500m"),
        ("0.0000000001", "1n"),
        ("010", "010"),
        ("m", "0"),
        (".", "0"),
    ],
)
def test_canonical_form(given_text: str, written: str) -> None:
    assert quantities.canonical(given_text) == written


def test_numbers_are_taken_as_texts() -> None:
    assert quantities.canonical(1) == "1"
    assert quantities.canonical(0.5) == "500m"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("lots", quantities.WRONG_FORMAT),
        ("", quantities.WRONG_FORMAT),
        ("1 Gi", quantities.WRONG_FORMAT),
        ("1.2.3", quantities.WRONG_FORMAT),
        ("5mm", quantities.WRONG_SUFFIX),
    ],
)
def test_what_is_no_quantity(text: str, why: str) -> None:
    with pytest.raises(quantities.QuantityError) as refusal:
        quantities.parse(text)
    assert str(refusal.value) == why


def test_units() -> None:
    assert quantities.milli("1.5") == 1500
    assert quantities.milli("0.0001") == 1  # rounded up
    assert quantities.whole("1Ki") == 1024
    assert quantities.whole("1500m") == 2


def test_comparison_crosses_suffixes() -> None:
    assert quantities.compare("1000m", "1") == 0
    assert quantities.compare("1Gi", "1G") > 0
    assert quantities.compare("500m", "1") < 0


def test_a_sum_is_written_as_its_first_part() -> None:
    assert quantities.total(["512Mi", "512Mi"]) == "1Gi"
    assert quantities.total(["500m", "1"]) == "1500m"
    assert quantities.total([]) == "0"


@given(AMOUNTS)
def test_canonical_form_is_canonical_and_means_the_same(text: str) -> None:
    written = quantities.canonical(text)
    assert quantities.parse(written) == quantities.parse(text)
    assert quantities.canonical(written) == written


@given(AMOUNTS, AMOUNTS)
def test_sums_add_up(left: str, right: str) -> None:
    assert quantities.parse(quantities.total([left, right])) == quantities.parse(left) + quantities.parse(right)
