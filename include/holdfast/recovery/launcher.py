"""Run one command or server in namespaces of its own, as another user, and end all of its processes with it.

A program of itself, of nothing but the standard library: ``python -I -S launcher.py SPEC [PROGRAM ARGUMENT…]``.
SPEC is JSON and holds no secret: ``namespaces`` (of net, pid, mount, ipc), ``covered`` (folders that an empty one
hides), ``shown`` (paths below those that stay to be seen), ``uid``, ``gid`` (None: stay), ``cwd``, ``argv`` (None: tell
what the network looks like), ``is_server`` (PROGRAM is a PostgreSQL, to be shut down and not just ended), ``report`` (a
descriptor that gets one JSON object: ``refused``, ``not_run`` or ``network``; stderr for a server), ``kept``
(descriptors that we hold until all has ended). The command's environment is our own.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

_GRACE_S = 3.0
_SHUTDOWN_S = 30
_STDERR = 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38
_CAPABILITIES, _CAPABILITY_VERSION = 64, 0x20080522
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 8, 0x1000, 0x4000, 0x40000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_FLAGS = {"net": os.CLONE_NEWNET, "pid": os.CLONE_NEWPID, "mount": os.CLONE_NEWNS, "ipc": os.CLONE_NEWIPC}
# What programs take for granted that they may write to.
_SCRATCH = {"/tmp": "mode=1777,size=64m", "/var/tmp": "mode=1777,size=64m", "/dev/shm": "mode=1777"}  # noqa: S108
_NAMES = ("/proc/net/dev", "/proc/net/route", "/proc/net/ipv6_route", "/proc/net/if_inet6")
_libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """The kernel does not give what was asked for."""


def main() -> NoReturn:
    """Start the command in its place, wait for it, and end as it ended (128 + signal for a signal)."""
    spec = json.loads(sys.argv[1])
    spec["argv"] = sys.argv[2:] or spec["argv"]
    try:
        _separate(spec["namespaces"])
    except (OSError, Refused) as error:
        _report(spec, {"refused": str(error)})
        os._exit(125)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)  # a user namespace may have undone it
    alive, lifeline = os.pipe()
    init = os.fork()
    if init == 0:
        os.close(lifeline)
        _guarded(spec, alive)
    os.close(alive)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: os.kill(init, signal.SIGTERM))
    os._exit(_shell_status(os.waitpid(init, 0)[1]))


def _separate(names: Iterable[str]) -> None:
    """Namespaces; who is not root may have them inside of a user namespace, in which he stays who he is."""
    flags = 0
    for name in names:
        flags |= _FLAGS[name]
    if not flags:
        return
    uid, gid = os.geteuid(), os.getegid()
    os.unshare(flags if uid == 0 else flags | os.CLONE_NEWUSER)
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _guarded(spec: dict[str, Any], alive: int) -> NoReturn:
    """The first process inside: it makes the place ready, starts the command, and reaps whatever it leaves."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _tie(alive)
        _furnish(spec)
        os.chdir(spec["cwd"])
        _become(spec["uid"], spec["gid"])
        _tie(alive)
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        if spec["argv"] is None:
            _report(spec, {"network": _network()})
            os._exit(0)
        _watch(spec, _start(spec))
    except (OSError, Refused) as error:
        _report(spec, {"refused": str(error)})
    except BaseException as error:  # nothing may run on as a copy of the outer process
        _report(spec, {"refused": repr(error)})
    os._exit(125)


def _tie(alive: int) -> None:
    """Die with the outer process (prctl(2)); a change of user undoes it. The pipe tells whether it died before."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if select.select([alive], [], [], 0)[0]:
        os._exit(125)


def _furnish(spec: dict[str, Any]) -> None:
    if "mount" in spec["namespaces"]:
        _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
        _cover(spec["covered"], spec["shown"])
        if "pid" in spec["namespaces"]:
            _renew_proc(is_needed=not spec["is_server"])
    if "net" in spec["namespaces"]:
        with suppress(OSError):
            _raise_loopback()


def _cover(covered: list[str], shown: list[str]) -> None:
    """Hide each folder behind an empty one that holds what is shown of it alone; outer ones first."""
    opened = {path: os.open(path, os.O_PATH) for path in sorted(shown)}
    for top in sorted(covered):
        if not os.path.isdir(top):  # noqa: PTH112 - the paths are text from JSON
            continue
        below = [path for path in opened if path.startswith(f"{top}/")]
        _mount("none", top, "tmpfs", _MS_NOSUID | _MS_NODEV, _SCRATCH.get(top, "mode=0711,size=1m"))
        for path in below:
            if not any(path.startswith(f"{other}/") for other in below):
                old = os.umask(0o066)
                os.makedirs(path, exist_ok=True)  # noqa: PTH103
                os.umask(old)
                _mount(f"/proc/self/fd/{opened[path]}", path, None, _MS_BIND | _MS_REC)
    for descriptor in opened.values():
        os.close(descriptor)


def _renew_proc(*, is_needed: bool) -> None:
    """Show the processes of the new namespace; containers hide parts of /proc, and then the kernel refuses it.

    The old one shows, and lets in to, whatever the same user runs outside. A server does without any.
    """
    try:
        _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    except Refused:
        if not is_needed:
            _mount("none", "/proc", "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, "mode=0555,size=4k")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    given = [None if text is None else text.encode() for text in (source, target, kind, data)]
    if _libc.mount(given[0], given[1], given[2], ctypes.c_ulong(flags), given[3]):
        raise Refused(f"mounting {target}: {os.strerror(ctypes.get_errno())}")


def _raise_loopback() -> None:
    """Applications talk to themselves on 127.0.0.1 in their own tests."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        flags = _interface_flags(asking, "lo")
        fcntl.ioctl(asking, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def _interface_flags(asking: socket.socket, name: str) -> int:
    answer = fcntl.ioctl(asking, _SIOCGIFFLAGS, struct.pack("16sh14x", name.encode(), 0))
    return int(struct.unpack("16sh14x", answer)[1])


def _become(uid: int | None, gid: int | None) -> None:
    """Lose every right for good, also those to look into us, who run as the same user as what we start."""
    for capability in range(_CAPABILITIES):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # who may not drop one has none to lose
    if uid is not None and gid is not None:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    nothing = struct.pack("6I", *[0] * 6)
    _libc.capset(struct.pack("Ii", _CAPABILITY_VERSION, 0), nothing)
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _start(spec: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.umask(0o077)
        for descriptor in {spec["report"], *spec["kept"]} - {_STDERR}:
            os.set_inheritable(descriptor, False)
        # Without a namespace of processes, this is what ends it with us.
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT if spec["is_server"] else signal.SIGKILL, 0, 0, 0)
        os.execvp(spec["argv"][0], spec["argv"])  # noqa: S606
    except OSError as error:
        _report(spec, {"not_run": error.strerror or str(error)})
    finally:
        os._exit(127)


def _watch(spec: dict[str, Any], command: int) -> NoReturn:
    """Reap until the command has ended, or we are told to end; then end all that is left."""
    if spec["report"] != _STDERR:
        os.close(spec["report"])

    def finish(status: int) -> NoReturn:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        # Whatever a server's sessions started has no say any more once it is down.
        endings = (signal.SIGKILL,) if spec["is_server"] else (signal.SIGTERM, signal.SIGKILL)
        _end_all(endings, has_own_pids="pid" in spec["namespaces"])
        os._exit(status)

    def stop(number: int, frame: object) -> None:
        if spec["is_server"] and number != signal.SIGALRM:
            os.kill(command, signal.SIGINT)
            if not signal.getitimer(signal.ITIMER_REAL)[0]:
                signal.alarm(_SHUTDOWN_S)
        else:
            finish(128 + signal.SIGTERM)

    for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    while True:
        pid, status = os.wait()
        if pid == command:
            finish(_shell_status(status))


def _end_all(endings: Iterable[signal.Signals], *, has_own_pids: bool) -> None:
    """Ask every other process to end, then make it; returns when none is left."""
    for number in endings:
        deadline = time.monotonic() + _GRACE_S
        asked: set[int] = set()
        while _is_anybody_left() and time.monotonic() < deadline:
            # To everybody but us: in a namespace of their own that is just those that we started.
            others = {-1} if has_own_pids else set(_descendants())
            for pid in others - asked:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            asked |= others
            time.sleep(0.01)


def _is_anybody_left() -> bool:
    """Reap; whoever loses his parent becomes our child, so that no child means nobody."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _descendants() -> list[int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            # The program's name stands in brackets and may itself hold brackets and spaces.
            parents[int(folder.name)] = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        parent = waiting.pop()
        own = [pid for pid, its_parent in parents.items() if its_parent == parent]
        found += own
        waiting += own
    return found


def _network() -> dict[str, Any]:
    """What the kernel shows of the network here, as it shows it."""
    shown = {name: Path(name).read_text() if Path(name).exists() else "" for name in _NAMES}
    up = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for line in shown["/proc/net/dev"].splitlines()[2:]:
            name = line.partition(":")[0].strip()
            with suppress(OSError):
                if _interface_flags(asking, name) & _IFF_UP:
                    up.append(name)
    return {"shown": shown, "up": up, "ways_out": _ways_out()}


def _ways_out() -> list[str]:
    """Addresses of documentation (RFC 5737, RFC 3849) to which there is a route; asking sends nothing."""
    found = []
    for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((address, 9))
            found.append(address)
    return found


def _report(spec: dict[str, Any], what: dict[str, Any]) -> None:
    with suppress(OSError):
        os.write(spec["report"], json.dumps(what).encode())


def _shell_status(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    main()
