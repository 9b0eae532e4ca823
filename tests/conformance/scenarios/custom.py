"""Custom kinds: definitions, values, scale, apply.

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


def crd(name='widgets', group='ex.{ns}.io', **v):
    return {'apiVersion': 'apiextensions.k8s.io/v1', 'kind': 'CustomResourceDefinition', 'metadata': {'name': f'{name}.{group}'}, 'spec': {'group': group, 'scope': 'Namespaced', 'names': {'plural': name, 'kind': 'Widget'}, 'versions': [{'name': 'v1', 'served': True, 'storage': True, 'schema': {'openAPIV3Schema': {'type': 'object', 'properties': {'spec': {'type': 'object', 'properties': {'size': {'type': 'integer', 'minimum': 1, 'default': 3}, 'name': {'type': 'string', 'pattern': '^[a-z]+$', 'maxLength': 5}, 'list': {'type': 'array', 'items': {'type': 'object', 'required': ['k'], 'properties': {'k': {'type': 'string'}, 'v': {'type': 'string'}}}, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k']}, 'any': {'x-kubernetes-preserve-unknown-fields': True}, 'port': {'x-kubernetes-int-or-string': True}, 'e': {'type': 'string', 'enum': ['a', 'b']}, 'n': {'type': 'string', 'nullable': True}}}, 'status': {'type': 'object', 'properties': {'replicas': {'type': 'integer'}}}}}}, 'subresources': {'status': {}, 'scale': {'specReplicasPath': '.spec.size', 'statusReplicasPath': '.status.replicas'}}, 'additionalPrinterColumns': [{'name': 'Size', 'type': 'integer', 'jsonPath': '.spec.size', 'description': 'how large'}], **v}]}}


def scenario_custom(k):
    W = f'/apis/ex.{k.ns}.io/v1{NS}/widgets'

    def est(b):
        return any((c['type'] == 'Established' and c['status'] == 'True' for c in b.get('status', {}).get('conditions', [])))
    k.post(CRD, crd(), keep=['kind'])
    k.wait(f'{CRD}/widgets.ex.{k.ns}.io', est, note=False, seconds=15)
    k.get(f'{CRD}/widgets.ex.{k.ns}.io', drop=['lastTransitionTime'])
    for _ in range(40):
        if k.get(W, note=False).get('kind') == 'WidgetList':
            break
        time.sleep(0.25)
    o = {'apiVersion': 'ex.{ns}.io/v1', 'kind': 'Widget', 'metadata': {'name': 'w'}}
    for s in [
        {'size': 0},
        {'size': 'x'},
        {'name': 'UPPER'},
        {'name': 'toolong'},
        {'list': [{'v': '1'}]},
        {'list': [{'k': 'a'}, {'k': 'a'}]},
        {'e': 'c'},
        {'n': None},
        {'port': 'http'},
        {'port': 1.5},
        {'any': {'a': [1]}},
        {'unknown': 1},
        {'size': 1.5},
    ]:
        k.post(W, {**o, 'spec': s}, dryRun='All')
    k.post(W, {**o, 'spec': {'unknown': 1}}, fieldValidation='Strict')
    k.post(W, {**o, 'spec': {}})
    k.post(W, {'metadata': {'name': 'x'}})
    k.post(W, {**o, 'apiVersion': 'ex.io/v2'})
    k.post(W, {**o, 'status': {'replicas': 4}, 'metadata': {'name': 'st'}})
    k.put(W + '/st/status', {**o, 'metadata': {'name': 'st'}, 'status': {'replicas': 4}})
    k.get(W + '/st/scale')
    k.patch(W + '/w', {'spec': {'size': 0}}, 'merge')
    k.patch(W + '/w', {'spec': {'size': 5}}, 'merge')
    k.patch(W + '/w', {**o, 'spec': {'list': [{'k': 'a', 'v': '1'}]}}, 'apply', fieldManager='m')
    k.patch(W + '/w', {**o, 'spec': {'list': [{'k': 'b', 'v': '1'}]}}, 'apply', fieldManager='n')
    k.patch(W + '/w', {**o, 'spec': {'list': [{'k': 'a', 'v': '2'}]}}, 'apply', fieldManager='n')
    k.patch(W + '/w', {**o, 'spec': {'size': 'x'}}, 'apply', fieldManager='n')
    k.patch(W + '/w', {**o, 'spec': {'nope': 1}}, 'apply', fieldManager='n')
    k.get(W, headers={'Accept': 'application/json;as=Table;v=v1;g=meta.k8s.io'}, drop=['resourceVersion', 'rows'])
    k.get(W, fieldSelector='spec.size=5')
    k.get(W + '/none')
    k.delete(W + '/w')
    k.get(f'/apis/ex.{k.ns}.io')
    k.delete(f'{CRD}/widgets.ex.{k.ns}.io', keep=['kind'])
    k.wait(f'{CRD}/widgets.ex.{k.ns}.io', lambda b: b.get('code') == 404, note=False, seconds=20)
    time.sleep(1)
    k.get(W)


def scenario_definitions(k):

    def t(**v):
        c = crd()
        c['metadata']['name'] = 'widgets.ex.{ns}.io'
        c['spec']['versions'][0].update(v)
        k.post(CRD, c, dryRun='All', keep=['kind', 'reason', 'details', 'message', 'code'])
    S = lambda s: {'openAPIV3Schema': s}
    for v in [
        {'schema': None},
        {'schema': S({'type': 'string'})},
        {'schema': S({'type': 'object', 'properties': {'a': {}}})},
        {'schema': S({'type': 'object', 'properties': {'a': {'type': 'x'}}})},
        {'schema': S({'type': 'object', 'properties': {'a': {'type': 'array'}}})},
        {'schema': S({'type': 'object', 'properties': {'a': {'type': 'string', 'default': 5}}})},
        {'schema': S({'type': 'object', 'properties': {'metadata': {'type': 'object', 'properties': {'labels': {'type': 'object'}}}}})},
        {'schema': S({'type': 'object', 'x-kubernetes-preserve-unknown-fields': False})},
        {'served': False},
        {'additionalPrinterColumns': [{'name': '', 'type': 'x', 'jsonPath': 'a'}]},
        {'subresources': {'scale': {'specReplicasPath': 'spec.x', 'statusReplicasPath': ''}}},
        {'schema': S({'type': 'object', 'properties': {'a': {'type': 'array', 'items': {'type': 'object'}, 'x-kubernetes-list-type': 'map'}}})},
        {'schema': S({'type': 'object', 'properties': {'a': {'type': 'array', 'items': {'type': 'string'}, 'x-kubernetes-list-type': 'bad'}}})},
    ]:
        t(**v)
    for f in [
        lambda c: c['metadata'].update(name='bad'),
        lambda c: c['spec'].update(scope='X'),
        lambda c: c['spec'].update(group='nodots'),
        lambda c: c['spec']['names'].update(plural='Upper'),
        lambda c: c['spec']['names'].update(kind='1x'),
        lambda c: c['spec']['names'].update(shortNames=['A_']),
        lambda c: c['spec'].update(conversion={'strategy': 'X'}),
    ]:
        c = crd()
        f(c)
        k.post(CRD, c, dryRun='All', keep=['kind', 'reason', 'details', 'message', 'code'])
