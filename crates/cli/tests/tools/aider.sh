. "$RECIPES/lib.sh"
# One run of aider with two messages, and the token is killed between them.
sign_in qwen
mkfifo input
llm-auth exec qwen --proxy --as aider -- aider --model openai/coder-model --no-git --yes-always --no-pretty \
    --chat-history-file "$HOME/chat.md" --no-fancy-input --no-check-update --analytics-disable \
    --no-show-model-warnings --no-show-release-notes --no-detect-urls < input > output 2>&1 &
run=$!
exec 3<> input
echo 'first message' >&3
at_least qwen streams_done 1
becomes output 'heard:' 1
kill_tokens qwen
echo 'second message' >&3
at_least qwen streams_done 2
becomes output 'heard:' 2
echo '/exit' >&3
exec 3>&-
wait "$run"
holds output 'heard:.*second message'
expect qwen refreshes 1
no_token_left qwen
