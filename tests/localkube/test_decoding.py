"""Bodies that are not of their kind: type errors in Go's words, unknown and duplicate fields."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.localkube import decoding, duplicate_fields, go_formats
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.status import ApiError

Obj = dict[str, Any]


def deployment(**container: Any) -> Obj:
    return {"spec": {"template": {"spec": {"containers": [{"name": "app", **container}]}}}}


AT = "spec.template.spec.containers"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            {"spec": {"replicas": "three"}},
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"spec": {"replicas": 1.5}},
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"spec": {"replicas": 2**31}},
            "json: cannot unmarshal number 2147483648 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        ({"spec": []}, "json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec"),
        (
            deployment(image=5),
            f"json: cannot unmarshal number into Go struct field Container.{AT}.image of type string",
        ),
        (
            deployment(imagePullPolicy=True),
            f"json: cannot unmarshal bool into Go struct field Container.{AT}.imagePullPolicy of type v1.PullPolicy",
        ),
        (
            deployment(ports="x"),
            f"json: cannot unmarshal string into Go struct field Container.{AT}.ports of type []v1.ContainerPort",
        ),
        (
            deployment(command=["a", {}]),
            f"json: cannot unmarshal object into Go struct field Container.{AT}.command of type string",
        ),
        (
            {"metadata": {"labels": {"a": 1}}},
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            deployment(readinessProbe={"httpGet": {"port": True}}),
            "json: cannot unmarshal bool into Go struct field "
            f"HTTPGetAction.{AT}.readinessProbe.httpGet.port of type int32",
        ),
        (
            deployment(resources={"limits": {"cpu": "lots"}}),
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            {"metadata": {"creationTimestamp": "yesterday"}},
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_400_in_go_s_words(body: Obj, why: str) -> None:
    with pytest.raises(ApiError) as refusal:
        decoding.unknown_fields(KINDS["Deployment"], body)
    assert (refusal.value.code, refusal.value.reason) == (400, "BadRequest")
    assert refusal.value.message == f'Deployment in version "v1" cannot be handled as a Deployment: {why}'


def test_the_first_wrong_value_is_named_but_types_with_their_own_json_win() -> None:
    with pytest.raises(decoding.DecodeError, match=r"spec\.replicas of type int32"):
        decoding.check("Deployment", {"spec": {"replicas": "x", "paused": "y"}})
    both = {"spec": {"replicas": "x", **deployment(resources={"limits": {"cpu": "lots"}})["spec"]}}
    with pytest.raises(decoding.DecodeError, match="quantities must match"):
        decoding.check("Deployment", both)


def test_null_fits_everywhere() -> None:
    assert decoding.check("Deployment", {"spec": None, "metadata": {"labels": {"a": None}, "finalizers": [None]}}) == []


def test_unknown_fields_are_named_by_path() -> None:
    body = {"odd": 1, **deployment(odd=1, ports=[{"containerPort": 1, "odd": {"x": 1}}])}
    assert decoding.check("Deployment", body) == [
        'unknown field "odd"',
        'unknown field "spec.template.spec.containers[0].odd"',
        'unknown field "spec.template.spec.containers[0].ports[0].odd"',
    ]


def test_strict_refusals() -> None:
    refusal = decoding.strict_refusal("Deployment", "v1", ['unknown field "spec.a"', 'unknown field "spec.b"'])
    assert refusal.message == (
        'Deployment in version "v1" cannot be handled as a Deployment: '
        'strict decoding error: unknown field "spec.a", unknown field "spec.b"'
    )


def test_a_patch_whose_result_does_not_fit_is_422() -> None:
    refusal = decoding.patch_refusal({"a": 1}, "json: no")
    assert refusal.code == 422
    assert refusal.message == ' "" is invalid: patch: Invalid value: "{\\"a\\":1}": json: no'


def test_duplicate_fields_are_named_by_path() -> None:
    raw = b'{"a": 1, "spec": {"list": [{"b": 1, "b": 2}], "c": 1}, "a": 2}'
    assert duplicate_fields.duplicate_fields(raw) == ['duplicate field "a"', 'duplicate field "spec.list[0].b"']
    assert duplicate_fields.duplicate_fields(b'{"a": {"b": 1}, "b": 1}') == []
    assert duplicate_fields.duplicate_fields(b"no json") == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("cHc=", None),
        ("", None),
        ("YQ==\n", None),
        ("not base64!", 3),
        ("cHc", 0),
        ("YQ==YQ==", 4),
        ("cH=c", 2),
        ("=", 0),
    ],
)
def test_where_go_gives_up_on_base64(text: str, place: int | None) -> None:
    assert go_formats.corrupt_base64(text) == place


def test_a_secret_s_data_is_base64() -> None:
    with pytest.raises(decoding.DecodeError, match="illegal base64 data at input byte 3"):
        decoding.check("Secret", {"data": {"pw": "not base64!"}})


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('a "b"\n\\', r'"a \"b\"\n\\"'),
        ("\x00\x07\x0b\x7f", r'"\x00\a\v\x7f"'),
        ("ü\u200b\U000e0001", r'"ü\u200b\U000e0001"'),
    ],
)
def test_texts_in_quotes(text: str, written: str) -> None:
    assert go_formats.quoted(text) == written


def test_json_has_nothing_that_html_would_read() -> None:
    assert go_formats.as_json({"a": ["<&>", 1, None]}) == r'{"a":["\u003c\u0026\u003e",1,null]}'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-01-01T00:00:00Z", ""),
        ("2026-01-01T00:00:00.5+02:00", ""),
        ("2026-13-01T00:00:00Z", 'parsing time "2026-13-01T00:00:00Z": month out of range'),
        ("2026-01-01T00:00:00Zx", 'parsing time "2026-01-01T00:00:00Zx": extra text: "x"'),
    ],
)
def test_times(text: str, why: str) -> None:
    assert go_formats.wrong_time(text, micro=False) == why


def test_micro_times_need_their_decimals() -> None:
    assert go_formats.wrong_time("2026-01-01T00:00:00.000000Z", micro=True) == ""
    assert 'cannot parse "Z" as ".000000"' in go_formats.wrong_time("2026-01-01T00:00:00Z", micro=True)


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False), st.text(max_size=4)),
    lambda value: st.one_of(
        st.lists(value, max_size=3),
        st.dictionaries(
            st.sampled_from(["metadata", "spec", "template", "containers", "name", "ports", "labels", "replicas", "x"]),
            value,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status", "kind", "x"]), ANYTHING, max_size=4))
def test_anything_is_accepted_or_refused_but_never_breaks(body: Obj) -> None:
    with contextlib.suppress(decoding.DecodeError):
        assert all(error.startswith("unknown field") for error in decoding.check("Deployment", body))
