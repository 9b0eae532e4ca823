"""The supervisor of one container: a small process that owns the container's processes and dies with the daemon.

It is started by ``launch.py`` with nothing but the standard library (``-I -S``), so it imports nothing of the rest of
this package, not even its clock; and since every container pays for its start, it does without the modules of the
standard library that are slow to import (``typing``, ``contextlib``, ``collections``). In comes a container's
description (marshal, on standard input) and commands on a control socket; out go messages on that socket and the
container's output, line by line with its time, in a log file.

Where namespaces are permitted the container's program is process 1 of a PID namespace: the kernel ends whatever it
started when it ends, and ends it when this process ends. Elsewhere this process adopts orphans (a child subreaper) and
kills all its descendants until none is left. The end of the daemon is noticed by the control socket's end.
"""
