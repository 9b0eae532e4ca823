"""What a PATCH does to an object, and who owns which field afterwards. Pure: objects in, objects out.

The four patch types of the API (JSON patch, JSON merge patch, strategic merge patch, server-side apply) and the
bookkeeping of ``metadata.managedFields`` for every write. No function changes the objects it is given.
"""

from bluegreen.localkube.patches.apply import server_side_apply, sync_last_applied
from bluegreen.localkube.patches.json_patch import json_patch
from bluegreen.localkube.patches.managers import track
from bluegreen.localkube.patches.merge_patch import merge_patch
from bluegreen.localkube.patches.strategic import strategic_merge

__all__ = ["json_patch", "merge_patch", "server_side_apply", "strategic_merge", "sync_last_applied", "track"]
