"""Pages, versions and selectors of lists; how watches begin.

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


def brief(ev):
    return [(e['type'], e['object'].get('metadata', {}).get('name'), e['object'].get('kind'), (e['object'].get('metadata', {}).get('annotations') or {}).get('k8s.io/initial-events-end'), e['object'].get('code')) for e in ev]


def scenario_lists(k):
    for i in range(4):
        k.post(CM, {'metadata': {'name': f'c{i}', 'labels': {'p': 'x'}}, 'data': {'i': str(i)}}, note=False)
    a = k.get(CM, note=False, limit=2, labelSelector='p=x')
    k.say('first', [[i['metadata']['name'] for i in a['items']], sorted(a['metadata']), a['metadata'].get('remainingItemCount')])
    a = k.get(CM, note=False, limit=2)
    k.say('all', [[i['metadata']['name'] for i in a['items']], a['metadata'].get('remainingItemCount')])
    c = a['metadata']['continue']
    k.get(CM, limit=1, continue_=c, resourceVersion='5')
    k.get(CM, continue_=c, resourceVersionMatch='Exact', resourceVersion='1')
    b = k.get(CM, note=False, limit=10, continue_=c)
    k.say('rest', [[i['metadata']['name'] for i in b['items']], sorted(b['metadata']), b['metadata'].get('continue'), b['metadata']['resourceVersion'] == a['metadata']['resourceVersion']])
    rv = a['metadata']['resourceVersion']
    k.post(CM, {'metadata': {'name': 'later', 'labels': {'p': 'x'}}}, note=False)
    e = k.get(CM, note=False, resourceVersion=rv, resourceVersionMatch='Exact', labelSelector='p=x')
    k.say('exact', [len(e.get('items', [])), e['metadata'].get('resourceVersion') == rv])
    e = k.get(CM, note=False, resourceVersion=rv, resourceVersionMatch='NotOlderThan', labelSelector='p=x')
    k.say('notolder', len(e['items']))
    e = k.get(CM, note=False, limit=2, resourceVersion=rv, labelSelector='p=x')
    k.say('limit and rv', [len(e['items']), bool(e['metadata'].get('continue'))])
    e = k.get(CM, note=False, limit=2, resourceVersion='0', labelSelector='p=x')
    k.say('limit and 0', len(e['items']))
    k.get(CM + '/c0', resourceVersion='0', keep=['data'])
    k.get('/api/v1/configmaps', fieldSelector='metadata.namespace={ns},metadata.name=c1', drop=['resourceVersion'])
    k.get('/api/v1/configmaps', fieldSelector='metadata.name=none', keep=['kind', 'items'])
    k.get('/api/v1/configmaps/c0')
    k.post('/api/v1/configmaps', {'metadata': {'name': 'x'}})
    k.delete('/api/v1/configmaps', labelSelector='never=1')
    k.get(CM, fieldSelector='metadata.name=c0,metadata.name=c1', keep=['items'])
    k.get(CM, fieldSelector='metadata.name==c0', keep=['kind'])
    k.get(CM, fieldSelector='metadata.name')
    k.get(CM, fieldSelector='metadata.name>c')
    k.get(CM, labelSelector='p in (x),p notin (y),p', keep=['kind'])
    k.get(CM, labelSelector='p=x,p=y', keep=['items'])
    k.get(CM, labelSelector='p=,q!=', keep=['kind'])
    k.delete(CM, labelSelector='p=x', dryRun='All', keep=['kind'])
    k.say('kept', len(k.get(CM, note=False, labelSelector='p=x')['items']))
    k.delete(CM, labelSelector='p=x', limit=2, keep=['kind'])
    k.say('left', len(k.get(CM, note=False, labelSelector='p=x')['items']))
    k.delete(CM, {'propagationPolicy': 'Bad'}, labelSelector='p=x')
    k.delete(CM, fieldSelector='metadata.name=kube-root-ca.crt', keep=['kind'], dryRun='All')


def scenario_watches(k):
    k.post(CM, {'metadata': {'name': 'a', 'labels': {'w': '1'}}}, note=False)
    ev = k.watch(CM, sendInitialEvents='true', resourceVersionMatch='NotOlderThan', allowWatchBookmarks='true', labelSelector='w=1', seconds=3, until=lambda e: any((x['type'] == 'BOOKMARK' for x in e)))
    k.say('initial', brief(ev))
    ev = k.watch(CM, sendInitialEvents='true', resourceVersionMatch='NotOlderThan', allowWatchBookmarks='true', labelSelector='w=none', seconds=3, until=lambda e: any((x['type'] == 'BOOKMARK' for x in e)))
    k.say('initial none', brief(ev))
    ev = k.watch(CM, sendInitialEvents='false', resourceVersionMatch='NotOlderThan', labelSelector='w=1', seconds=1)
    k.say('no initial', brief(ev))
    ev = k.watch(CM, resourceVersion='0', labelSelector='w=1', seconds=2, until=lambda e: len(e) >= 1)
    k.say('zero', brief(ev))
    rv = k.get(CM, note=False)['metadata']['resourceVersion']
    k.patch(CM + '/a', {'metadata': {'labels': {'w': '2'}}}, 'merge', note=False)
    k.patch(CM + '/a', {'data': {'x': 'y'}}, 'merge', note=False)
    k.patch(CM + '/a', {'metadata': {'labels': {'w': '1'}}}, 'merge', note=False)
    k.delete(CM + '/a', note=False)
    ev = k.watch(CM, resourceVersion=rv, labelSelector='w=1', seconds=3, until=lambda e: len(e) >= 3)
    k.say('selected', [(e['type'], e['object'].get('data'), e['object']['metadata']['labels']) for e in ev])
    ev = k.watch(CM, resourceVersion=rv, fieldSelector='metadata.name=a', seconds=3, until=lambda e: len(e) >= 4)
    k.say('one', [e['type'] for e in ev])
