"""Break glass of docs/pitr.md, word for word: its blocks run in one shell in which nothing of Holdfast exists."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fix_environment import PROJECT
from fix_wal import MakeStreamed, Streamed
from holdfast.backup.base import take_base_backup
from holdfast.recovery.cluster import Cluster

PAGE = PROJECT / "docs" / "pitr.md"
PROGRAMS = ("age", "zstd", "tar", "openssl", "sha256sum", "psql", "pg_ctl", "pg_verifybackup")
# The server refuses to run as root.
SERVER_USER = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def _blocks() -> tuple[str, list[str]]:
    """(the block of values, all others) of the page's last section."""
    section = PAGE.read_text(encoding="utf-8").partition("## Break glass")[2]
    first, *others = re.findall(r"^```bash\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return first, others


@dataclass(frozen=True)
class Rescue:
    """What is left after a disaster: the store's folder of one environment, two keys; and a folder to work in."""

    folder: Path
    base: str
    target: str
    bin: Path

    def settings(self) -> dict[str, str]:
        """What someone writes into the first block."""
        return {
            "STORE": str(self.folder / "production"),
            "BASE": self.base,
            "IDENTITY": str(self.folder / "identity.txt"),
            "VERIFY_KEY": str(self.folder / "signing.pub"),
            "TARGET": self.target,
            "DATA": str(self.folder / "recovered"),
            "WORK": str(self.folder / "work"),
            "PATH": os.pathsep.join([str(self.bin), "/usr/bin", "/bin"]),
        }

    def follow(self, *more: str) -> subprocess.CompletedProcess[str]:
        """Run the blocks, with ``more`` before the last of them, as the user that runs servers."""
        first, blocks = _blocks()
        assert set(re.findall(r"^(?:export )?(\w+)=", first, re.MULTILINE)) == set(self.settings())
        script = "\n".join(["set -euo pipefail", *blocks[:-1], *more, blocks[-1]])
        return subprocess.run(
            ["/bin/bash", "-c", script],
            env={"HOME": str(self.folder), "LC_ALL": "C.UTF-8"} | self.settings(),
            cwd=self.folder,
            user=SERVER_USER,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def end(self) -> None:
        """Stop a server that a failure has left, and remove everything."""
        data = self.folder / "recovered"
        if (data / "postmaster.pid").exists():
            command = [str(self.bin / "pg_ctl"), f"--pgdata={data}", "--mode=immediate", "stop"]
            subprocess.run(command, user=SERVER_USER, cwd="/", check=False, capture_output=True)
        shutil.rmtree(self.folder)


@pytest.fixture
def streamed(wal15: Cluster, make_streamed: MakeStreamed) -> Iterator[Streamed]:
    """Rows before and after an instant, in WAL whose last segment is open."""
    yield (made := make_streamed(wal15))
    made.execute("DROP TABLE IF EXISTS break_glass")


@pytest.fixture
def rescue(streamed: Streamed) -> Iterator[Rescue]:
    """The last row before the instant is the 300th."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-break-glass-"))
    try:
        with streamed.streaming():
            base = take_base_backup(streamed.site.environment()).base_backup
            streamed.write(200, "break_glass")
            streamed.switch()
            streamed.write(100, "break_glass")
            time.sleep(0.2)
            target = str(streamed.sql("SELECT clock_timestamp()::text")[0][0])
            time.sleep(0.2)
            streamed.write(50, "break_glass")
            time.sleep(2.5)
        shutil.copytree(streamed.site.store_folder / "shop" / "production", folder / "production")
        for name in ("identity.txt", "signing.pub"):
            shutil.copy2(streamed.site.keys / name, folder)
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, SERVER_USER)
        made = Rescue(folder, base, target, streamed.cluster.bin)
        yield made
        made.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_page_recovers_to_the_instant_without_holdfast(rescue: Rescue) -> None:
    """Every row that was committed before, none that was later; the last segment is there only in part."""
    for program in PROGRAMS:
        assert shutil.which(program, path=rescue.settings()["PATH"]), f"{program} is missing on this machine"
    done = rescue.follow("ask --command='SELECT count(*) || $$ rows$$ FROM break_glass'")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Signature Verified Successfully" in done.stdout
    assert "backup successfully verified" in done.stdout
    assert "recovery stopping before commit" in done.stdout
    assert "300 rows" in done.stdout
    assert (rescue.folder / "recovered" / "postgresql.auto.conf").exists()
    assert not (rescue.folder / "recovered" / "postmaster.pid").exists()


def test_page_ends_where_wal_is_missing(rescue: Rescue) -> None:
    """A segment between the base backup and the instant is gone: it is never taken for the end."""
    whole = sorted((rescue.folder / "production").glob("wal/*/00000001/????????????????????????.zst.age"))
    whole[-1].unlink()
    done = rescue.follow()
    assert done.returncode != 0
    log = (rescue.folder / "work" / "server.log").read_text()
    assert "recovery ended before configured recovery target was reached" in log
