"""The kubelet: pods as local processes. ``kubelet.Kubelet`` runs them, ``capabilities.missing`` says what they lack."""
