"""Access tokens of the ``llm-auth`` command for Python programs.

Every function runs the command that this package installs. Nothing here signs in: run
``llm-auth login PROVIDER`` first.
"""

from ._command import Credential, binary, credential, token
from ._errors import BinaryNotFound, Denied, LlmAuthError, NotSignedIn, Temporary, UsageError
from ._httpx import httpx_auth
from ._sdks import anthropic_credentials, async_openai_key, genai_client, openai_key

__all__ = [
    "BinaryNotFound",
    "Credential",
    "Denied",
    "LlmAuthError",
    "NotSignedIn",
    "Temporary",
    "UsageError",
    "anthropic_credentials",
    "async_openai_key",
    "binary",
    "credential",
    "genai_client",
    "httpx_auth",
    "openai_key",
    "token",
]
