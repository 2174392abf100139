"""An event loop for each test, as in the tests of the store."""

from tests.store.conftest import run

__all__ = ["run"]
