"""The probe: requests against the live service across the whole release, as users would have felt it.

Comes in: the live address. Goes out: a ``ProbeResult`` with every failure, the longest gap and who answered when.
The requests are made by a process of their own (``python -m bluegreen.probe``), so that nothing the harness does can
delay them, on a fixed schedule, so that a stall shows; they carry no mark of a test. It never decides anything.
"""

from bluegreen.probe.controller import Probe
from bluegreen.probe.result import SWITCH, SWITCHED, Answer, Bucket, Mark, ProbeResult, summarise

__all__ = ["SWITCH", "SWITCHED", "Answer", "Bucket", "Mark", "Probe", "ProbeResult", "summarise"]
