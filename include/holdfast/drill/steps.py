"""The steps of a drill, one call each, as tasks take them; a whole drill takes the same ones in one process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from holdfast.drill import application, naming, restoring
from holdfast.drill.naming import StepName, steps_of
from holdfast.drill.pitr import comparing, pages, replaying
from holdfast.drill.scene import Scene, Work, recovery_name
from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.manifest.evidence import Step
from holdfast.progress import Progress, Silent
from holdfast.recovery import recovery_root
from holdfast.recovery import remove_recovery as remove
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


def _make_environment(scene: Scene, progress: Progress) -> Work:
    make = restoring.make_environment if scene.opened.pitr is None else replaying.make_environment
    return make(scene, progress)


def _query(scene: Scene, progress: Progress) -> Work:
    ask = application.query if scene.opened.pitr is None else comparing.query
    return ask(scene, progress)


_WORKS: Mapping[str, Callable[[Scene, Progress], Work]] = MappingProxyType(
    {
        naming.RECOVERY_ENVIRONMENT: _make_environment,
        naming.RESTORE_DATABASE: restoring.restore_database,
        naming.CHECK_DATABASE: restoring.check_database,
        naming.RESTORE_MEDIA: application.restore_media,
        naming.RECOVERY_SETTINGS: application.recovery_settings,
        naming.QUERIES: _query,
        naming.RECOVER: replaying.recover_to_instant,
        naming.CHECK_PAGES: pages.check_pages,
        naming.CHECK_RECOVERED: comparing.check_recovered,
    }
)


def take_step(scene: Scene, step: StepName, progress: Progress) -> Step:
    """Take one step; raises what ``Scene.take`` raises."""
    work = _WORKS[step.name] if step.command_index is None else partial(application.run_command, step.command_index)
    return scene.take(step.name, step.title, work, progress)


def recovery_environment(environment: Environment, drill: RestorePointId, *, progress: Progress = _SILENT) -> Step:
    """Make the recovery environment on this host; leftovers of dead drills are removed."""
    return _take(environment, drill, naming.RECOVERY_ENVIRONMENT, progress)


def restore_database(environment: Environment, drill: RestorePointId, *, progress: Progress = _SILENT) -> Step:
    """Restore the dump into the recovery environment, from the start when it is done again."""
    return _take(environment, drill, naming.RESTORE_DATABASE, progress)


def check_database(environment: Environment, drill: RestorePointId, *, progress: Progress = _SILENT) -> Step:
    """Compare every table's rows with the manifest, then sequences, indexes and constraints."""
    return _take(environment, drill, naming.CHECK_DATABASE, progress)


def restore_media(environment: Environment, drill: RestorePointId, *, progress: Progress = _SILENT) -> Step:
    """Restore a sample of the media or all, and check what rows refer to."""
    return _take(environment, drill, naming.RESTORE_MEDIA, progress)


def recovery_settings(environment: Environment, drill: RestorePointId, *, progress: Progress = _SILENT) -> Step:
    """Make the settings of the application's commands, and prove what they can reach."""
    return _take(environment, drill, naming.RECOVERY_SETTINGS, progress)


def check_queries(environment: Environment, drill: RestorePointId, *, progress: Progress = _SILENT) -> Step:
    """Ask the policy's verification queries, and look up codes."""
    return _take(environment, drill, naming.QUERIES, progress)


def run_command(
    environment: Environment, drill: RestorePointId, command_index: int, *, progress: Progress = _SILENT
) -> Step:
    """Run one of the policy's commands; raises UsageError where the policy has no such command any more."""
    for step in steps_of(environment.policy, "restore_drill"):
        if step.command_index == command_index:
            with Scene(environment, drill) as scene:
                return take_step(scene, step, progress)
    raise UsageError(f"{environment.title}: the policy's drill has no command {command_index + 1}")


def recover_to_instant(environment: Environment, drill: RestorePointId, *, progress: Progress = _SILENT) -> Step:
    """Fetch the base backup and replay WAL up to the drill's instant, from the start when it is done again."""
    return _take(environment, drill, naming.RECOVER, progress)


def check_pages(environment: Environment, drill: RestorePointId, *, progress: Progress = _SILENT) -> Step:
    """Compare every page of the recovered cluster with its checksum."""
    return _take(environment, drill, naming.CHECK_PAGES, progress)


def check_recovered(environment: Environment, drill: RestorePointId, *, progress: Progress = _SILENT) -> Step:
    """Compare the recovered cluster's marker, then check its tables and indexes and count rows."""
    return _take(environment, drill, naming.CHECK_RECOVERED, progress)


def remove_recovery(environment: Environment, drill: RestorePointId) -> bool:
    """Remove the recovery environment from this host; False where there is none."""
    return remove(recovery_root(), recovery_name(environment, drill))


def _take(environment: Environment, drill: RestorePointId, name: str, progress: Progress) -> Step:
    with Scene(environment, drill) as scene:
        return take_step(scene, StepName(name, (naming.TITLES | naming.PITR_TITLES)[name]), progress)
