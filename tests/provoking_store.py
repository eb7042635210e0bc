"""What is wrong with the store, with what lies in it, and with the keys that read it."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta

from holdfast.audit import Act, append
from holdfast.crypto.keyfiles import new_keys
from holdfast.crypto.signing import Signer
from point_factory import store_check
from provoking_site import UNSCHEDULED, Expected, Provoked, Scenario, Steps

HOUR = timedelta(hours=1)


def store_unreachable(site: Provoked) -> Steps:
    """The folder is not a folder any more, as after a mount that went wrong."""
    site.arrange(UNSCHEDULED)
    site.nights(3)
    yield None
    aside = site.site.store_folder.rename(site.site.folder / "aside")
    site.site.store_folder.write_text("in the way")
    yield Expected("store is not a directory", "Mount the disk that holds the store")
    site.site.store_folder.unlink()
    aside.rename(site.site.store_folder)
    yield None


def not_decryptable(site: Provoked) -> Steps:
    """The newest backup was encrypted to somebody else, by the age program itself."""
    site.arrange(UNSCHEDULED)
    site.nights(3)
    yield None
    new_keys(site.site.folder / "others")
    recipient = (site.site.folder / "others/recipient.txt").read_text().strip()
    sealed = subprocess.run(["age", "-r", recipient], input=b"x" * 64, capture_output=True, check=True).stdout
    id = site.point(artifact=sealed)
    yield Expected(
        f"{id}/database.dump.age: age header: no key at hand opens it", "keys.identity_file", since=id.opened_at
    )
    site.point(site.now + timedelta(minutes=1))
    yield None


def rotten(site: Provoked) -> Steps:
    """One byte of the newest dump has flipped on the disk, where its key lies."""
    site.arrange(UNSCHEDULED)
    id = site.nights(3)[-1]
    artifact = site.folder(id) / "database.dump.age"
    content = artifact.read_bytes()
    place = content.index(b"---") + 10
    yield None
    artifact.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    yield Expected(f"{id}/database.dump.age", f"`holdfast verify POLICY production {id}`", since=id.opened_at)
    artifact.write_bytes(content)
    yield None


def lost(site: Provoked) -> Steps:
    """The identity file is gone from this host."""
    site.arrange(UNSCHEDULED)
    site.nights(3)
    yield None
    identity = site.site.keys / "identity.txt"
    aside = identity.rename(site.site.keys / "aside.txt")
    yield Expected("identity.txt", "")
    aside.rename(identity)
    yield None


def identity_mismatch(site: Provoked) -> Steps:
    """Somebody has exchanged the identity file."""
    site.arrange(UNSCHEDULED)
    site.nights(3)
    new_keys(site.site.folder / "others")
    yield None
    site.site.edit_policy("/keys/identity.txt", "/others/identity.txt")
    yield Expected(
        "keys.identity_file opens nothing that is encrypted to the policy's recipients",
        "correct one of them",
        besides=frozenset({"not_decryptable"}),
    )
    site.site.edit_policy("/others/identity.txt", "/keys/identity.txt")
    yield None


def signature_mismatch(site: Provoked) -> Steps:
    """A forged restore point: whole, and signed by a stranger."""
    site.arrange(UNSCHEDULED)
    site.nights(3)
    new_keys(site.site.folder / "others")
    yield None
    id = site.point(signer=Signer.load(site.site.folder / "others/signing.pem"))
    yield Expected(str(id), "keys.verify_key_file", since=id.opened_at)
    shutil.rmtree(site.folder(id))
    yield None


def artifact_missing(site: Provoked) -> Steps:
    """Somebody deletes the dump of the newest restore point."""
    site.arrange(UNSCHEDULED)
    id = site.nights(3)[-1]
    artifact = site.folder(id) / "database.dump.age"
    yield None
    aside = artifact.rename(site.site.folder / "aside")
    yield Expected(f"{id}/manifest.json: database.dump.age is missing", "Look who deleted it", since=id.opened_at)
    aside.rename(artifact)
    yield None


def older(site: Provoked) -> Steps:
    """Somebody deletes the dump of an older restore point, which was restored and compared long ago."""
    site.arrange(UNSCHEDULED)
    ids = site.nights(5)
    environment = site.environment()
    for id in ids:
        store_check(environment.catalog, environment.signer(), id, id.opened_at + HOUR)
    artifact = site.folder(ids[0]) / "database.dump.age"
    yield None
    aside = artifact.rename(site.site.folder / "aside")
    yield Expected(f"{ids[0]}/manifest.json: database.dump.age is missing", "object versions", since=ids[0].opened_at)
    aside.rename(artifact)
    yield None


def vanished(site: Provoked) -> Steps:
    """Somebody deletes an older restore point as a whole, and brings it back."""
    site.arrange(UNSCHEDULED)
    id = site.nights(5)[1]
    yield None
    aside = site.folder(id).rename(site.site.folder / "aside")
    yield Expected(f"restore point {id} is gone from the store", "Look who deleted it", since=id.opened_at)
    aside.rename(site.folder(id))
    yield None


def altered(site: Provoked) -> Steps:
    """Somebody writes another manifest over that of an older restore point."""
    site.arrange(UNSCHEDULED)
    id = site.nights(5)[0]
    manifest = site.folder(id) / "manifest.json"
    content, at = manifest.read_bytes(), id.opened_at + timedelta(seconds=70)
    yield None
    manifest.write_bytes(content.replace(b"18.6", b"18.5"))
    yield Expected(str(id), "keys.verify_key_file", since=id.opened_at)
    manifest.write_bytes(content)
    site.received(site.environment().keys.manifest(id), at)
    yield None


def store_guard(site: Provoked) -> Steps:
    """Somebody opens the store's folder to every user of the machine."""
    site.arrange(UNSCHEDULED)
    site.nights(3)
    site.site.store_folder.chmod(0o700)
    yield None
    site.site.store_folder.chmod(0o755)
    yield Expected(f"{site.site.store_folder} is open to every user", "`holdfast store apply POLICY ENV`")
    site.site.store_folder.chmod(0o700)
    yield None


def audit_broken(site: Provoked) -> Steps:
    """Somebody changes a word in what is recorded."""
    yield from _with_trail(site, lambda content: content.replace(b"held", b"keep"))


def removed(site: Provoked) -> Steps:
    """Somebody removes the last record of the trail."""
    yield from _with_trail(site, None)


def _with_trail(site: Provoked, change: object) -> Steps:
    site.arrange(UNSCHEDULED)
    site.nights(3)
    for number in range(3):
        append(site.environment(), Act("held", f"point {number}"))
    yield None
    newest = max((site.site.store_folder / "shop/production/audit").rglob("*.json"))
    content = newest.read_bytes()
    if callable(change):
        newest.write_bytes(change(content))
    else:
        newest.unlink()
    yield Expected("record 3", "`holdfast audit verify POLICY production`")
    newest.write_bytes(content)
    yield None


SCENARIOS = (
    *(
        Scenario(play.__name__, play)
        for play in (
            store_unreachable,
            not_decryptable,
            identity_mismatch,
            signature_mismatch,
            artifact_missing,
            store_guard,
            audit_broken,
        )
    ),
    Scenario("not_decryptable", rotten),
    Scenario("not_decryptable", lost),
    Scenario("audit_broken", removed),
    Scenario("artifact_missing", older),
    Scenario("artifact_missing", vanished),
    Scenario("signature_mismatch", altered),
)
