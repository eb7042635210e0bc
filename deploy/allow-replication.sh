#!/bin/sh
# Read by the image of PostgreSQL when it makes the demo's cluster: lets WAL be streamed from other hosts, by password.
set -eu
echo 'host replication all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
