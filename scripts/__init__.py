"""Checks and generators of the project.

They run from its root, as `python -m scripts.NAME`.
"""
