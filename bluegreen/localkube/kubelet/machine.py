"""What all pods of the node share: the API, images, addresses, names, tokens and what this system permits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bluegreen.localkube.dns import Dns, resolv_conf, with_config
from bluegreen.localkube.images import Images
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.kubelet.cgroups import Cgroups
from bluegreen.localkube.kubelet.env import service_variables
from bluegreen.localkube.kubelet.launch import Container, ContainerSpec, StartError
from bluegreen.localkube.kubelet.turns import Turns
from bluegreen.localkube.network import Network
from bluegreen.localkube.registry import Registry

Obj = dict[str, Any]
NODE, SERVICE = KINDS["Node"], KINDS["Service"]
CONFIG_KINDS = {"ConfigMap": KINDS["ConfigMap"], "Secret": KINDS["Secret"]}
HOST_RESOLV_CONF = Path("/etc/resolv.conf")
HOSTS_HEAD = (
    "# Kubernetes-managed hosts file.",
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
)
"""How the kubelet's hosts file of a pod begins (managedHostsFileContent)."""


@dataclass
class Faults:
    """What is injected on demand; nothing by default."""

    pull_delay_s: float = 0.0
    ready: bool = True  # the node


@dataclass
class Machine:
    """Shared by all pods. ``api``: where the API listens; ``namespaces``: as ``Capabilities`` has it."""

    registry: Registry
    images: Images
    network: Network
    directory: Path  # of all pods' files
    node_name: str
    allocatable: Mapping[str, str]
    api: tuple[str, int]
    token: Callable[[Obj, str, int], str]
    namespaces: str
    path: str  # PATH for containers
    dns: Dns | None = None
    cgroups: Cgroups = field(default_factory=Cgroups)
    faults: Faults = field(default_factory=Faults)
    launched: set[Container] = field(default_factory=set)
    writes: Turns = field(default_factory=Turns)  # of pods' statuses
    starts: Turns = field(default_factory=lambda: Turns(at_once=1))  # of pods

    @property
    def node_ready(self) -> bool:
        """Whether the node's object says that it is ready: pods of one that is not are not ready either."""
        node = self.registry.store.get(NODE, "", self.node_name)
        return node is None or node_says_ready(node)

    def launch(self, spec: ContainerSpec) -> Container:
        """Start a container; it is known here until no process of it is left. Raises StartError."""
        try:
            container = Container(spec)
        except OSError as error:  # of this machine: no more processes, descriptors or memory
            raise StartError(str(error)) from error
        self.launched.add(container)
        container.gone.add_done_callback(lambda _: self.launched.discard(container))
        return container

    def lookup(self, namespace: str) -> Callable[[str, str], Obj | None]:
        """How containers of a namespace find ConfigMaps and Secrets."""
        store = self.registry.store
        return lambda kind, name: store.get(CONFIG_KINDS[kind], namespace, name)

    def service_variables(self, pod: Obj) -> dict[str, str]:
        """The Services of the pod's namespace as variables, unless the pod wants none; the API's always."""
        port = {"name": "https", "port": self.api[1]}
        api = {"metadata": {"name": "kubernetes"}, "spec": {"clusterIP": self.api[0], "ports": [port]}}
        found = service_variables([api])
        if not pod["spec"].get("enableServiceLinks", True):
            return found
        services = self.registry.store.list(SERVICE, pod["metadata"]["namespace"])
        return {**service_variables([s for s in services if s["metadata"]["name"] != "kubernetes"]), **found}

    def hosts_file(self, pod: Obj, address: str) -> str:
        """The text of a pod's /etc/hosts; with the Services where there is no DNS."""
        spec, meta = pod["spec"], pod["metadata"]
        lines = list(HOSTS_HEAD)
        name = spec.get("hostname") or meta["name"]
        domain = spec.get("subdomain")
        full = f"{name}.{domain}.{meta['namespace']}.svc.cluster.local\t" if domain else ""
        lines.append(f"{address}\t{full}{name}")
        if aliases := spec.get("hostAliases"):
            lines += ["", "# Entries added by HostAliases."]
            lines += ["\t".join([alias["ip"], *(alias.get("hostnames") or ())]) for alias in aliases]
        if self.dns and not self.dns.open:
            lines += self.dns.zone.hosts(meta["namespace"])
        return "\n".join(lines) + "\n"

    def resolv_conf(self, pod: Obj) -> str | None:
        """The text of a pod's /etc/resolv.conf; None where it sees the host's."""
        policy, config = pod["spec"].get("dnsPolicy"), pod["spec"].get("dnsConfig")
        if policy == "None":
            return with_config("", config or {})
        own = policy == "Default" or self.dns is None or not self.dns.open
        if own and not config:
            return None
        try:
            host = HOST_RESOLV_CONF.read_text()
        except OSError:
            host = ""
        if own or self.dns is None:
            return with_config(host, config or {})
        text = resolv_conf(host, self.dns.address, pod["metadata"]["namespace"])
        return with_config(text, config) if config else text


def node_says_ready(node: Obj) -> bool:
    """Whether a node's condition Ready is True."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
