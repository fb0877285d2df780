. "$RECIPES/lib.sh"
kill_qwen="curl -sSf -o /dev/null -d '{\"vendor\":\"qwen\"}' $TESTKIT/testkit/expire"
sign_in qwen
llm-auth setup codex qwen --write 2> setup.log > setup.toml
codex exec --skip-git-repo-check -c model_provider=qwen -c model=simulated 'one turn' > output 2>&1 < /dev/null
holds output 'heard: one turn'

# codex runs the helper again after a 401, which asks the API once in 3 s.
python3 "$RECIPES/codex.py" qwen "sleep 16; $kill_qwen"
expect qwen refreshes 1

# The settings of the page for a proxy: the token may be rejected at any time.
llm-auth serve qwen --json --write-key "$HOME/key" > "$HOME/serve.json" &
until [ -s "$HOME/serve.json" ]; do sleep 0.1; done
cat >> .codex/config.toml <<EOF

[model_providers.proxied]
name = "proxied"
base_url = "$(field "$HOME/serve.json" sessions 0 base_url)"
wire_api = "responses"

[model_providers.proxied.auth]
command = "cat"
args = ["$HOME/key"]
EOF
python3 "$RECIPES/codex.py" proxied "$kill_qwen"
expect qwen refreshes 2
no_token_left qwen
