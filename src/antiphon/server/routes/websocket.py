"""Responses over WebSocket, with requests and events as text frames.

See https://developers.openai.com/api/docs/guides/websocket-mode.
"""

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from antiphon.server.edge.requests import refuse_own
from antiphon.server.edge.state import record_of
from antiphon.server.websocket import connection


async def connect(websocket: WebSocket) -> None:
    """Open a connection for responses."""
    refuse_own(websocket)
    await websocket.accept()
    record_of(websocket).opened()
    await connection.Connection(websocket).run(connection.LIMIT)


routes = [WebSocketRoute("/v1/responses", connect)]
