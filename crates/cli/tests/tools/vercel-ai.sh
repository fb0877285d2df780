. "$RECIPES/lib.sh"
sign_in qwen
llm-auth exec qwen --proxy --as openai -- node "$RECIPES/vercel-ai.mjs" \
    "curl -sSf -o /dev/null -d '{}' $TESTKIT/testkit/expire"
expect qwen refreshes 1
