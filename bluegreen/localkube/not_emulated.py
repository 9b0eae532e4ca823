"""What the embedded cluster leaves out, as data: what it is, and what happens to whoever asks for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gap:
    """One thing that a real cluster has and this one has not."""

    what: str
    instead: str

    def __str__(self) -> str:
        return f"{self.what}: {self.instead}"


NOT_EMULATED: tuple[Gap, ...] = (
    Gap("Container images", "an image is a command of this machine; nothing is pulled, unpacked or sandboxed."),
    Gap("Isolation of pods", "a pod is a process of the user who started the cluster; it sees this machine."),
    Gap("NetworkPolicy", "stored and validated, with a warning: traffic is not filtered."),
    Gap("Ingress", "stored and validated: no controller routes by it."),
    Gap("TLS at a load balancer", "a LoadBalancer Service is a loopback address that forwards bytes."),
    Gap("Security contexts", "validated and stored: pods run as the user who started the cluster."),
    Gap("Several nodes", "there is one node; affinity, taints and topology spread have nothing to choose from."),
    Gap("PersistentVolumes, CSI, hostPath", "not served; a pod that asks for one does not start and says so."),
    Gap(
        "StatefulSet, DaemonSet, CronJob, CustomResourceDefinition, admission webhooks",
        "not served: their paths answer 404 as on a server without them.",
    ),
    Gap("IPv6 and UDP Services", "addresses are IPv4 on loopback and Services forward TCP."),
    Gap("High availability and etcd", "one process; writes are logged to a file and survive its death."),
)
