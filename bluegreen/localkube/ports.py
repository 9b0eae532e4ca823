"""Which ports the embedded cluster opens where Kubernetes would open others."""

from __future__ import annotations

UNPRIVILEGED_OFFSET = 10_000
"""Where a port below 1024 may not be bound, a Service's address serves it so much higher: a choice."""
