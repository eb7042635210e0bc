"""The disk of a store fills up for real: somebody is woken before a backup fails, and told when there is room again."""

from __future__ import annotations

import os
import subprocess

from fix_environment import MakeSite
from fix_webhook import Webhook
from watched_site import watched_site

# A file system in a mount namespace of its own, which ends with the process; each round is a command of its own.
_ROUNDS = """
set -e
mkdir -p "$0" && mount -t tmpfs -o size=300m,mode=0700 holdfast-test "$0"
"$@" >/dev/null
dd if=/dev/zero of="$0/strangers-file" bs=1M count=60 status=none
"$@" >/dev/null
"$@" >/dev/null
rm "$0/strangers-file"
"$@" >/dev/null
"""


def test_a_disk_that_fills_is_told_before_it_is_full(make_site: MakeSite, webhook: Webhook) -> None:
    """Less than 256 MiB is left of a small file system: one page, and one word when it is over."""
    site = watched_site(make_site, webhook).site
    is_root = os.geteuid() == 0
    namespace = ["unshare", "--mount"] if is_root else ["unshare", "--user", "--map-root-user", "--mount"]
    command = site.command("watch", str(site.policy_file))
    done = subprocess.run(
        [*namespace, "sh", "-c", _ROUNDS, str(site.store_folder), *command],
        env=site.surroundings(),
        cwd=site.folder,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    page, over = webhook.taken
    assert page.title.startswith("[page] shop/production: the store's disk has ")
    assert "less than the 256 MiB that two backups need" in page.message["message"]
    assert over.title.startswith("[resolved] shop/production: the store's disk has ")
