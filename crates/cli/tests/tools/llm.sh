. "$RECIPES/lib.sh"
export LLM_USER_PATH="$HOME/llm"
mkdir "$LLM_USER_PATH"
printf -- '- model_id: mine\n  model_name: coder-model\n' > "$LLM_USER_PATH/extra-openai-models.yaml"
sign_in qwen
llm-auth exec qwen --proxy --as openai -- bash -c '. "$RECIPES/lib.sh"
    llm -m mine "first call" > output
    holds output "heard: first call"
    kill_tokens qwen
    llm -m mine "second call" > output
    holds output "heard: second call"'
expect qwen refreshes 1

# Without a proxy, since each call is short.
llm-auth exec qwen --as openai -- llm -m mine 'third call' > output
holds output 'heard: third call'
no_token_left qwen
