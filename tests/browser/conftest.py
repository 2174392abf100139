"""One browser, and servers with something to see."""

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium, Tab, chromium
from tests.browser.scene import Scene, open_scene
from tests.server.keyed import keyed
from tests.support.serving import Serving
from tests.support.upstream import Upstream


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def tab(browser: Chromium) -> Iterator[Tab]:
    with browser.tab() as tab:
        tab.style()
        yield tab


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Return a server without keys, and what is on it."""
    with open_scene(tmp_path_factory.mktemp("scene")) as scene:
        yield scene


@pytest.fixture(scope="session")
def keyed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Upstream() as upstream, keyed(tmp_path_factory.mktemp("keyed") / "state.db", upstream) as server:
        yield server
