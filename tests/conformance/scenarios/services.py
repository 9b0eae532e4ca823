"""Services: addresses, ports, families, policies; what of them may change.

Recorded from the API server, controllers and scheduler of Kubernetes 1.34.1, built from its source, without a kubelet.
"""

def scenario_services(k):
    S = '/api/v1/namespaces/{ns}/services'

    def t(spec, name='s', **m):
        k.post(S, {'metadata': {'name': name, **m}, 'spec': spec}, dryRun='All')
    p = [{'port': 80}]
    for s in [
        {'ports': p, 'clusterIP': 'x'},
        {'ports': p, 'clusterIP': 'None', 'type': 'NodePort'},
        {'ports': p, 'clusterIPs': ['10.96.0.5']},
        {'ports': p, 'clusterIP': '10.96.0.5', 'clusterIPs': ['10.96.0.6']},
        {'type': 'ExternalName'},
        {'type': 'ExternalName', 'externalName': 'A_'},
        {'type': 'ExternalName', 'externalName': 'x.y', 'clusterIP': '10.96.0.9'},
        {'ports': p, 'externalName': 'x.y'},
        {'ports': p, 'type': 'NodePort', 'externalTrafficPolicy': 'X'},
        {'ports': p, 'externalTrafficPolicy': 'Local'},
        {'ports': p, 'internalTrafficPolicy': 'X'},
        {'ports': p, 'trafficDistribution': 'X'},
        {'ports': p, 'trafficDistribution': 'PreferClose'},
        {'ports': p, 'sessionAffinity': 'ClientIP', 'sessionAffinityConfig': {'clientIP': {'timeoutSeconds': 0}}},
        {'ports': p, 'sessionAffinity': 'ClientIP', 'sessionAffinityConfig': {'clientIP': {'timeoutSeconds': 90000}}},
        {'ports': p, 'sessionAffinityConfig': {'clientIP': {'timeoutSeconds': 5}}},
        {'ports': p, 'ipFamilies': ['IPv6']},
        {'ports': p, 'ipFamilies': ['X']},
        {'ports': p, 'ipFamilyPolicy': 'RequireDualStack'},
        {'ports': p, 'ipFamilyPolicy': 'X'},
        {'ports': p, 'ipFamilies': ['IPv4', 'IPv4']},
        {'ports': p, 'externalIPs': ['x', '127.0.0.1', '0.0.0.0']},
        {'ports': p, 'loadBalancerIP': 'x'},
        {'ports': p, 'type': 'LoadBalancer', 'loadBalancerSourceRanges': ['x']},
        {'ports': p, 'loadBalancerSourceRanges': ['10.0.0.0/8']},
        {'ports': p, 'type': 'LoadBalancer', 'loadBalancerClass': 'A_/'},
        {'ports': p, 'loadBalancerClass': 'a'},
        {'ports': p, 'allocateLoadBalancerNodePorts': False},
        {'ports': p, 'healthCheckNodePort': 30005},
        {'ports': [{'port': 80, 'nodePort': 30001}]},
        {'ports': [{'port': 80, 'name': 'a'}, {'port': 80, 'name': 'b'}]},
        {'ports': [{'port': 80, 'name': 'a'}, {'port': 81, 'name': 'a'}]},
        {'ports': [{'port': 80, 'name': 'A_'}]},
        {'ports': [{'port': 80, 'targetPort': 0}]},
        {'ports': [{'port': 80, 'targetPort': 'a--b'}]},
        {'ports': [{'port': 80, 'appProtocol': 'a b'}]},
        {'ports': [{'port': 80, 'targetPort': 8080}], 'clusterIP': 'None'},
        {'selector': {'a b': 'c'}, 'ports': p},
        {'clusterIP': 'None'},
        {'publishNotReadyAddresses': True, 'ports': p},
        {'ports': [{'port': '80'}]},
        {'ports': [{}]},
        {'ports': [{'port': 80, 'protocol': 'SCTP', 'name': 'x'}, {'port': 80, 'protocol': 'TCP', 'name': 'y'}]},
    ]:
        t(s)
    t({'ports': p}, name='1a')
    t({'ports': p}, name='a.b')
    t({'ports': p}, name='a' * 64)
    k.post(S, {'metadata': {'name': 's'}, 'spec': {'ports': p, 'selector': {'a': 'b'}}}, note=False)

    def u(patch, kind='merge'):
        k.patch(S + '/s', patch, kind, dryRun='All')
    u({'spec': {'clusterIP': '10.96.3.3'}})
    u({'spec': {'clusterIP': None}})
    u({'spec': {'clusterIP': 'None'}})
    u({'spec': {'type': 'ExternalName'}})
    u({'spec': {'type': 'ExternalName', 'externalName': 'a.b'}})
    u({'spec': {'type': 'ExternalName', 'externalName': 'a.b', 'clusterIP': None, 'clusterIPs': None}})
    u({'spec': {'ports': []}})
    u({'spec': {'ipFamilies': ['IPv6']}})
    u({'spec': {'ipFamilyPolicy': 'PreferDualStack'}})
    u({'spec': {'selector': None}})
    u({'spec': {'sessionAffinity': None}})
    u({'spec': {'clusterIPs': ['10.96.3.3']}})
    u({'status': {'loadBalancer': {'ingress': [{'ip': 'x'}]}}})
    u({'spec': {'ports': [{'port': 81}]}}, 'strategic')
    u({'spec': {'ports': [{'port': 80, 'name': 'x'}]}}, 'strategic')
    k.put(S + '/s', {'metadata': {'name': 's'}, 'spec': {'ports': p}})
    k.put(S + '/new', {'metadata': {'name': 'new'}, 'spec': {'ports': p}})
    k.patch(S + '/s/status', {'status': {'loadBalancer': {'ingress': [{'ip': 'x', 'hostname': 'A_', 'ipMode': 'Q'}]}}}, 'merge')
    k.patch(S + '/s/status', {'status': {'conditions': [{'type': '', 'status': 'X'}]}}, 'merge')
