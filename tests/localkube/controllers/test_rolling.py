"""The arithmetic of rolling updates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.localkube.controllers.rolling import Size, fenceposts, new_size, old_sizes, proportional, scaled


@pytest.mark.parametrize(
    ("value", "total", "up", "down"),
    [("25%", 3, 1, 0), ("25%", 8, 2, 2), ("1%", 50, 1, 0), (2, 9, 2, 2), ("0%", 5, 0, 0)],
)
def test_percentages_round_up_or_down(value: int | str, total: int, up: int, down: int) -> None:
    assert scaled(value, total, round_up=True) == up
    assert scaled(value, total, round_up=False) == down


def test_surge_and_unavailable_are_never_both_zero() -> None:
    assert fenceposts(0, 0, 10) == (0, 1)
    assert fenceposts("0%", "1%", 10) == (0, 1)
    assert fenceposts("25%", "25%", 4) == (1, 1)


def test_unhealthy_old_pods_go_before_healthy_ones() -> None:
    old = [Size("a", 3, 0), Size("b", 3, 3)]
    assert old_sizes(old, Size("new", 2, 2), 4, 1) == {"a": 0, "b": 1}


def test_a_broken_new_set_does_not_cost_healthy_old_pods() -> None:
    assert old_sizes([Size("a", 8, 8)], Size("new", 5, 0), 10, 2) == {}
    assert old_sizes([Size("a", 8, 7)], Size("new", 5, 0), 10, 2) == {}


def test_old_pods_that_were_not_counted_since_the_last_scale_are_left_alone() -> None:
    assert old_sizes([Size("a", 5, 8)], Size("new", 3, 0), 5, 2) == {}
    assert old_sizes([Size("a", 5, 5)], Size("new", 3, 0), 5, 2) == {"a": 3}


sizes = st.integers(min_value=0, max_value=30)


@given(
    sizes,
    sizes,
    st.integers(1, 30),
    st.sampled_from([0, 1, 5, "10%", "25%", "100%"]),
    st.sampled_from([0, 1, 3, "25%"]),
)
def test_a_roll_out_keeps_its_limits_and_ends(
    old: int, new: int, replicas: int, surge: int | str, unavailable: int | str
) -> None:
    """From any start, with pods that become available at once: never more pods than allowed are added, never fewer
    available than promised, and in the end only the new set is left."""
    extra, missing = fenceposts(surge, unavailable, replicas)
    missing = min(missing, replicas)
    for _ in range(200):
        total, grown = old + new, new_size(Size("new", new, new), old + new, replicas, extra)
        assert grown <= max(new, replicas)
        assert old + grown <= max(total, replicas + extra)
        new = grown
        shrunk = old_sizes([Size("old", old, old)], Size("new", new, new), replicas, missing).get("old", old)
        assert shrunk == old or shrunk + new >= replicas - missing
        old = shrunk
        if (old, new) == (0, replicas):
            return
    raise AssertionError(f"stuck at {old} old and {new} new of {replicas}")


@given(st.lists(st.integers(1, 20), min_size=2, max_size=4), st.integers(0, 60), st.integers(0, 5))
def test_a_scale_is_shared_out_whole(active: list[int], replicas: int, surge: int) -> None:
    """Whatever the rounding, the sum is what is allowed, unless the largest has nothing left to give."""
    before = sum(active)
    ordered = sorted(
        (Size(str(number), size, size, before) for number, size in enumerate(active)), key=lambda s: -s.replicas
    )
    shared = proportional(ordered, replicas, surge, before)
    allowed = replicas + surge if replicas else 0
    assert sum(shared.values()) == allowed or (shared[ordered[0].name] == 0 and sum(shared.values()) > allowed)
    assert all(size >= 0 for size in shared.values())
