"""What the recovering server runs for each file of WAL that it wants: a few lines of shell, no start of Python.

A file that was fetched ahead is renamed to its place. Another is asked for by a file of its name, and waited for.
Status 1 says that there is no such file, which the server takes for the end of the WAL; so whatever goes wrong ends
with 126, at which it stops (PostgreSQL manual, "restore_command"). Whether who feeds it is alive, a lock tells, which
the kernel drops with him.
"""

from __future__ import annotations

SCRIPT = "fetch"
READY, WANTED, MISSING = ".ready", ".wanted", ".missing"
FAILED, ALIVE = "failed", "alive"

TEXT = """\
#!/bin/sh
# $1: the folder of fetched WAL, $2: the file wanted, $3: where to put it
w="$1/$2"
mv "$w.ready" "$3" 2>/dev/null && exit 0
: > "$w.wanted" || exit 126
n=0
while :; do
  if [ -e "$w.ready" ]; then
    # In this order: what is wanted and not ready is fetched, a second time if need be.
    rm -f "$w.wanted"
    mv "$w.ready" "$3" || exit 126
    exit 0
  fi
  if [ -e "$w.missing" ]; then
    rm -f "$w.wanted" "$w.missing"
    exit 1
  fi
  [ -e "$1/failed" ] && exit 126
  n=$((n + 1))
  if [ "$n" -ge 100 ]; then
    n=0
    flock --nonblock --shared "$1/alive" true && exit 126
  fi
  sleep 0.01 || exit 126
done
"""


def restore_command(folder: str) -> str:
    """The server's setting; ``folder`` is that of the script and the fetched WAL, relative to the data directory."""
    return f"/bin/sh {folder}/{SCRIPT} {folder} %f %p"
