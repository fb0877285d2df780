. "$RECIPES/lib.sh"
# No traffic but the model's: it would go to the Internet.
export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_AUTOUPDATER=1
say() { printf '{"type":"user","message":{"role":"user","content":[{"type":"text","text":"%s"}]}}\n' "$1"; }

# two_turns PROVIDER START...: one run of Claude Code, and the token is killed between two turns.
two_turns() {
    provider=$1
    shift
    rm -f input output
    mkfifo input
    "$@" claude -p --model simulated --input-format stream-json --output-format stream-json --verbose \
        < input > output 2> errors &
    run=$!
    exec 3<> input
    say 'first turn' >&3
    becomes output '"type":"result"' 1
    sleep "$PAUSE"
    kill_tokens "$provider"
    [ -z "$FAULT" ] || post faults "{\"vendor\":\"$provider\",\"endpoint\":\"chat\",\"fault\":$FAULT}"
    say 'second turn' >&3
    becomes output '"type":"result"' 2
    exec 3>&-
    wait "$run"
    holds output 'heard: first turn'
}

sign_in minimax
llm-auth setup claude-code minimax --write 2> setup.log > setup.json

# If the API returns 401, Claude Code runs the helper again, which asks the API (once in 3 s). The simulated MiniMax
# returns 401 once, because the fault says so.
unauthorized='{"kind":"answer","status":401,"body":"{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\",\"message\":\"made up\"}}"}'
PAUSE=16 FAULT="$unauthorized" two_turns minimax env
holds output 'heard: second turn'
expect minimax refreshes 1

# MiniMax reports a rejected token with status 200, so Claude Code does not run the helper again: the turn is
# lost, and the next run works.
PAUSE=16 FAULT= two_turns minimax env || true
holds output 'malformed response (HTTP 200)'
expect minimax refreshes 1
claude -p --model simulated 'next run' > output 2> errors
holds output 'heard: next run'
expect minimax refreshes 2
llm-auth setup claude-code --undo > undo.log 2>&1

# A server of the user's own, whose API itself returns 401.
sign_in oidc --issuer "$TESTKIT/standard" --client-id testkit-client --name mine --device --api-base "$TESTKIT/standard"
llm-auth setup claude-code mine --write 2> setup.log > setup.json
PAUSE=4 FAULT= two_turns standard env
holds output 'heard: second turn'
expect standard refreshes 1
llm-auth setup claude-code --undo > undo.log 2>&1

# The proxy reads the response, and sends the request once more.
PAUSE=0 FAULT= two_turns minimax llm-auth exec minimax --proxy --as claude-code --
holds output 'heard: second turn'
expect minimax refreshes 3

llm-auth exec minimax --as claude-code -- claude -p --model simulated 'without a proxy' > output 2> errors
holds output 'heard: without a proxy'
no_token_left minimax
