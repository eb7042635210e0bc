#!/bin/sh
# Prints the path of a uv that runs: one already on the machine, or one installed privately below STATE.
# Usage: find-uv.sh STATE
set -eu
state=$1
pinned=$(dirname "$0")/uv.txt

runs() {
    "$1" --version >/dev/null 2>&1
}

# A version manager's shim is on PATH even when nothing stands behind it, so each candidate is run.
for uv in "$state/uv/bin/uv" "$(command -v uv || true)" "$HOME/.local/bin/uv" "$HOME/.cargo/bin/uv" /usr/local/bin/uv; do
    if [ -n "$uv" ] && runs "$uv"; then
        echo "$uv"
        exit 0
    fi
done

echo "installing uv into $state/uv" >&2
mkdir -p "$state/logs"
log=$state/logs/uv.log
: >"$log"

# With any Python that has pip. --target is allowed even where pip calls its environment externally managed, and
# touches nothing outside.
install_uv() {
    for python in python3 python "$HOME"/.pyenv/versions/*/bin/python3 /usr/bin/python3 /usr/local/bin/python3; do
        if "$python" -m pip --version >/dev/null 2>&1; then
            rm -rf "$state/uv.new"
            "$python" -m pip install --quiet --only-binary :all: --require-hashes -r "$pinned" \
                --target "$state/uv.new" >>"$log" 2>&1 && runs "$state/uv.new/bin/uv" && return 0
            reason="pip says: $(grep -v '^ *$' "$log" | tail -n 1)"
        fi
    done
    return 1
}

reason="no Python here has pip to install it with"
if ! install_uv && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-pip; } \
        >>"$log" 2>&1 || true
    install_uv || true
fi
if ! runs "$state/uv.new/bin/uv"; then
    rm -rf "$state/uv.new"
    echo "holdfast: needs uv: it is not on PATH, and $reason; see $log" >&2
    exit 1
fi
rm -rf "$state/uv"
mv "$state/uv.new" "$state/uv"
echo "$state/uv/bin/uv"
