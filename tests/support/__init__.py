"""Servers, backends, databases and samples that many tests share."""
