"""What the package promises about tokens: where they go, and where they never appear."""

from __future__ import annotations

import asyncio
import http.server
import importlib.metadata
import os
import signal
import stat
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

import httpx
import httpx2
import llm_auth_cli
from llm_auth_cli import _command, _httpx
from simulated import Simulated

OLD, NEW = "made-up-old-token", "made-up-new-token"


class Recorder(http.server.ThreadingHTTPServer):
    """A server that records the credentials that reach it, and responds as it is set to."""

    def __init__(self, test: unittest.TestCase) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.seen: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.accepts: str | None = None
        self.redirect: str | None = None
        threading.Thread(target=self.serve_forever).start()
        test.addCleanup(self.server_close)
        test.addCleanup(self.shutdown)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Recorder

    def do_POST(self) -> None:
        self.server.seen.append({name.lower(): value for name, value in self.headers.items()})
        length = int(self.headers.get("content-length", "0"))
        self.server.bodies.append(self.rfile.read(length))
        accepted = self.server.accepts in (None, self.headers.get("authorization"))
        self.send_response(401 if not accepted else 307 if self.server.redirect else 200)
        if accepted and self.server.redirect:
            self.send_header("location", self.server.redirect)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Requests(unittest.TestCase):
    """The command is replaced by a function here: its part is tested with the real one."""

    library = httpx2

    def setUp(self) -> None:
        self.api, self.other = Recorder(self), Recorder(self)
        self.refused: list[str | None] = []
        self.next = NEW
        self.api_base: str | None = self.api.url + "/v1"
        replaced = mock.patch.object(_httpx, "credential", self.credential)
        replaced.start()
        self.addCleanup(replaced.stop)

    def credential(self, provider: str, **wanted: object) -> llm_auth_cli.Credential:
        self.refused.append(wanted["refused"])
        access = OLD if wanted["refused"] is None else self.next
        return _command.Credential(access, provider, "default", None, self.api_base, {"x-more": "1"})

    def post(self, url: str, body: object = b"body", **auth: object) -> int:
        with self.library.Client(auth=llm_auth_cli.httpx_auth("qwen", **auth)) as client:
            key = {"x-api-key": "made-up-placeholder"}
            return client.post(url, content=body, headers=key, follow_redirects=True).status_code

    def test_the_token_and_no_other_key_goes_to_the_api(self) -> None:
        self.assertEqual(self.post(self.api.url + "/v1/chat"), 200)
        [seen] = self.api.seen
        self.assertEqual(seen["authorization"], f"Bearer {OLD}")
        self.assertEqual(seen["x-more"], "1")
        self.assertNotIn("x-api-key", seen)

    def test_the_token_goes_to_no_other_origin(self) -> None:
        for url in (self.other.url, self.other.url.replace("127.0.0.1", "localhost")):
            self.post(url + "/v1/chat")
        self.assertEqual(len(self.other.seen), 2)
        for seen in self.other.seen:
            self.assertNotIn("authorization", seen)
            self.assertEqual(seen["x-api-key"], "made-up-placeholder")

    def test_the_token_does_not_follow_a_redirect_to_another_origin(self) -> None:
        self.api.redirect = self.other.url
        self.other.accepts = "Bearer of another"
        self.assertEqual(self.post(self.api.url), 401)
        [seen] = self.other.seen
        self.assertNotIn("authorization", seen)
        self.assertEqual(self.refused, [None], "the 401 of another server refuses no token")

    def test_a_refused_token_is_replaced_once(self) -> None:
        self.api.accepts = f"Bearer {NEW}"
        self.assertEqual(self.post(self.api.url), 200)
        self.assertEqual(self.refused, [None, OLD])
        self.assertEqual(self.api.bodies, [b"body", b"body"])
        self.api.accepts = "Bearer nothing"
        self.assertEqual(self.post(self.api.url), 401)
        self.assertEqual(len(self.api.seen), 4)

    def test_a_token_that_stays_the_same_is_not_sent_again(self) -> None:
        self.api.accepts, self.next = "Bearer nothing", OLD
        self.assertEqual(self.post(self.api.url), 401)
        self.assertEqual(len(self.api.seen), 1)

    def test_a_body_that_can_be_read_once_is_sent_once(self) -> None:
        self.api.accepts = f"Bearer {NEW}"
        self.assertEqual(self.post(self.api.url, iter([b"bo", b"dy"])), 401)
        self.assertEqual((len(self.api.seen), self.refused), (1, [None]))

    def test_an_asynchronous_client_does_the_same(self) -> None:
        self.api.accepts = f"Bearer {NEW}"

        async def post() -> list[int]:
            auth = llm_auth_cli.httpx_auth("qwen")
            async with self.library.AsyncClient(auth=auth) as client:
                urls = (self.api.url, self.other.url)
                return [(await client.post(url, content=b"body")).status_code for url in urls]

        self.assertEqual(asyncio.run(post()), [200, 200])
        self.assertNotIn("authorization", self.other.seen[0])

    def test_an_api_is_named_only_for_a_session_that_names_none(self) -> None:
        with self.assertRaisesRegex(llm_auth_cli.LlmAuthError, "leave `api_base` out"):
            self.post(self.other.url, api_base=self.other.url)
        self.api_base = None
        with self.assertRaisesRegex(llm_auth_cli.LlmAuthError, "pass its URL"):
            self.post(self.api.url)
        self.assertEqual((self.api.seen, self.other.seen), ([], []))
        self.assertEqual(self.post(self.api.url, api_base=self.api.url), 200)
        self.assertEqual(self.api.seen[0]["authorization"], f"Bearer {OLD}")


class RequestsOfHttpx(Requests):
    library = httpx


class Command(unittest.TestCase):
    def setUp(self) -> None:
        self.kit = Simulated()
        self.addCleanup(self.kit.close)

    def stand_in(self, script: str) -> Path:
        """A program in place of the command."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "llm-auth"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        replaced = mock.patch.object(_command, "binary", lambda: str(path))
        replaced.start()
        self.addCleanup(replaced.stop)
        return path.parent

    def test_each_failure_has_the_class_of_its_exit_code(self) -> None:
        with self.assertRaises(llm_auth_cli.NotSignedIn) as found:
            llm_auth_cli.token("qwen")
        self.assertEqual((found.exception.exit_code, found.exception.kind), (3, "not_signed_in"))
        self.assertIn("llm-auth login qwen", str(found.exception))
        for provider in ("no-such-provider", "--help"):
            with self.assertRaises(llm_auth_cli.UsageError):
                llm_auth_cli.token(provider)
        self.kit.sign_in(llm_auth_cli.binary(), "qwen")
        refused = llm_auth_cli.token("qwen")
        self.kit.revoke()
        with self.assertRaises(llm_auth_cli.NotSignedIn) as found:
            llm_auth_cli.token("qwen", refused=refused)
        self.assertNotIn(refused, str(found.exception))

    def test_the_command_on_the_path_or_in_a_variable_is_not_run(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        other = Path(directory.name) / "llm-auth"
        other.write_text("#!/bin/sh\nexit 99\n")
        other.chmod(0o755)
        _command.binary.cache_clear()
        with mock.patch.dict(os.environ, PATH=directory.name, LLM_AUTH_BINARY=str(other)):
            with self.assertRaises(llm_auth_cli.NotSignedIn):
                llm_auth_cli.token("qwen")

    def test_a_copy_without_metadata_has_no_command_unless_one_lies_beside_it(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.addCleanup(_command.binary.cache_clear)
        missing = importlib.metadata.PackageNotFoundError("llm-auth-cli")
        module = Path(directory.name) / "llm_auth_cli" / "_command.py"
        with (
            mock.patch.object(importlib.metadata, "files", side_effect=missing),
            mock.patch.object(_command, "__file__", str(module)),
        ):
            _command.binary.cache_clear()
            with self.assertRaises(llm_auth_cli.BinaryNotFound):
                llm_auth_cli.token("qwen")
            beside = Path(directory.name).resolve() / "bin" / "llm-auth"
            beside.parent.mkdir()
            beside.write_text("#!/bin/sh\n")
            self.assertEqual(llm_auth_cli.binary(), str(beside))

    def test_a_token_is_in_no_message_and_no_argument(self) -> None:
        directory = self.stand_in('cat >"$0.in"; echo "$@" >"$0.arguments"; echo made-up-output')
        with self.assertRaises(llm_auth_cli.LlmAuthError) as found:
            llm_auth_cli.token("qwen", refused=OLD)
        self.assertIsNone(found.exception.__context__)
        self.assertNotIn("made-up-output", str(found.exception))
        self.assertEqual((directory / "llm-auth.in").read_text(), OLD)
        self.assertNotIn(OLD, (directory / "llm-auth.arguments").read_text())
        shown = repr(_command.Credential(OLD, "qwen", "default", None, None, {}))
        self.assertNotIn(OLD, shown)

    def test_an_interrupted_program_does_not_kill_the_command(self) -> None:
        directory = self.stand_in('echo >"$0.begun"; read line <"$0.go"; echo stored >"$0.end"')
        begun, go, end = (directory / f"llm-auth.{name}" for name in ("begun", "go", "end"))
        for pipe in (begun, go, end):
            os.mkfifo(pipe)

        # A shell that runs this in the background has it ignored.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        # Ends a run in which something hangs.
        signal.alarm(60)
        self.addCleanup(signal.alarm, 0)

        def interrupt() -> None:
            begun.read_text()
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        with self.assertRaises(KeyboardInterrupt):
            llm_auth_cli.token("qwen")
        # Nothing opens this end if the command was killed.
        go.write_text("go\n")
        self.assertEqual(end.read_text(), "stored\n")


if __name__ == "__main__":
    unittest.main()
