"""A server of the official Python SDK, which speaks 2026-07-28 and the revisions before it.

It prints its port. Run `pip install -r requirements.txt` first.
"""

import socket
from typing import Annotated

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from pydantic import Field
from starlette.responses import Response

TOKEN = b"Bearer made-up-token"

server = MCPServer("made-up")


@server.tool()
def echo(text: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Text"})]) -> str:
    return text


@server.tool()
async def progress(ctx: Context) -> str:
    await ctx.report_progress(1, 2)
    return "done"


@server.resource("made-up://{name}")
def resource(name: str) -> str:
    return name


app = server.streamable_http_app()


async def with_token(scope, receive, send):
    if scope["type"] == "http" and dict(scope["headers"]).get(b"authorization") != TOKEN:
        await Response(status_code=401)(scope, receive, send)
    else:
        await app(scope, receive, send)


if __name__ == "__main__":
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(with_token, log_level="warning")).run(sockets=[listener])
