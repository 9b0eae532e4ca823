"""LimitRanges, PriorityClasses, the end of a namespace, strategic patches of a Service.

Recorded from the API server, controllers and scheduler of Kubernetes 1.34.1, built from its source, without a kubelet.
"""

import json, time
NS = '/namespaces/{ns}'
P = f'/api/v1{NS}/pods'
CM = f'/api/v1{NS}/configmaps'
SEC = f'/api/v1{NS}/secrets'
SA = f'/api/v1{NS}/serviceaccounts'
D = f'/apis/apps/v1{NS}/deployments'
SVC = f'/api/v1{NS}/services'
RB = '/apis/rbac.authorization.k8s.io/v1'
CRD = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
LR = f'/api/v1{NS}/limitranges'
PC = '/apis/scheduling.k8s.io/v1/priorityclasses'


def scenario_limits(k):
    for it in [
        [{'type': 'X'}],
        [{'type': 'Pod', 'default': {'cpu': '1'}, 'defaultRequest': {'cpu': '1'}}],
        [{'type': 'Container', 'min': {'cpu': '2'}, 'max': {'cpu': '1'}, 'default': {'cpu': '3'}, 'defaultRequest': {'cpu': '500m'}}],
        [{'type': 'Pod'}, {'type': 'Pod'}],
        [{'type': 'PersistentVolumeClaim'}],
        [{'type': 'Container', 'maxLimitRequestRatio': {'cpu': '0.5'}}],
        [{'type': 'Pod', 'min': {'cpu': '1'}, 'max': {'cpu': '2'}, 'maxLimitRequestRatio': {'cpu': '3'}}],
        [{}],
        [{'type': 'Container', 'default': {'example.com/x': '2'}, 'defaultRequest': {'example.com/x': '1'}}],
        None,
        [{'type': 'Container', 'max': {'foo': '1'}}],
    ]:
        k.post(LR, {'metadata': {'name': 'bad'}, 'spec': {'limits': it}}, dryRun='All')
    k.post(LR, {'spec': {'limits': []}}, drop=['name'])
    k.put(LR + '/l', {'metadata': {'name': 'l'}, 'spec': {'limits': [{'type': 'Container', 'max': {'cpu': '2'}, 'min': {'cpu': '100m', 'memory': '16Mi'}, 'defaultRequest': {'memory': '64Mi'}}, {'type': 'Pod', 'max': {'cpu': '3'}}]}})
    time.sleep(1)

    def pod(r, **s):
        return {'metadata': {'name': 'p'}, 'spec': {'containers': [{'name': 'c', 'image': 'i', 'resources': r}], **s}}
    dr = ['volumes', 'volumeMounts', 'uid']
    for r in [
        {},
        {'requests': {'cpu': '50m'}},
        {'limits': {'cpu': '5'}},
        {'requests': {'memory': '1Mi'}},
        {'limits': {'cpu': '1'}},
        {'limits': {'cpu': '1', 'memory': '32Mi'}},
    ]:
        k.post(P, pod(r), dryRun='All', drop=dr)
    k.post(P, pod({}, initContainers=[{'name': 'i', 'image': 'x'}]), dryRun='All', drop=dr)
    k.post(P, {'metadata': {'name': 'p'}, 'spec': {'containers': [{'name': x, 'image': 'i', 'resources': {'limits': {'cpu': '2'}}} for x in 'ab']}}, dryRun='All', drop=dr)
    k.delete(LR + '/l')
    n = '{ns}'
    k.post(PC, {'metadata': {'name': n}, 'value': 1000, 'preemptionPolicy': 'Never', 'description': 'd'})
    k.post(PC, {'metadata': {'name': n + '2'}, 'value': 2000000000})
    k.post(PC, {'metadata': {'name': 'system-x'}, 'value': 2})
    k.post(PC, {'metadata': {'name': n + '3'}, 'value': 1, 'preemptionPolicy': 'Q'})
    k.post(PC, {'metadata': {'name': n + '3'}}, dryRun='All')
    k.patch(PC + '/' + n, {'value': 5}, 'merge')
    k.patch(PC + '/' + n, {'preemptionPolicy': 'PreemptLowerPriority'}, 'merge')
    k.patch(PC + '/' + n, {'description': 'e'}, 'merge')
    k.delete(PC + '/system-node-critical')
    k.get(PC + '/system-node-critical')
    k.post(PC, {'metadata': {'name': n}, 'value': 'x'})
    k.put(PC + '/new', {'metadata': {'name': 'new'}, 'value': 1})
    time.sleep(1)
    for s in [
        {'priorityClassName': n.replace('{ns}', k.ns)},
        {'priorityClassName': 'none'},
        {'priority': 3},
        {'preemptionPolicy': 'Never'},
        {'priorityClassName': 'system-node-critical'},
    ]:
        k.post(P, pod({}, **s), dryRun='All', drop=dr)
    k.delete(PC + '/' + n)


def scenario_namespaces(k):
    n = '{ns}-t'
    q = f'/api/v1/namespaces/{k.ns}-t'
    k.post('/api/v1/namespaces', {'metadata': {'name': n}}, note=False)
    k.wait(q + '/serviceaccounts/default', lambda b: b['kind'] == 'ServiceAccount', note=False)
    k.post(q + '/configmaps', {'metadata': {'name': 'held', 'finalizers': ['a.b/c']}}, note=False)
    k.delete(q, keep=['kind', 'status'])
    k.wait(q, lambda b: len(b.get('status', {}).get('conditions', [])) >= 5, note=False, seconds=20)
    b = k.get(q, note=False)
    k.say('conditions', sorted(((c['type'], c['status'], c['reason'], c['message']) for c in b['status']['conditions'])))
    k.say('spec', b['spec'])
    k.post(q + '/configmaps', {'metadata': {'name': 'x'}})
    k.delete(q, keep=['kind'])
    k.patch(q + '/configmaps/held', {'metadata': {'finalizers': None}}, 'merge', keep=['kind'])
    k.wait(q, lambda b: b.get('code') == 404, note=False, seconds=40)
    k.get(q)


def scenario_service_patches(k):
    k.post(SVC, {'metadata': {'name': 's'}, 'spec': {'selector': {'a': 'b', 'c': 'd'}, 'ports': [{'name': 'a', 'port': 80}, {'name': 'b', 'port': 81, 'protocol': 'UDP'}]}}, note=False)

    def p(b, kind='strategic'):
        k.patch(SVC + '/s', b, kind, keep=['spec', 'kind', 'reason', 'message', 'details', 'metadata'])
    p({'spec': {'ports': [{'port': 80, 'targetPort': 8080}]}})
    p({'spec': {'ports': [{'name': 'c', 'port': 82}]}})
    p({'spec': {'ports': [{'port': 82, '$patch': 'delete'}]}})
    p({'spec': {'ports': [{'$patch': 'replace'}, {'name': 'z', 'port': 90}]}})
    p({'spec': {'selector': {'c': None}}})
    p({'spec': {'selector': {'$patch': 'replace', 'x': 'y'}}})
    p({'spec': {'$setElementOrder/ports': [{'port': 91}, {'port': 90}], 'ports': [{'name': 'y', 'port': 91}]}})
    p({'spec': {'ports': [{'name': 'q', 'port': 90, 'protocol': 'UDP'}]}})
    p({'metadata': {'labels': {'a': 'b'}, 'annotations': {'x': 'y'}}})
    p({'metadata': {'labels': None}})
    p({'spec': {'externalIPs': ['1.2.3.4']}})
    p({'spec': {'externalIPs': ['5.6.7.8']}})
    p({'spec': {'$deleteFromPrimitiveList/externalIPs': ['1.2.3.4']}})
    p({'spec': {'$retainKeys': ['ports']}})
    p({'spec': {'ports': None}})
    k.post(SVC, {'metadata': {'name': 't'}, 'spec': {'type': 'NodePort', 'ports': [{'port': 1, 'nodePort': 31234}]}})
    p({'spec': {'type': 'ClusterIP'}})
    p({'spec': {'type': 'ClusterIP', 'ports': [{'port': 90, 'nodePort': 0}, {'port': 91, 'nodePort': None}]}})
    p({'spec': {'ports': [{'port': 'x'}]}})
    p({'spec': {'ports': [{'name': 'n'}]}})
