. "$RECIPES/lib.sh"
export LITELLM_LOCAL_MODEL_COST_MAP=True
sign_in qwen
llm-auth exec qwen --proxy --as litellm -- python "$RECIPES/litellm-program.py" \
    "curl -sSf -o /dev/null -d '{}' $TESTKIT/testkit/expire"
expect qwen refreshes 1
