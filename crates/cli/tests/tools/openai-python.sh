. "$RECIPES/lib.sh"
program="$RECIPES/openai-python.py"

# The first token lives 8 s; those that follow live an hour.
short_session() {
    lifetime qwen 8
    sign_in qwen
    lifetime qwen 3600
}

short_session
llm-auth exec qwen --proxy --as openai -- python "$program" expiry 9
expect qwen refreshes 1
llm-auth exec qwen --proxy --as openai -- python "$program" kill
expect qwen refreshes 2

# Without the proxy the program keeps the token that it started with.
llm-auth exec qwen --as openai -- python "$program" kill > "$HOME/without.log" 2>&1 && exit 1
holds "$HOME/without.log" 'AuthenticationError'

start() {
    rm -f "$HOME/serve.json"
    llm-auth serve qwen --json > "$HOME/serve.json" &
    serve=$!
    until [ -s "$HOME/serve.json" ]; do sleep 0.1; done
    export OPENAI_API_KEY="$(field "$HOME/serve.json" key)" OPENAI_BASE_URL="$(field "$HOME/serve.json" sessions 0 base_url)"
}

start
# The token was killed: that many clients at once find that out.
python "$program" many "$CLIENTS"
expect qwen refreshes 3

kill "$serve"
llm-auth logout qwen > "$HOME/logout.log" 2>&1
short_session
start
sleep 9
# The token has expired: that many clients at once find that out.
python "$program" many "$CLIENTS"
expect qwen refreshes 4
