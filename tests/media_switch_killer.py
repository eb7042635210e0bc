"""Switches media and switches them back, killed at every single line on the way, while a reader looks all the time.

Run as a program, so that it may fork without any thread: POLICY_FILE POINT. Prints how often each was killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from holdfast.environment import Environment, open_environment
from holdfast.restore.media_place import MediaPlace, media_place
from holdfast.restore.media_records import BesideRecord, write_beside
from holdfast.restore.media_switch import switch_media, switch_media_back
from holdfast.values.airflow_conn import EnvironmentConnections
from holdfast.values.ids import RestorePointId

ACTING = ("media_switch.py", "media_switch_progress.py", "media_exchange.py", "media_records.py", "media_marks.py")
OLD, NEW = {"old-1", "old-2", "old-3"}, {"new-1", "new-2"}


def main(policy_file: str, point: str) -> None:
    """Both ways, from line to line, until a run comes to its end; a rerun must bring each home."""
    environment = open_environment(Path(policy_file), "production", EnvironmentConnections({}))
    id, place = RestorePointId.parse(point), media_place(environment)
    kept, restored = f"{place.name}.before-{point}", f"{place.name}.restored-{point}"
    for name in OLD:
        (place.path / name).touch()
    beside = place.path.parent / place.beside(id)
    beside.mkdir()
    for name in NEW:
        (beside / name).touch()
    reader = watching(place.path)

    def forth() -> None:
        switch_media(environment, id, kept_as=kept)

    def back() -> None:
        switch_media_back(environment, kept)

    counts = {"forth": 0, "back": 0}
    is_over = {"forth": False, "back": False}
    while not all(is_over.values()):
        prepare(environment, place, id)
        for word, act, live, gone in (("forth", forth, NEW, kept), ("back", back, OLD, restored)):
            counts[word] += 1
            is_over[word] = killed_at(counts[word], act)
            demand(names(place.path) in (OLD, NEW), "the live directory is neither wholly old nor wholly new")
            act()
            demand(names(place.path) == live, f"a rerun of {word} did not bring it home")
            demand(names(place.path.parent / gone) == (OLD if live is NEW else NEW), "what was replaced is not kept")
            act()
            demand(names(place.path) == live, f"a second rerun of {word} changed something")
            beside_it = {path.name for path in place.path.parent.iterdir() if place.name in path.name}
            drafts = {name for name in beside_it if name.endswith(".new")}
            demand(beside_it - drafts == {place.name, gone, f".{gone}.switch.json"}, f"left: {beside_it}")
        (place.path.parent / restored).rename(beside)
        (place.path.parent / f".{restored}.switch.json").unlink()
    os.kill(reader, signal.SIGTERM)
    _, status = os.waitpid(reader, 0)
    demand(os.waitstatus_to_exitcode(status) == 0, "the reader found the live directory missing or mixed")
    print(json.dumps(counts))


def names(folder: Path) -> set[str]:
    """What is in a folder."""
    return {path.name for path in folder.iterdir()}


def demand(is_so: bool, text: str) -> None:
    """End with a message unless it is so."""
    if not is_so:
        sys.exit(text)


def prepare(environment: Environment, place: MediaPlace, id: RestorePointId) -> None:
    """As ``restore_media_beside`` leaves it."""
    with place.opened() as folder:
        record = BesideRecord(
            app=environment.app,
            environment=environment.name,
            restore_point=str(id),
            snapshot=str(id),
            inode=(place.path.parent / place.beside(id)).stat().st_ino,
            files=len(NEW),
            bytes=0,
            entries=len(NEW),
            is_complete=True,
        )
        write_beside(folder, place.beside(id), record)


def killed_at(line: int, act: Callable[[], None]) -> bool:
    """Do it in a process that is killed before that line of what changes anything; whether it came to its end."""
    pid = os.fork()
    if pid == 0:
        left = line

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal left
            if not frame.f_code.co_filename.endswith(ACTING):
                return None
            if event == "line":
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        try:
            act()
            os._exit(0)
        except BaseException as error:
            sys.settrace(None)
            print(f"line {line}: {error!r}", file=sys.stderr)
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    demand(code in (0, -signal.SIGKILL), f"a run ended with {code}")
    return code == 0


def watching(live: Path) -> int:
    """A process that looks at the live directory without a pause; ends with 1 once it is missing or mixed."""
    looked_for = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    is_asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal is_asked
        is_asked = True

    signal.signal(signal.SIGTERM, ask)
    os.nice(5)
    while not is_asked and os.getppid() == looked_for:
        try:
            folder = os.open(live, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            print(f"reader: {error}", file=sys.stderr)
            os._exit(1)
        found = set(os.listdir(folder))  # noqa: PTH208 - a descriptor, no path
        os.close(folder)
        if found not in (OLD, NEW):
            print(f"reader: {found}", file=sys.stderr)
            os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
