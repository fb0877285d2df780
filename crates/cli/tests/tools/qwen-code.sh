. "$RECIPES/lib.sh"
say() { printf '{"type":"user","message":{"role":"user","content":"%s"}}\n' "$1"; }
# One run of Qwen Code with two turns, and the token is killed between them.
sign_in qwen
mkfifo input
llm-auth exec qwen --proxy --as qwen-code -- qwen --auth-type openai --model coder-model \
    --input-format stream-json --output-format stream-json < input > output 2> errors &
run=$!
exec 3<> input
say 'first turn' >&3
becomes output '"type":"result"' 1
kill_tokens qwen
say 'second turn' >&3
becomes output '"type":"result"' 2
exec 3>&-
wait "$run"
holds output 'heard:.*first turn'
holds output 'heard:.*second turn'
expect qwen refreshes 1
no_token_left qwen
