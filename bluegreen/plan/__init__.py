"""What a release makes of settings and YAML: Deployments, autoscalers, configuration, each in a colour.

``plan_of`` gives the plan; everything that acts on a cluster asks it, and knows nothing of files.
"""

from bluegreen.plan.own import Own
from bluegreen.plan.own_files import is_own
from bluegreen.plan.protocol import Plan, Scaling
from bluegreen.plan.templates import Templates
from bluegreen.settings import Settings

__all__ = ["Plan", "Scaling", "plan_of"]


def plan_of(settings: Settings) -> Plan:
    """The plan of the manifests that the settings name."""
    return Own(settings) if is_own(settings.manifests) else Templates(settings)
