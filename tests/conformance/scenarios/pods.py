"""What may change of a pod, and what is asked of one without a node.

Recorded from the API server, controllers and scheduler of Kubernetes 1.34.1, built from its source, without a kubelet.
"""

NS = '/namespaces/{ns}'
P = f'/api/v1{NS}/pods'
CM = f'/api/v1{NS}/configmaps'
SEC = f'/api/v1{NS}/secrets'
SA = f'/api/v1{NS}/serviceaccounts'
D = f'/apis/apps/v1{NS}/deployments'
RS = f'/apis/apps/v1{NS}/replicasets'
J = f'/apis/batch/v1{NS}/jobs'
HPA = f'/apis/autoscaling/v2{NS}/horizontalpodautoscalers'
PDB = f'/apis/policy/v1{NS}/poddisruptionbudgets'
ING = f'/apis/networking.k8s.io/v1{NS}/ingresses'
NP = f'/apis/networking.k8s.io/v1{NS}/networkpolicies'
RQ = f'/api/v1{NS}/resourcequotas'
ES = f'/apis/discovery.k8s.io/v1{NS}/endpointslices'
EP = f'/api/v1{NS}/endpoints'
LE = f'/apis/coordination.k8s.io/v1{NS}/leases'
EV = f'/api/v1{NS}/events'
RB = '/apis/rbac.authorization.k8s.io/v1'


def dep(name='web', spec=None, tpl=None, pod=None, **c):
    return {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': name}, 'spec': {'replicas': 0, 'selector': {'matchLabels': {'app': 'w'}}, 'template': {'metadata': {'labels': {'app': 'w'}}, 'spec': {'containers': [{'name': 'c', 'image': 'i:1', **c}], **(pod or {})}, **(tpl or {})}, **(spec or {})}}


def scenario_pods_changes(k):
    k.post(P, {'metadata': {'name': 'p'}, 'spec': {'nodeSelector': {'no': 'where'}, 'containers': [{'name': 'c', 'image': 'i'}]}}, drop=['status', 'name', 'spec'])

    def u(p, kind='merge', **q):
        k.patch(P + '/p', p, kind, dryRun='All', drop=['status', 'volumes', 'volumeMounts'], **q)
    for s in [
        {'containers': [{'name': 'c', 'image': 'z'}]},
        {'activeDeadlineSeconds': 5},
        {'activeDeadlineSeconds': 0},
        {'schedulingGates': [{'name': 'x'}]},
        {'tolerations': []},
    ]:
        u({'spec': s}, 'strategic')
    u([{'op': 'add', 'path': '/spec/tolerations/-', 'value': {'key': 'z', 'operator': 'Exists'}}], 'json')
    u([{'op': 'replace', 'path': '/spec/containers/0/image', 'value': ''}], 'json')
    u([{'op': 'replace', 'path': '/spec/containers/0/image', 'value': ' '}], 'json')
    u([{'op': 'remove', 'path': '/spec/containers'}], 'json')
    k.post(P + '/p/binding', {'target': {'kind': 'Node', 'name': ''}})
    k.post(P + '/p/binding', {'target': {'kind': 'X', 'name': 'q'}})
    k.post(P + '/none/binding', {'target': {'kind': 'Node', 'name': 'q'}})
    k.post(P + '/p/eviction', {'metadata': {'name': 'q'}})
    k.post(P + '/p/eviction', {'metadata': {'name': 'p'}, 'deleteOptions': {'preconditions': {'uid': 'x'}}})
    k.post(P + '/none/eviction', {'metadata': {'name': 'none'}})
    k.post(P + '/p/eviction', {'apiVersion': 'policy/v1', 'kind': 'Eviction', 'metadata': {'name': 'p'}, 'deleteOptions': {'dryRun': ['All']}})
    k.get(P + '/p/log', tailLines='x')
    k.get(P + '/p/log', sinceSeconds='0')
    k.get(P + '/p/log', sinceSeconds='1', sinceTime='2026-01-01T00:00:00Z')
    k.get(P + '/none/log')
    k.get(P, fieldSelector='status.phase=Pending,spec.nodeName=', drop=['items'])
    k.get(P, fieldSelector='spec.foo=x')
    k.get(P, fieldSelector='bad')
    k.get(P, fieldSelector='a==b,c!=d')
    k.get(P, labelSelector='a notin ()', keep=['kind'])
    k.get(P, labelSelector='a b')
    k.get(P, labelSelector='x/y/z=1')
    k.get(P, labelSelector='a=%s' % ('x' * 64))
    k.delete(P, labelSelector='a in (x)', keep=['kind'])
