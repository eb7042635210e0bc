"""A store in a folder: who may enter it, and what it shares with what it protects."""

from __future__ import annotations

import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from holdfast.environment import Environment
from holdfast.errors import PermanentError, UsageError
from holdfast.guard.point import Point
from holdfast.values.check import Check

_LOCAL = ("localhost", "127.0.0.1", "::1")


def points(environment: Environment) -> list[Point]:
    """Rights, place, device."""
    root = _folder(environment.policy.store.url)
    return [
        Point("folder", lambda: _rights(root), lambda: _close(root)),
        Point("place", lambda: _place(environment, root)),
        Point("device", lambda: _device(environment, root)),
    ]


def _folder(url: str) -> Path:
    return Path(unquote(urlsplit(url).path)).resolve()


def _rights(root: Path) -> Check | str:
    mode = _mode(root)
    if mode is None:
        return f"{root} is not there yet; the first backup makes it for its user alone"
    if mode & stat.S_IRWXO:
        text = f"{root} is open to every user of the machine ({stat.filemode(mode)})"
        return Check("folder", "failed", text, "`holdfast store apply POLICY ENV` closes it to others.")
    return f"{root} is closed to others"


def _close(root: Path) -> None:
    try:
        root.chmod(stat.S_IMODE(root.stat().st_mode) & ~stat.S_IRWXO)
    except OSError as error:
        raise PermanentError(f"{root}: {(error.strerror or 'chmod fails').lower()}") from error


def _place(environment: Environment, root: Path) -> Check | str:
    for what, folder in _theirs(environment).items():
        if root.is_relative_to(folder):
            text = f"the store {root} lies within the application's {what} {folder}"
        elif folder.is_relative_to(root):
            text = f"the application's {what} {folder} lies within the store {root}"
        else:
            continue
        return Check("place", "failed", text, "Name another place in store.url.", is_blocking=True)
    return "the store lies apart from the application's folders"


def _device(environment: Environment, root: Path) -> Check | str:
    """Only a hint: that it is the same machine may be meant so, as in development."""
    shared = [what for what, folder in _theirs(environment).items() if _device_of(folder) == _device_of(root)]
    if _is_database_local(environment):
        shared.append("database server on the same machine")
    if not shared:
        return "nothing else of the application is known to lie on the store's device"
    text = f"the store shares a device or machine with the application's {', '.join(shared)}"
    return Check("device", "warning", text, "Keep the backups on another machine: its loss would take both.")


def _theirs(environment: Environment) -> dict[str, Path]:
    """The application's folders that the policy knows, links resolved."""
    policy = environment.policy
    found: dict[str, Path] = {}
    if policy.media is not None and policy.media.source.startswith("file://"):
        found["media"] = _folder(policy.media.source)
    if policy.release_dir is not None:
        found["release_dir"] = Path(policy.release_dir).resolve()
    if policy.drill is not None and policy.drill.app_dir is not None:
        found["app_dir"] = Path(policy.drill.app_dir).resolve()
    return found


def _is_database_local(environment: Environment) -> bool:
    try:
        host = environment.database().host
    except UsageError:
        return False  # another task's worker may have that connection; doctor tells of a missing one
    return host is None or host.startswith("/") or host in _LOCAL


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PermanentError(f"{path}: {(error.strerror or 'cannot be looked at').lower()}") from error


def _device_of(path: Path) -> int | None:
    """Of the path, or of the nearest folder above that is there."""
    for place in (path, *path.parents):
        try:
            return place.stat().st_dev
        except OSError:
            continue
    return None
