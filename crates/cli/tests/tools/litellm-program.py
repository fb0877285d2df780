"""A program with LiteLLM that knows OPENAI_API_BASE and OPENAI_API_KEY, and streams."""

import subprocess
import sys

from litellm import completion


def heard(words):
    user = [{"role": "user", "content": words}]
    chunks = completion(model="openai/coder-model", messages=user, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text.endswith("heard: " + words), text
    print(f"- {words}: the model replied")


heard("first call")
subprocess.run(sys.argv[1], shell=True, check=True)
heard("second call")
