#!/bin/sh
# Sees to the programs that the tests run against: installs Debian's packages where it may, else names them.
set -eu

is_there() {
    case $1 in
        /*) [ -x "$1" ] ;;
        *) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] ;;
    esac
}

# program (or its path), then the package that has it
missing() {
    while read -r program package; do
        is_there "$program" || printf '%s ' "$package"
    done <<'END'
age age
zstd zstd
openssl openssl
redis-server redis-server
pgbouncer pgbouncer
chromium chromium
setpriv util-linux
wget wget
curl curl
jq jq
/usr/lib/postgresql/15/bin/postgres postgresql-15
END
}

packages=$(missing)
[ -n "$packages" ] || exit 0
if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root=sudo
else
    echo "holdfast: the tests need these Debian packages, which only root can install: $packages" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "holdfast: the tests need what Debian 12 has in these packages: $packages" >&2
    exit 1
fi
echo "installing $packages"
log=$(mktemp)
# Run level 1: the packages' own services stay down, the tests start what they need themselves.
if ! { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install --yes --no-install-recommends $packages; } >"$log" 2>&1 || [ -n "$(missing)" ]; then
    echo "holdfast: apt-get cannot install $packages($(grep '^E:' "$log" | tail -n 1)); see $log" >&2
    exit 1
fi
rm -f "$log"
