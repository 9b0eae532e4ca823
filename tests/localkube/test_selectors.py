"""Label and field selectors: what they mean, and how one that cannot be read is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.localkube import selectors
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.status import ApiError

LABELS = {"tier": "web", "v": "2", "empty": "", "n": "5"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("tier=web", True),
        ("tier==web,v=2", True),
        ("tier = web , v in (1, 2)", True),
        ("tier!=web", False),
        ("absent!=x", True),
        ("v", True),
        ("!v", False),
        ("!absent", True),
        ("v notin (1,3)", True),
        ("absent notin (1)", True),
        ("v in (1)", False),
        ("empty=", True),
        ("empty in ()", True),
        ("n>4", True),
        ("n<5", False),
        ("tier>1", False),
        ("example.com/x", False),
    ],
)
def test_label_selectors(text: str, matches: bool) -> None:
    assert selectors.matches_labels(selectors.parse_labels(text), LABELS) is matches


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tier in web", "unable to parse requirement: found 'web' expected: '('"),
        ("a,,b", "unable to parse requirement: found ',', expected: !, identifier, or 'end of string'"),
        ("a,", "unable to parse requirement: found '', expected: identifier after ','"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("x in (a", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
        ("a=b c", "unable to parse requirement: found 'c', expected: ',' or 'end of string'"),
    ],
)
def test_label_selectors_that_cannot_be_read(text: str, sentence: str) -> None:
    with pytest.raises(ApiError) as refused:
        selectors.parse_labels(text)
    assert (refused.value.code, refused.value.message) == (400, sentence)


@pytest.mark.parametrize("text", ["-a=b", "a=-b", "a/b/c=d", "a" * 64, "Ä=b", "a=" + "b" * 64, "n>x"])
def test_keys_and_values_must_be_labels(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        selectors.parse_labels(text)
    assert refused.value.code == 400


@given(st.text(alphabet="ab=!,()<> \tin/.-ot\n\"'ü", max_size=24))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        selectors.parse_labels(text)
    except ApiError as error:
        assert error.code == 400  # noqa: PT017 (either way is right)


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"tier": "web"}}, True),
        ({"matchLabels": {"tier": "db"}}, False),
        ({"matchExpressions": [{"key": "v", "operator": "In", "values": ["1", "2"]}]}, True),
        ({"matchExpressions": [{"key": "v", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "x", "operator": "NotIn", "values": ["1"]}]}, True),
    ],
)
def test_label_selector_objects(selector: Any, matches: bool) -> None:
    assert selectors.selects(selector, LABELS) is matches


POD = {"metadata": {"name": "p", "namespace": "n"}, "spec": {"nodeName": "m"}, "status": {"phase": "Running"}}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("metadata.name=p", True),
        ("metadata.name!=p", False),
        ("metadata.namespace==n,status.phase=Running", True),
        ("spec.nodeName=", False),
        ("spec.hostNetwork=false", True),
        ("spec.hostNetwork!=false", False),
        ("status.podIP=", True),
    ],
)
def test_field_selectors(text: str, matches: bool) -> None:
    assert selectors.matches_fields(selectors.parse_fields(KINDS["Pod"], text), POD) is matches


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("ConfigMap", '"x.y" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        ("Pod", "field label not supported: x.y"),
        ("Job", 'field label "x.y" not supported for Job'),
    ],
)
def test_fields_a_kind_does_not_offer(kind: str, sentence: str) -> None:
    with pytest.raises(ApiError) as refused:
        selectors.parse_fields(KINDS[kind], "x.y=1")
    assert (refused.value.code, refused.value.message) == (400, sentence)


def test_an_events_source_is_its_component() -> None:
    event = {"metadata": {"name": "e"}, "source": {"component": "kubelet"}, "type": "Normal"}
    terms = selectors.parse_fields(KINDS["Event"], "source=kubelet,type!=Warning")
    assert selectors.matches_fields(terms, event)


# -- refusals ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a/b/c=1", '<nil>: Invalid value: "a/b/c": a qualified name must consist of'),
        ("/a", '<nil>: Invalid value: "/a": prefix part must be non-empty'),
        ("a/", '<nil>: Invalid value: "a/": name part must be non-empty; name part must consist of'),
        ("a in (b,c-)", 'values[1][a]: Invalid value: "c-": a valid label must be'),
    ],
)
def test_a_label_that_cannot_be_is_refused_as_in_an_object(text: str, why: str) -> None:
    """labels.NewRequirement: IsQualifiedName and IsValidLabelValue, the values counted in their order."""
    with pytest.raises(ApiError) as refusal:
        selectors.parse_labels(text)
    assert refusal.value.message.startswith(f"unable to parse requirement: {why}")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("metadata.name=a\\", "invalid field selector: invalid escape sequence: \\"),
        ("metadata.name=a\\b", "invalid field selector: invalid escape sequence: \\b"),
        ("metadata.name=a=b", "invalid field selector: unescaped character in value: 61"),
        ("metadata.name=a,odd", "invalid selector: 'metadata.name=a,odd'; can't understand 'odd'"),
    ],
)
def test_a_field_selectors_escapes_are_read_or_refused(text: str, why: str) -> None:
    """fields.ParseSelector and fields.UnescapeValue."""
    with pytest.raises(ApiError) as refusal:
        selectors.parse_fields(KINDS["ConfigMap"], text)
    assert refusal.value.message == why
