. "$RECIPES/lib.sh"
# The first token expires between the two calls; `keep` has replaced the file by then.
anthropic_sdk 8 'sleep 9' python "$RECIPES/anthropic-python.py"
