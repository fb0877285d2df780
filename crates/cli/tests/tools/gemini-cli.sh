. "$RECIPES/lib.sh"
export GEMINI_CLI_TRUST_WORKSPACE=true
mkdir .gemini
echo '{"security":{"auth":{"selectedType":"gemini-api-key"}},"privacy":{"usageStatisticsEnabled":false}}' > .gemini/settings.json
export LLM_AUTH_GEMINI_QUOTA_PROJECT=made-up-project
trust="--trust-endpoint ${TESTKIT#http://}"
sign_in gemini $trust
# The variable takes the place of Google's address.
llm-auth exec gemini $trust --as gemini-cli -- \
    env GOOGLE_GEMINI_BASE_URL="$TESTKIT" gemini --model gemini-2.5-flash -p 'without a proxy' > output 2> errors ||
    { cat errors >&2; exit 1; }
holds output 'heard: .*without a proxy'

llm-auth exec gemini $trust --proxy --env GEMINI_API_KEY \
    --api-base-env GOOGLE_GEMINI_BASE_URL -- bash -c '. "$RECIPES/lib.sh"
    gemini --model gemini-2.5-flash -p "first call" > output 2> errors || { cat errors >&2; exit 1; }
    holds output "heard: .*first call"
    kill_tokens gemini
    gemini --model gemini-2.5-flash -p "second call" > output 2> errors || { cat errors >&2; exit 1; }
    holds output "heard: .*second call"'
expect gemini refreshes 1
