"""The examples of the README, and the SDKs of OpenAI, Anthropic and Google, as installed."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import unittest

import anthropic
import llm_auth_cli
import openai
from simulated import DOCS, Simulated, snippets

MESSAGES = [{"role": "user", "content": "hello"}]

#: For the clients of docs/tools/python.md, which shows no call.
CALL_OF_ANTHROPIC = """
messages = [{"role": "user", "content": "hello"}]
message = client.messages.create(model="MiniMax-M2", max_tokens=100, messages=messages)
print(message.content[0].text)
"""


class SDKs(unittest.TestCase):
    def setUp(self) -> None:
        self.kit = Simulated()
        self.addCleanup(self.kit.close)

    def sign_in(self, provider: str, *flags: str) -> None:
        self.kit.sign_in(llm_auth_cli.binary(), provider, *flags)

    def assert_refreshed_once(self, provider: str) -> None:
        counters = self.kit.counters(provider)
        self.assertEqual((counters["refreshes"], counters["reuse"]), (1, 0))
        self.assertEqual(counters["violations"], [])

    def run_and_kill(self, example: str, reply: str, verifies: bool = False) -> None:
        """Runs an example, and its call once more after the token was killed."""
        names: dict[str, object] = {}
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(example, "README.md", "exec"), names)
            self.kit.kill_tokens()
            if verifies:
                self.kit.forget_verdicts()
            call = example[example.rindex("\n", 0, example.rindex("client.")) :]
            exec(compile(call, "README.md", "exec"), names)
        self.assertEqual(out.getvalue().splitlines(), [reply, reply])

    def test_the_example_for_openai_goes_on_with_a_new_token_when_the_old_one_is_killed(self):
        self.sign_in("qwen")
        example = snippets("python/README.md", "python")[0]
        self.run_and_kill(example, "The simulated qwen heard: hello")
        self.assert_refreshed_once("qwen")

    def test_the_example_for_anthropic_goes_on_with_a_new_token_when_minimax_kills_the_old_one(self):
        # MiniMax reports a killed token with status 200, which no SDK takes for a 401.
        self.sign_in("minimax")
        example = snippets("python/README.md", "python")[1]
        self.run_and_kill(example, "The simulated minimax heard: hello", verifies=True)
        self.assert_refreshed_once("minimax")

    def test_the_client_of_the_page_goes_on_with_a_new_token_when_minimax_kills_the_old_one(self):
        self.sign_in("minimax")
        example = snippets(DOCS / "tools/python.md", "python")[1] + CALL_OF_ANTHROPIC
        self.run_and_kill(example, "The simulated minimax heard: hello", verifies=True)
        self.assert_refreshed_once("minimax")

    def test_the_credentials_for_anthropic_go_on_when_an_api_like_its_own_kills_the_token(self):
        self.kit.sign_in_to_anthropic_like(llm_auth_cli.binary())
        example = snippets(DOCS / "tools/python.md", "python")[2] + CALL_OF_ANTHROPIC
        self.run_and_kill(example, "The simulated standard heard: hello")
        self.assert_refreshed_once("standard")

    def test_the_example_for_google_goes_on_with_a_new_token_when_the_old_one_is_killed(self):
        trusted = ("--trust-endpoint", self.kit.url.removeprefix("http://"))
        self.sign_in("gemini", *trusted)
        example = snippets("python/README.md", "python")[2]
        os.environ["LLM_AUTH_GEMINI_QUOTA_PROJECT"] = "made-up-project"
        # The simulated Google is not Google: its client's secret goes there only if allowed.
        example = example.replace("genai_client()", f"genai_client(flags={trusted})")
        self.run_and_kill(example, "The simulated gemini heard: hello")
        self.assert_refreshed_once("gemini")

    def test_twenty_asynchronous_calls_with_a_killed_token_cause_one_refresh(self):
        self.sign_in("qwen")
        found = llm_auth_cli.credential("qwen")
        self.kit.kill_tokens()

        async def replies() -> list[str]:
            auth = llm_auth_cli.httpx_auth("qwen")
            async with openai.AsyncOpenAI(
                base_url=found.api_base,
                api_key="llm-auth",
                http_client=openai.DefaultAsyncHttpxClient(auth=auth),
                max_retries=0,
            ) as client:
                one = client.chat.completions.create
                calls = (one(model="coder-model", messages=MESSAGES) for _ in range(20))
                return [chat.choices[0].message.content for chat in await asyncio.gather(*calls)]

        self.assertEqual(set(asyncio.run(replies())), {"The simulated qwen heard: hello"})
        self.assert_refreshed_once("qwen")

    def test_a_stream_begins_with_a_new_token_when_the_old_one_is_killed(self):
        self.sign_in("qwen")
        client = openai.OpenAI(
            base_url=llm_auth_cli.credential("qwen").api_base,
            api_key="llm-auth",
            http_client=openai.DefaultHttpxClient(auth=llm_auth_cli.httpx_auth("qwen")),
        )
        self.kit.kill_tokens()
        stream = client.chat.completions.create(
            model="coder-model", messages=MESSAGES, stream=True
        )
        text = "".join(part.choices[0].delta.content or "" for part in stream if part.choices)
        self.assertEqual(text, "The simulated qwen heard: hello")
        self.assert_refreshed_once("qwen")

    def test_a_key_function_is_called_before_each_request(self):
        self.sign_in("qwen")
        base_url = llm_auth_cli.credential("qwen").api_base
        client = openai.OpenAI(base_url=base_url, api_key=llm_auth_cli.openai_key("qwen"))
        client.chat.completions.create(model="coder-model", messages=MESSAGES)
        self.kit.kill_tokens()
        verified = llm_auth_cli.openai_key("qwen", verify=True)
        client = openai.OpenAI(base_url=base_url, api_key=verified)
        client.chat.completions.create(model="coder-model", messages=MESSAGES)

        async def asynchronous() -> str:
            key = llm_auth_cli.async_openai_key("qwen", verify=True)
            async with openai.AsyncOpenAI(base_url=base_url, api_key=key) as client:
                return await client.chat.completions.create(
                    model="coder-model", messages=MESSAGES
                )

        asyncio.run(asynchronous())
        self.assertEqual(self.kit.counters("qwen")["chats_refused"], 1)
        self.assert_refreshed_once("qwen")

    def test_anthropics_asynchronous_client_replaces_a_killed_token(self):
        self.kit.sign_in_to_anthropic_like(llm_auth_cli.binary())

        async def replies() -> list[str]:
            async with anthropic.AsyncAnthropic(
                base_url=llm_auth_cli.credential("mine").api_base,
                credentials=llm_auth_cli.anthropic_credentials("mine"),
            ) as client:
                found = []
                for _ in range(2):
                    message = await client.messages.create(
                        model="MiniMax-M2", max_tokens=100, messages=MESSAGES
                    )
                    found.append(message.content[0].text)
                    self.kit.kill_tokens()
                return found

        self.assertEqual(asyncio.run(replies()), ["The simulated standard heard: hello"] * 2)
        self.assert_refreshed_once("standard")


if __name__ == "__main__":
    unittest.main()
