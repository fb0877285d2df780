"""A program with Google's SDK that knows a base URL and a key, and streams."""

import os
import subprocess
import sys

from google import genai

client = genai.Client(api_key=os.environ["KEY"], http_options={"base_url": os.environ["BASE"]})


def heard(words):
    chunks = client.models.generate_content_stream(model="gemini-2.5-flash", contents=words)
    text = "".join(chunk.text or "" for chunk in chunks)
    assert text.endswith("heard: " + words), text
    print(f"- {words}: the model replied")


heard("first call")
subprocess.run(sys.argv[1], shell=True, check=True)
heard("second call")
