"""The sample backend that the embedded cluster runs, and that its Dockerfile packs for a real one.

A separate house: it imports nothing of the harness and nothing outside the standard library, so that a pod is
ready some 0.1 s after its process starts (an aiohttp application of the same size took 0.35 s and twice the memory).

``python -m bluegreen.sample`` reads its settings from the environment; see ``settings.py``.
"""
