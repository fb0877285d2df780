. "$RECIPES/lib.sh"
program="$RECIPES/anthropic-node.mjs"
lifetime minimax 70
sign_in minimax
lifetime minimax 3600
export ANTHROPIC_BASE_URL="$TESTKIT/anthropic"
llm-auth keep minimax --as anthropic-profile 2> keep.log &
keep=$!
until [ -s .config/anthropic/credentials/minimax.json ]; do sleep 0.1; done
# The SDK for Node reads the file again in the last 30 s of a token; `keep` has replaced it by then.
ANTHROPIC_PROFILE=minimax node "$program" 'sleep 72'
expect minimax refreshes 1
kill "$keep"
wait "$keep" || true
unset ANTHROPIC_BASE_URL

llm-auth exec minimax --proxy --as anthropic -- node "$program" \
    "curl -sSf -o /dev/null -d '{}' $TESTKIT/testkit/expire"
expect minimax refreshes 2
