"""The project's own checks and generators, run from the repository's root as `python -m scripts.NAME`."""
