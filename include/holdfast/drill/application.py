"""The steps that try the application on what was restored: media, its own commands, the policy's queries."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from holdfast.drill.checks.codes import check_codes
from holdfast.drill.checks.media import media_fetcher, restore_and_check_media
from holdfast.drill.checks.queries import check_queries
from holdfast.drill.outcome import Outcome, blames_backup, blames_drill
from holdfast.drill.scene import Scene, Work
from holdfast.errors import DrillError
from holdfast.manifest.evidence import Fact
from holdfast.progress import Progress

_SETTINGS = "temporary-secrets.json"
# Values that say that something is off are no secrets, and what an auditor asks for.
_PLAIN = frozenset({"", "0", "1", "false", "true", "off", "on", "no", "yes", "none", "disabled", "enabled", "sandbox"})
_SHOWN_LINES = 20


def restore_media(scene: Scene, progress: Progress) -> Work:
    """Restore a sample of the paired media snapshot, or all of it, and check what rows refer to."""
    if scene.opened.media == "none":
        return Work(Outcome(notes=("no media was asked for, or the restore point has none",)))
    recovery = scene.recovery
    return Work(
        restore_and_check_media(
            scene.environment,
            scene.manifest,
            recovery.target,
            recovery.media,
            extent="all" if scene.opened.media == "all" else "sample",
            seed=str(scene.drill),
            progress=progress,
        )
    )


def recovery_settings(scene: Scene, progress: Progress) -> Work:
    """Make temporary secrets and a role of the application's own, and prove that its commands reach no network."""
    rules, recovery = scene.rules, scene.recovery
    _demand_app_dir(rules.app_dir)
    _write_secrets(recovery.folder / _SETTINGS, {name: secrets.token_urlsafe(32) for name in rules.temporary_secrets})
    confinement = recovery.confine(rules.network)
    recovery.hand_over()
    shown = {name: value if value.strip().lower() in _PLAIN else "(set)" for name, value in rules.env.items()}
    facts: dict[str, Fact] = {
        **shown,
        **dict.fromkeys(rules.temporary_secrets, "(random, for this drill alone)"),
        rules.database_variable: "(the restored database)",
        rules.media_variable: "(the restored media)",
        "network": confinement.network,
        "interfaces": ", ".join(confinement.interfaces) or "none",
    }
    source = scene.manifest.database.source.server_version
    surroundings = recovery.surroundings(source).model_copy(update={"confinement": confinement})
    return Work(Outcome(facts=facts), surroundings=surroundings)


def run_command(index: int, scene: Scene, progress: Progress) -> Work:
    """Run one of the policy's commands against the restored database, confined as proven before."""
    rules, recovery = scene.rules, scene.recovery
    command = rules.commands[index]
    temporary = _read_secrets(recovery.folder / _SETTINGS)
    environment = {
        **rules.env,
        **temporary,
        rules.database_variable: recovery.application_url,
        rules.media_variable: str(recovery.media),
    }
    limit_s = rules.command_timeout.as_seconds
    progress.begin(f"run {command}")
    done = recovery.run(
        command,
        cwd=_demand_app_dir(rules.app_dir) or recovery.home,
        env=environment,
        network=rules.network,
        timeout_s=limit_s,
        secrets=(*temporary.values(), *recovery.target.secrets),
    )
    progress.end(f"exit status {done.status}")
    said = tuple(done.said[-_SHOWN_LINES:])
    facts: dict[str, Fact] = {"command": command, "exit status": done.status}
    if done.timed_out:
        finding = blames_drill(f"{command}: did not end within {rules.command_timeout}, and was ended with all it ran")
        return Work(Outcome((finding,), said, facts))
    if done.status != 0:
        # The very last line is often the runner's own (npm, pnpm, make), and the program's stands before it.
        last = " / ".join([line.strip()[:300] for line in said if line.strip()][-3:]) or "it said nothing"
        finding = blames_backup(f"{command}: failed with exit status {done.status}: {last}")
        return Work(Outcome((finding,), said, facts))
    return Work(Outcome(notes=said, facts=facts))


def query(scene: Scene, progress: Progress) -> Work:
    """Ask the policy's verification queries, and look up old and new codes."""
    rules, recovery = scene.rules, scene.recovery
    outcomes = [check_queries(recovery.target, rules.queries, progress)]
    if rules.codes is not None:
        media = scene.environment.policy.media
        fetch = media_fetcher(scene.environment, scene.manifest, recovery.media)
        source = media.source if media is not None else ""
        outcomes.append(check_codes(recovery.target, rules.codes, recovery.media, fetch, progress, source=source))
    return Work(Outcome.merged(outcomes))


def _demand_app_dir(app_dir: str | None) -> Path | None:
    if app_dir is None:
        return None
    if not Path(app_dir).is_dir():
        raise DrillError(
            f"drill.app_dir {app_dir}: no such directory on this host",
            hint="Install the application there, in the version that fits the restore point, without its live secrets.",
        )
    return Path(app_dir)


def _write_secrets(path: Path, values: Mapping[str, str]) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(dict(values), file)


def _read_secrets(path: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DrillError(
            "the temporary recovery settings are not on this host",
            hint="The step recovery_settings makes them: start a new drill.",
        ) from error
    return found
