"""How many tokens the input of a response is."""

import msgspec

from antiphon.engine.ports import HostedTools, ResolvedModel
from antiphon.engine.request.translate import translate
from antiphon.engine.sealed import Boxes
from antiphon.service.tokens import estimate_tokens
from antiphon.wire.items import Item
from antiphon.wire.responses import CreateResponse


async def count_input(
    request: CreateResponse, items: list[Item], model: ResolvedModel, hosted: HostedTools, boxes: Boxes
) -> int:
    """Returns how many tokens a request is, whose whole context is `items`; `boxes` opens those among them.

    The backend says so where it can, else it is an estimate. The tools of MCP servers count only if the
    context has a list of them: nothing is asked of the servers. Raises `InvalidRequest` for a request that
    no backend can be given.
    """
    offered = {tool.position: tool.functions() for tool in hosted.tools if tool.setup(items) is None}
    if len(offered) < len(hosted.tools):
        # As before the set-ups of a response: what is chosen may be a tool that is not known yet.
        offered |= {tool.position: [] for tool in hosted.tools if tool.position not in offered}
        request = msgspec.structs.replace(request, tool_choice=None)
    capabilities = model.chat_model.capabilities
    chat = translate(request, items, model.name, capabilities, offered, boxes).chat_request
    if model.count_tokens is not None:
        counted = await model.count_tokens(chat)
        if counted is not None:
            return counted
    return estimate_tokens(chat["messages"], chat.get("tools"), chat.get("response_format"))
