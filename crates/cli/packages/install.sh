#!/bin/sh
# Installs the command llm-auth for the current user: downloads the archive for this platform, checks
# it against the sums below, and puts the command into ~/.local/bin. It asks for no password and
# changes no other file.
#
# Usage: sh install.sh [--dir DIRECTORY] [--from URL-OR-DIRECTORY]

set -eu

FROM='@FROM@'

# SHA-256 of each archive, written when the release is made.
sums() {
    cat <<'SUMS'
@SUMS@
SUMS
}

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit 1
}

platform() {
    case "$(uname -s)-$(uname -m)" in
        Linux-x86_64) echo x86_64-unknown-linux-gnu ;;
        Linux-aarch64) echo aarch64-unknown-linux-gnu ;;
        Darwin-x86_64) echo x86_64-apple-darwin ;;
        Darwin-arm64) echo aarch64-apple-darwin ;;
        *) fail "there is no archive for $(uname -s) on $(uname -m); use cargo install" ;;
    esac
}

sum_of() {
    if command -v sha256sum >/dev/null; then
        sha256sum "$1"
    elif command -v shasum >/dev/null; then
        shasum -a 256 "$1"
    else
        fail 'sha256sum and shasum are missing, so the archive cannot be checked'
    fi | cut -d ' ' -f 1
}

fetch() {
    case "$1" in
        https://*) curl --proto '=https' --tlsv1.2 -fsSL -o "$2" "$1" || fail "cannot download $1" ;;
        *://*) fail "$1 is not an https URL" ;;
        *) cp "$1" "$2" || fail "cannot read $1" ;;
    esac
}

main() {
    directory=${HOME:?}/.local/bin
    from=$FROM
    while [ $# -gt 0 ]; do
        [ $# -ge 2 ] || fail "$1 needs a value, or is not an option"
        case "$1" in
            --dir) directory=$2 ;;
            --from) from=$2 ;;
            *) fail "there is no option $1" ;;
        esac
        shift 2
    done

    name=llm-auth-cli-$(platform)
    expected=$(sums | sed -n "s/^\([0-9a-f]\{64\}\)  $name\.tar\.gz\$/\1/p")
    [ -n "$expected" ] || fail "this release has no archive for $(platform); use cargo install"

    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM
    fetch "$from/$name.tar.gz" "$work/archive"
    found=$(sum_of "$work/archive")
    [ "$found" = "$expected" ] || fail "the archive's SHA-256 is $found instead of $expected; nothing was installed"
    tar -xzf "$work/archive" -C "$work" "$name/llm-auth" || fail 'the archive does not hold the command'
    "$work/$name/llm-auth" --version >/dev/null || fail 'the command does not run on this computer'

    mkdir -p "$directory"
    # In one step: a command that runs keeps its own file.
    cp "$work/$name/llm-auth" "$directory/.llm-auth.new.$$"
    chmod 755 "$directory/.llm-auth.new.$$"
    mv "$directory/.llm-auth.new.$$" "$directory/llm-auth"
    printf 'Installed %s.\n' "$directory/llm-auth"
    case ":$PATH:" in
        *":$directory:"*) ;;
        *) printf 'Add %s to PATH.\n' "$directory" ;;
    esac
}

# The last line: a script that was cut off does nothing.
main "$@"
