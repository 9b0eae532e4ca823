"""What the sample reads from its environment, once, at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bluegreen.sample.faults import FAULTS


class SettingsError(Exception):
    """A variable that cannot be used: its name, its value and what to write instead."""


@dataclass(frozen=True)
class SampleSettings:
    """The sample's settings; variables in brackets.

    ``host`` (POD_IP): the one address to listen on; empty means every address.
    ``http_port`` (SAMPLE_HTTP_PORT), ``metrics_port`` (SAMPLE_METRICS_PORT): 0 takes a free port.
    ``version`` (SAMPLE_VERSION): what it says it is, in X-Version and in its JSON.
    ``fault`` (SAMPLE_FAULT): a name of ``faults.FAULTS``; empty for a healthy backend.
    ``start_limit_s`` (HEALTH_CHECK_TIMEOUT): how long a deployment waits for readiness; only slow-start looks at it.
    ``idle_s`` (SAMPLE_IDLE_SECONDS): while draining, how long an idle keep-alive connection may wait for one more
    request, which is answered with ``Connection: close``; 5 s is a choice, longer than any browser's think time
    between the requests of one page.
    ``drain_s`` (SAMPLE_DRAIN_SECONDS): the longest that clients have from the beginning of a drain until a stop cuts
    them, below Kubernetes' default grace of 30 s.
    ``linger_s`` (SAMPLE_LINGER_SECONDS): how long new connections are still taken after SIGTERM with nothing open:
    proxies learn of the end of a pod 110-195 ms after it (measured on a real cluster).
    ``access_log`` (SAMPLE_ACCESS_LOG=1): one JSON line a request on standard output.
    """

    host: str = ""
    http_port: int = 8080
    metrics_port: int = 9090
    version: str = "dev"
    fault: str = ""
    start_limit_s: float = 300.0
    idle_s: float = 5.0
    drain_s: float = 25.0
    linger_s: float = 0.25
    access_log: bool = False


def load(env: Mapping[str, str]) -> SampleSettings:
    """The settings of this process. Raises SettingsError for a number that is none or a fault that does not exist."""
    fault = env.get("SAMPLE_FAULT", "")
    if fault not in FAULTS:
        raise SettingsError(f"SAMPLE_FAULT={fault!r}: no such fault. One of: {', '.join(sorted(FAULTS)).lstrip(', ')}")
    default = SampleSettings()
    return SampleSettings(
        host=env.get("POD_IP", ""),
        http_port=int(_number(env, "SAMPLE_HTTP_PORT", default.http_port)),
        metrics_port=int(_number(env, "SAMPLE_METRICS_PORT", default.metrics_port)),
        version=env.get("SAMPLE_VERSION") or default.version,
        fault=fault,
        start_limit_s=_number(env, "HEALTH_CHECK_TIMEOUT", default.start_limit_s),
        idle_s=_number(env, "SAMPLE_IDLE_SECONDS", default.idle_s),
        drain_s=_number(env, "SAMPLE_DRAIN_SECONDS", default.drain_s),
        linger_s=_number(env, "SAMPLE_LINGER_SECONDS", default.linger_s),
        access_log=env.get("SAMPLE_ACCESS_LOG", "") not in ("", "0", "false"),
    )


def _number(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name, "")
    if not text:
        return default
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"{name}={text!r}: not a number. Write seconds or a port, such as {default:g}") from None
