"""What is refused, and what is filled in, by kind.

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


def scenario_deployments(k):

    def t(spec):
        k.post(D, dep(spec=spec), dryRun='All', drop=['uid'])
    for s in [
        {'selector': None},
        {'selector': {}},
        {'selector': {'matchExpressions': [{'key': 'app', 'operator': 'In', 'values': []}]}},
        {'selector': {'matchExpressions': [{'key': 'a b', 'operator': 'Bad'}]}},
        {'selector': {'matchLabels': {'a b': 'x y'}}},
        {'minReadySeconds': -1},
        {'minReadySeconds': 700},
        {'progressDeadlineSeconds': 0},
        {'progressDeadlineSeconds': -1},
        {'minReadySeconds': 600, 'progressDeadlineSeconds': 600},
        {'revisionHistoryLimit': -1},
        {'strategy': {'type': 'X'}},
        {'strategy': {'type': 'Recreate', 'rollingUpdate': {}}},
        {'strategy': {'type': 'Recreate', 'rollingUpdate': {'maxSurge': 1}}},
        {'strategy': {'rollingUpdate': {'maxSurge': 'x%'}}},
        {'strategy': {'rollingUpdate': {'maxSurge': -1}}},
        {'strategy': {'rollingUpdate': {'maxUnavailable': '101%'}}},
        {'strategy': {'rollingUpdate': {'maxSurge': '0%', 'maxUnavailable': '0%'}}},
        {'strategy': {'rollingUpdate': {'maxSurge': 'abc', 'maxUnavailable': '200%'}}},
        {'paused': 'yes'},
        {'replicas': 1.5},
        {'replicas': 99999999999},
        {'template': {}},
        {'template': {'metadata': {'labels': {'app': 'w'}}, 'spec': {'restartPolicy': 'OnFailure', 'containers': [{'name': 'c', 'image': 'i'}], 'activeDeadlineSeconds': 5}}},
        {'template': {'metadata': {'labels': {'app': 'w', 'A B': 'c'}, 'annotations': {'x y': 'z'}}, 'spec': {'containers': [{'name': 'c', 'image': 'i'}]}}},
        {'template': {'metadata': {'labels': {'app': 'w'}}, 'spec': {'containers': [{'name': 'c', 'image': 'i', 'resources': {'requests': {'cpu': '0.1', 'memory': '1.5Gi'}, 'limits': {'cpu': 1, 'memory': '2048Mi'}}}]}}},
        {'replicas': None, 'strategy': {'rollingUpdate': {'maxSurge': '50%'}}},
    ]:
        t(s)
    k.post(D, dep())
    k.get(D + '/web/scale')
    k.patch(D + '/web/scale', {'spec': {'replicas': -1}}, 'merge')
    k.patch(D + '/web/scale', {'metadata': {'name': 'z'}}, 'merge')
    k.patch(D + '/web/scale', {'metadata': {'resourceVersion': '1'}, 'spec': {'replicas': 1}}, 'merge')
    k.put(D + '/web/scale', {'metadata': {'name': 'web'}, 'spec': {'replicas': 0}})
    k.put(D + '/web/scale', {'kind': 'Scale', 'apiVersion': 'autoscaling/v1', 'metadata': {'name': 'web', 'namespace': '{ns}'}, 'spec': {}})
    k.get(D + '/none/scale')
    k.patch(D + '/web/status', {'status': {'replicas': -1}}, 'merge')
    k.patch(D + '/web/status', {'status': {'readyReplicas': 5, 'availableReplicas': 6}}, 'merge')
    k.patch(D + '/web/status', {'status': {'conditions': [{'type': 'X', 'status': 'True'}]}, 'spec': {'replicas': 9}}, 'merge', drop=['observedGeneration'])
    k.patch(D + '/web', {'spec': {'template': {'spec': {'containers': [{'name': 'c', 'image': 'i:2'}, {'name': 'd'}]}}}}, 'strategic')
    k.patch(D + '/web', {'spec': {'template': {'spec': {'containers': [{'image': 'x'}]}}}}, 'strategic')
    k.patch(D + '/web', {'spec': {'strategy': {'type': 'Recreate'}}}, 'strategic')
    k.patch(D + '/web', {'spec': {'strategy': {'$retainKeys': ['type'], 'type': 'Recreate'}}}, 'strategic', keep=['spec'])
    k.patch(D + '/web', {'spec': {'strategy': {'type': 'RollingUpdate', 'rollingUpdate': None}}}, 'merge', keep=['spec'])
    k.patch(D + '/web', {'spec': {'template': {'spec': {'containers': [{'$patch': 'replace'}, {'name': 'z', 'image': 'z'}]}}}}, 'strategic', keep=['spec'])
    k.patch(D + '/web', {'spec': {'template': {'spec': {'$patch': 'delete'}}}}, 'strategic')
    k.patch(D + '/web', {'spec': {'template': {'metadata': {'labels': {'$patch': 'replace', 'app': 'w', 'b': 'c'}}}}}, 'strategic', keep=['spec'])
    k.patch(D + '/web', {'metadata': {'finalizers': None}}, 'merge', keep=['kind'])
    k.patch(D + '/web', {'spec': {'template': {'spec': {'containers': [{'$patch': 'weird', 'name': 'z'}]}}}}, 'strategic')
    k.patch(D + '/web', {'spec': {'replicas': {'a': 1}}}, 'strategic')
    k.patch(D + '/web', {'spec': {'template': {'spec': {'containers': {'a': 1}}}}}, 'strategic')
    k.patch(D + '/web', {'spec': None}, 'merge')
    k.patch(D + '/web', {'metadata': None}, 'merge')
    k.patch(D + '/web', {'spec': {'unknown': 1}}, 'strategic', fieldValidation='Strict')


def scenario_replicasets(k):

    def rs(**s):
        return {'metadata': {'name': 'r'}, 'spec': {'replicas': 0, 'selector': {'matchLabels': {'a': 'b'}}, 'template': {'metadata': {'labels': {'a': 'b'}}, 'spec': {'containers': [{'name': 'c', 'image': 'i'}]}}, **s}}
    for s in [
        {'replicas': -1},
        {'selector': {'matchLabels': {'x': 'y'}}},
        {'minReadySeconds': -1},
        {'template': None},
        {'selector': None},
        {'selector': {}},
        {'replicas': None},
    ]:
        k.post(RS, rs(**s), dryRun='All')
    k.post(RS, rs())
    k.patch(RS + '/r', {'spec': {'selector': {'matchLabels': {'x': 'y'}}}}, 'merge')
    k.get(RS + '/r/scale')
    k.patch(RS + '/r/scale', {'spec': {'replicas': -3}}, 'merge')
    k.patch(RS + '/r/status', {'status': {'replicas': 1, 'fullyLabeledReplicas': 2, 'readyReplicas': 3, 'availableReplicas': 4}}, 'merge')
    k.delete(RS + '/r', propagationPolicy='Foreground', keep=['kind'])


def scenario_jobs(k):

    def job(name='j', pod=None, **s):
        return {'metadata': {'name': name}, 'spec': {'template': {'spec': {'restartPolicy': 'Never', 'containers': [{'name': 'c', 'image': 'i'}], **(pod or {})}}, **s}}

    def t(**s):
        k.post(J, job(**s), dryRun='All')
    for s in [
        {},
        {'suspend': True},
        {'parallelism': -1},
        {'completions': -1},
        {'backoffLimit': -1},
        {'activeDeadlineSeconds': -1},
        {'ttlSecondsAfterFinished': -1},
        {'completionMode': 'X'},
        {'completionMode': 'Indexed'},
        {'completionMode': 'Indexed', 'completions': 3, 'parallelism': 200000},
        {'completionMode': 'Indexed', 'completions': 3, 'backoffLimitPerIndex': 1, 'maxFailedIndexes': 2},
        {'backoffLimitPerIndex': 1},
        {'maxFailedIndexes': 1, 'completionMode': 'Indexed', 'completions': 2},
        {'pod': {'restartPolicy': 'Always'}},
        {'pod': {'restartPolicy': None}},
        {'selector': {'matchLabels': {'a': 'b'}}},
        {'manualSelector': True},
        {'manualSelector': True, 'selector': {'matchLabels': {'a': 'b'}}},
        {'podReplacementPolicy': 'X'},
        {'podReplacementPolicy': 'Failed'},
        {'podFailurePolicy': {'rules': [{'action': 'X'}]}},
        {'podFailurePolicy': {'rules': [{'action': 'FailJob', 'onExitCodes': {'operator': 'In', 'values': [0, 1, 1]}}]}},
        {'podFailurePolicy': {'rules': [{'action': 'Ignore', 'onPodConditions': [{'type': 'A B', 'status': 'X'}]}, {'action': 'Count', 'onExitCodes': {'containerName': 'zz', 'operator': 'Q', 'values': []}}]}},
        {'podFailurePolicy': {'rules': [{'action': 'FailIndex', 'onExitCodes': {'operator': 'In', 'values': [3]}}]}},
        {'completionMode': 'Indexed', 'completions': 3, 'successPolicy': {'rules': [{'succeededIndexes': '0-9', 'succeededCount': 0}]}},
        {'managedBy': 'x'},
        {'managedBy': 'example.com/x'},
        {'parallelism': None, 'completions': None},
        {'parallelism': 2},
        {'completions': 2},
    ]:
        t(**s)
    k.post(J, job(suspend=True, completions=2))
    k.patch(J + '/j', {'spec': {'completions': 3}}, 'merge')
    k.patch(J + '/j', {'spec': {'parallelism': 3}}, 'merge', keep=['spec'])
    k.patch(J + '/j', {'spec': {'template': {'spec': {'nodeSelector': {'a': 'b'}}}}}, 'merge', keep=['spec'])
    k.patch(J + '/j', {'spec': {'selector': {'matchLabels': {'q': 'z'}}}}, 'merge')
    k.patch(J + '/j', {'spec': {'completionMode': 'Indexed'}}, 'merge')
    k.patch(J + '/j', {'spec': {'backoffLimit': 2, 'activeDeadlineSeconds': 3, 'ttlSecondsAfterFinished': 4}}, 'merge', keep=['spec'])
    k.patch(J + '/j', {'spec': {'podReplacementPolicy': 'Failed'}}, 'merge')
    k.patch(J + '/j/status', {'status': {'succeeded': -1}}, 'merge')
    k.patch(J + '/j/status', {'status': {'conditions': [{'type': 'Complete', 'status': 'True'}, {'type': 'Failed', 'status': 'True'}]}}, 'merge')
    k.post(J, job('a.b'), dryRun='All')
    k.delete(J + '/j')
    k.get(J, fieldSelector='status.successful=1', keep=['kind'])
    k.get(J, fieldSelector='status.failed=1')


def scenario_hpa(k):

    def h(**s):
        return {'metadata': {'name': 'h'}, 'spec': {'maxReplicas': 3, 'scaleTargetRef': {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'w'}, **s}}
    R = {'type': 'Resource', 'resource': {'name': 'cpu', 'target': {'type': 'Utilization', 'averageUtilization': 50}}}
    for s in [
        {},
        {'minReplicas': 0},
        {'minReplicas': 5},
        {'maxReplicas': 0},
        {'maxReplicas': None},
        {'scaleTargetRef': {}},
        {'scaleTargetRef': {'kind': 'a/b', 'name': 'c/d'}},
        {'metrics': [R]},
        {'metrics': [{}]},
        {'metrics': [{'type': 'X'}]},
        {'metrics': [{'type': 'Resource'}]},
        {'metrics': [{'type': 'Resource', 'resource': {'name': '', 'target': {}}}]},
        {'metrics': [{'type': 'Resource', 'resource': {'name': 'cpu', 'target': {'type': 'Utilization', 'averageUtilization': 0}}}]},
        {'metrics': [{'type': 'Resource', 'resource': {'name': 'cpu', 'target': {'type': 'AverageValue', 'averageValue': '0'}}}]},
        {'metrics': [{'type': 'Resource', 'resource': {'name': 'cpu', 'target': {'type': 'Value', 'value': '1', 'averageValue': '1', 'averageUtilization': 3}}}]},
        {'metrics': [{'type': 'Pods', 'pods': {'metric': {'name': ''}, 'target': {'type': 'Value', 'value': '1'}}}]},
        {'metrics': [{'type': 'Pods', 'pods': {'metric': {'name': 'a/b%'}, 'target': {'type': 'AverageValue', 'averageValue': '1'}}}]},
        {'metrics': [{'type': 'Object', 'object': {'describedObject': {}, 'metric': {'name': 'x'}, 'target': {'type': 'Value'}}}]},
        {'metrics': [{'type': 'External', 'external': {'metric': {'name': 'x', 'selector': {'matchLabels': {'a b': 'c'}}}, 'target': {'type': 'AverageValue', 'averageValue': '-1', 'value': '1'}}}]},
        {'metrics': [{'type': 'ContainerResource', 'containerResource': {'name': 'cpu', 'container': '', 'target': {'type': 'Utilization'}}}]},
        {'metrics': [R, {**R, 'pods': {'metric': {'name': 'x'}, 'target': {'type': 'AverageValue', 'averageValue': '1'}}}]},
        {'behavior': {}},
        {'behavior': {'scaleDown': {}}},
        {'behavior': {'scaleUp': {'stabilizationWindowSeconds': 3601, 'policies': [{'type': 'X', 'value': 0, 'periodSeconds': 0}]}}},
        {'behavior': {'scaleDown': {'policies': [{'type': 'Pods', 'value': 1, 'periodSeconds': 1801}], 'tolerance': '0.1'}}},
        {'behavior': {'scaleDown': {'selectPolicy': 'Disabled'}}},
    ]:
        k.post(HPA, h(**s), dryRun='All')
    k.post(HPA, h(), drop=['status'])
    k.patch(HPA + '/h/status', {'status': {'currentReplicas': -1, 'desiredReplicas': -1}}, 'merge')
    k.put(HPA + '/h', h(minReplicas=2), drop=['status'])


def scenario_pdb(k):

    def p(**s):
        return {'metadata': {'name': 'b'}, 'spec': s}
    for s in [
        {},
        {'minAvailable': -1},
        {'minAvailable': 'abc'},
        {'minAvailable': '101%'},
        {'maxUnavailable': '50%'},
        {'maxUnavailable': 1, 'minAvailable': 1},
        {'selector': {}},
        {'selector': {'matchLabels': {'a b': 'c'}}},
        {'unhealthyPodEvictionPolicy': 'X'},
        {'unhealthyPodEvictionPolicy': 'AlwaysAllow'},
        {'minAvailable': 1.5},
    ]:
        k.post(PDB, p(**s), dryRun='All')
    k.post(PDB, p(minAvailable=1, selector={'matchLabels': {'a': 'b'}}), drop=['status'])
    k.put(PDB + '/b', p(minAvailable=2))
    k.patch(PDB + '/b', {'spec': {'selector': {'matchLabels': {'x': 'y'}}}}, 'merge', drop=['status'])
    k.patch(PDB + '/b/status', {'status': {'disruptionsAllowed': -1, 'currentHealthy': -1, 'desiredHealthy': -1, 'expectedPods': -1}}, 'merge')
    k.patch(PDB + '/b/status', {'status': {'conditions': [{'type': 'X', 'status': 'Maybe', 'reason': '', 'message': '', 'lastTransitionTime': None}]}}, 'merge')
    k.put(PDB + '/new', {'metadata': {'name': 'new'}, 'spec': {'minAvailable': 1}}, drop=['status'])


def scenario_networking(k):

    def i(**s):
        return {'metadata': {'name': 'i'}, 'spec': s}
    B = {'service': {'name': 's', 'port': {'number': 80}}}

    def r(**p):
        return {'rules': [{'host': 'a.b', 'http': {'paths': [{'path': '/', 'pathType': 'Prefix', 'backend': B, **p}]}}]}
    for s in [
        {},
        {'defaultBackend': B},
        {'defaultBackend': {}},
        {'defaultBackend': {'service': {'name': '', 'port': {}}}},
        {'defaultBackend': {'service': {'name': 'A_', 'port': {'number': 0, 'name': 'UPPER'}}}},
        {'defaultBackend': {'service': {'name': 's', 'port': {'number': 80, 'name': 'x'}}}},
        {'defaultBackend': {'resource': {'kind': '', 'name': '', 'apiGroup': 'A_'}}},
        {'defaultBackend': {'resource': {'kind': 'K', 'name': 'n'}, **B}},
        r(),
        r(path='x'),
        r(path=''),
        r(path='/a//b'),
        r(path='/a/../b'),
        r(path='/a/%2f'),
        r(path='/a.'),
        r(pathType='X'),
        r(pathType=None),
        r(pathType='ImplementationSpecific', path=''),
        r(pathType='Exact', path='a'),
        r(backend={}),
        {'rules': [{'host': '1.2.3.4', 'http': {'paths': []}}]},
        {'rules': [{'host': '*.b'}]},
        {'rules': [{'host': '*'}, {'host': 'A_'}, {'host': 'a.*.b'}, {'host': 'a:80'}]},
        {'rules': [{'http': {}}]},
        {'tls': [{'hosts': ['A_', '*.x'], 'secretName': 'B_'}], 'defaultBackend': B},
        {'ingressClassName': 'A_', 'defaultBackend': B},
        {'ingressClassName': 'none', 'defaultBackend': B},
    ]:
        k.post(ING, i(**s), dryRun='All')
    k.post(ING, {'metadata': {'name': 'i', 'annotations': {'kubernetes.io/ingress.class': 'x'}}, 'spec': {'ingressClassName': 'y', 'defaultBackend': B}})
    k.post(ING, i(defaultBackend=B))
    k.patch(ING + '/i/status', {'status': {'loadBalancer': {'ingress': [{'ip': 'x', 'hostname': '1.2.3.4', 'ports': [{'port': 0, 'protocol': 'X', 'error': 'a b'}]}]}}}, 'merge')
    k.patch(ING + '/i', {'spec': {'ingressClassName': 'zzz'}}, 'merge', keep=['spec'])

    def n(**s):
        return {'metadata': {'name': 'n'}, 'spec': s}
    for s in [
        {},
        {'podSelector': {}},
        {'podSelector': {'matchLabels': {'a b': 'c'}}},
        {'podSelector': {}, 'policyTypes': ['X']},
        {'podSelector': {}, 'policyTypes': ['Ingress', 'Egress', 'Ingress']},
        {'podSelector': {}, 'ingress': [{}]},
        {'podSelector': {}, 'egress': [{}]},
        {'podSelector': {}, 'ingress': [{'ports': [{'port': 0}, {'port': 'UPPER'}, {'protocol': 'X', 'port': 1}, {'port': 5, 'endPort': 3}, {'endPort': 3}, {'port': 'a', 'endPort': 3}, {'port': 70000}]}]},
        {'podSelector': {}, 'ingress': [{'from': [{}, {'podSelector': {}, 'ipBlock': {'cidr': '10.0.0.0/8'}}, {'ipBlock': {'cidr': 'x'}}, {'ipBlock': {'cidr': ''}}, {'ipBlock': {'cidr': '10.0.0.0/8', 'except': ['11.0.0.0/8', 'x', '10.0.0.0/8']}}, {'namespaceSelector': {'matchExpressions': [{'key': 'a', 'operator': 'Bad'}]}}]}]},
        {'podSelector': {}, 'egress': [{'to': [{'podSelector': {'matchLabels': {'a': 'x' * 64}}}]}]},
    ]:
        k.post(NP, n(**s), dryRun='All')
    k.post('/apis/networking.k8s.io/v1/ingressclasses', {'metadata': {'name': '{ns}'}, 'spec': {'controller': 'a'}})
    k.post('/apis/networking.k8s.io/v1/ingressclasses', {'metadata': {'name': '{ns}'}, 'spec': {'controller': 'a.b/c', 'parameters': {'kind': 'K', 'name': 'n'}}}, dryRun='All')
    k.post('/apis/networking.k8s.io/v1/ingressclasses', {'metadata': {'name': '{ns}'}, 'spec': {'controller': '', 'parameters': {'scope': 'X', 'kind': '', 'name': '', 'namespace': 'q'}}})


def scenario_rbac(k):
    R = RB + NS + '/roles'
    B = RB + NS + '/rolebindings'
    C = RB + '/clusterroles'

    def r(*rules):
        return {'metadata': {'name': 'r'}, 'rules': list(rules)}
    for x in [
        {},
        {'verbs': ['get']},
        {'verbs': ['get'], 'resources': ['pods']},
        {'verbs': ['get'], 'apiGroups': ['']},
        {'verbs': [], 'apiGroups': [''], 'resources': ['p']},
        {'verbs': ['get'], 'nonResourceURLs': ['/x']},
        {'verbs': ['get'], 'apiGroups': [''], 'resources': ['p'], 'resourceNames': ['x']},
    ]:
        k.post(R, r(x), dryRun='All')
    k.post(C, {'metadata': {'name': '{ns}-c'}, 'rules': [{'verbs': ['get'], 'nonResourceURLs': ['x'], 'resources': ['y'], 'apiGroups': ['']}]}, dryRun='All')
    k.post(C, {'metadata': {'name': '{ns}-c'}, 'rules': [{'verbs': ['get'], 'nonResourceURLs': ['/a/*/b']}]}, dryRun='All')
    k.post(C, {'metadata': {'name': '{ns}-c'}, 'aggregationRule': {'clusterRoleSelectors': []}}, dryRun='All')
    k.post(C, {'metadata': {'name': '{ns}-c'}, 'aggregationRule': {'clusterRoleSelectors': [{'matchLabels': {'a b': 'c'}}]}}, dryRun='All')

    def b(ref=None, *subs):
        return {'metadata': {'name': 'b'}, 'roleRef': ref or {'apiGroup': 'rbac.authorization.k8s.io', 'kind': 'Role', 'name': 'r'}, 'subjects': list(subs)}
    for ref, subs in [
        (None, []),
        ({}, []),
        ({'apiGroup': 'x', 'kind': 'Y', 'name': ''}, []),
        ({'kind': 'ClusterRole', 'name': 'view'}, []),
        ({'apiGroup': 'rbac.authorization.k8s.io', 'kind': 'Role', 'name': 'a/b'}, []),
        (None, [{'kind': 'ServiceAccount', 'name': 'x'}]),
        (None, [{'kind': 'ServiceAccount', 'name': 'A_', 'namespace': 'n'}]),
        (None, [{'kind': 'User', 'name': ''}, {'kind': 'Group', 'name': 'g', 'apiGroup': 'x'}, {'kind': 'Q', 'name': 'z'}, {'kind': 'User', 'name': 'u', 'namespace': 'n'}]),
        (None, [{'kind': 'ServiceAccount', 'name': 'x', 'namespace': 'n', 'apiGroup': 'q'}]),
    ]:
        k.post(B, b(ref, *subs), dryRun='All')
    k.post(R, {'metadata': {'name': 'a/b'}, 'rules': []})
    k.post(R, {'metadata': {'name': '..'}, 'rules': []})
    k.post(RB + '/clusterrolebindings', {'metadata': {'name': '{ns}'}, 'roleRef': {'apiGroup': 'rbac.authorization.k8s.io', 'kind': 'Role', 'name': 'x'}}, dryRun='All')
    k.post(B, b(), keep=['kind'])
    k.patch(B + '/b', {'subjects': [{'kind': 'User', 'name': 'x'}]}, 'merge')
    k.patch(B + '/b', {'roleRef': {'kind': 'ClusterRole'}}, 'merge')
    k.put(R + '/new', {'metadata': {'name': 'new'}, 'rules': None})
    for s in [
        {},
        {'user': 'x'},
        {'resourceAttributes': {'verb': 'get', 'resource': 'pods'}},
        {'user': 'x', 'resourceAttributes': {'verb': 'get', 'resource': 'pods'}, 'nonResourceAttributes': {'path': '/'}},
        {'user': 'x', 'resourceAttributes': {'verb': 'get', 'resource': 'pods', 'namespace': '{ns}'}},
        {'user': 'x', 'groups': ['system:masters'], 'nonResourceAttributes': {'path': '/x', 'verb': 'get'}},
    ]:
        k.post('/apis/authorization.k8s.io/v1/subjectaccessreviews', {'spec': s})
    for s in [
        {},
        {'resourceAttributes': {}},
        {'nonResourceAttributes': {'path': '/healthz', 'verb': 'get'}},
    ]:
        k.post('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {'spec': s})
    k.post(f'/apis/authorization.k8s.io/v1{NS}/localsubjectaccessreviews', {'spec': {'user': 'x', 'resourceAttributes': {'namespace': 'other', 'verb': 'get', 'resource': 'pods'}}})
    k.post(f'/apis/authorization.k8s.io/v1{NS}/localsubjectaccessreviews', {'spec': {'user': 'x', 'nonResourceAttributes': {'path': '/'}}})
    k.post('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', {'spec': {}})
    k.post('/apis/authentication.k8s.io/v1/tokenreviews', {'spec': {}})
    k.post('/apis/authentication.k8s.io/v1/tokenreviews', {'spec': {'token': 'x'}})
    k.post('/apis/authentication.k8s.io/v1/tokenreviews', {'metadata': {'namespace': 'x'}, 'spec': {'token': 'x'}})
    k.post(SA, {'metadata': {'name': 's'}}, keep=['kind'])
    for s in [
        {},
        {'expirationSeconds': 5},
        {'expirationSeconds': 9999999999},
        {'audiences': ['x']},
        {'boundObjectRef': {'kind': 'Pod', 'apiVersion': 'v1', 'name': 'none'}},
        {'boundObjectRef': {'kind': 'X', 'apiVersion': 'v1', 'name': 'none'}},
    ]:
        k.post(SA + '/s/token', {'spec': s}, keep=['kind', 'apiVersion', 'spec', 'message', 'reason', 'details', 'status'] if 'exp' in str(s) or 'bound' in str(s) else ['kind'])
    k.post(SA + '/none/token', {'spec': {}})
    k.post(SA, {'metadata': {'name': 's2'}, 'secrets': [{'name': 'x'}], 'imagePullSecrets': [{'name': 'y'}], 'automountServiceAccountToken': False})
    k.put(SA + '/s2', {'metadata': {'name': 's2'}})


def scenario_quotas(k):

    def q(hard, name='q', **s):
        return {'metadata': {'name': name}, 'spec': {'hard': hard, **s}}
    for h, s in [
        ({}, {}),
        ({'foo': '1'}, {}),
        ({'pods': '-1'}, {}),
        ({'count/deployments.apps': '1'}, {}),
        ({'count/x': '1.5'}, {}),
        ({'cpu': 'x'}, {}),
        ({'requests.cpu': '1', 'limits.memory': '1Gi', 'requests.storage': '1Gi'}, {}),
        ({'pods': '1'}, {'scopes': ['BestEffort', 'NotBestEffort']}),
        ({'cpu': '1'}, {'scopes': ['BestEffort']}),
        ({'services': '1'}, {'scopes': ['Terminating']}),
        ({'pods': '1'}, {'scopes': ['X']}),
        ({'pods': '1'}, {'scopeSelector': {'matchExpressions': [{'scopeName': 'PriorityClass', 'operator': 'In'}]}}),
        ({'pods': '1'}, {'scopeSelector': {'matchExpressions': [{'scopeName': 'PriorityClass', 'operator': 'Exists', 'values': ['a']}]}}),
        ({'pods': '1'}, {'scopeSelector': {'matchExpressions': [{'scopeName': 'BestEffort', 'operator': 'In', 'values': ['a']}]}}),
        ({'pods': '1'}, {'scopeSelector': {'matchExpressions': [{'scopeName': 'X', 'operator': 'Y'}]}}),
        ({'services.nodeports': '1', 'services.loadbalancers': '1'}, {}),
        ({'requests.example.com/gpu': '1', 'limits.example.com/gpu': '1'}, {}),
        ({'requests.hugepages-2Mi': '1Mi', 'storageclass.storage.k8s.io/x': '1'}, {}),
        ({'gold.storageclass.storage.k8s.io/requests.storage': '1'}, {}),
    ]:
        k.post(RQ, q(h, **s), dryRun='All')
    k.post(RQ, q({'configmaps': '3', 'count/deployments.apps': '1', 'requests.cpu': '1'}), keep=['kind'])
    k.wait(RQ + '/q', lambda b: 'configmaps' in b['status'].get('used', {}), note=False, seconds=20)
    k.get(RQ + '/q', keep=['spec', 'status'])
    k.post(CM, {'metadata': {'name': 'a'}}, keep=['kind'])
    k.post(CM, {'metadata': {'name': 'b'}}, keep=['kind'])
    k.post(CM, {'metadata': {'name': 'c'}})
    k.post(D, dep('one'), keep=['kind'])
    k.post(D, dep('two'))
    k.post(P, {'metadata': {'name': 'p'}, 'spec': {'containers': [{'name': 'c', 'image': 'i'}]}})
    k.post(P, {'metadata': {'name': 'p'}, 'spec': {'containers': [{'name': 'c', 'image': 'i', 'resources': {'requests': {'cpu': '2'}}}]}})
    k.patch(RQ + '/q', {'spec': {'scopes': ['Terminating']}}, 'merge')
    k.patch(RQ + '/q/status', {'status': {'used': {'pods': '-1'}}}, 'merge')


def scenario_objects(k):
    for d in [
        {'data': {'': '1'}},
        {'data': {'a b': '1'}},
        {'data': {'..': '1'}},
        {'data': {'...x': '1'}},
        {'data': {'a' * 254: '1'}},
        {'data': {'a': '1'}, 'binaryData': {'a': 'AA=='}},
        {'binaryData': {'a': 'zz!'}},
        {'data': {'a': 'x' * 1100000}},
        {'immutable': True},
        {'data': None},
    ]:
        k.post(CM, {'metadata': {'name': 'x'}, **d}, dryRun='All')
    for d in [
        {},
        {'type': 'x'},
        {'type': 'kubernetes.io/tls'},
        {'type': 'kubernetes.io/tls', 'data': {'tls.crt': '', 'tls.key': ''}},
        {'type': 'kubernetes.io/dockerconfigjson'},
        {'type': 'kubernetes.io/dockerconfigjson', 'data': {'.dockerconfigjson': 'eHg='}},
        {'type': 'kubernetes.io/dockercfg', 'data': {'.dockercfg': 'e30='}},
        {'type': 'kubernetes.io/basic-auth'},
        {'type': 'kubernetes.io/basic-auth', 'data': {'username': ''}},
        {'type': 'kubernetes.io/ssh-auth'},
        {'type': 'kubernetes.io/service-account-token'},
        {'type': 'bootstrap.kubernetes.io/token'},
        {'stringData': {'a b': 'c'}},
    ]:
        k.post(SEC, {'metadata': {'name': 'x'}, **d}, dryRun='All')
    k.post(SEC, {'metadata': {'name': 'im'}, 'immutable': True, 'data': {'a': 'AA=='}}, keep=['kind'])
    k.patch(SEC + '/im', {'data': {'a': 'AQ=='}}, 'merge')
    k.patch(SEC + '/im', {'stringData': {'a': 'x'}}, 'merge')
    k.patch(SEC + '/im', {'immutable': False}, 'merge')
    k.patch(SEC + '/im', {'type': 'y'}, 'merge')
    k.patch(SEC + '/im', {'metadata': {'labels': {'a': 'b'}}}, 'merge')
    k.patch(CM + '/none', {}, 'merge')
    k.post(CM, {'metadata': {'name': 'im'}, 'immutable': True, 'binaryData': {'a': 'AA=='}}, keep=['kind'])
    k.patch(CM + '/im', {'binaryData': {'a': 'AQ=='}}, 'merge')
    k.patch(CM + '/im', {'immutable': None}, 'merge')
    k.patch(CM + '/im', {'data': {'z': '1'}, 'binaryData': None}, 'merge')
    for s in [
        {},
        {'holderIdentity': ''},
        {'leaseDurationSeconds': -1, 'leaseTransitions': -1},
        {'renewTime': 'x'},
        {'renewTime': '2026-01-01T00:00:00Z'},
        {'strategy': 'X'},
        {'strategy': 'OldestEmulationVersion'},
        {'preferredHolder': 'x'},
        {'strategy': 'OldestEmulationVersion', 'preferredHolder': 'x'},
    ]:
        k.post(LE, {'metadata': {'name': 'l'}, 'spec': s}, dryRun='All')
    for e in [
        {},
        {'involvedObject': {'namespace': '{ns}'}},
        {'involvedObject': {'kind': 'Pod', 'name': 'x'}},
        {'involvedObject': {'namespace': 'other'}},
        {'involvedObject': {'namespace': '{ns}'}, 'type': 'X', 'reason': 'r' * 200, 'message': 'm' * 2000},
        {'involvedObject': {'namespace': '{ns}'}, 'eventTime': '2026-01-01T00:00:00.000000Z'},
        {'involvedObject': {'namespace': '{ns}'}, 'eventTime': '2026-01-01T00:00:00.000000Z', 'reportingComponent': 'a.b/c', 'reportingInstance': 'i', 'action': 'a', 'reason': 'r', 'type': 'Normal'},
        {'involvedObject': {'namespace': '{ns}'}, 'series': {'count': 1}},
    ]:
        k.post(EV, {'metadata': {'name': 'e'}, **e}, dryRun='All')
    for e in [
        {},
        {'addressType': 'X'},
        {'addressType': 'IPv4'},
        {'addressType': 'IPv4', 'endpoints': [{}]},
        {'addressType': 'IPv4', 'endpoints': [{'addresses': ['x']}]},
        {'addressType': 'IPv4', 'endpoints': [{'addresses': ['10.0.0.1', '10.0.0.1']}, {'addresses': ['169.254.1.1']}, {'addresses': ['224.0.0.1']}]},
        {'addressType': 'FQDN', 'endpoints': [{'addresses': ['A_']}]},
        {'addressType': 'IPv6', 'endpoints': [{'addresses': ['10.0.0.1']}]},
        {'addressType': 'IPv4', 'ports': [{'name': 'a', 'port': 80}, {'name': 'a', 'port': 81}], 'endpoints': []},
        {'addressType': 'IPv4', 'ports': [{'name': 'UP', 'port': 0, 'protocol': 'X', 'appProtocol': 'a b'}], 'endpoints': []},
        {'addressType': 'IPv4', 'endpoints': [{'addresses': ['10.0.0.1'], 'hostname': 'A_', 'nodeName': 'B_', 'deprecatedTopology': {'a b': 'c'}}]},
        {'addressType': 'IPv4', 'endpoints': [{'addresses': ['10.0.0.1'], 'hints': {'forZones': [{'name': ''}] * 9}}]},
    ]:
        k.post(ES, {'metadata': {'name': 'e'}, **e}, dryRun='All')
    for e in [
        {},
        {'subsets': [{}]},
        {'subsets': [{'addresses': [{'ip': 'x'}], 'ports': [{'port': 0}]}]},
        {'subsets': [{'addresses': [{'ip': '10.0.0.1', 'hostname': 'A_'}], 'ports': [{'port': 80, 'protocol': 'X'}, {'port': 81}]}]},
        {'subsets': [{'addresses': [{'ip': '169.254.0.1'}], 'notReadyAddresses': [{'ip': '10.0.0.2'}], 'ports': [{'name': 'UP', 'port': 80, 'appProtocol': 'a b'}]}]},
    ]:
        k.post(EP, {'metadata': {'name': 'e'}, **e}, dryRun='All')
    k.post('/api/v1/namespaces', {'metadata': {'name': 'A_'}})
    k.post('/api/v1/namespaces', {'metadata': {'name': 'x' * 64}})
    k.post('/api/v1/namespaces', {'metadata': {'name': '{ns}-q', 'labels': {'kubernetes.io/metadata.name': 'z'}}, 'spec': {'finalizers': ['x']}}, dryRun='All')
    k.patch('/api/v1/namespaces/{ns}', {'metadata': {'labels': {'kubernetes.io/metadata.name': 'z'}}}, 'merge')
    k.delete('/api/v1/namespaces/default')
    k.delete('/api/v1/namespaces/none')
    k.request('DELETE', '/api/v1/namespaces')
    k.put('/api/v1/namespaces/{ns}/finalize', {'kind': 'Namespace', 'apiVersion': 'v1', 'metadata': {'name': '{ns}'}, 'spec': {'finalizers': ['kubernetes', 'bad one']}})
    k.patch('/api/v1/namespaces/{ns}/status', {'status': {'phase': 'X'}}, 'merge')
    k.get('/api/v1/namespaces', fieldSelector='status.phase=X', keep=['items'])
    k.get('/api/v1/namespaces', fieldSelector='spec.x=X')
    k.post('/api/v1/nodes', {'metadata': {'name': 'A_'}})
    k.post('/api/v1/nodes', {'metadata': {'name': 'n'}, 'status': {'capacity': {'cpu': '-1', 'foo': '1'}}}, dryRun='All')
