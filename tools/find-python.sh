#!/bin/sh
# Prints the path of a Python that can run everything: one already on the machine, or one that uv installs.
# Usage: find-python.sh STATE UV
set -eu
state=$1
uv=$2
export UV_PYTHON_INSTALL_DIR="$state/python"

# Version managers' shims and half-built Pythons fail only when run, so each candidate proves itself.
is_usable() {
    "$1" -c "import ctypes, sqlite3, ssl, sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != '$2')" >/dev/null 2>&1
}

find_version() {
    for python in "$(command -v "python$1" || true)" "$HOME/.pyenv/versions/$1".*/bin/python \
        "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python "/usr/local/bin/python$1" "/usr/bin/python$1" \
        "/opt/python/$1"*/bin/python "$(command -v python3 || true)" \
        "$("$uv" python find --no-project "$1" 2>/dev/null || true)"; do
        if [ -n "$python" ] && is_usable "$python" "$1"; then
            "$python" -c 'import sys; print(sys.executable)'
            return 0
        fi
    done
    return 1
}

find_version 3.12 && exit 0
find_version 3.13 && exit 0

echo "installing Python 3.12 into $state/python" >&2
mkdir -p "$state/logs"
log=$state/logs/python.log
"$uv" python install 3.12 >"$log" 2>&1 && find_version 3.12 && exit 0
# Newer than what is tested, but better than nothing.
find_version 3.14 && exit 0
reason=$(sed -n 's/^ *\(cause: \)*//; /[^ ]/p' "$log" | tail -n 1)
echo "holdfast: needs Python 3.12 or 3.13 with ssl and sqlite3: none found, and uv could not install one (${reason:-no reason given}); see $log" >&2
exit 1
