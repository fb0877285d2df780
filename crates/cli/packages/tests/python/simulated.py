"""The simulated providers, and a user who is signed in to them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

PACKAGES = Path(os.environ["LLM_AUTH_PACKAGES"])
DOCS = PACKAGES.parent.parent.parent / "docs"


class Simulated:
    """One server and one home directory; the environment of this process points at both."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [os.environ["LLM_AUTH_TESTKIT"], "--approve", "auto", "--interval", "1"]
            + ["--until-stdin-closes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.url = self._server.stdout.readline().strip()
        self._home = tempfile.TemporaryDirectory()
        os.environ["LLM_AUTH_HOME"] = self._home.name
        for line in self._get("/testkit/env").decode().splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            os.environ[name] = value.strip("'")

    def sign_in(self, command: str, provider: str, *flags: str) -> None:
        visit = "import sys, urllib.request as r; r.urlopen(sys.argv[1]).read()"
        browser = {"BROWSER": f"{sys.executable} -c '{visit}' %s"}
        subprocess.run(
            [command, "login", provider, *flags, "--json"],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, **browser},
        )

    def sign_in_to_anthropic_like(self, command: str) -> None:
        """Signs in, under the name "mine", to a provider with an API like Anthropic's."""
        base = self.url + "/standard"
        client = ("--issuer", base, "--client-id", "testkit-client", "--api-base", base)
        self.sign_in(command, "oidc", *client, "--name", "mine")

    def kill_tokens(self) -> None:
        """Every access token is valid by its expiry, and rejected by its API."""
        self._post("/testkit/expire", {})

    def forget_verdicts(self) -> None:
        """As if the 3 seconds had passed for which a response to `verify` counts."""
        shutil.rmtree(Path(self._home.name, "verified"))

    def revoke(self) -> None:
        self._post("/testkit/revoke", {})

    def counters(self, provider: str) -> dict[str, object]:
        return json.loads(self._get("/testkit/state"))[provider]["counters"]

    def close(self) -> None:
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()
        self._home.cleanup()

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path) as response:
            return response.read()

    def _post(self, path: str, body: object) -> None:
        request = urllib.request.Request(self.url + path, json.dumps(body).encode())
        urllib.request.urlopen(request).close()


def snippets(page: str | Path, language: str) -> list[str]:
    """The code blocks of a page of the repository."""
    text = (PACKAGES / page).read_text(encoding="utf-8")
    return [rest.split("```", 1)[0] for rest in text.split(f"```{language}\n")[1:]]
