"""JSON patches, server-side apply and its managers, in their odder forms.

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


def scenario_json_patches(k):
    k.post(CM, {'metadata': {'name': 'p', 'labels': {'a/b': 'x'}}, 'data': {'a': '1'}})
    for b in [
        [{'op': 'bad', 'path': '/data/a'}],
        [{'op': 'add', 'path': 'data/a', 'value': '1'}],
        [{'op': 'add', 'path': '/data/x/y', 'value': '1'}],
        [{'op': 'add', 'path': '/data/x'}],
        [{'op': 'replace', 'path': '/data/none', 'value': '1'}],
        [{'op': 'remove', 'path': '/metadata/labels/a~1b'}],
        [{'op': 'move', 'from': '/data/a', 'path': '/data/b'}],
        [{'op': 'copy', 'from': '/data/b', 'path': '/data/c'}],
        [{'op': 'move', 'from': '/data/none', 'path': '/data/q'}],
        [{'op': 'test', 'path': '/data/b', 'value': '1'}],
        [{'op': 'test', 'path': '/data/none', 'value': None}],
        [{'op': 'test', 'path': '/data/none', 'value': 'x'}],
        [{'op': 'add', 'path': '/metadata/finalizers', 'value': ['a.b/c']}, {'op': 'add', 'path': '/metadata/finalizers/-', 'value': 'a.b/d'}],
        [{'op': 'add', 'path': '/metadata/finalizers/9', 'value': 'a.b/e'}],
        [{'op': 'add', 'path': '/metadata/finalizers/0', 'value': 'a.b/z'}],
        [{'op': 'remove', 'path': '/metadata/finalizers/-1'}],
        [{'op': 'remove', 'path': '/metadata/finalizers'}],
        [{'op': 'replace', 'path': '', 'value': {}}],
        [{'path': '/data/a'}],
        [{'op': 'remove'}],
        {},
        [],
        'x',
        [{'op': 'remove', 'path': '/data'}],
        [{'op': 'test', 'path': '', 'value': {}}],
        [{'op': 'add', 'path': '/', 'value': 1}],
    ]:
        k.patch(CM + '/p', b, 'json')
    k.request('PATCH', CM + '/p', raw='[', content_type='application/json-patch+json')
    k.request('PATCH', CM + '/p', raw='{', content_type='application/merge-patch+json')
    k.request('PATCH', CM + '/p', raw='[]', content_type='application/merge-patch+json')
    k.request('PATCH', CM + '/p', raw='"x"', content_type='application/strategic-merge-patch+json')
    k.request('PATCH', CM + '/p', raw='null', content_type='application/merge-patch+json')
    k.request('PATCH', CM + '/p', raw='', content_type='application/merge-patch+json')
    k.request('PATCH', CM + '/p', raw='{}', content_type='application/merge-patch+json', keep=['data'])
    k.request('PATCH', CM + '/p', raw='{}', content_type='application/json')
    k.request('PATCH', CM + '/p', raw='{}')
    k.request('PATCH', CM + '/p', raw='a: b: c', content_type='application/apply-patch+yaml', fieldManager='m')
    k.request('PATCH', CM + '/p', raw='{}', content_type='application/apply-patch+yaml', fieldManager='m')
    k.request('PATCH', CM + '/p', raw='[]', content_type='application/apply-patch+yaml', fieldManager='m')
    k.patch(CM + '/p', {'data': {'a': 5}}, 'strategic')
    k.patch(CM + '/p', {'data': 'x'}, 'strategic')
    k.patch(CM + '/p', {'data': {'$patch': 'replace', 'q': '1'}}, 'strategic')
    k.patch(CM + '/p', {'$patch': 'delete'}, 'strategic')
    k.patch(CM + '/p', {'data': None}, 'strategic')
    k.patch(CM + '/p', {'data': {'a': '1'}}, 'merge', force='true')
    k.patch(CM + '/p', {'data': {'a': '1'}}, 'merge', force='maybe')


def scenario_apply(k):

    def a(obj, m='m', **q):
        k.patch(CM + '/cm', obj, 'apply', **{'fieldManager': m} if m else {}, **q)

    def mf():
        e = k.get(CM + '/cm', note=False)['metadata'].get('managedFields', [])
        k.say('managed', [{x: y for x, y in i.items() if x != 'time'} for i in e])
    base = {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'cm'}}
    a({**base, 'metadata': {'name': 'other'}})
    a({'kind': 'ConfigMap', 'metadata': {'name': 'cm'}})
    a({'apiVersion': 'v1', 'metadata': {'name': 'cm'}})
    a({'apiVersion': 'v1', 'kind': 'Secret', 'metadata': {'name': 'cm'}})
    a({'apiVersion': 'v2', 'kind': 'ConfigMap', 'metadata': {'name': 'cm'}})
    a({**base, 'nope': 1})
    a({**base, 'data': {'a': 1}})
    a({**base, 'metadata': {'name': 'cm', 'managedFields': [{'manager': 'x'}]}})
    a({**base, 'metadata': {'name': 'cm', 'managedFields': []}})
    mf()
    a({**base, 'data': {'a': '1'}}, dryRun='All')
    mf()
    a({**base, 'metadata': {'name': 'cm', 'labels': {'l': '1'}, 'annotations': {'an': '1'}, 'finalizers': ['a.b/c']}, 'data': {'a': '1', 'b': '2'}})
    mf()
    a({**base, 'data': {'a': '2'}}, m='n')
    a({**base, 'data': {'a': '2', 'b': '3'}, 'metadata': {'name': 'cm', 'labels': {'l': '2'}}}, m='n')
    a({**base, 'data': {'a': '2'}}, m='n', force='true')
    mf()
    a({**base, 'data': {'b': '2'}}, m='m')
    mf()
    k.get(CM + '/cm')
    k.patch(CM + '/cm', {'metadata': {'managedFields': [{}]}}, 'merge')
    mf()
    k.patch(CM + '/cm', {'data': {'z': '1'}}, 'merge', fieldManager='zz')
    mf()
    k.patch(CM + '/cm', [{'op': 'replace', 'path': '/metadata/managedFields', 'value': []}], 'json')
    mf()
    a({**base, 'metadata': {'name': 'cm', 'resourceVersion': '1'}, 'data': {}})
    a({**base, 'metadata': {'name': 'cm', 'uid': 'x'}})
    a({**base, 'metadata': {'name': 'cm', 'finalizers': []}}, m='m')
    mf()
    a({**base, 'data': {'k v': '1'}})
    a({**base, 'data': {'a': None}}, m='q')
    mf()
    a(base, m='')
    a({**base, 'metadata': {'name': 'cm', 'generateName': 'x'}})
    a({**base, 'metadata': {'name': 'cm', 'namespace': 'zz'}})
    k.patch(CM + '/cm', {'metadata': {'finalizers': None}}, 'merge', keep=['kind'])
    a({**base, 'metadata': {'name': 'cm', 'ownerReferences': [{'apiVersion': 'v1', 'kind': 'Pod', 'name': 'x', 'uid': 'u1'}]}}, m='o')
    a({**base, 'metadata': {'name': 'cm', 'ownerReferences': [{'apiVersion': 'v1', 'kind': 'Pod', 'name': 'x', 'uid': 'u1'}, {'apiVersion': 'v1', 'kind': 'Pod', 'name': 'x', 'uid': 'u1'}]}}, m='o')


def scenario_apply_deployment(k):

    def mf(who=None):
        e = k.get(D + '/web', note=False)['metadata'].get('managedFields', [])
        k.say('managed', [{x: y for x, y in i.items() if x != 'time'} for i in e if who is None or i['manager'] in who])
    d = dep(ports=[{'containerPort': 80}, {'containerPort': 80, 'protocol': 'UDP'}], env=[{'name': 'A', 'value': '1'}], volumeMounts=[{'name': 'v', 'mountPath': '/v'}])
    d['spec']['template']['spec']['volumes'] = [{'name': 'v', 'emptyDir': {}}]
    d['spec']['template']['spec']['tolerations'] = [{'key': 'a', 'operator': 'Exists'}]
    k.patch(D + '/web', d, 'apply', fieldManager='a')
    mf(['a'])
    k.patch(D + '/web', dep(ports=[{'containerPort': 80}, {'containerPort': 80}]), 'apply', fieldManager='a')
    k.patch(D + '/web', dep(env=[{'name': 'A', 'value': '1'}, {'name': 'A', 'value': '2'}]), 'apply', fieldManager='a')
    k.patch(D + '/web', dep(env=[{'value': '1'}]), 'apply', fieldManager='a')
    k.patch(D + '/web', dep(image='i:2'), 'apply', fieldManager='b')
    k.patch(D + '/web', {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': 'web'}, 'spec': {'replicas': 3}}, 'apply', fieldManager='b')
    k.patch(D + '/web', {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': 'web'}, 'spec': {'replicas': 3, 'template': {'spec': {'containers': [{'name': 'c', 'env': [{'name': 'A', 'value': '9'}]}]}}}}, 'apply', fieldManager='b')
    k.patch(D + '/web', {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': 'web'}, 'spec': {'paused': True, 'template': {'spec': {'containers': [{'name': 'c', 'env': [{'name': 'B', 'value': '9'}]}], 'nodeSelector': {'x': 'y'}}}}}, 'apply', fieldManager='b', keep=['spec'])
    mf(['a', 'b'])
    k.patch(D + '/web', dep(), 'apply', fieldManager='a', keep=['spec'])
    mf(['a', 'b'])
    k.patch(D + '/web', {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': 'web'}}, 'apply', fieldManager='a')
    k.patch(D + '/web', {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': 'web'}, 'spec': {'replicas': 'x'}}, 'apply', fieldManager='a')
    k.patch(D + '/web', {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': 'web'}, 'spec': {'strategy': {'type': 'Recreate'}}}, 'apply', fieldManager='a')
    k.patch(D + '/web', {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': 'web'}, 'status': {'replicas': 1}}, 'apply', fieldManager='a')
    k.patch(D + '/web/scale', {'apiVersion': 'autoscaling/v1', 'kind': 'Scale', 'metadata': {'name': 'web'}, 'spec': {'replicas': 0}}, 'apply', fieldManager='s', force='true')
    k.patch(D + '/web/status', {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': 'web'}, 'status': {'conditions': [{'type': 'Z', 'status': 'True'}]}}, 'apply', fieldManager='st', keep=['kind'])
    mf(['st'])
