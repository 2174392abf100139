"""The code interpreter as a hosted tool of one request."""

import asyncio
import base64
import mimetypes

import msgspec

from antiphon.engine.ports import HostedCall, StreamedCall, ToolCalls
from antiphon.engine.reply.tool_input import InputReader
from antiphon.errors import AntiphonError, InvalidRequest, NotFound, UpstreamError
from antiphon.store.errors import TooManyContainers
from antiphon.tools.base import BasicCall, BasicTool
from antiphon.tools.code_interpreter.items import FILES
from antiphon.tools.context import Containers, ToolContext
from antiphon.tools.sandbox import Outcome, SandboxFailed
from antiphon.wire.chat import ChatTool
from antiphon.wire.containers import ContainerFile
from antiphon.wire.events import Event, OutputItemAdded, OutputItemDone
from antiphon.wire.items import ITEM_PREFIXES, CodeInterpreterCall, Item
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tool_events import (
    CodeInterpreterCallCodeDelta,
    CodeInterpreterCallCodeDone,
    CodeInterpreterCallCompleted,
    CodeInterpreterCallInProgress,
    CodeInterpreterCallInterpreting,
)
from antiphon.wire.tools import AutoContainer, CodeInterpreterTool

NAME = "code_interpreter"
"""The name of the function, and of the provider of its calls in recordings."""
FUNCTION: ChatTool = {
    "type": "function",
    "function": {
        "name": NAME,
        "description": "Run Python code and return what it prints, and the value of its last expression. "
        "Variables and files remain for later calls. Files are in /mnt/data. numpy, pandas, scipy, "
        "scikit-learn, sympy, matplotlib, openpyxl and other packages are installed; there is no network. "
        "The user sees matplotlib charts after plt.show().",
        "parameters": {
            "type": "object",
            "properties": {"code": {"type": "string", "description": "The Python code"}},
            "required": ["code"],
        },
    },
}
RUN = "python"
"""The name of each run in recordings."""
_ID = 24
"""Number of random bytes in the ids of containers."""
_WAIT = 60.0
"""Seconds that a call waits for others and for the start of its interpreter."""
_PNG = b"\x89PNG"


class CodeInterpreter(BasicTool):
    """A `HostedTool` that runs the model's code in a container."""

    def __init__(self, tool: CodeInterpreterTool, position: int, context: ToolContext) -> None:
        """Create the tool of a request.

        Raises:
            InvalidRequest: The server stores no files.
        """
        super().__init__(position)
        if context.containers is None:
            raise InvalidRequest(
                "This server keeps no files, so it has no containers.",
                code="unsupported_parameter",
                param=f"tools[{position}].type",
            )
        self._tool = tool
        self._context = context
        self._containers = context.containers
        self._container_id = tool.container if isinstance(tool.container, str) else None
        self._is_new = False
        self._turn = asyncio.Lock()

    async def prepare(self, items: list[Item]) -> None:
        """Find the container: an automatic one is that of the last call in the context, if it is active."""
        await self._containers.check(self._tool, f"tools[{self.position}]")
        if self._container_id is None:
            calls = (item for item in reversed(items) if isinstance(item, CodeInterpreterCall))
            last = next(calls, None)
            if last is not None and await self._containers.is_active(last.container_id):
                self._container_id = last.container_id

    def functions(self) -> list[ChatTool]:
        """Return the one function that the model is offered."""
        return [FUNCTION]

    def call(self, name: str, arguments: str) -> HostedCall:
        """Return a call with its whole arguments."""
        return self._new(arguments)

    def begin(self, name: str) -> StreamedCall:
        """Return a call whose code follows."""
        return self._new("")

    def _new(self, arguments: str) -> "CodeCall":
        context = self._context
        if self._container_id is None:
            self._container_id = context.request.ids("cntr", _ID)
            self._is_new = True
        item = CodeInterpreterCall(
            id=context.request.ids(ITEM_PREFIXES["code_interpreter_call"]),
            status="in_progress",
            code=None,
            container_id=self._container_id,
            outputs=[],
        )
        container = self._tool.container
        auto = container if self._is_new and isinstance(container, AutoContainer) else None
        return CodeCall(item, arguments, auto, context, self._containers, self._turn)


class SandboxCalls:
    """The `ToolCalls` of one container, below recording and replay."""

    def __init__(self, containers: Containers, container_id: str) -> None:
        self._containers = containers
        self._container_id = container_id

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Run code, and return its outcome as JSON.

        Raises:
            UpstreamError: The sandbox failed. The model continues with the error, so recordings have it.
            NotFound: The container does not exist any more.
        """
        try:
            outcome = await self._containers.run(self._container_id, str(arguments["code"]))
        except SandboxFailed as error:
            raise UpstreamError(error.message) from error
        result: JSON = msgspec.to_builtins(outcome)
        return result


class CodeCall(BasicCall[CodeInterpreterCall]):
    """One run of code: a `code_interpreter_call` with the events that api.openai.com sends."""

    def __init__(
        self,
        item: CodeInterpreterCall,
        arguments: str,
        auto: AutoContainer | None,
        context: ToolContext,
        containers: Containers,
        turn: asyncio.Lock,
    ) -> None:
        """Create a call.

        Args:
            item: The item before the call.
            arguments: The whole arguments; empty if they follow.
            auto: The description of a container that may be made; None for an existing one.
            context: The context of the request.
            containers: The containers of the owner.
            turn: Held by the call of the request that uses the container.
        """
        super().__init__(item)
        self._item_id = str(item.id)
        self._arguments = arguments
        self._auto = auto
        self._context = context
        self._containers = containers
        self._turn = turn
        self._calls: ToolCalls = context.wrap(SandboxCalls(containers, item.container_id))
        self._reader = InputReader("code")
        self._code: list[str] = []
        self._has_begun = False

    def begin(self, output_index: int) -> list[Event]:
        """Return `output_item.added` and `in_progress`."""
        self._has_begun = True
        # The code may run already, and even have ended.
        added = msgspec.structs.replace(self._item, status="in_progress", outputs=[])
        added.code = ""
        return [
            OutputItemAdded(output_index, added),
            CodeInterpreterCallInProgress(self._item_id, output_index),
        ]

    def feed(self, arguments: str, output_index: int) -> list[Event]:
        """Return a delta of the code, if the arguments have more of it."""
        return self._more(self._reader.feed(arguments), output_index)

    def end(self, output_index: int, *, is_cut: bool) -> list[Event]:
        """Return the rest of the code, and the whole."""
        events = self._more(self._reader.close(is_cut=is_cut), output_index)
        self._item.code = "".join(self._code)
        return [*events, CodeInterpreterCallCodeDone(self._item_id, output_index, self._item.code)]

    def abandon(self) -> CodeInterpreterCall:
        """Return the incomplete item, with the code so far."""
        self._item.code = "".join(self._code)
        self._item.status = "incomplete"
        return self._item

    def opening(self, output_index: int) -> list[Event]:
        """Return the events before the run."""
        events = self._until_code_is_whole(output_index)
        return [*events, CodeInterpreterCallInterpreting(self._item_id, output_index)]

    def skip(self, output_index: int) -> list[Event]:
        """Return the events of a call that doesn't run."""
        return [*self._until_code_is_whole(output_index), *self.closing(output_index)]

    def closing(self, output_index: int) -> list[Event]:
        """Return `completed`, unless the call failed, and `output_item.done`."""
        done = OutputItemDone(output_index, self._item)
        if self._item.status != "completed":
            return [done]
        return [CodeInterpreterCallCompleted(self._item_id, output_index), done]

    async def run(self) -> None:
        """Run the code. If the sandbox fails or a limit is exceeded, the call fails."""
        item = self._item
        item.status, item.code = "interpreting", self._whole_code()
        settings = self._context.services.settings.code_interpreter
        slots = self._context.services.slots.of(NAME, settings.concurrency)
        try:
            async with self._turn, asyncio.timeout(settings.timeout + _WAIT), slots:
                await self._containers.use(item.container_id, self._auto)
                result = await self._calls.call(NAME, RUN, {"code": item.code})
                outcome = _outcome(result)
                files = await self._containers.keep(item.container_id, self._item_id, outcome)
            item.outputs = _outputs(outcome, files)
            item.status = "completed" if outcome.error is None else "failed"
        except TimeoutError:
            self._fail("The code interpreter had no time for this call. Try again later.")
        except (UpstreamError, NotFound, TooManyContainers) as error:
            self._fail(" ".join(error.message.split()))
        except (AntiphonError, asyncio.CancelledError):
            item.status = "incomplete"
            raise

    def _fail(self, message: str) -> None:
        self._item.outputs = [{"type": "logs", "logs": message}]
        self._item.status = "failed"

    def _until_code_is_whole(self, output_index: int) -> list[Event]:
        if self._has_begun:
            return []
        events = self.begin(output_index)
        events += self.feed(self._arguments, output_index)
        return [*events, *self.end(output_index, is_cut=False)]

    def _more(self, code: str, output_index: int) -> list[Event]:
        if not code:
            return []
        self._code.append(code)
        return [CodeInterpreterCallCodeDelta(self._item_id, output_index, code)]

    def _whole_code(self) -> str:
        """Return the code; the calls of a reply may run before their items open."""
        if self._has_begun:
            return "".join(self._code)
        reader = InputReader("code")
        return reader.feed(self._arguments) + reader.close(is_cut=False)


def _outcome(result: JSON) -> Outcome:
    """Return the outcome of a run, also of a recorded one.

    Raises:
        UpstreamError: The recording has another form.
    """
    try:
        return msgspec.convert(result, Outcome)
    except msgspec.ValidationError as error:
        raise UpstreamError(f"The result of the code interpreter is not valid: {error}") from None


def _outputs(outcome: Outcome, files: list[ContainerFile]) -> list[JSONObject]:
    """Return the outputs of an item, the last of which only the server has."""
    logs = outcome.logs if outcome.error is None else "\n".join(filter(None, [outcome.logs, outcome.error]))
    outputs: list[JSONObject] = [{"type": "logs", "logs": logs}] if logs else []
    for image in outcome.images:
        if image.startswith(_PNG):
            url = f"data:image/png;base64,{base64.b64encode(image).decode()}"
            outputs.append({"type": "image", "url": url})
    if outcome.result:
        outputs.append({"type": "logs", "logs": outcome.result})
    if files:
        described = [
            {
                "file_id": file.id,
                "path": file.path,
                "mime_type": mimetypes.guess_type(file.path)[0] or "application/octet-stream",
            }
            for file in files
        ]
        outputs.append({"type": FILES, FILES: described})
    return outputs
