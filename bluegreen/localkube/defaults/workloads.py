"""What the server fills into Deployments, ReplicaSets, Jobs and HorizontalPodAutoscalers."""

from __future__ import annotations

from typing import Any

from bluegreen.localkube.defaults.pods import pod_spec

Obj = dict[str, Any]
MAX_INT32 = 2**31 - 1
_HPA_CPU_PERCENT = 80  # what an autoscaler without metrics aims at


def deployment(obj: Obj) -> None:
    """A Deployment: one replica, rolling update by a quarter, ten revisions, ten minutes."""
    spec = obj["spec"]
    pod_spec(spec["template"]["spec"])
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec["strategy"]
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxSurge", "25%")
        rolling.setdefault("maxUnavailable", "25%")


def replica_set(obj: Obj) -> None:
    """A ReplicaSet: one replica."""
    spec = obj["spec"]
    pod_spec(spec["template"]["spec"])
    spec.setdefault("replicas", 1)


def job(obj: Obj) -> None:
    """A Job: one pod, six tries, and the labels of its template when it has none."""
    spec = obj["spec"]
    pod_spec(spec["template"]["spec"])
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", MAX_INT32 if "backoffLimitPerIndex" in spec else 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    policy = spec.get("podFailurePolicy")
    if policy is not None:
        policy["rules"] = policy.get("rules") or None  # as etcd gives it back: an empty list is none
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed" if policy is None else "Failed")
    for rule in (policy or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            if not pattern.get("status"):
                pattern["status"] = "True"
    labels = spec["template"]["metadata"].get("labels")
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = labels  # the same mapping: labels that the template gets later are the Job's too


def autoscaler(obj: Obj) -> None:
    """A HorizontalPodAutoscaler: from one replica, by CPU, with full rules where any behaviour is stated."""
    spec = obj["spec"]
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": _HPA_CPU_PERCENT}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is not None:
        _scaling_rules(behavior.setdefault("scaleUp", {}), _UP, window_s=0)
        _scaling_rules(behavior.setdefault("scaleDown", {}), _DOWN, window_s=None)


_UP = ({"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15})
_DOWN = ({"type": "Percent", "value": 100, "periodSeconds": 15},)


def _scaling_rules(rules: Obj, policies: tuple[Obj, ...], window_s: int | None) -> None:
    if window_s is not None:
        rules.setdefault("stabilizationWindowSeconds", window_s)
    rules.setdefault("selectPolicy", "Max")
    if "policies" not in rules:
        rules["policies"] = [dict(policy) for policy in policies]
