"""A program with Anthropic's SDK that knows a profile or ANTHROPIC_AUTH_TOKEN, and a base URL; it streams."""

import subprocess
import sys

from anthropic import Anthropic

client = Anthropic()


def heard(words):
    user = [{"role": "user", "content": words}]
    with client.messages.stream(model="simulated", max_tokens=100, messages=user) as stream:
        text = "".join(stream.text_stream)
    assert text.endswith("heard: " + words), text
    print(f"- {words}: the model replied")


heard("first call")
for between in sys.argv[1:]:
    subprocess.run(between, shell=True, check=True)
heard("second call")
