"""Custom resources: what a CustomResourceDefinition's schema means for the objects of its kind.

Pure: a definition or a value in, a decision out. Who serves and stores them is the catalogue's and the store's
business, as for built-in kinds. The rules and words are those of Kubernetes 1.34 (apiextensions-apiserver,
kube-openapi); conversion webhooks and x-kubernetes-validations are not evaluated.
"""
