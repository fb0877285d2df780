. "$RECIPES/lib.sh"
export LLM_AUTH_GEMINI_QUOTA_PROJECT=made-up-project
trust="--trust-endpoint ${TESTKIT#http://}"
sign_in gemini $trust
llm-auth exec gemini $trust --proxy --env KEY --api-base-env BASE -- \
    python "$RECIPES/google-genai-program.py" "curl -sSf -o /dev/null -d '{}' $TESTKIT/testkit/expire"
expect gemini refreshes 1
