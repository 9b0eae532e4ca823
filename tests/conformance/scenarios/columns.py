"""Tables: columns of every kind, with what is said of them.

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


def scenario_tables(k):
    A = {'Accept': 'application/json;as=Table;v=v1;g=meta.k8s.io'}
    k.post(CM, {'metadata': {'name': 'a'}, 'data': {'x': '1'}}, keep=['kind'])
    k.post(D, dep(), keep=['kind'])
    for p in [
        CM,
        P,
        SEC,
        SA,
        D,
        RS,
        J,
        HPA,
        PDB,
        ING,
        NP,
        RQ,
        ES,
        EP,
        LE,
        EV,
        f'/api/v1{NS}/services',
        RB + NS + '/roles',
        RB + NS + '/rolebindings',
        f'/api/v1{NS}/limitranges',
        '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
        '/apis/networking.k8s.io/v1/ingressclasses',
    ]:
        b = k.get(p, headers=A, note=False)
        k.say(p, b.get('columnDefinitions', b))
    for p in [
        '/api/v1/namespaces',
        '/api/v1/nodes',
        RB + '/clusterroles',
        RB + '/clusterrolebindings',
        '/apis/scheduling.k8s.io/v1/priorityclasses',
    ]:
        b = k.get(p, headers=A, note=False, limit=1)
        k.say(p, b.get('columnDefinitions', b))
    k.get(CM + '/a', headers=A)
    k.get(CM + '/a', headers=A, includeObject='None')
    k.get(CM + '/a', headers=A, includeObject='Object')
    k.get(CM + '/a', headers=A, includeObject='X')
    k.get(CM + '/a', headers={'Accept': 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'})
    k.get(CM + '/none', headers=A)
