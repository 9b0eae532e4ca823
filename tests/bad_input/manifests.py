"""Bad manifests: files that cannot be read, files that no release could work with, files that the server refuses."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bad_input.case import Text

CONFIGMAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"
_KUBECTL = "`kubectl apply --dry-run=client` helps"
_KNOWN = "Write a setting's name or one of: COLOUR"

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
"""Nine lines that stand for a thousand million values."""

UNREADABLE: tuple[Text, ...] = (
    Text(
        "too deep", "lists in lists", "[" * 300 + "]" * 300, ("line 1: it is not YAML", "nests deeper than 100 levels")
    ),
    Text("too much", "aliases of aliases", LAUGHS, ("line 6: it is not YAML", "stands for more than 200,000 values")),
    Text("no such day", "a date", f"{CONFIGMAP}a: 2020-99-99\n", ("it is not YAML", "nothing can be made of one")),
    Text(
        "no number", "an int in words", f"{CONFIGMAP}a: !!int one\n", ("it is not YAML", "nothing can be made of one")
    ),
    Text("a key twice", "a YAML key is there twice", CONFIGMAP + "a: 1\na: 2\n", ("line 6", "the key a", "Keep one")),
    Text("no YAML", "a bracket is not closed", "a: [1\n", ("line 2: it is not YAML", _KUBECTL)),
    Text("a tab", "indented by a tab", "a:\n\tb: 1\n", ("line 2: it is not YAML", _KUBECTL)),
    Text("a list", "a list, not an object", "- a\n", ("line 1: it is not a Kubernetes object", "Write apiVersion")),
    Text("words", "words, not an object", "hello\n", ("line 1: it is not a Kubernetes object", "Write apiVersion")),
    Text(
        "no kind", "no kind", "apiVersion: v1\nmetadata: {name: a}\n", ("line 1: the object has no kind", "Write kind")
    ),
    Text(
        "no version", "no apiVersion", "kind: Secret\nmetadata: {name: a}\n", ("line 1", "has no apiVersion", "Write")
    ),
    Text("no name", "no name", "apiVersion: v1\nkind: A\nmetadata: {}\n", ("line 1", "no metadata.name", "Write")),
    Text(
        "a number for a name",
        "no text",
        "apiVersion: v1\nkind: A\nmetadata: {name: 1}\n",
        ("no metadata.name", "Write"),
    ),
    Text(
        "twice the same object",
        "two documents make the same object",
        f"{CONFIGMAP}---\n{CONFIGMAP}",
        ("ConfigMap a is there twice", "Keep one of them"),
    ),
    Text(
        "an unknown tag",
        "a YAML tag that means nothing",
        f"{CONFIGMAP}a: !unless:DB_HOST b\n",
        ("it is not YAML", _KUBECTL),
    ),
    Text(
        "an unknown placeholder",
        "a setting's name with a slip",
        CONFIGMAP + "a: ${REPLICSA}\n",
        ("line 5: ${REPLICSA} stands for nothing here", _KNOWN),
    ),
    Text("an empty placeholder", "no name at all", CONFIGMAP + "a: ${}\n", ("line 5: ${} stands for nothing", _KNOWN)),
    Text(
        "an unknown condition",
        "a condition on a name with a slip",
        f"{CONFIGMAP}a: !if:DB_HSOT b\n",
        ("line 5: ${DB_HSOT} stands for nothing", _KNOWN),
    ),
    Text(
        "a secret in the open",
        "a secret setting in a ConfigMap",
        CONFIGMAP + "a: ${DB_PASSWORD}\n",
        ("line 5: ${DB_PASSWORD} is a secret outside a Secret", "Use it in kind Secret"),
    ),
    Text(
        "a name with a slash",
        "it would be another path",
        CONFIGMAP.replace("name: a", "name: a/b"),
        ("line 1: the object's name a/b cannot stand in a path", "Use lower-case letters"),
    ),
    Text("an endless alias", "an alias in itself", "a: &a [*a]\n", ("line 1: an alias lies inside", "Write out")),
    Text("an unknown alias", "an alias of no anchor", "a: *b\n", ("it is not YAML", _KUBECTL)),
    Text(
        "a Python object", "code", f"{CONFIGMAP}a: !!python/object/apply:os.system [id]\n", ("it is not YAML", _KUBECTL)
    ),
    Text(
        "a colour where there is none",
        "the file exists once for both colours",
        CONFIGMAP + "a: ${COLOUR}\n",
        ("line 5: ${COLOUR} stands for nothing here", _KNOWN),
    ),
    Text("a binary file", "no text", b"\xff\xfe\x00\x01", ("line 1: it cannot be read: it is not", "Mend it")),
    Text("a control character", "a NUL", b"a: \x00\n", ("line 1: it is not YAML", "Mend the file")),
)
"""In place of configmap.yaml; refused by reading it."""


@dataclass(frozen=True)
class Changed:
    """A built-in manifest with one thing changed."""

    id: str
    wrong: str
    file: str
    old: str
    new: str
    shows: tuple[str, ...]


_LABELS = "Write app: ${APP_NAME} and version: ${COLOUR}"
_FIRST = "Write app: ${APP_NAME} and version: none"
_ALL = "\n".join  # a document of its own in place of the whole file

UNFIT: tuple[Changed, ...] = (
    Changed(
        "deployment: another image",
        "the image is written out and is another than DOCKER_IMAGE",
        "deployment",
        "${DOCKER_IMAGE}",
        "team/backend:v7",
        (
            "='team/backend:v7'",
            "no container runs DOCKER_IMAGE=gremlinsai/backend:v1.0.0",
            "Write image: ${DOCKER_IMAGE}",
        ),
    ),
    Changed(
        "deployment: another name",
        "it is not named after the colour",
        "deployment",
        "name: ${APP_NAME}-${COLOUR}",
        "name: ${APP_NAME}",
        ("Deployment='gremlinsai-backend'", "not gremlinsai-backend-blue", "Write name: ${APP_NAME}-${COLOUR}"),
    ),
    Changed(
        "deployment: another kind",
        "a ReplicaSet",
        "deployment",
        "kind: Deployment",
        "kind: ReplicaSet",
        ("='ReplicaSet'", "0 objects of kind Deployment", "Write one Deployment"),
    ),
    Changed(
        "deployment: another namespace",
        "it lies elsewhere",
        "deployment",
        "namespace: ${NAMESPACE}",
        "namespace: elsewhere",
        ("='elsewhere'", "another namespace than NAMESPACE=", "Write namespace: ${NAMESPACE}"),
    ),
    Changed(
        "deployment: selector without the colour",
        "it would take the other colour's pods",
        "deployment",
        "matchLabels:\n      app: ${APP_NAME}\n      version: ${COLOUR}",
        "matchLabels:\n      app: ${APP_NAME}",
        ("spec.selector.matchLabels.version", "the label version is not blue", _LABELS),
    ),
    Changed(
        "deployment: selector of another app",
        "the app label is another",
        "deployment",
        "matchLabels:\n      app: ${APP_NAME}",
        "matchLabels:\n      app: shop",
        ("spec.selector.matchLabels.app='shop'", "the label app is not gremlinsai-backend", _LABELS),
    ),
    Changed(
        "deployment: pods without the colour",
        "the live Service would never select them",
        "deployment",
        "labels:\n        app: ${APP_NAME}\n        version: ${COLOUR}",
        "labels:\n        app: ${APP_NAME}",
        ("spec.template.metadata.labels.version", "the label version is not blue", _LABELS),
    ),
    Changed(
        "deployment: both colours blue",
        "the colour is written out",
        "deployment",
        "labels:\n        app: ${APP_NAME}\n        version: ${COLOUR}",
        "labels:\n        app: ${APP_NAME}\n        version: blue",
        ("spec.template.metadata.labels.version='blue'", "the label version is not green", _LABELS),
    ),
    Changed(
        "deployment: no port named http",
        "the gate finds no port to ask",
        "deployment",
        "- name: http\n              containerPort",
        "- name: web\n              containerPort",
        ("='web, metrics'", "no container has a port named http", "Name it: {name: http"),
    ),
    Changed(
        "deployment: no containers",
        "they are init containers",
        "deployment",
        "      containers:\n",
        "      initContainers:\n",
        ("spec.template.spec.containers", "no container runs DOCKER_IMAGE=", "Write image: ${DOCKER_IMAGE}"),
    ),
    Changed(
        "live Service: another name",
        "it is not SERVICE_NAME",
        "production-service",
        "name: ${SERVICE_NAME}",
        "name: shop",
        ("Service='shop'", "its name is not gremlinsai-service", "Write name: ${SERVICE_NAME}"),
    ),
    Changed(
        "live Service: no selector",
        "it has none",
        "production-service",
        "  selector:\n    app: ${APP_NAME}\n    version: none\n",
        "",
        ("spec.selector.app", "the label app is not gremlinsai-backend", _FIRST),
    ),
    Changed(
        "live Service: selects both colours",
        "its selector has no version",
        "production-service",
        "    version: none\n",
        "",
        ("spec.selector.version", "the label version is not none", _FIRST),
    ),
    Changed(
        "live Service: selects a colour",
        "setting up would move traffic",
        "production-service",
        "version: none",
        "version: blue",
        ("spec.selector.version='blue'", "the label version is not none", _FIRST),
    ),
    Changed(
        "live Service: headless",
        "it has no address",
        "production-service",
        "type: LoadBalancer",
        "type: ClusterIP\n  clusterIP: None",
        ("spec.clusterIP='None'", "a headless Service has no address", "Leave clusterIP out"),
    ),
    Changed(
        "live Service: an alias",
        "ExternalName selects no pods",
        "production-service",
        "type: LoadBalancer",
        "type: ExternalName\n  externalName: example.com",
        ("spec.type='ExternalName'", "selects no pods", "Make it ClusterIP, NodePort or LoadBalancer"),
    ),
    Changed(
        "live Service: no port named http",
        "the port has another name",
        "production-service",
        "- name: http\n",
        "- name: web\n",
        ("spec.ports='web, metrics'", "no port named http", "Name the port: {name: http"),
    ),
    Changed(
        "preview Service: no port named http",
        "the port has another name",
        "preview-service",
        "- name: http\n",
        "- name: web\n",
        ("spec.ports='web, metrics'", "no port named http", "Name the port: {name: http"),
    ),
    Changed(
        "preview Service: another name",
        "the live one's",
        "preview-service",
        "name: ${PREVIEW_SERVICE_NAME}",
        "name: ${SERVICE_NAME}",
        ("Service='gremlinsai-service'", "its name is not gremlinsai-service-preview", "${PREVIEW_SERVICE_NAME}"),
    ),
    Changed(
        "autoscaler: of something else",
        "it scales the application without the colour",
        "hpa",
        "scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: ${APP_NAME}-${COLOUR}",
        "scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: ${APP_NAME}",
        ("spec.scaleTargetRef.name='gremlinsai-backend'", "something else than Deployment", "${APP_NAME}-${COLOUR}"),
    ),
    Changed(
        "namespace: another name",
        "it makes a namespace that nobody asked for",
        "namespace",
        "name: ${NAMESPACE}",
        "name: elsewhere",
        ("Namespace='elsewhere'", "by which a release finds it", "Write name: ${NAMESPACE}"),
    ),
)
"""Fit for the server, and for no release."""

REFUSED: tuple[Changed, ...] = (
    Changed(
        "hpa: an unknown field",
        "a slip",
        "hpa",
        "maxReplicas:",
        "maximumReplicas:",
        ("hpa.yaml", "maximumReplicas", "Correct the manifest"),
    ),
    Changed(
        "pdb: a bad value",
        "words for a number",
        "pdb",
        "maxUnavailable: 1",
        "maxUnavailable: lots",
        ("pdb.yaml", "lots", "Correct the manifest"),
    ),
    Changed(
        "preview Service: a bad port",
        "more than 65535",
        "preview-service",
        "port: 9090",
        "port: 909090",
        ("preview-service.yaml", "909090", "Correct the manifest"),
    ),
    Changed(
        "pdb: an unknown kind",
        "a slip",
        "pdb",
        "kind: PodDisruptionBudget",
        "kind: PodDisruptionBudge",
        ("pdb.yaml", "serves no kind PodDisruptionBudge", "Correct the manifest"),
    ),
    Changed(
        "pdb: a kind that is not installed",
        "a kind of another project",
        "pdb",
        "apiVersion: policy/v1\nkind: PodDisruptionBudget",
        "apiVersion: argoproj.io/v1alpha1\nkind: Rollout",
        ("pdb.yaml", "serves no kind Rollout of argoproj.io/v1alpha1", "Correct the manifest"),
    ),
    Changed(
        "deployment: a bad quantity",
        "words for an amount",
        "deployment",
        'cpu: "${CPU_LIMIT}"',
        "cpu: plenty",
        ("deployment.yaml", "plenty", "Correct the manifest"),
    ),
    Changed(
        "deployment: less than no pods",
        "a negative number",
        "deployment",
        "replicas: ${REPLICAS}",
        "replicas: -1",
        ("deployment.yaml", "-1", "Correct the manifest"),
    ),
    Changed(
        "deployment: a probe of a port that is not there",
        "a slip in a port's name",
        "deployment",
        "path: ${HEALTH_BASE}/ready\n              port: http",
        "path: ${HEALTH_BASE}/ready\n              port: '70000'",
        ("deployment.yaml", "70000", "Correct the manifest"),
    ),
    Changed(
        "networkpolicy: a bad port",
        "below 1",
        "networkpolicy",
        "port: 53",
        "port: 0",
        ("networkpolicy.yaml", "0", "Correct the manifest"),
    ),
    Changed(
        "configmap: a bad key",
        "a blank in a key",
        "configmap",
        "data:\n",
        "data:\n  A B: c\n",
        ("configmap.yaml", "A B", "Correct the manifest"),
    ),
)
"""Refused by the server when it is asked to try them."""
