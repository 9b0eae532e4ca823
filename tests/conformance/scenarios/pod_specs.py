"""What a pod may say of itself.

Recorded from the API server, controllers and scheduler of Kubernetes 1.34.1, built from its source, without a kubelet.
"""

def scenario_podspec(k):
    P = '/api/v1/namespaces/{ns}/pods'

    def pod(spec=None, c=None, name='p', **m):
        return {'metadata': {'name': name, **m}, 'spec': {'containers': [{'name': 'c', 'image': 'img:1', **(c or {})}], **(spec or {})}}

    def t(spec=None, c=None, **m):
        k.post(P, pod(spec, c, **m), dryRun='All', drop=['volumes', 'volumeMounts'])
    for spec in [
        {'restartPolicy': 'Sometimes'},
        {'dnsPolicy': 'X'},
        {'dnsPolicy': 'None'},
        {'dnsConfig': {'nameservers': ['a'], 'searches': ['-x'], 'options': [{'value': '1'}]}},
        {'terminationGracePeriodSeconds': -1},
        {'activeDeadlineSeconds': 0},
        {'activeDeadlineSeconds': 3000000000},
        {'hostNetwork': True},
        {'serviceAccountName': 'nope'},
        {'serviceAccountName': 'Bad_'},
        {'nodeName': 'Bad_'},
        {'nodeSelector': {'a b': 'c'}},
        {'tolerations': [{'operator': 'X'}]},
        {'tolerations': [{'key': 'a', 'operator': 'Exists', 'value': 'x'}]},
        {'tolerations': [{'operator': 'Equal', 'value': 'x'}]},
        {'tolerations': [{'key': 'a', 'effect': 'X'}]},
        {'tolerations': [{'key': 'a', 'tolerationSeconds': 5}]},
        {'affinity': {'nodeAffinity': {'requiredDuringSchedulingIgnoredDuringExecution': {'nodeSelectorTerms': []}}}},
        {'affinity': {'nodeAffinity': {'requiredDuringSchedulingIgnoredDuringExecution': {'nodeSelectorTerms': [{'matchExpressions': [{'key': 'a', 'operator': 'In'}, {'key': 'b', 'operator': 'Gt', 'values': ['x']}, {'key': 'c', 'operator': 'Q'}]}]}}}},
        {'affinity': {'podAntiAffinity': {'requiredDuringSchedulingIgnoredDuringExecution': [{'labelSelector': {'matchLabels': {'a': 'b'}}}]}}},
        {'affinity': {'podAffinity': {'preferredDuringSchedulingIgnoredDuringExecution': [{'weight': 0, 'podAffinityTerm': {'topologyKey': ''}}]}}},
        {'topologySpreadConstraints': [{'maxSkew': 0, 'topologyKey': '', 'whenUnsatisfiable': 'X'}]},
        {'topologySpreadConstraints': [{'maxSkew': 1, 'topologyKey': 'a', 'whenUnsatisfiable': 'DoNotSchedule', 'minDomains': 0}, {'maxSkew': 1, 'topologyKey': 'a', 'whenUnsatisfiable': 'DoNotSchedule'}]},
        {'hostAliases': [{'ip': 'x', 'hostnames': ['A_']}]},
        {'hostname': 'A_'},
        {'subdomain': 'A_'},
        {'imagePullSecrets': [{}]},
        {'priorityClassName': 'nope'},
        {'priority': 5},
        {'preemptionPolicy': 'X'},
        {'runtimeClassName': 'nope'},
        {'readinessGates': [{'conditionType': 'a b'}]},
        {'schedulingGates': [{'name': 'a b'}, {'name': 'x'}, {'name': 'x'}]},
        {'securityContext': {'runAsUser': -1, 'runAsGroup': -2, 'fsGroup': -1, 'supplementalGroups': [-1], 'sysctls': [{'name': 'a..b', 'value': '1'}], 'seccompProfile': {'type': 'Localhost'}}},
        {'securityContext': {'fsGroupChangePolicy': 'X', 'appArmorProfile': {'type': 'Q'}, 'supplementalGroupsPolicy': 'Z'}},
        {'overhead': {'cpu': '1'}},
        {'os': {'name': 'beos'}},
        {'shareProcessNamespace': True, 'hostPID': True},
        {'setHostnameAsFQDN': True},
        {'enableServiceLinks': False},
        {'containers': []},
        {'initContainers': [{'name': 'c', 'image': 'x'}]},
        {'initContainers': [{'name': 'i', 'image': 'x', 'readinessProbe': {'exec': {'command': ['x']}}, 'lifecycle': {'preStop': {'sleep': {'seconds': 1}}}}]},
        {'initContainers': [{'name': 'i', 'image': 'x', 'restartPolicy': 'OnFailure'}]},
        {'ephemeralContainers': [{'name': 'e', 'image': 'x'}]},
        {'resources': {'limits': {'cpu': '1'}}},
        {'volumes': [{'name': 'v'}]},
        {'volumes': [{'name': 'V', 'emptyDir': {}}, {'name': 'v', 'emptyDir': {'sizeLimit': '-1'}, 'hostPath': {'path': ''}}]},
        {'volumes': [{'name': 'v', 'configMap': {}}, {'name': 'v', 'secret': {}}]},
        {'volumes': [{'name': 'v', 'configMap': {'name': 'a', 'defaultMode': 1000, 'items': [{'key': '', 'path': '/a'}, {'key': 'k', 'path': '../x', 'mode': -1}]}}]},
        {'volumes': [{'name': 'v', 'hostPath': {'path': 'a/../b', 'type': 'X'}}]},
        {'volumes': [{'name': 'v', 'persistentVolumeClaim': {}}]},
        {'volumes': [{'name': 'v', 'downwardAPI': {'items': [{'path': 'a', 'fieldRef': {'fieldPath': 'metadata.nope'}}, {'path': '', 'resourceFieldRef': {'resource': 'limits.cpu'}}]}}]},
        {'volumes': [{'name': 'v', 'projected': {'sources': [{'serviceAccountToken': {'path': '', 'expirationSeconds': 5}}, {'configMap': {'name': ''}}]}}]},
        {'volumes': [{'name': 'v', 'gitRepo': {'repository': ''}}]},
    ]:
        t(spec)
