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
rm -rf "$state/uv.new"
# --target is allowed even where pip calls its environment externally managed, and touches nothing outside.
for python in python3 python "$HOME"/.pyenv/versions/*/bin/python3 /usr/bin/python3 /usr/local/bin/python3; do
    if "$python" -m pip --version >/dev/null 2>&1; then
        if "$python" -m pip install --quiet --only-binary :all: --require-hashes -r "$pinned" \
            --target "$state/uv.new" >>"$log" 2>&1 && runs "$state/uv.new/bin/uv"; then
            rm -rf "$state/uv"
            mv "$state/uv.new" "$state/uv"
            echo "$state/uv/bin/uv"
            exit 0
        fi
        reason=$(grep -v '^ *$' "$log" | tail -n 1)
    fi
done
rm -rf "$state/uv.new"
echo "holdfast: needs uv: not on PATH, and ${reason:-no Python here has pip to install it with}; see $log" >&2
exit 1
