"""What a container may say of itself.

Recorded from the API server, controllers and scheduler of Kubernetes 1.34.1, built from its source, without a kubelet.
"""

def scenario_containers(k):
    P = '/api/v1/namespaces/{ns}/pods'

    def pod(spec=None, c=None, name='p', **m):
        return {'metadata': {'name': name, **m}, 'spec': {'containers': [{'name': 'c', 'image': 'img:1', **(c or {})}], **(spec or {})}}

    def t(spec=None, c=None, **m):
        k.post(P, pod(spec, c, **m), dryRun='All', drop=['volumes', 'volumeMounts'])
    for c in [
        {'name': 'C_'},
        {'name': ''},
        {'image': ''},
        {'image': ' x '},
        {'image': 'UPPER/x:y:z'},
        {'imagePullPolicy': 'X'},
        {'terminationMessagePolicy': 'X'},
        {'terminationMessagePath': 'rel'},
        {'workingDir': 'rel'},
        {'ports': [{'containerPort': 0}]},
        {'ports': [{'containerPort': 80, 'name': 'a' * 16}, {'containerPort': 80, 'protocol': 'X', 'hostPort': -1}]},
        {'ports': [{'containerPort': 80, 'name': 'a'}, {'containerPort': 81, 'name': 'a'}]},
        {'ports': [{'containerPort': 80, 'name': '123'}]},
        {'ports': [{'containerPort': 80, 'hostIP': 'x', 'hostPort': 80}, {'containerPort': 80, 'hostIP': 'x', 'hostPort': 80}]},
        {'env': [{'name': ''}, {'name': '1a'}, {'name': 'a b'}, {'name': 'x', 'value': '1', 'valueFrom': {'fieldRef': {'fieldPath': 'metadata.name'}}}, {'name': 'y', 'valueFrom': {}}, {'name': 'z', 'valueFrom': {'fieldRef': {'fieldPath': 'spec.nope'}, 'configMapKeyRef': {'name': '', 'key': ''}}}]},
        {'env': [{'name': 'x', 'valueFrom': {'fieldRef': {'fieldPath': "metadata.labels['A b']", 'apiVersion': 'v2'}}}, {'name': 'y', 'valueFrom': {'resourceFieldRef': {'resource': 'limits.foo'}}}, {'name': 'w', 'valueFrom': {'resourceFieldRef': {'resource': 'limits.cpu', 'divisor': '3'}}}, {'name': 'z', 'valueFrom': {'secretKeyRef': {'name': 'A_', 'key': 'a b'}}}]},
        {'envFrom': [{'prefix': '1-'}, {'configMapRef': {'name': ''}, 'secretRef': {'name': 'A_'}}]},
        {'resources': {'requests': {'cpu': '2'}, 'limits': {'cpu': '1'}, 'claims': [{'name': 'x'}]}},
        {'resizePolicy': [{'resourceName': 'gpu', 'restartPolicy': 'X'}]},
        {'volumeMounts': [{'name': 'nope', 'mountPath': '/x'}, {'name': '', 'mountPath': ''}, {'name': 'n', 'mountPath': '/x', 'subPath': '../a', 'subPathExpr': 'b', 'mountPropagation': 'Q'}]},
        {'volumeDevices': [{'name': 'x', 'devicePath': ''}]},
        {'livenessProbe': {}},
        {'livenessProbe': {'exec': {'command': []}, 'successThreshold': 2, 'timeoutSeconds': -1, 'periodSeconds': -1, 'failureThreshold': -1, 'initialDelaySeconds': -1, 'terminationGracePeriodSeconds': 0}},
        {'readinessProbe': {'httpGet': {'port': 'UPPER', 'scheme': 'ftp', 'path': '', 'httpHeaders': [{'name': 'a b'}]}, 'terminationGracePeriodSeconds': 3}},
        {'startupProbe': {'grpc': {'port': 0, 'service': 'x'}}},
        {'livenessProbe': {'tcpSocket': {'port': 70000}}},
        {'livenessProbe': {'tcpSocket': {'port': 'nope-nope-nope-nope'}}},
        {'lifecycle': {'preStop': {}}},
        {'lifecycle': {'postStart': {'exec': {'command': ['a']}, 'httpGet': {'port': 80}}}},
        {'lifecycle': {'preStop': {'sleep': {'seconds': 100}}}},
        {'lifecycle': {'preStop': {'sleep': {'seconds': -1}}}},
        {'lifecycle': {'stopSignal': 'SIGFOO'}},
        {'lifecycle': {'stopSignal': 'SIGTERM'}},
        {'securityContext': {'privileged': True, 'allowPrivilegeEscalation': False, 'runAsUser': -1, 'procMount': 'X', 'capabilities': {'add': ['SYS_ADMIN']}}},
        {'securityContext': {'allowPrivilegeEscalation': False, 'capabilities': {'add': ['CAP_SYS_ADMIN']}}},
        {'restartPolicy': 'Always'},
        {'restartPolicy': 'Never'},
        {'restartPolicyRules': [{'action': 'Restart'}]},
        {'stdinOnce': True, 'tty': True},
        {'command': 'x'},
        {'args': [1]},
        {'ports': 'x'},
        {'ports': [{'containerPort': '80'}]},
        {'env': {'a': 'b'}},
        {'resources': {'limits': {'cpu': True}}},
        {'resources': {'limits': {'cpu': 1.5}}},
        {'livenessProbe': {'httpGet': {'port': True}}},
        {'livenessProbe': {'httpGet': {'port': 1.5}}},
    ]:
        t(None, c)
    for m in [
        {'name': 'A_'},
        {'annotations': {'kubernetes.io/config.mirror': 'x'}},
        {'labels': {'a': 'x' * 64}},
        {'namespace': 'zz'},
    ]:
        t(None, None, **m)
