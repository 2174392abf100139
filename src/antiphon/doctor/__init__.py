"""Checks of an installation: settings, database, backends, tools, port."""
