"""LimitRanges and PriorityClasses: what they give to new pods, and which pods they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.localkube import bootstrap
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Store

Obj = dict[str, Any]
HIGH = {"metadata": {"name": "high"}, "value": 1000, "preemptionPolicy": "Never"}


@pytest.fixture
def registry() -> Registry:
    made = Registry(Store())
    bootstrap.bootstrap(made, address="10.0.0.1", api_host="127.0.0.1", api_port=1)
    account = {"metadata": {"name": "default"}}
    made.create(KINDS["ServiceAccount"], "default", account)
    return made


def limit(registry: Registry, *items: Obj, name: str = "l") -> Obj:
    return registry.create(
        KINDS["LimitRange"], "default", {"metadata": {"name": name}, "spec": {"limits": list(items)}}
    )


def pod(registry: Registry, *containers: Obj, **spec: Any) -> Obj:
    listed = [{"name": f"c{place}", "image": "i", "resources": resources} for place, resources in enumerate(containers)]
    obj = {"metadata": {"name": "p"}, "spec": {"containers": listed or [{"name": "c", "image": "i"}], **spec}}
    return registry.create(KINDS["Pod"], "default", obj, dry_run=True)


def refusal(registry: Registry, *containers: Obj, **spec: Any) -> str:
    with pytest.raises(ApiError) as refused:
        pod(registry, *containers, **spec)
    assert (refused.value.code, refused.value.reason) == (403, "Forbidden")
    return refused.value.message.removeprefix('pods "p" is forbidden: ')


def test_a_limit_range_has_defaults(registry: Registry) -> None:
    made = limit(
        registry,
        {"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "16Mi"}, "default": {"memory": "64Mi"}},
        {"type": "Pod", "max": {"cpu": "3"}},
    )
    first, second = made["spec"]["limits"]
    assert first["default"] == {"cpu": "2", "memory": "64Mi"}
    assert first["defaultRequest"] == {"cpu": "2", "memory": "64Mi"}
    assert second == {"type": "Pod", "max": {"cpu": "3"}}


def test_a_limit_range_needs_no_name(registry: Registry) -> None:
    made = registry.create(KINDS["LimitRange"], "default", {"spec": {"limits": []}})
    assert len(made["metadata"]["name"]) == 36


def test_containers_are_given_what_they_do_not_say(registry: Registry) -> None:
    limit(registry, {"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "500m", "memory": "64Mi"}})
    init = {"name": "first", "image": "i", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}
    made = pod(registry, {}, {"requests": {"memory": "1Gi"}}, initContainers=[init])
    found = [each["resources"] for each in made["spec"]["containers"]]
    assert found == [
        {"requests": {"cpu": "500m", "memory": "64Mi"}, "limits": {"cpu": "1"}},
        {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1"}},
    ]
    assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu, memory request for container c0; cpu limit for container c0;"
        " cpu request for container c1; cpu limit for container c1; cpu limit for init container first"
    )
    assert made["status"]["qosClass"] == "Burstable"


def test_pods_of_other_namespaces_are_left_alone(registry: Registry) -> None:
    other = {"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}}
    registry.create(KINDS["LimitRange"], "kube-public", other)
    made = pod(registry)
    assert "annotations" not in made["metadata"]
    assert made["status"]["qosClass"] == "BestEffort"


@pytest.mark.parametrize(
    ("item", "containers", "words"),
    [
        (
            {"type": "Container", "min": {"cpu": "100m"}},
            [{"requests": {"cpu": "50m"}}],
            "minimum cpu usage per Container is 100m, but request is 50m",
        ),
        (
            {"type": "Container", "max": {"cpu": "2"}},
            [{"limits": {"cpu": "5"}}],
            "maximum cpu usage per Container is 2, but limit is 5",
        ),
        (
            {"type": "Container", "max": {"cpu": "2"}},
            [{"limits": {"cpu": "5"}}, {"limits": {"cpu": "5"}}, {"limits": {"cpu": "4"}}],
            "[maximum cpu usage per Container is 2, but limit is 5,"
            " maximum cpu usage per Container is 2, but limit is 4]",
        ),
        (
            {"type": "Pod", "max": {"cpu": "3"}},
            [{"limits": {"cpu": "2"}}, {"limits": {"cpu": "1500m"}}],
            "maximum cpu usage per Pod is 3, but limit is 3500m",
        ),
        ({"type": "Pod", "max": {"cpu": "3"}}, [{}], "maximum cpu usage per Pod is 3.  No limit is specified"),
        ({"type": "Pod", "min": {"cpu": "3"}}, [{}], "minimum cpu usage per Pod is 3.  No request is specified"),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}},
            [{"requests": {"cpu": "1"}, "limits": {"cpu": "3"}}],
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
        ),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}},
            [{"requests": {"cpu": "1"}}],
            "cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0",
        ),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}},
            [{}],
            "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0",
        ),
    ],
)
def test_pods_outside_are_refused(registry: Registry, item: Obj, containers: list[Obj], words: str) -> None:
    limit(registry, item)
    with pytest.raises(ApiError) as refused:
        pod(registry, *containers)
    assert refused.value.message.removeprefix('pods "p" is forbidden: ') == words


def test_what_runs_before_the_containers_counts_once(registry: Registry) -> None:
    limit(registry, {"type": "Pod", "max": {"cpu": "3"}})
    first = [{"name": f"i{place}", "image": "i", "resources": {"limits": {"cpu": "3"}}} for place in range(2)]
    pod(registry, {"limits": {"cpu": "3"}}, initContainers=first)
    first[0]["restartPolicy"] = "Always"
    assert refusal(registry, {"limits": {"cpu": "3"}}, initContainers=first).endswith("but limit is 6")


def test_a_pod_has_its_classs_priority(registry: Registry) -> None:
    registry.create(KINDS["PriorityClass"], "", HIGH)
    spec = pod(registry, priorityClassName="high")["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (1000, "Never")
    computed = "must not be provided in pod spec; priority admission controller computed"
    ending = "from the given PriorityClass name"
    assert refusal(registry, priority=3, priorityClassName="high") == (
        f"the integer value of priority (3) {computed} 1000 {ending}"
    )
    assert refusal(registry, preemptionPolicy="Never") == (
        f"the string value of PreemptionPolicy (Never) {computed} PreemptLowerPriority {ending}"
    )
    assert refusal(registry, priorityClassName="none") == "no PriorityClass with name none was found"


def test_there_is_one_default_class(registry: Registry) -> None:
    classes = KINDS["PriorityClass"]
    registry.create(classes, "", {"metadata": {"name": "usual"}, "value": 7, "globalDefault": True})
    spec = pod(registry)["spec"]
    assert (spec["priorityClassName"], spec["priority"]) == ("usual", 7)
    with pytest.raises(ApiError, match="PriorityClass usual is already marked as default"):
        registry.create(classes, "", {"metadata": {"name": "other"}, "value": 8, "globalDefault": True})
    registry.patch(classes, "", "usual", "merge", {"description": "said"}, manager="tests")


def test_the_systems_classes_stay(registry: Registry) -> None:
    classes = KINDS["PriorityClass"]
    found = {each["metadata"]["name"]: each["value"] for each in registry.list(classes)}
    assert found == {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
    with pytest.raises(ApiError, match="this is a system priority class and cannot be deleted"):
        registry.delete(classes, "", "system-node-critical")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": 5}, "value: Forbidden: may not be changed in an update."),
        ({"preemptionPolicy": "PreemptLowerPriority"}, "preemptionPolicy: .* field is immutable"),
    ],
)
def test_a_class_keeps_what_pods_have_been_given(registry: Registry, change: Obj, words: str) -> None:
    registry.create(KINDS["PriorityClass"], "", HIGH)
    with pytest.raises(ApiError, match=words):
        registry.patch(KINDS["PriorityClass"], "", "high", "merge", change, manager="tests")
