"""HTTP routing by Ingresses and by the Gateway API's HTTPRoutes, as an ingress controller and a gateway would do it.

    Ingresses, Gateways, HTTPRoutes -> rules (pure) -> which backend a request goes to -> the relay

A change of a backend is followed within the write: connections stay, and the next request on them goes where the rules
say now.
"""
