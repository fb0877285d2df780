"""What a program with OpenAI's SDK does: it knows OPENAI_BASE_URL and OPENAI_API_KEY, and streams."""

import json
import multiprocessing
import os
import sys
import time
import urllib.request

from openai import OpenAI


def stream(client, words, after_first=lambda: None):
    text = ""
    chunks = client.chat.completions.create(
        model="coder-model", stream=True, messages=[{"role": "user", "content": words}]
    )
    for chunk in chunks:
        piece = chunk.choices[0].delta.content if chunk.choices else None
        if piece and not text:
            after_first()
        text += piece or ""
    assert text.endswith("heard: " + words), text


def post(path, body):
    url = os.environ["TESTKIT"] + "/testkit/" + path
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode())).close()


def through_expiry(seconds):
    """The token expires in the middle of a stream; the same program goes on."""
    client = OpenAI()
    stream(client, "before")
    hold = {"kind": "hold_stream", "pieces": 1}
    post("faults", {"vendor": "qwen", "endpoint": "chat", "fault": hold})

    def expire():
        time.sleep(float(seconds))
        post("release", {"vendor": "qwen"})

    stream(client, "in the middle", expire)
    for _ in range(3):
        stream(client, "after")
    print("- 5 streams of one client, the token expired in the second")


def after_kill():
    client = OpenAI()
    stream(client, "before")
    post("expire", {"vendor": "qwen"})
    stream(client, "after")
    response = client.responses.create(model="coder-model", input="by responses")
    assert response.output_text.endswith("heard: by responses"), response.output_text
    print("- 2 streams and a response of one client, the token was killed between them")


def one_of_many(barrier, failures):
    client = OpenAI(max_retries=0)
    barrier.wait()
    try:
        stream(client, "together")
    except Exception as error:
        failures.put(repr(error))


def many(count):
    """That many processes, each with a client of its own, which begin at once."""
    context = multiprocessing.get_context("fork")
    barrier, failures = context.Barrier(int(count)), context.Queue()
    clients = [context.Process(target=one_of_many, args=(barrier, failures)) for _ in range(int(count))]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert failures.empty(), failures.get()
    assert all(client.exitcode == 0 for client in clients)
    print(f"- {count} clients in processes of their own streamed at once")


{"expiry": through_expiry, "kill": after_kill, "many": many}[sys.argv[1]](*sys.argv[2:])
