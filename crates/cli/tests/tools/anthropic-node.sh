. "$RECIPES/lib.sh"
# The SDK for Node reads the file again in the last 30 s of a token; `keep` has replaced it by then.
anthropic_sdk 70 'sleep 72' node "$RECIPES/anthropic-node.mjs"
