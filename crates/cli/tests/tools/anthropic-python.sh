. "$RECIPES/lib.sh"
program="$RECIPES/anthropic-python.py"
lifetime minimax 8
sign_in minimax
lifetime minimax 3600
export ANTHROPIC_BASE_URL="$TESTKIT/anthropic"
llm-auth keep minimax --as anthropic-profile 2> keep.log &
keep=$!
until [ -s .config/anthropic/credentials/minimax.json ]; do sleep 0.1; done
# The first token expires between the two calls; `keep` has replaced the file by then.
ANTHROPIC_PROFILE=minimax python "$program" 'sleep 9'
expect minimax refreshes 1
kill "$keep"
wait "$keep" || true
unset ANTHROPIC_BASE_URL

llm-auth exec minimax --proxy --as anthropic -- python "$program" \
    "curl -sSf -o /dev/null -d '{}' $TESTKIT/testkit/expire"
expect minimax refreshes 2
