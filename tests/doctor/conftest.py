"""Databases, as in the tests of the store."""

from tests.store.conftest import postgresql_tables, run, url

__all__ = ["postgresql_tables", "run", "url"]
