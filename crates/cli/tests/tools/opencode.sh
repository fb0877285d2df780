. "$RECIPES/lib.sh"
export OPENCODE_DISABLE_MODELS_FETCH=1 OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_LSP_DOWNLOAD=1
sign_in qwen
llm-auth setup opencode qwen --model coder-model --write > setup.json 2> setup.log
llm-auth exec qwen --proxy --as opencode -- bash -c '. "$RECIPES/lib.sh"
    opencode run --model qwen/coder-model "first call" > output 2> errors || { cat errors >&2; exit 1; }
    holds output "heard: .*first call"
    kill_tokens qwen
    opencode run --model qwen/coder-model "second call" > output 2> errors || { cat errors >&2; exit 1; }
    holds output "heard: .*second call"'
expect qwen refreshes 1
no_token_left qwen
