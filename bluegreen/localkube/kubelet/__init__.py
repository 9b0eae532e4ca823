"""The kubelet: pods as local processes. ``Kubelet`` is its door."""
