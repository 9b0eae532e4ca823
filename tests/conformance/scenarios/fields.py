"""Who owns which fields of every kind after each way to write; dry runs, statuses, defaults of templates.

Recorded from the API server, controllers and scheduler of Kubernetes 1.34.1, built from its source, without a kubelet.
"""

import json, time
NS = '/namespaces/{ns}'
P = f'/api/v1{NS}/pods'
CM = f'/api/v1{NS}/configmaps'
SEC = f'/api/v1{NS}/secrets'
SVC = f'/api/v1{NS}/services'
D = f'/apis/apps/v1{NS}/deployments'
J = f'/apis/batch/v1{NS}/jobs'
RQ = f'/api/v1{NS}/resourcequotas'
ES = f'/apis/discovery.k8s.io/v1{NS}/endpointslices'
LE = f'/apis/coordination.k8s.io/v1{NS}/leases'
EV = f'/api/v1{NS}/events'
HPA = f'/apis/autoscaling/v2{NS}/horizontalpodautoscalers'
ING = f'/apis/networking.k8s.io/v1{NS}/ingresses'
NP = f'/apis/networking.k8s.io/v1{NS}/networkpolicies'
PDB = f'/apis/policy/v1{NS}/poddisruptionbudgets'
RS = f'/apis/apps/v1{NS}/replicasets'
N = {'nodeSelector': {'no': 'where'}}


def tpl(**c):
    return {'metadata': {'labels': {'a': 'b'}}, 'spec': {**N, 'containers': [{'name': 'c', 'image': 'i:1', **c}]}}
OBJ = {CM: {'data': {'a': '1'}, 'binaryData': {'b': 'AA=='}}, SEC: {'data': {'a': 'AA=='}, 'type': 'x'}, SVC: {'spec': {'ports': [{'name': 'h', 'port': 80}, {'name': 'u', 'port': 53, 'protocol': 'UDP'}], 'selector': {'a': 'b'}}}, D: {'spec': {'replicas': 0, 'selector': {'matchLabels': {'a': 'b'}}, 'template': tpl(ports=[{'containerPort': 80}], env=[{'name': 'A', 'value': '1'}, {'name': 'B', 'valueFrom': {'fieldRef': {'fieldPath': 'metadata.name'}}}], resources={'limits': {'cpu': '1'}}, readinessProbe={'httpGet': {'port': 80}}, lifecycle={'preStop': {'exec': {'command': ['x']}}})}}, J: {'spec': {'suspend': True, 'template': {'spec': {**N, 'restartPolicy': 'Never', 'containers': [{'name': 'c', 'image': 'i'}]}}}}, RQ: {'spec': {'hard': {'pods': '1'}}}, LE: {'spec': {'holderIdentity': 'x', 'leaseDurationSeconds': 3}}, ES: {'addressType': 'IPv4', 'endpoints': [{'addresses': ['10.0.0.1'], 'conditions': {'ready': True}}], 'ports': [{'name': 'p', 'port': 80}]}, HPA: {'spec': {'maxReplicas': 3, 'scaleTargetRef': {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'none'}, 'metrics': [{'type': 'Resource', 'resource': {'name': 'cpu', 'target': {'type': 'Utilization', 'averageUtilization': 50}}}], 'behavior': {'scaleDown': {'policies': [{'type': 'Pods', 'value': 1, 'periodSeconds': 60}]}}}}, ING: {'spec': {'rules': [{'host': 'a.b', 'http': {'paths': [{'path': '/', 'pathType': 'Prefix', 'backend': {'service': {'name': 's', 'port': {'name': 'h'}}}}]}}], 'tls': [{'hosts': ['a.b'], 'secretName': 's'}]}}, NP: {'spec': {'podSelector': {}, 'ingress': [{'from': [{'ipBlock': {'cidr': '10.0.0.0/8', 'except': ['10.1.0.0/16']}}, {'namespaceSelector': {}}], 'ports': [{'port': 80}]}], 'policyTypes': ['Ingress']}}, PDB: {'spec': {'minAvailable': 1, 'selector': {'matchLabels': {'a': 'b'}}}}, RS: {'spec': {'replicas': 0, 'selector': {'matchLabels': {'z': 'b'}}, 'template': {**tpl(), 'metadata': {'labels': {'z': 'b'}}}}}, P: {'spec': {**N, 'containers': [{'name': 'c', 'image': 'i', 'ports': [{'containerPort': 80}], 'volumeMounts': [{'name': 'v', 'mountPath': '/v'}]}], 'volumes': [{'name': 'v', 'emptyDir': {}}, {'name': 'w', 'configMap': {'name': 'c', 'items': [{'key': 'a', 'path': 'b'}]}}, {'name': 's', 'secret': {'secretName': 'x'}}, {'name': 'd', 'downwardAPI': {'items': [{'path': 'n', 'fieldRef': {'fieldPath': 'metadata.name'}}]}}, {'name': 'p', 'projected': {'sources': [{'configMap': {'name': 'c'}}]}}, {'name': 'h', 'hostPath': {'path': '/x'}}]}}, EV: {'involvedObject': {'kind': 'Pod', 'namespace': '{ns}', 'name': 'x'}, 'reason': 'R', 'type': 'Normal', 'message': 'm'}}
KIND = {CM: ('v1', 'ConfigMap'), SEC: ('v1', 'Secret'), SVC: ('v1', 'Service'), D: ('apps/v1', 'Deployment'), J: ('batch/v1', 'Job'), RQ: ('v1', 'ResourceQuota'), LE: ('coordination.k8s.io/v1', 'Lease'), ES: ('discovery.k8s.io/v1', 'EndpointSlice'), HPA: ('autoscaling/v2', 'HorizontalPodAutoscaler'), ING: ('networking.k8s.io/v1', 'Ingress'), NP: ('networking.k8s.io/v1', 'NetworkPolicy'), PDB: ('policy/v1', 'PodDisruptionBudget'), RS: ('apps/v1', 'ReplicaSet'), P: ('v1', 'Pod'), EV: ('v1', 'Event')}


def mf(o):
    return sorted(([e['manager'], e['operation'], e.get('subresource', ''), e['apiVersion'], json.dumps(e['fieldsV1'], sort_keys=True)] for e in o['metadata'].get('managedFields', []) if e['manager'] not in ('kube-controller-manager', 'kube-scheduler', 'kcm', 'scheduler', 'localkube-router')), key=str)


def scenario_created_fields(k):
    for path in [
        CM,
        SEC,
        SVC,
        D,
        J,
        RQ,
        LE,
        ES,
        HPA,
        ING,
        NP,
        PDB,
        RS,
        P,
        EV,
    ]:
        o = OBJ[path]
        b = k.post(path, {'metadata': {'name': 'x', 'labels': {'l': '1'}}, **o}, note=False)
        k.say(path, mf(b) if 'metadata' in b else b)


def scenario_applied_fields(k):
    for path in [
        CM,
        SEC,
        SVC,
        RQ,
        LE,
        ES,
        HPA,
        NP,
        RS,
    ]:
        o = OBJ[path]
        v, kd = KIND[path]
        b = k.patch(path + '/y', {'apiVersion': v, 'kind': kd, 'metadata': {'name': 'y', 'labels': {'l': '1'}}, **o}, 'apply', note=False, fieldManager='m')
        k.say(path, mf(b) if 'metadata' in b and b.get('kind') != 'Status' else b)
        b = k.patch(path + '/y', {'metadata': {'labels': {'l': '2'}, 'annotations': {'a': 'b'}}}, 'merge', note=False, fieldManager='n')
        k.say(path, mf(b) if b.get('kind') != 'Status' else b)
        b = k.patch(path + '/y', {'apiVersion': v, 'kind': kd, 'metadata': {'name': 'y'}}, 'apply', note=False, fieldManager='m', force='true')
        k.say(path, mf(b) if b.get('kind') != 'Status' else b)


def scenario_status_and_dry(k):
    for path in [
        CM,
        SEC,
        SVC,
        D,
        RQ,
        LE,
        ES,
        HPA,
        ING,
        NP,
        PDB,
        RS,
        EV,
    ]:
        o = OBJ[path]
        k.post(path, {'metadata': {'name': 'x'}, **o}, note=False)
        k.get(path + '/x/status', keep=['kind', 'reason', 'code'])
        k.patch(path + '/x', {'metadata': {'labels': {'q': 'w'}}}, 'merge', dryRun='All', keep=['kind'])
        k.put(path + '/x', {'metadata': {'name': 'x'}}, keep=['kind', 'reason', 'message', 'details'])
        k.patch(path + '/x', {'nope': {'x': 1}}, 'merge', fieldValidation='Strict', keep=['kind', 'reason', 'code'])
        k.delete(path + '/x', dryRun='All', keep=['kind', 'status'])


def scenario_defaults_of_templates(k):
    for c in [
        {},
        {'image': 'i'},
        {'image': 'r/i:latest'},
        {'image': 'i@sha256:' + 'a' * 64},
        {'livenessProbe': {'grpc': {'port': 3}}},
        {'startupProbe': {'httpGet': {'port': 'web', 'scheme': 'HTTPS'}}},
        {'ports': [{'containerPort': 1, 'protocol': 'UDP', 'hostPort': 2}]},
        {'env': [{'name': 'A', 'valueFrom': {'resourceFieldRef': {'resource': 'limits.cpu'}}}]},
        {'resources': {'limits': {'cpu': '1000m', 'memory': '1024Mi'}, 'requests': {'cpu': '0.5'}}},
        {'securityContext': {'capabilities': {'add': ['X']}}},
        {'terminationMessagePolicy': 'FallbackToLogsOnError'},
        {'stdin': True},
    ]:
        k.post(D, {'metadata': {'name': 'x'}, 'spec': {'selector': {'matchLabels': {'a': 'b'}}, 'template': tpl(**c)}}, dryRun='All')
    for s in [
        {'dnsPolicy': 'Default'},
        {'securityContext': {'runAsUser': 1}},
        {'serviceAccount': 'x'},
        {'serviceAccountName': 'y', 'serviceAccount': 'z'},
        {'tolerations': [{'key': 'a'}]},
        {'affinity': {'podAntiAffinity': {'preferredDuringSchedulingIgnoredDuringExecution': [{'weight': 1, 'podAffinityTerm': {'topologyKey': 'k'}}]}}},
        {'topologySpreadConstraints': [{'maxSkew': 1, 'topologyKey': 'z', 'whenUnsatisfiable': 'ScheduleAnyway', 'labelSelector': {'matchLabels': {'a': 'b'}}}]},
        {'initContainers': [{'name': 'i', 'image': 'x', 'restartPolicy': 'Always'}]},
        {'hostNetwork': True},
        {'terminationGracePeriodSeconds': 0},
        {'priorityClassName': 'nope'},
        {'imagePullSecrets': [{'name': 'x'}]},
        {'hostAliases': [{'ip': '1.1.1.1', 'hostnames': ['a']}]},
        {'dnsConfig': {'options': [{'name': 'ndots', 'value': '2'}]}},
        {'enableServiceLinks': False},
        {'volumes': [{'name': 'p', 'projected': {'sources': [{'serviceAccountToken': {'path': 't'}}]}}, {'name': 'e', 'emptyDir': {'medium': 'Memory', 'sizeLimit': '1Gi'}}, {'name': 'i', 'persistentVolumeClaim': {'claimName': 'c'}}, {'name': 'n', 'nfs': {'server': 's', 'path': '/p'}}, {'name': 'g', 'csi': {'driver': 'd'}}]},
    ]:
        t = tpl()
        t['spec'].update(s)
        k.post(D, {'metadata': {'name': 'x'}, 'spec': {'selector': {'matchLabels': {'a': 'b'}}, 'template': t}}, dryRun='All')
