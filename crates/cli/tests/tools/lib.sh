# What the recipes beside this file share: `. "$RECIPES/lib.sh"`. The runner (`cargo xtask tools`) sets RECIPES,
# TESTKIT (the base URL of the simulated providers), TOOL (where the tool is installed), CLIENTS (how many come at
# once), HOME and LLM_AUTH_HOME.
set -eu
# What still runs in the end is ended.
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT

post() { curl -sSf -o /dev/null -d "$2" "$TESTKIT/testkit/$1"; }

# The API of a provider rejects the access tokens that it issued; their expiry stays as it was.
kill_tokens() {
    post expire "{\"vendor\":\"$1\"}"
    echo "- the API of $1 rejects its tokens from now on"
}

# Tokens that are issued from now on live that many seconds.
lifetime() { post settings "{\"vendor\":\"$1\",\"access_lifetime_seconds\":$2}"; }

counter() {
    curl -sSf "$TESTKIT/testkit/state" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]]["counters"][sys.argv[2]])' "$1" "$2"
}

# field FILE KEY...: a member of a JSON file.
field() {
    python3 -c 'import functools, json, sys
part = lambda value, key: value[int(key) if key.isdigit() else key]
print(functools.reduce(part, sys.argv[2:], json.load(open(sys.argv[1]))))' "$@"
}

# becomes FILE WORDS COUNT: waits until so many lines hold the words, 90 s at most.
becomes() {
    for _ in $(seq 900); do
        [ "$(grep -c -- "$2" "$1")" -lt "$3" ] || return 0
        sleep 0.1
    done
    echo "$3 lines with \"$2\" did not come in 90 s:" >&2
    tail -n 40 "$1" >&2
    exit 1
}

# expect PROVIDER COUNTER NUMBER
expect() {
    is=$(counter "$1" "$2")
    echo "- $1: $2 $is"
    [ "$is" = "$3" ] || { echo "expected: $3" >&2; exit 1; }
}

# at_least PROVIDER COUNTER NUMBER: waits for it, 60 s at most.
at_least() {
    for _ in $(seq 600); do
        [ "$(counter "$1" "$2")" -lt "$3" ] || return 0
        sleep 0.1
    done
    echo "$1: $2 did not become $3 in 60 s" >&2
    exit 1
}

# sign_in NAME [FLAGS OF login...]
sign_in() {
    name=$1
    BROWSER="python3 $RECIPES/visit.py %s" llm-auth login "$@" --json < /dev/null > "$HOME/login.log" 2>&1 ||
        { cat "$HOME/login.log" >&2; exit 1; }
    echo "- signed in to $name"
}

# holds FILE WORDS
holds() {
    grep -q -- "$2" "$1" || { echo "no \"$2\" in the output:" >&2; tail -n 40 "$1" >&2; exit 1; }
    echo "- printed: $(grep -m1 -o -- ".\{0,40\}$2.\{0,40\}" "$1")"
}

# No file below the home directory of the tool holds a token, except the sessions themselves.
no_token_left() {
    token=$(llm-auth token "$@")
    found=$(grep -rlF -- "$token" "$HOME" 2> /dev/null | grep -vF "$LLM_AUTH_HOME" || true)
    [ -z "$found" ] || { echo "a token is in $found" >&2; exit 1; }
}

# The SDKs of Anthropic with a profile that `keep` keeps fresh, and then with a proxy. Of the program the arguments
# are what it runs between its two calls; the first token lives $1 seconds.
anthropic_sdk() {
    lifetime minimax "$1"
    between="$2"
    shift 2
    sign_in minimax
    lifetime minimax 3600
    export ANTHROPIC_BASE_URL="$TESTKIT/anthropic"
    llm-auth keep minimax --as anthropic-profile 2> keep.log &
    keep=$!
    until [ -s .config/anthropic/credentials/minimax.json ]; do sleep 0.1; done
    ANTHROPIC_PROFILE=minimax "$@" "$between"
    expect minimax refreshes 1
    kill "$keep"
    wait "$keep" || true
    unset ANTHROPIC_BASE_URL

    llm-auth exec minimax --proxy --as anthropic -- "$@" "curl -sSf -o /dev/null -d '{}' $TESTKIT/testkit/expire"
    expect minimax refreshes 2
}
