"""The application's commands: confined, ended with all that they start, and never overheard telling a secret."""

from __future__ import annotations

import json
import os
import shlex
import socket
import stat
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fix_recovery import NAME, as_program, await_no_process_of, recovery_root_for_tests
from holdfast.errors import DrillError
from holdfast.postgres.session import connect
from holdfast.recovery import CommandOutcome, Recovery, opened_recovery, prepare_recovery
from holdfast.recovery.account import recovery_account


@pytest.fixture(scope="module")
def recovery() -> Iterator[Recovery]:
    """A recovery environment whose server runs, one for all."""
    with recovery_root_for_tests() as root:
        prepare_recovery(root, NAME, source_major=18, database="shop", now=datetime.now(UTC))
        with opened_recovery(root, NAME) as opened:
            yield opened


@pytest.fixture
def run(recovery: Recovery) -> Callable[..., CommandOutcome]:
    """Runs a script of bash in it."""

    def run_script(script: str, *, network: str = "isolated", timeout_s: float = 30, **given: object) -> CommandOutcome:
        options = {"cwd": recovery.home, "env": {}} | given
        return recovery.run(f"bash -c {shlex.quote(script)}", network=network, timeout_s=timeout_s, **options)

    return run_script


@pytest.fixture
def listener() -> Iterator[int]:
    """The port of a listener on all of this host's addresses."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        yield server.getsockname()[1]


def own_address() -> str:
    """This host's address in the network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(("192.0.2.77", 9))
        return str(asking.getsockname()[0])


@pytest.mark.parametrize("address", ["127.0.0.1", "outside"])
def test_command_reaches_no_network_and_the_same_command_would_without_confinement(
    run: Callable[..., CommandOutcome], listener: int, address: str
) -> None:
    """No webhook, e-mail or payment can leave: not to the host itself, not to its address outside."""
    host = own_address() if address == "outside" else address
    call = f"exec 3<>/dev/tcp/{host}/{listener} && echo reached"
    assert run(call, network="unconfined").said == ("reached",)
    confined = run(call)
    assert confined.status != 0
    assert "reached" not in confined.said
    assert any("refused" in line or "unreachable" in line for line in confined.said)


def test_isolation_is_proven_and_kept_for_the_evidence(recovery: Recovery) -> None:
    """From inside; and what an unconfined command can reach is recorded too."""
    proof = recovery.confine("isolated")
    assert (proof.network, proof.interfaces) == ("isolated", ("lo",))
    assert all(route.endswith(" dev lo") for route in proof.routes)
    assert recovery.surroundings("18.1").confinement == proof
    host = recovery.confine("isolated-host")
    assert host.network == "isolated-host"
    assert any(route.startswith("0.0.0.0/0 via ") for route in host.routes)
    assert len(host.interfaces) > 1
    with pytest.raises(DrillError, match="not one of"):
        recovery.confine("free")


def test_database_is_reached_through_its_socket(
    recovery: Recovery, run: Callable[..., CommandOutcome], pg18: object
) -> None:
    """Which works across the border of the network."""
    with connect(recovery.target.with_database("template1")) as session:
        session.execute("CREATE DATABASE shop")
    psql = f"{pg18.bin / 'psql'} \"$DATABASE_URL\" -Atc 'select current_database()'"  # type: ignore[attr-defined]
    assert run(psql, env={"DATABASE_URL": recovery.url}).said == ("shop",)


def test_loopback_inside_is_the_commands_own(run: Callable[..., CommandOutcome]) -> None:
    """Applications talk to themselves in their tests."""
    assert "refused" in run("exec 3<>/dev/tcp/127.0.0.1/1").said[0]


def test_environment_is_made_from_nothing(
    recovery: Recovery, run: Callable[..., CommandOutcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is given, our PATH, and a HOME and TMPDIR of their own; nothing of ours."""
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", "postgres://production")
    outcome = run("env | sort; touch ~/file $TMPDIR/file; umask", env={"PAYMENTS_ENABLED": "false"})
    names = {line.partition("=")[0] for line in outcome.said[:-1]}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"HOME", "LANG", "PATH", "PAYMENTS_ENABLED", "TMPDIR"}
    assert outcome.said[-1] == "0077"
    for folder in (recovery.home, recovery.folder / "tmp"):
        assert (folder / "file").stat().st_uid == recovery_account().uid
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_command_runs_without_rights(run: Callable[..., CommandOutcome]) -> None:
    """As an ordinary user, without capabilities, and with no way to others."""
    outcome = run("id -u; grep -E 'CapEff|CapPrm|CapAmb|NoNewPrivs' /proc/self/status; cat /etc/shadow")
    assert outcome.said[0] == str(recovery_account().uid) != "0"
    assert {line.split()[-1] for line in outcome.said[1:5]} == {"0000000000000000", "1"}
    assert "Permission denied" in outcome.said[5]


def test_there_is_no_shell_and_no_input(recovery: Recovery) -> None:
    """Words are split as a shell does, and nothing else; who waits for an answer gets none."""
    options = {"cwd": recovery.home, "env": {}, "network": "isolated", "timeout_s": 30.0}
    assert recovery.run("echo 'a  b' $HOME ; rm *", **options).said == ("a  b $HOME ; rm *",)
    assert recovery.run("cat", **options).status == 0
    with pytest.raises(DrillError, match="cannot be split"):
        recovery.run("echo 'a", **options)


def test_missing_command_says_what_to_do(recovery: Recovery, tmp_path: Path) -> None:
    """Program, script, folder, interpreter."""
    options = {"env": {}, "network": "isolated", "timeout_s": 30.0}
    with pytest.raises(DrillError, match="command 'pnpm-9': not found") as caught:
        recovery.run("pnpm-9 check", cwd=recovery.home, **options)
    assert "Install it" in (caught.value.hint or "")
    with pytest.raises(DrillError, match=r"command './check': not found"):
        recovery.run("./check", cwd=recovery.home, **options)
    with pytest.raises(DrillError, match="is not there"):
        recovery.run("true", cwd=tmp_path / "none", **options)
    script = recovery.home / "check"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    with pytest.raises(DrillError, match="cannot be started: no such file"):
        recovery.run("./check", cwd=recovery.home, **options)


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("echo out; echo error >&2; exit 3", 3, ("out", "error")),
        ("kill -9 $$", 137, ()),
        ("exit 0", 0, ()),
        ("printf '\\e[31mred\\e[0m\\r\\nbell\\a'", 0, ("red", "bell")),
    ],
)
def test_how_it_ended_and_what_it_said_is_told(
    run: Callable[..., CommandOutcome], script: str, status: int, said: tuple[str, ...]
) -> None:
    """Both outputs in order, as plain text."""
    outcome = run(script)
    assert (outcome.status, outcome.said, outcome.timed_out) == (status, said, False)


def test_much_output_is_bounded(run: Callable[..., CommandOutcome]) -> None:
    """The end of it is kept."""
    outcome = run("seq 1 300000; head -c 5000 /dev/zero | tr '\\0' x; echo; echo last")
    assert outcome.said[-1] == "last"
    assert len(outcome.said) <= 60
    assert max(map(len, outcome.said)) <= 500


def test_secrets_that_a_command_prints_are_masked(recovery: Recovery, run: Callable[..., CommandOutcome]) -> None:
    """Given ones in every spelling, a key's single lines, and the throwaway database's own password."""
    password = recovery.target.get("password") or ""
    key = "-----BEGIN KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\nquite/secret+line==\n-----END KEY-----"
    secrets = ('pa"ss wo/rd', key)
    env = {"A": secrets[0], "B": key, "DATABASE_URL": recovery.url}
    outcome = run(
        'echo "$A"; echo "$B"; echo "$DATABASE_URL"; echo pa%22ss%20wo%2Frd; echo "{\\"a\\": \\"pa\\\\\\"ss wo/rd\\"}"',
        env=env,
        secrets=secrets,
    )
    text = "\n".join(outcome.said)
    assert outcome.said[0] == "***"
    for secret in (password, "quite/secret", "MC4CAQ", "wo/rd", "wo%2Frd"):
        assert secret not in text


def test_hanging_command_is_ended_with_all_its_descendants(
    recovery: Recovery, run: Callable[..., CommandOutcome]
) -> None:
    """Those too that left its group and session and ignore requests."""
    script = "setsid bash -c \"trap '' TERM HUP; while :; do sleep 0.1; done\" & echo begun; sleep 3600"
    begun = time.monotonic()
    outcome = run(script, timeout_s=1)
    assert (outcome.timed_out, outcome.said[0]) == (True, "begun")
    assert time.monotonic() - begun < 12
    assert not descendants_named("sleep 3600")


def test_background_process_ends_with_its_command(run: Callable[..., CommandOutcome]) -> None:
    """A daemon that it leaves must not go on in the restored data."""
    outcome = run("setsid sleep 3611 & disown; echo done")
    assert (outcome.status, outcome.said) == (0, ("done",))
    assert outcome.seconds < 10
    assert not descendants_named("sleep 3611")


def descendants_named(words: str) -> list[str]:
    """Processes of that command line."""
    wanted = words.replace(" ", "\0").encode() + b"\0"
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found += [process.name] if (process / "cmdline").read_bytes() == wanted else []
        except OSError:
            continue
    return found


def test_restored_files_are_the_commands_to_read(recovery: Recovery, run: Callable[..., CommandOutcome]) -> None:
    """As root they were restored as root's; a file with a second name elsewhere is not given away."""
    (recovery.media / "a").mkdir(mode=0o700)
    (recovery.media / "a/photo").write_text("light")
    (recovery.media / "a/photo").chmod(0o600)
    (recovery.media / "out").symlink_to("/etc/shadow")
    shared = recovery.folder / "shared"
    shared.write_text("not yours")
    shared.chmod(0o600)
    os.link(shared, recovery.media / "linked")
    outcome = run(f"cat {recovery.media}/a/photo; echo; cat {recovery.media}/linked {recovery.media}/out")
    assert outcome.said[0] == "light"
    assert sum("Permission denied" in line for line in outcome.said) == 2
    assert Path("/etc/shadow").stat().st_uid == 0


def test_application_in_a_closed_folder_is_shown_to_its_commands_alone(
    run: Callable[..., CommandOutcome], tmp_path: Path
) -> None:
    """As root, the commands' user could not reach it below root's home, for one; nothing else there is shown."""
    closed = tmp_path / "home"
    app = closed / "srv/app"
    app.mkdir(parents=True)
    (closed / "secret").write_text("x")
    (app / "check.sh").write_text("#!/bin/sh\necho $PWD; cat ../../secret\n")
    (app / "check.sh").chmod(0o755)
    closed.chmod(0o700)
    outcome = run("./check.sh", cwd=app)
    assert outcome.said[0] == str(app)
    assert "No such file" in outcome.said[1]
    link = tmp_path / "link"
    link.symlink_to(app)
    tmp_path.chmod(0o711)
    assert run("./check.sh", cwd=link).status != 127
    app.chmod(0o700)
    with pytest.raises(DrillError, match="who cannot reach"):
        run("true", cwd=app)


def test_environment_below_a_closed_folder_works(tmp_path: Path) -> None:
    """Server and commands reach it, and need no right to read everything for that."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    said = as_program(
        """
        root = Path(sys.argv[1]) / "recovery"
        root.mkdir(mode=0o700)
        prepare_recovery(root, "a", source_major=18, database="shop", now=datetime.now(UTC))
        with opened_recovery(root, "a") as recovery:
            with connect(recovery.target.with_database("template1")) as session:
                pid = session.info.backend_pid
                caps = session.execute("SELECT pg_read_file('/proc/self/status')").fetchone()[0]
            done = recovery.run("bash -c 'echo $HOME; touch ~/x'", cwd=recovery.home, env={}, network="isolated",
                                timeout_s=30)
        remove_recovery(root, "a")
        print(json.dumps([caps, done.status, done.said]))
        """,
        str(closed),
    )
    caps, status, lines = json.loads(said)
    assert "CapEff:\t0000000000000000" in caps
    assert (status, lines) == (0, [str(closed / "recovery/a/home")])


def test_ordinary_user_confines_in_a_namespace_of_his_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Who is not root stays who he is inside."""
    account = recovery_account()
    said = as_program(
        """
        root = recovery_root({"TMPDIR": sys.argv[1]})
        prepare_recovery(root, "a", source_major=18, database="shop", now=datetime.now(UTC))
        with opened_recovery(root, "a") as recovery:
            options = {"cwd": Path("/"), "env": {}, "timeout_s": 1}
            proof = recovery.confine("isolated")
            done = recovery.run("bash -c 'id -u; exec 3<>/dev/tcp/127.0.0.1/1'", network="isolated", **options)
            late = recovery.run("bash -c 'setsid sleep 3622 & sleep 3600'", network="unconfined", **options)
        print(json.dumps([proof.interfaces, done.said, late.timed_out, remove_recovery(root, "a")]))
        """,
        "/tmp",
        user=account.uid,
    )
    interfaces, lines, timed_out, removed = json.loads(said)
    assert interfaces == ["lo"]
    assert lines[0] == str(account.uid)
    assert "refused" in lines[1]
    assert timed_out
    assert removed
    assert not descendants_named("sleep 3622")
    Path(f"/tmp/holdfast-recovery-{account.uid}").rmdir()


def test_where_namespaces_are_refused_isolation_is_too(recovery_folder: Path) -> None:
    """As in a default container: the policy must say what is so. Without, time limits still end every descendant."""
    said = as_program(
        """
        root = Path(sys.argv[1])
        prepare_recovery(root, "a", source_major=18, database="shop", now=datetime.now(UTC))
        with opened_recovery(root, "a") as recovery:
            try:
                recovery.confine("isolated")
            except DrillError as error:
                refused = [error.message, error.hint]
            proof = recovery.confine("isolated-host")
            script = "setsid bash -c \\"trap '' TERM; sleep 3633; sleep 3634\\" & sleep 3635"
            late = recovery.run(f"bash -c {shlex.quote(script)}", cwd=recovery.home, env={}, network="isolated-host",
                                timeout_s=1)
        print(json.dumps([refused, proof.interfaces, late.timed_out]))
        """,
        str(recovery_folder),
        prefix=("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", "--"),
    )
    (message, hint), interfaces, timed_out = json.loads(said)
    assert "network isolated: the kernel refuses it" in message
    assert "network: isolated-host" in hint
    assert len(interfaces) > 1
    assert timed_out
    assert not [pid for number in (3633, 3634, 3635) for pid in descendants_named(f"sleep {number}")]
    await_no_process_of(recovery_folder)
