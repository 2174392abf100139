"""Containers without interpreters, and the tool over them."""

from collections.abc import Callable, Mapping

import msgspec

from antiphon.engine.ports import HostedTool, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError
from antiphon.net.guard import Guard
from antiphon.settings.tools import ToolsSettings
from antiphon.tools.code_interpreter.tool import CodeInterpreter
from antiphon.tools.context import ToolContext, ToolServices
from antiphon.tools.sandbox import Outcome
from antiphon.wire.containers import ContainerFile
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import AutoContainer, CodeInterpreterTool
from tests.engine.replies import counted_ids

AUTO = CodeInterpreterTool(container=AutoContainer())
PYTHON: JSONObject = {"type": "code_interpreter", "container": {"type": "auto"}}


class FakeContainers:
    """Containers that return an outcome for each code."""

    def __init__(self, outcomes: Mapping[str, Outcome | AntiphonError] | None = None) -> None:
        self.outcomes = dict(outcomes or {})
        self.active: set[str] = set()
        self.used: list[tuple[str, AutoContainer | None]] = []
        self.codes: list[str] = []
        self.refusal: AntiphonError | None = None

    async def check(self, tool: CodeInterpreterTool, param: str) -> None:
        if self.refusal is not None:
            raise self.refusal

    async def is_active(self, container_id: str) -> bool:
        return container_id in self.active

    async def use(self, container_id: str, auto: AutoContainer | None) -> None:
        self.used.append((container_id, auto))

    async def run(self, container_id: str, code: str) -> Outcome:
        self.codes.append(code)
        outcome = self.outcomes.get(code, Outcome(logs=f"ran {code}"))
        if isinstance(outcome, AntiphonError):
            raise outcome
        return outcome

    async def keep(self, container_id: str, call_id: str, outcome: Outcome) -> list[ContainerFile]:
        names = [*outcome.files, *(f"cfile_{number}.png" for number, _ in enumerate(outcome.images))]
        return [
            ContainerFile(
                id=name.removesuffix(".png") if name.startswith("cfile_") else f"cfile_of_{name}",
                created_at=0,
                bytes=1,
                container_id=container_id,
                path=f"/mnt/data/{name}",
                source="assistant",
            )
            for name in names
        ]


class Wire:
    """Tool calls whose results pass JSON, as recorded ones do."""

    def __init__(self, inner: ToolCalls) -> None:
        self._inner = inner

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        result: JSON = msgspec.json.decode(
            msgspec.json.encode(await self._inner.call(provider, name, arguments))
        )
        return result


def interpreter(
    containers: FakeContainers,
    tool: CodeInterpreterTool = AUTO,
    wrap: Callable[[ToolCalls], ToolCalls] = Wire,
) -> HostedTool:
    """Return the tool at the first position of a request."""
    context = ToolContext(
        services=ToolServices(settings=ToolsSettings(), guard=Guard()),
        request=RequestContext(ids=counted_ids()),
        wrap=wrap,
        containers=containers,
    )
    return CodeInterpreter(tool, 0, context)
