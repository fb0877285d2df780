. "$RECIPES/lib.sh"
sign_in qwen
call() {
    curl -sS -o "$HOME/response" -w '%{http_code}' -H "Authorization: Bearer $(llm-auth token qwen "$@")" \
        -H 'Content-Type: application/json' -d '{"model":"coder-model","messages":[{"role":"user","content":"hello"}]}' \
        "$TESTKIT/v1/chat/completions"
}
[ "$(call)" = 200 ]
holds "$HOME/response" 'heard: hello'

kill_tokens qwen
old=$(llm-auth token qwen)
[ "$(call)" = 401 ]
for _ in 1 2 3; do
    new=$(printf %s "$old" | llm-auth token qwen --refused -)
done
[ "$new" != "$old" ]
[ "$(call)" = 200 ]
expect qwen refreshes 1

kill_tokens qwen
[ "$(call --verify)" = 200 ]
expect qwen refreshes 2

llm-auth token qwen --format header |
    curl -sSf -H @- -H 'Content-Type: application/json' -d '{"model":"m","messages":[{"role":"user","content":"by header"}]}' \
        "$TESTKIT/v1/chat/completions" > "$HOME/response"
holds "$HOME/response" 'heard: by header'

proxied='curl -sS -N -H "Authorization: Bearer $OPENAI_API_KEY" -H "Content-Type: application/json" \
    -d "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"by proxy\"}]}" \
    "$OPENAI_BASE_URL/chat/completions"'
llm-auth exec qwen --proxy --as openai -- sh -c "$proxied" > "$HOME/response"
holds "$HOME/response" 'DONE'

# The whole session ends: the error names the command to run.
post revoke '{"vendor":"qwen"}'
llm-auth exec qwen --proxy --as openai -- sh -c "$proxied" > "$HOME/response"
holds "$HOME/response" 'llm-auth login qwen'
