"""A server of the official Python SDK with that SDK's own authorization server, as it comes.

It prints its URL as one line of JSON when it accepts connections, and ends with its standard input.
`GET /expire` ends all access tokens; `GET /seen` returns how many clients and refreshes there were.
Run `pip install -r requirements.txt` first.
"""

import json
import os
import secrets
import socket
import sys
import threading
import time

import uvicorn
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthToken
from starlette.responses import JSONResponse

SCOPE = "mcp:tools"


class Provider:
    """What the SDK leaves to its user: where clients, codes and tokens are. Each sign-in is approved."""

    def __init__(self):
        self.clients, self.codes, self.access, self.refresh = {}, {}, {}, {}
        self.refreshes = 0

    async def get_client(self, client_id):
        return self.clients.get(client_id)

    async def register_client(self, client):
        self.clients[client.client_id] = client

    async def authorize(self, client, params):
        code = AuthorizationCode(
            code=secrets.token_hex(20),
            scopes=params.scopes or [],
            expires_at=time.time() + 60,
            client_id=client.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
            subject="made-up-user",
        )
        self.codes[code.code] = code
        return construct_redirect_uri(
            str(params.redirect_uri), code=code.code, state=params.state
        )

    async def load_authorization_code(self, client, code):
        return self.codes.get(code)

    async def exchange_authorization_code(self, client, code):
        del self.codes[code.code]
        return self.issue(client, code.scopes, code.resource)

    async def load_refresh_token(self, client, token):
        return self.refresh.get(token)

    async def exchange_refresh_token(self, client, token, scopes, *args, **more):
        self.refreshes += 1
        del self.refresh[token.token]
        return self.issue(client, scopes or token.scopes, token.resource)

    def issue(self, client, scopes, resource):
        issued = {"client_id": client.client_id, "scopes": scopes, "subject": "made-up-user"}
        access, refresh = secrets.token_hex(20), secrets.token_hex(20)
        self.access[access] = AccessToken(
            token=access, expires_at=int(time.time() + 3600), resource=resource, **issued
        )
        self.refresh[refresh] = RefreshToken(token=refresh, resource=resource, **issued)
        return OAuthToken(
            access_token=access,
            token_type="Bearer",
            expires_in=3600,
            refresh_token=refresh,
            scope=" ".join(scopes),
        )

    async def load_access_token(self, token):
        return self.access.get(token)

    async def revoke_token(self, token):
        self.access.pop(token.token, None)
        self.refresh.pop(token.token, None)


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(128)
origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
provider = Provider()
server = MCPServer(
    "made-up",
    auth_server_provider=provider,
    auth=AuthSettings(
        issuer_url=origin,
        resource_server_url=origin + "/mcp",
        required_scopes=[SCOPE],
        validate_token_resource=True,
        client_registration_options=ClientRegistrationOptions(
            enabled=True, valid_scopes=[SCOPE], default_scopes=[SCOPE]
        ),
        revocation_options=RevocationOptions(enabled=True),
    ),
)


@server.tool()
def echo() -> str:
    return "made-up answer"


@server.custom_route("/expire", methods=["GET"])
async def expire(request):
    provider.access.clear()
    return JSONResponse({})


@server.custom_route("/seen", methods=["GET"])
async def seen(request):
    return JSONResponse({"clients": len(provider.clients), "refreshes": provider.refreshes})


def end_with_input():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
print(json.dumps({"url": origin + "/mcp", "origin": origin}), flush=True)
config = uvicorn.Config(server.streamable_http_app(), log_level="warning")
uvicorn.Server(config).run(sockets=[listener])
