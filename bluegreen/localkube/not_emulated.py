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
    Gap(
        "Isolation of pods",
        "a pod is a process of this machine and sees it; it has an address of its own and, where namespaces are "
        "permitted, its volumes at their paths, and no more.",
    ),
    Gap(
        "Security contexts",
        "users and groups are honoured where the cluster runs as root; privileged, capabilities, seccomp, AppArmor and "
        "SELinux profiles, sysctls and a read-only root file system are stored, with a warning.",
    ),
    Gap(
        "Namespaces and details of a machine",
        "hostPID, hostIPC, hostUsers, shareProcessNamespace, setHostnameAsFQDN, hostPort, mount propagation, "
        "limits of ephemeral storage, sizeLimit and medium of an emptyDir are stored, with a warning.",
    ),
    Gap(
        "Limits of CPU and memory where no control groups may be made",
        "memory is watched instead and CPU is not limited; the CPU limit of a pod as a whole holds for each container.",
    ),
    Gap("Dynamic resource allocation, Windows", "a pod that asks for claims or for Windows is refused."),
    Gap(
        "External addresses, source ranges and client addresses of Services",
        "externalIPs, loadBalancerSourceRanges and externalTrafficPolicy Local are stored, with a warning.",
    ),
    Gap("NetworkPolicy", "stored and validated, with a warning and an event: traffic is not filtered."),
    Gap(
        "More than plain routing by Ingress and HTTPRoute",
        "one router serves all Ingresses, whatever their class, and Gateways of class localkube, over HTTP/1.1; "
        "filters, regular expressions, upgraded connections and references across namespaces are not supported, "
        "annotations of other controllers not read.",
    ),
    Gap(
        "TLS at a load balancer, an Ingress or a Gateway",
        "a LoadBalancer Service is a loopback address that forwards bytes; tls of an Ingress is stored, and a "
        "Gateway's listener that is not HTTP is not accepted.",
    ),
    Gap("UDP and SCTP ports of Services, IPv6", "such ports are stored, with a warning; IPv6 is refused."),
    Gap("Several nodes", "there is one node; selectors, affinity, taints and requests are judged against it alone."),
    Gap(
        "Preemption", "priorities are resolved and stored: a pod that does not fit waits, and nobody makes room for it."
    ),
    Gap("Resizing pods in place (pods/resize)", "refused: what the containers of a pod ask for does not change."),
    Gap("Autoscaling by custom or external metrics", "the autoscaler says that no such API is registered."),
    Gap(
        "PersistentVolumeClaims and CSI",
        "not served; a pod that asks for one stays unscheduled, as where its claim is missing.",
    ),
    Gap(
        "Rules of custom resources in CEL, conversion webhooks",
        "x-kubernetes-validations are stored, with a warning, and not evaluated; a CustomResourceDefinition that asks "
        "for a conversion webhook is refused.",
    ),
    Gap(
        "StatefulSet, DaemonSet, CronJob, admission webhooks, and whatever else kubectl api-resources does not list",
        "not served, nor are other versions of what is (autoscaling/v1, events.k8s.io/v1): their paths answer 404, as "
        "on a server without them.",
    ),
    Gap("High availability and etcd", "one process; writes are logged to a file and survive its death."),
)
