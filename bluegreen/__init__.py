"""A pytest-driven harness for zero-downtime blue-green deployment on Kubernetes.

One release is one flow, and the modules are laid out along it::

    settings -> plan -> cluster -> gate -> verdict -> switch | revert -> report

A module imports only from modules before it; import-linter holds the order.
"""

__version__ = "0.1.0"
