"""The break-glass page of media, followed word for word in a shell in which nothing of Holdfast exists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fix_environment import PROJECT, Site
from fix_media import tree_of, write_sample
from holdfast.backup import sync_media

PAGE = PROJECT / "docs" / "break-glass-media.md"
PROGRAMS = ("age", "openssl", "sha256sum", "zstd", "bash", "jq", "dd", "base64")


@dataclass(frozen=True)
class Rescue:
    """A store's media folder copied away from the site that made it, with the two keys."""

    away: Path
    snapshot: str

    def settings(self) -> dict[str, str]:
        """What someone writes into the page's first block."""
        return {
            "MEDIA": str(self.away / "media"),
            "SNAPSHOT": self.snapshot,
            "IDENTITY": str(self.away / "identity.txt"),
            "VERIFY_KEY": str(self.away / "signing.pub"),
            "TARGET": str(self.away / "restored"),
            "WORK": str(self.away / "work"),
        }

    def follow(self) -> subprocess.CompletedProcess[str]:
        """Run the page's blocks in one shell that stops at the first failure, with nothing else around it."""
        text = PAGE.read_text(encoding="utf-8")
        first, *blocks = re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        assert set(re.findall(r"(\w+)=", first)) == set(self.settings())
        return subprocess.run(
            ["/bin/bash", "-c", "\n".join(["set -euo pipefail", *blocks])],
            env={"HOME": str(self.away), "PATH": "/usr/bin:/bin", **self.settings()},
            cwd=self.away,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def rescue(media_site: Site, tmp_path: Path) -> Rescue:
    """A snapshot whose second half was packed by a second sync; the source stays for comparing."""
    media = media_site.folder / "media"
    write_sample(media)
    environment = media_site.environment()
    sync_media(environment, tier="media", opened_at=datetime.now(UTC), origin="first")
    (media / "courses/file-05.bin").rename(media / "moved.bin")
    (media / "later").write_bytes(os.urandom(70_000))
    facts = sync_media(environment, tier="media", opened_at=datetime.now(UTC), origin="second")
    away = tmp_path / "away"
    shutil.copytree(media_site.store_folder / "shop/production/media", away / "media")
    for name in ("identity.txt", "signing.pub"):
        shutil.copy2(media_site.keys / name, away)
    return Rescue(away, facts.snapshot)


def test_page_restores_an_equal_tree_without_holdfast(rescue: Rescue, media_site: Site) -> None:
    """Names, contents, links, modes and times to the second are as they were; nothing decrypted is left."""
    for program in PROGRAMS:
        assert shutil.which(program, path="/usr/bin:/bin"), f"{program} is missing on this machine"
    done = rescue.follow()
    assert done.returncode == 0, done.stderr + done.stdout
    assert "Signature Verified Successfully" in done.stdout
    assert not (rescue.away / "work").exists()

    def comparable(root: Path) -> dict[bytes, tuple[object, ...]]:
        found = {}
        for path, (kind, mtime_ns, _, _, *rest) in tree_of(root).items():
            whole = rest[:3] if len(rest) == 4 else rest
            found[path] = (kind, None if kind == 0o120000 else int(str(mtime_ns)) // 10**9, *whole)
        return found

    assert comparable(rescue.away / "restored") == comparable(media_site.folder / "media")


@pytest.mark.parametrize("ending", [".json", ".sig", ".jsonl.zst.age", ".tar.age"])
def test_page_stops_at_a_flipped_byte(rescue: Rescue, ending: str) -> None:
    """One flipped byte in any object ends it before anything is decrypted."""
    pattern = f"shards/*{ending}" if ending == ".tar.age" else f"snapshots/{rescue.snapshot}{ending}"
    path = sorted((rescue.away / "media").glob(pattern))[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    done = rescue.follow()
    assert done.returncode != 0
    assert "Verification Failure" in done.stdout + done.stderr or "FAILED" in done.stdout
    assert not list((rescue.away / "restored").iterdir())
