"""Traces and metrics, which are off unless the operator switches them on."""
