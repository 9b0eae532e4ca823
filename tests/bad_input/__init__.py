"""The catalogue of bad input: every bad setting, manifest and cluster that must be refused before anything is changed.

``python -m tests.bad_input`` prints it as a table. The tests beside it hold each case against the real thing.
"""

from __future__ import annotations

from tests.bad_input.case import Case


def catalogue() -> list[tuple[str, Case]]:
    """Every case with its kind."""
    from tests.bad_input import clusters, manifests, settings, thresholds

    tables: dict[str, tuple[tuple[Case, ...], ...]] = {
        "setting": (settings.SETTINGS, settings.SECRETS, settings.DOTENV),
        "manifest": (manifests.UNREADABLE, manifests.UNFIT, manifests.REFUSED),
        "thresholds": (thresholds.THRESHOLDS,),
        "cluster": (clusters.LOST, clusters.UNFIT),
    }
    return [(kind, case) for kind, parts in tables.items() for part in parts for case in part]
