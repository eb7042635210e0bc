#!/bin/sh
# The only way out of the recovery network: a proxy that connects to the stores in HOLDFAST_STORE_HOSTS and nowhere else.
set -eu
umask 077
cd "$(mktemp -d)"

# One anchored expression per host; the last is the proxy's own page, which its health check asks for.
for host in ${HOLDFAST_STORE_HOSTS:-} gateway.health; do
    printf '^%s$\n' "$(printf %s "$host" | sed 's/\./\\./g')"
done >hosts

cat >tinyproxy.conf <<END
Port ${HOLDFAST_GATEWAY_PORT:-8888}
Timeout 600
MaxClients 64
LogLevel Connect
ConnectPort 443
DisableViaHeader Yes
StatHost "gateway.health"
Filter "$(pwd)/hosts"
FilterDefaultDeny Yes
END
exec tinyproxy -d -c "$(pwd)/tinyproxy.conf"
