"""Two turns in one run of codex, and a command between them: codex.py PROVIDER COMMAND [OPTIONS...]."""

import json
import subprocess
import sys

provider, between, *options = sys.argv[1:]
codex = subprocess.Popen(
    ["codex", *options, "-c", f"model_provider={provider}", "-c", "model=simulated", "app-server"],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    text=True,
)


def send(message):
    codex.stdin.write(json.dumps(message) + "\n")
    codex.stdin.flush()


def until(matches):
    for line in codex.stdout:
        message = json.loads(line)
        if message.get("method") == "error":
            print("- codex prints:", json.dumps(message["params"])[:300])
        if matches(message):
            return message
    sys.exit("codex ended")


def call(number, method, params):
    send({"id": number, "method": method, "params": params})
    response = until(lambda message: message.get("id") == number)
    if "error" in response:
        sys.exit(json.dumps(response["error"]))
    return response["result"]


def turn(number, thread, words):
    user = [{"type": "text", "text": words}]
    call(number, "turn/start", {"threadId": thread, "input": user})
    heard = lambda message: message.get("method") == "item/completed" and (
        message["params"]["item"].get("text", "").endswith("heard: " + words)
    )
    done = lambda message: message.get("method") == "turn/completed"
    if done(until(lambda message: heard(message) or done(message))):
        sys.exit("the turn ended without a reply of the model")
    until(done)
    print(f"- {words}: the model replied")


client = {"name": "recipe", "title": "recipe", "version": "1"}
call(1, "initialize", {"clientInfo": client})
send({"method": "initialized"})
thread = call(2, "thread/start", {"cwd": ".", "approvalPolicy": "never"})["thread"]["id"]
turn(3, thread, "first turn")
subprocess.run(between, shell=True, check=True)
turn(4, thread, "second turn")
codex.stdin.close()
codex.wait()
