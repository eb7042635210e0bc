#!/bin/sh
# Prints the path of a docker-compose that runs: the machine's own, or Debian's package unpacked below STATE.
# Usage: fetch-docker-compose.sh STATE
set -eu
mkdir -p "$1/tools"
state=$(cd "$1" && pwd -P)
release=trixie # its package needs no engine for `config`, and a C library no newer than bookworm's
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
program=$state/tools/docker-compose

# Older ones do not know the tags of deploy/fleet.yaml.
is_usable() {
    printf 'services: !override {}\n' | "$1" -f - config --quiet >/dev/null 2>&1
}

for found in "$program" /usr/libexec/docker/cli-plugins/docker-compose "$(command -v docker-compose || true)"; do
    if [ -n "$found" ] && is_usable "$found"; then
        echo "$found"
        exit 0
    fi
done

lacks() {
    echo "holdfast: needs docker-compose 2.26 or newer: $*" >&2
    exit 1
}
for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || lacks "not on this machine, and without $tool none can be fetched"
done
[ -r "$keyring" ] || lacks "not on this machine, and $keyring is missing (apt install debian-archive-keyring)"

# apt with folders of its own: the machine's package lists and sources stay as they are, and root is not needed.
apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
echo "deb [signed-by=$keyring] http://deb.debian.org/debian $release main" >"$apt/sources.list"
log=$state/tools/docker-compose.log
in_apt() {
    (cd "$apt" && apt-get -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State="$apt" -o Dir::State::status=/dev/null -o Dir::Cache="$apt/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none "$@") >>"$log" 2>&1
}
: >"$log"
in_apt update && in_apt download docker-compose || lacks "cannot fetch Debian's package ($(tail -n 1 "$log")); see $log"
dpkg-deb --fsys-tarfile "$apt"/docker-compose_*.deb |
    tar -x --to-stdout ./usr/libexec/docker/cli-plugins/docker-compose >"$program.new"
chmod 755 "$program.new"
mv "$program.new" "$program"
is_usable "$program" || lacks "Debian's package does not run here"
echo "$program"
