import asyncio

import pytest

from antiphon.serving.serve import opened
from antiphon.settings.schema import Settings
from tests.server.asgi import Answer, run, scope


@pytest.mark.parametrize("viewer", [True, False])
@pytest.mark.parametrize("path", ["/", "/viewer", "/viewer/login", "/viewer/files.json"])
def test_the_setting_removes_the_pages(viewer: bool, path: str) -> None:
    async def answered() -> Answer:
        settings = Settings(database=":memory:", discover=False, viewer=viewer)
        async with opened(settings, ("127.0.0.1", 8321)) as (app, _, _):
            answer = Answer()
            await run(app, scope(path=path, headers={"accept": "text/html", "host": "localhost"}), answer)
            return answer

    assert (asyncio.run(answered()).status in (200, 303)) is viewer
