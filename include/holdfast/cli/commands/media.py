"""``holdfast media``."""

from __future__ import annotations

import json
import secrets
from contextlib import ExitStack
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

import click

from holdfast.cli.arguments import environment_arguments, json_option, opened
from holdfast.cli.auditing import told
from holdfast.cli.output import FAILED, Failure, emit
from holdfast.cli.progress import reporter
from holdfast.values import figures
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from holdfast.catalog.media_listing import MediaSummary
    from holdfast.environment import Environment
    from holdfast.restore import MediaRestoreReport
    from holdfast.values.ids import RestorePointId
    from holdfast.verify import MediaCheckReport

_SHOWN = 50
_IN_MEMORY_BYTES = 1 << 20
_LATEST = "latest"


@click.group("media")
def media_command() -> None:
    """Back up media files, check, compare and restore them."""


@media_command.command("sync")
@environment_arguments
@click.option("--force", is_flag=True, help="Accept an empty source although the last snapshot has files.")
@json_option
def media_sync(policy: Path, environment: str, force: bool, as_json: bool) -> None:
    """Take a media snapshot: what is new or changed since the last one is stored, everything is listed."""
    from holdfast.backup import sync_media

    place = opened(policy, environment)
    facts = sync_media(
        place,
        tier="media",
        opened_at=place.media_catalog.next_moment(place.clock()),
        origin=secrets.token_hex(8),
        force=force,
        progress=reporter(),
    )
    told(place, "triggered", facts.snapshot)
    if as_json:
        emit(facts.as_json())
        return
    for note in facts.notes:
        click.echo(f"note: {visible(note)}", err=True)
    click.echo(
        f"media snapshot {facts.snapshot}: {figures.count(facts.files)} files, {figures.size(facts.bytes)}; "
        f"{figures.count(facts.new_files)} new, {figures.size(facts.stored_bytes)} stored, "
        f"{figures.seconds(facts.seconds)}"
    )


@media_command.command("list")
@environment_arguments
@json_option
def media_list(policy: Path, environment: str, as_json: bool) -> None:
    """List the media snapshots of ENV, oldest first."""
    from holdfast.catalog.media_listing import media_summaries

    place = opened(policy, environment)
    found = media_summaries(place.media_catalog, place.verifier())
    if as_json:
        emit({"snapshots": [summary.as_json() for summary in found]})
        return
    if not found:
        click.echo("no media snapshots yet; `holdfast media sync POLICY ENV` takes one", err=True)
    for summary in found:
        click.echo(_summary(summary))


@media_command.command("check")
@environment_arguments
@click.option(
    "--fraction",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    metavar="F",
    help="Read this share of the shards, those longest unread first. [default: 1, all]",
)
@json_option
def media_check(policy: Path, environment: str, fraction: float, as_json: bool) -> None:
    """Read stored media back and compare every file's hash; damage is named by file and snapshot."""
    from holdfast.verify import check_media

    place = opened(policy, environment)
    report = check_media(place, fraction=fraction, now=place.clock(), progress=reporter())
    if as_json:
        emit(report.as_json())
    else:
        _show_check(report)
    if not report.ok:
        raise Failure(FAILED)


@media_command.command("restore")
@environment_arguments
@click.argument("snapshot")
@click.option("--to", "to", required=True, type=click.Path(), metavar="DIR", help="Made if missing.")
@click.option(
    "--path", "paths", multiple=True, metavar="GLOB", help="Only this; may be given again. *, ** are patterns."
)
@click.option("--overwrite", is_flag=True, help="Replace files that differ; without it they are left and named.")
@json_option
def media_restore(
    policy: Path, environment: str, snapshot: str, to: str, paths: tuple[str, ...], overwrite: bool, as_json: bool
) -> None:
    """Restore media snapshot SNAPSHOT (its id, a restore point's, or `latest`) below DIR.

    Each file's SHA-256 is checked before it gets its name. Files that are there already are left: run it again
    to go on after an interruption.
    """
    from holdfast.errors import UsageError
    from holdfast.restore import restore_media

    if not to:
        raise UsageError("--to: it is empty", hint="Write --to . for the folder that you are in.")
    place = opened(policy, environment)
    id = _named(place, snapshot)
    place.media_catalog.manifest(id, place.verifier())
    told(place, "restored", str(id), to=str(Path(to).absolute()), paths=[*paths])
    report = restore_media(place, id, Path(to).absolute(), globs=paths, overwrite=overwrite, progress=reporter())
    if as_json:
        emit(report.as_json())
    else:
        _show_restore(report)
    if not report.ok:
        raise Failure(FAILED)


@media_command.command("diff")
@environment_arguments
@click.argument("snapshot_a")
@click.argument("snapshot_b")
@json_option
def media_diff(policy: Path, environment: str, snapshot_a: str, snapshot_b: str, as_json: bool) -> None:
    """Show what was added (+), changed (~) and removed (-) from SNAPSHOT_A to SNAPSHOT_B."""
    from holdfast.media.differences import KINDS, differences
    from holdfast.media.entries import shown

    place = opened(policy, environment)
    catalog, verifier, identities = place.media_catalog, place.verifier(), place.listing_identities()
    ids = [_named(place, text) for text in (snapshot_a, snapshot_b)]
    (_, older), (_, newer) = (catalog.listing(id, verifier, identities) for id in ids)
    if as_json:
        with ExitStack() as opened_files:
            # Nothing is printed before both listings were read to their ends: stdout holds one object, or an error.
            found_paths = {kind: opened_files.enter_context(_JsonList()) for kind in KINDS}
            for found in differences(older, newer):
                found_paths[found.kind].add(shown(found.path))
            click.echo(json.dumps({"older": str(ids[0]), "newer": str(ids[1])})[:-1], nl=False)
            for kind, paths in found_paths.items():
                click.echo(f', "{kind}": ', nl=False)
                paths.print()
            click.echo("}")
        return
    counts = dict.fromkeys(KINDS, 0)
    signs = {"added": "+", "changed": "~", "removed": "-"}
    for found in differences(older, newer):
        counts[found.kind] += 1
        click.echo(f"{signs[found.kind]} {_printable(found.path)}")
    click.echo(", ".join(f"{figures.count(number)} {kind}" for kind, number in counts.items()), err=True)


def _named(place: Environment, text: str) -> RestorePointId:
    from holdfast.errors import ObjectMissing
    from holdfast.values.ids import RestorePointId

    if text != _LATEST:
        return RestorePointId.parse(text)
    ids = place.media_catalog.newest_first(place.clock())
    if not ids:
        raise ObjectMissing(
            f"media snapshots of {place.title}: there are none in {place.store.url}",
            hint="`holdfast media sync POLICY ENV` takes one.",
        )
    return ids[0]


class _JsonList:
    """A list of texts on its way to stdout: a million of them lie in a file without a name, not in memory."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115
        self._separator = "["

    def __enter__(self) -> _JsonList:
        return self

    def __exit__(self, *reason: object) -> None:
        self._file.close()

    def add(self, text: str) -> None:
        """Append one."""
        self._file.write((self._separator + json.dumps(text, ensure_ascii=False)).encode())
        self._separator = ", "

    def print(self) -> None:
        """Print them all."""
        self._file.seek(0)
        while piece := self._file.read(_IN_MEMORY_BYTES):
            click.echo(piece, nl=False)
        click.echo("]" if self._separator == ", " else "[]", nl=False)


def _summary(summary: MediaSummary) -> str:
    faults = f"BROKEN: {'; '.join(summary.faults)}" if summary.faults else ""
    size = figures.size(summary.bytes).rjust(10)
    stored = figures.size(summary.stored_bytes).rjust(10)
    return (
        f"{summary.id:<41}  {size}  {figures.count(summary.files):>9} files  "
        f"{figures.count(summary.new_files):>9} new  {stored} stored  {faults}"
    ).rstrip()


def _show_check(report: MediaCheckReport) -> None:
    for note in report.notes:
        click.echo(f"note: {visible(note)}", err=True)
    for fault in report.faults:
        click.echo(f"holdfast: error: {fault}", err=True)
    for file in report.damaged[:_SHOWN]:
        snapshots = ", ".join(file.snapshots)
        click.echo(f"damaged: {_printable(file.path)} (shard {file.shard}: {file.reason}) in {snapshots}", err=True)
    if report.damaged_files > _SHOWN:
        click.echo(f"… and {figures.count(report.damaged_files - _SHOWN)} more; --json names more of them", err=True)
    if not report.damaged_files:
        for shard in report.damaged_shards:
            click.echo(f"damaged: shard {shard}", err=True)
    if report.damaged_shards:
        click.echo("hint: the next `holdfast media sync` packs again what the source still has.", err=True)
    if report.shards_checked == 0:
        how = "nothing was compared"
    elif report.decrypted:
        how = "every file's hash compared" if report.ok else "the hashes of these files compared"
    else:
        how = "hashes of the encrypted shards compared"
    click.echo(
        f"media: {_verdict(report)}; {report.shards_checked} of {report.shards} shards, "
        f"{figures.count(report.files_checked)} files, {figures.size(report.bytes)} read, {how}, "
        f"{figures.seconds(report.seconds)}"
    )


def _verdict(report: MediaCheckReport) -> str:
    if report.ok:
        return "intact" if report.shards_checked else "no shards to check"
    found = []
    if report.damaged_files:
        found.append(f"{figures.count(report.damaged_files)} files damaged")
    if report.damaged_shards:
        found.append(f"{figures.count(len(report.damaged_shards))} shards damaged or not decryptable")
    if report.faults:
        found.append(f"{figures.count(len(report.faults))} errors, see above")
    return f"NOT intact: {', '.join(found)}"


def _show_restore(report: MediaRestoreReport) -> None:
    for note in report.notes:
        click.echo(f"note: {visible(note)}", err=True)
    for fault in report.faults[:_SHOWN]:
        click.echo(f"holdfast: error: {_printable(fault.path)}: {fault.reason}", err=True)
    if report.fault_count > _SHOWN:
        click.echo(f"… and {figures.count(report.fault_count - _SHOWN)} more; --json names more of them", err=True)
    skipped = f", {figures.count(report.skipped)} were there already" if report.skipped else ""
    compared = ", every SHA-256 as recorded" if report.files or report.skipped else ""
    if report.fault_count:
        did = "restored in part" if report.files or report.skipped else "NOT restored:"
        compared = (
            f"{compared and ', the SHA-256 of each as recorded'}, {figures.count(report.fault_count)} NOT restored"
        )
    else:
        did = "restored"
    click.echo(
        f"{did} {report.snapshot} into {visible(report.target)}: {figures.count(report.files)} files, "
        f"{figures.size(report.bytes)}{skipped}{compared}, {figures.seconds(report.seconds)}"
    )


def _printable(path: bytes) -> str:
    """A path on one line: nothing in a file's name may steer the terminal."""
    from holdfast.media.entries import shown

    return visible(shown(path))
