#!/bin/sh
# Installs the shared libraries that the PostgreSQL server in FOLDER misses, where root and Debian's packages allow
# it. Elsewhere it does nothing: `make run` names what is missing, or finds the system's own server.
# Usage: server-libraries.sh FOLDER
set -eu
packages=$(ldd "$1"/postgres "$1"/initdb "$1"/pg_dump "$1"/pg_restore 2>/dev/null | awk '/not found/ { print $1 }' |
    sort -u | sed -n '
        s/^libgssapi_krb5\.so\.2$/libgssapi-krb5-2/p
        s/^liblz4\.so\.1$/liblz4-1/p
        s/^libssl\.so\.3$/libssl3/p
        s/^libxml2\.so\.2$/libxml2/p
        s/^libzstd\.so\.1$/libzstd1/p')
if [ -n "$packages" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing" $packages
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $packages; } \
        >/dev/null 2>&1 || true
fi
