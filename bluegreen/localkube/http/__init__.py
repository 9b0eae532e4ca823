"""HTTP for the API server: paths, bodies, answers, watches, and the streams of pods."""
