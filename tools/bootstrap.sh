#!/bin/sh
# Makes STATE/venv hold exactly what requirements.txt locks, and the `holdfast` command; does nothing when it does.
# Usage: bootstrap.sh STATE
set -eu
umask 022 # PostgreSQL, which gives up root, reads its programs from the venv
tools=$(cd "$(dirname "$0")" && pwd -P)
project=$(dirname "$tools")
mkdir -p "$1"
state=$(cd "$1" && pwd -P)
venv=$state/venv
stamp=$state/venv.stamp       # what the finished venv was made from
building=$state/venv.building # stands while a venv is being made: one left behind is not to be trusted
needed_kib=2000000

lacks() {
    echo "holdfast: $*" >&2
    exit 1
}

# The path belongs to it, for the scripts of a venv name their interpreter by its whole path.
wanted() {
    echo "$project"
    cksum <"$tools/bootstrap.sh"
    sha256sum <"$project/requirements.txt" 2>/dev/null || cksum <"$project/requirements.txt"
}

is_ready() {
    [ ! -e "$building" ] && [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$(wanted)" ] && "$venv/bin/python" -c '' 2>/dev/null
}

build() {
    free_kib=$(df -Pk "$state" | awk 'NR == 2 { print $4 }')
    [ "$free_kib" -ge "$needed_kib" ] ||
        lacks "needs $((needed_kib / 1000)) MB free in $state, $((free_kib / 1000)) MB are left"
    uv=$("$tools/find-uv.sh" "$state")
    if [ -e "$building" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
        rm -rf "$venv"
    fi
    : >"$building"
    rm -f "$stamp"
    if [ ! -e "$venv" ]; then
        python=$("$tools/find-python.sh" "$state" "$uv")
        echo "making a venv with $python"
        "$uv" venv --quiet --no-project --python "$python" "$venv" || lacks "cannot make the venv $venv"
    fi
    mkdir -p "$state/logs"
    log=$state/logs/packages.log
    echo "installing the packages of requirements.txt"
    if ! "$uv" pip sync --python "$venv/bin/python" --require-hashes --compile-bytecode \
        "$project/requirements.txt" >"$log" 2>&1; then
        reason=$(grep -v '^ *$' "$log" | tail -n 1 | sed 's/^[^[:alnum:]]*//')
        lacks "cannot install the packages of requirements.txt ($reason); see $log"
    fi
    add_command
    if server=$("$venv/bin/python" -c 'from holdfast.postgres.wheel import wheel_folder; print(wheel_folder())' 2>/dev/null); then
        "$tools/server-libraries.sh" "$server"
    fi
    wanted >"$stamp"
    rm -f "$building"
}

# A path file and a script serve the working tree as it stands: nothing is built, and edits count at once.
add_command() {
    site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "$project/include" >"$site/holdfast.pth"
    cat >"$venv/bin/holdfast" <<'SCRIPT'
#!/bin/sh
'''exec' "$(dirname -- "$(readlink -f -- "$0")")/python" "$0" "$@"
' '''
import sys

from holdfast.cli import main

sys.exit(main())
SCRIPT
    chmod 755 "$venv/bin/holdfast"
}

is_ready && exit 0
if command -v flock >/dev/null 2>&1; then
    exec 9>"$state/bootstrap.lock"
    flock -n 9 || {
        echo "another make prepares $state; waiting for it"
        flock 9
    }
    is_ready && exit 0
fi
build
