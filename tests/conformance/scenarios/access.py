"""Who may do what, and how those who may not are told.

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


def scenario_access(k):
    k.post(SA, {'metadata': {'name': 'u'}}, note=False)
    t = k.post(SA + '/u/token', {'spec': {}}, note=False)['status']['token']
    H = {'Authorization': 'Bearer ' + t}
    r = k.post('/apis/authentication.k8s.io/v1/tokenreviews', {'spec': {'token': t}}, note=False)
    s = r['status']
    s['user'].pop('uid', None)
    k.say('review', [s.get('authenticated'), s['user']['username'], s['user']['groups'], sorted(s['user'].get('extra', {}))])
    r = k.post('/apis/authentication.k8s.io/v1/selfsubjectreviews', {}, headers=H, note=False)
    u = r['status']['userInfo']
    k.say('self', [u['username'], u['groups'], sorted(u.get('extra', {}))])
    for m, p in [
        ('GET', P),
        ('GET', P + '/x'),
        ('POST', P),
        ('DELETE', P + '/x'),
        ('DELETE', P),
        ('PATCH', P + '/x'),
        ('PUT', P + '/x'),
        ('GET', '/api/v1/pods'),
        ('GET', P + '/x/log'),
        ('POST', P + '/x/exec'),
        ('GET', '/api/v1/nodes'),
        ('GET', '/apis/apps/v1/deployments'),
        ('GET', D + '/w/scale'),
        ('GET', '/metrics'),
        ('GET', '/foo'),
        ('GET', '/api/v1/namespaces/{ns}'),
        ('GET', '/api/v1/namespaces'),
        ('GET', '/apis/nope/v1/things'),
        ('POST', f'/api/v1{NS}/serviceaccounts/u/token'),
    ]:
        k.request(m, p, {} if m in ('POST', 'PUT', 'PATCH') else None, content_type='application/merge-patch+json' if m == 'PATCH' else None, headers=dict(H))
    k.post(RB + NS + '/roles', {'metadata': {'name': 'r'}, 'rules': [{'apiGroups': ['', 'rbac.authorization.k8s.io'], 'resources': ['pods', 'roles', 'rolebindings', 'configmaps'], 'resourceNames': [], 'verbs': ['get', 'list', 'create', 'update', 'patch']}, {'apiGroups': [''], 'resources': ['secrets'], 'resourceNames': ['one'], 'verbs': ['get']}, {'apiGroups': [''], 'resources': ['services/status'], 'verbs': ['*']}]}, keep=['kind'])
    k.post(RB + NS + '/rolebindings', {'metadata': {'name': 'b'}, 'roleRef': {'apiGroup': 'rbac.authorization.k8s.io', 'kind': 'Role', 'name': 'r'}, 'subjects': [{'kind': 'ServiceAccount', 'name': 'u', 'namespace': '{ns}'}]}, keep=['kind'])
    time.sleep(1)
    for m, p, b in [
        ('GET', SEC + '/one', None),
        ('GET', SEC + '/two', None),
        ('GET', SEC, None),
        ('GET', SVC + '/s', None),
        ('GET', SVC + '/s/status', None),
        ('POST', CM, {'metadata': {'name': 'z'}}),
        ('POST', RB + NS + '/roles', {'metadata': {'name': 'more'}, 'rules': [{'apiGroups': [''], 'resources': ['secrets'], 'verbs': ['get', 'list']}, {'apiGroups': ['apps'], 'resources': ['*'], 'verbs': ['*']}]}),
        ('POST', RB + NS + '/roles', {'metadata': {'name': 'less'}, 'rules': [{'apiGroups': [''], 'resources': ['pods'], 'verbs': ['get']}]}),
        ('POST', RB + NS + '/rolebindings', {'metadata': {'name': 'adm'}, 'roleRef': {'apiGroup': 'rbac.authorization.k8s.io', 'kind': 'ClusterRole', 'name': 'cluster-admin'}, 'subjects': []}),
        ('POST', RB + NS + '/rolebindings', {'metadata': {'name': 'own'}, 'roleRef': {'apiGroup': 'rbac.authorization.k8s.io', 'kind': 'Role', 'name': 'r'}, 'subjects': []}),
        ('PUT', RB + NS + '/roles/new', {'metadata': {'name': 'new'}, 'rules': [{'apiGroups': [''], 'resources': ['nodes'], 'verbs': ['get']}]}),
        ('PUT', CM + '/z', {'metadata': {'name': 'z'}, 'data': {'a': 'b'}}),
        ('PATCH', CM + '/z', {'data': {'c': 'd'}}),
    ]:
        k.request(m, p, b, content_type='application/merge-patch+json' if m == 'PATCH' else None, headers=dict(H), drop=['rules'] if m == 'GET' else [])
    for b in [
        {'resource': 'pods', 'verb': 'get'},
        {'resource': 'secrets', 'name': 'one', 'verb': 'get'},
        {'resource': 'secrets', 'verb': 'list'},
        {'resource': 'services', 'subresource': 'status', 'verb': 'update'},
        {'resource': '*', 'verb': '*'},
    ]:
        k.post('/apis/authorization.k8s.io/v1/subjectaccessreviews', {'spec': {'user': 'system:serviceaccount:{ns}:u', 'resourceAttributes': {'namespace': '{ns}', **b}}})
    r = k.post('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', {'spec': {'namespace': '{ns}'}}, headers=dict(H), note=False)
    k.say('rules', sorted((json.dumps(x, sort_keys=True) for x in r['status']['resourceRules'])))
    for h in [
        {'Impersonate-User': 'bob'},
        {'Impersonate-User': 'bob', 'Impersonate-Group': 'system:masters'},
        {'Impersonate-User': 'system:serviceaccount:{ns}:u'.replace('{ns}', k.ns)},
    ]:
        k.get(P, headers=h, keep=['kind', 'message', 'reason', 'code'])
        k.get(P, headers={**H, **h})
    k.delete(SA + '/u', keep=['kind'])
    time.sleep(0.3)
