#!/bin/sh
# Removes all state below STATE but the keys: without them, no backup that was made with them can ever be read.
# Usage: clean.sh STATE
set -eu
state=$1
[ -d "$state" ] || exit 0
if command -v flock >/dev/null 2>&1 && [ -e "$state/run.lock" ] && ! flock -n "$state/run.lock" true; then
    echo "holdfast: \`make run\` is up in this folder; stop it first" >&2
    exit 1
fi
find "$state" -mindepth 1 -maxdepth 1 ! -name keys -exec rm -rf {} +
rmdir "$state" 2>/dev/null || [ ! -d "$state/keys" ] || echo "the keys are left in $state/keys"
