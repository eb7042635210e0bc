"""docker-compose.yaml as docker-compose resolves it: complete, closed, and without a secret in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fix_compose import PROJECT, Compose
from holdfast_embedded.demo.connections import STORE_CONN_IDS
from holdfast_embedded.demo.databases import DEMO_DATABASES

NEEDED = ("HOLDFAST_SECRETS", "HOLDFAST_UID", "HOLDFAST_GID", "HOLDFAST_ADMIN")
WORKERS = ("worker", "worker-wal", "worker-recovery", "worker-operations")
WITH_IDENTITY = ["worker-operations", "worker-recovery"]
# What may stand unset; none of them is a secret.
OPTIONAL = {
    "HOLDFAST_IMAGE",
    "HOLDFAST_PROXY_IPS",
    "HOLDFAST_STORE_HOSTS",
    "HOLDFAST_UI_BIND",
    "HOLDFAST_UI_PORT",
    "HOLDFAST_UI_URL",
    "HOLDFAST_WAL_SLOTS",
    "HOLDFAST_WORKER_SLOTS",
}

Service = dict[str, Any]


@pytest.fixture(scope="module")
def resolved(compose: Compose) -> dict[str, Any]:
    """The whole configuration, with the demo."""
    return compose.resolve(profiles=["demo"])


@pytest.fixture(scope="module")
def services(resolved: dict[str, Any]) -> dict[str, Service]:
    """Every service by name, those of the demo too."""
    found: dict[str, Service] = resolved["services"]
    return found


def _secrets(service: Service) -> set[str]:
    return {Path(secret["target"]).name for secret in service.get("secrets", [])}


def test_config_is_accepted_with_the_lines_that_make_secrets_prints(compose: Compose) -> None:
    """Nothing else is needed, with the demo or without; the demo's services are there only when asked for."""
    plain = compose.resolve()["services"]
    assert {"postgres", "redis", "api-server", "scheduler", "dag-processor", "triggerer", *WORKERS} <= set(plain)
    assert set(compose.resolve(profiles=["demo"])["services"]) - set(plain) == {
        "seaweedfs",
        "demo-postgres",
        "demo-databases",
    }


@pytest.mark.parametrize("name", NEEDED)
def test_missing_variable_is_named(compose: Compose, name: str) -> None:
    """Without it compose stops before anything is started; set to nothing counts as missing."""
    for variables in (
        {key: value for key, value in compose.variables.items() if key != name},
        {**compose.variables, name: ""},
    ):
        done = compose.run("config", "--quiet", variables=variables)
        assert done.returncode != 0
        assert name in done.stderr
        assert "say " in done.stderr


def test_only_harmless_variables_have_defaults() -> None:
    """A password with a default would be the same everywhere."""
    text = (PROJECT / "docker-compose.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+):?-", text)) == OPTIONAL
    assert set(re.findall(r"\$\{(\w+):\?", text)) == set(NEEDED)
    assert not re.findall(r"\$\{\w+\}|\$[A-Za-z_]", text)


def test_every_service_is_watched_limited_and_unprivileged(services: dict[str, Service]) -> None:
    """Health check, restart policy, memory limit, bounded logs, a pinned image and an ordinary user."""
    for name, service in services.items():
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
        runs_to_its_end = name in ("init", "demo-databases")
        assert service["restart"] == ("no" if runs_to_its_end else "unless-stopped"), name
        assert int(service["deploy"]["resources"]["limits"]["memory"]) > 0, name
        assert service["logging"]["options"]["max-size"], name
        assert re.search(r":\d+\.\d+", service["image"]), name
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"]), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name


def test_services_wait_for_what_they_need(services: dict[str, Service]) -> None:
    """Everything waits for a condition, and what is waited for can meet it."""
    for name, service in services.items():
        for needed, dependency in service.get("depends_on", {}).items():
            ends = services[needed]["restart"] == "no"
            assert dependency["condition"] == ("service_completed_successfully" if ends else "service_healthy"), name
    for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
        assert "init" in services[name]["depends_on"]
    for name in WORKERS:
        assert {"redis", "api-server"} <= set(services[name]["depends_on"])


def test_only_the_ui_is_published_and_on_loopback(compose: Compose, services: dict[str, Service]) -> None:
    """Another address is an operator's explicit choice."""
    assert [name for name, service in services.items() if service.get("ports")] == ["api-server"]
    assert [port["host_ip"] for port in services["api-server"]["ports"]] == ["127.0.0.1"]
    chosen = compose.resolve(HOLDFAST_UI_BIND="192.0.2.1")["services"]["api-server"]["ports"]
    assert [port["host_ip"] for port in chosen] == ["192.0.2.1"]
    assert not [name for name, service in services.items() if service.get("network_mode")]


def test_recovery_workers_leave_only_by_the_gateway(resolved: dict[str, Any], services: dict[str, Service]) -> None:
    """Their only network is closed, and of what else stands on it just the gateway passes anything on."""
    assert resolved["networks"]["recovery"]["internal"] is True
    assert resolved["networks"]["control"]["internal"] is True
    assert set(services["worker-recovery"]["networks"]) == {"recovery"}
    beside = {name for name, service in services.items() if "recovery" in service["networks"]}
    assert beside == {"worker-recovery", "redis", "api-server", "store-gateway", "seaweedfs"}
    assert services["store-gateway"]["environment"] == {"HOLDFAST_STORE_HOSTS": ""}
    for name in ("postgres", "redis", "scheduler", "triggerer", "init"):
        assert "outside" not in services[name]["networks"], name


def test_queues_are_served_by_their_workers(services: dict[str, Service]) -> None:
    """The operators name the queues `wal`, `recovery` and `operations`; everything else goes to `default`."""
    for name, queue in zip(WORKERS, ("default", "wal", "recovery", "operations"), strict=True):
        command = services[name]["command"]
        assert command[command.index("--queues") + 1] == queue


def test_wal_is_spooled_on_a_volume_of_its_own(services: dict[str, Service]) -> None:
    """Its tasks never end: they have their own slots, and are told to stop when their worker is."""
    wal = services["worker-wal"]
    mounted = {mount["target"]: mount["source"] for mount in wal["volumes"] if mount["type"] == "volume"}
    assert mounted[wal["environment"]["HOLDFAST_SPOOL"]] == "spool"
    assert [name for name, service in services.items() if "HOLDFAST_SPOOL" in str(service)] == ["worker-wal"]
    assert wal["environment"]["AIRFLOW__CELERY__WORKER_CONCURRENCY"] == "8"
    assert (wal["init"], wal["environment"]["TINI_KILL_PROCESS_GROUP"]) == (True, "1")
    assert _secrets(wal) == _secrets(services["worker"])


def test_demo_lets_its_wal_be_streamed(services: dict[str, Service]) -> None:
    """The image's own pg_hba.conf lets nobody replicate from another host."""
    demo = services["demo-postgres"]
    assert demo["command"] == ["postgres", "-c", "summarize_wal=on"]
    (script,) = [mount["source"] for mount in demo["volumes"] if mount["type"] == "bind"]
    assert "host replication all all scram-sha-256" in Path(script).read_text()


def test_no_secret_stands_in_the_configuration(compose: Compose, resolved: dict[str, Any]) -> None:
    """`docker inspect` shows environments and commands, so none may hold the contents of a secret file."""
    text = json.dumps(resolved["services"])
    for name, secret in resolved["secrets"].items():
        for word in re.findall(r"[A-Za-z0-9+/=_-]{16,}", Path(secret["file"]).read_text()):
            if not word.startswith(("coursepedia_", "campustrack_", "college_")):
                assert word not in text, name
    for service in resolved["services"].values():
        for variable, value in (service.get("environment") or {}).items():
            if re.search(r"PASSWORD|SECRET_KEY|JWT|FERNET|CONN_(?!NAMES$)|BROKER_URL|RESULT_BACKEND", variable):
                assert variable.endswith(("_CMD", "_FILE")), variable
                assert "/run/secrets/" in value, variable
            assert not variable.startswith("AIRFLOW_CONN_")


def test_each_service_sees_only_its_own_secrets(services: dict[str, Service]) -> None:
    """The identity lies where backups are opened, the owners' logins where live is changed; none reaches Airflow's."""
    assert sorted(name for name, service in services.items() if "identity.txt" in _secrets(service)) == WITH_IDENTITY
    signing = {name for name, service in services.items() if "signing.pem" in _secrets(service)}
    assert signing == {*WORKERS, "dag-processor"}
    assert [name for name, service in services.items() if "admin_password" in _secrets(service)] == ["init"]
    for name in WORKERS:
        assert not _secrets(services[name]) & {"database_url", "fernet_key", "jwt_secret", "postgres_password"}
    assert _secrets(services["redis"]) == {"redis_users"}
    assert _secrets(services["store-gateway"]) == set()


def test_dag_processor_can_page(resolved: dict[str, Any], services: dict[str, Service]) -> None:
    """Airflow runs there what is to be done when a run has failed: with the pager and the stores, and no database."""
    processor = services["dag-processor"]
    assert "outside" in processor["networks"]
    [source] = [each["source"] for each in processor["secrets"] if Path(each["target"]).name == "connections.yaml"]
    assert Path(resolved["secrets"][source]["file"]).name == "connections-alerts.yaml"
    for variable in ("AIRFLOW__WORKERS__SECRETS_BACKEND", "AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS"):
        assert processor["environment"][variable] == services["worker"]["environment"][variable]


def test_code_is_mounted_read_only(services: dict[str, Service]) -> None:
    """No task can change what the next one runs; init reads the roles as they are edited, too."""
    for name, service in services.items():
        bound = {mount["target"]: mount for mount in service.get("volumes", []) if mount["type"] == "bind"}
        assert all(mount.get("read_only") for mount in bound.values()), name
        if "/opt/airflow/logs" in {mount["target"] for mount in service.get("volumes", [])}:
            roles = {"/opt/holdfast/deploy/roles.yaml"} if name == "init" else set()
            assert set(bound) == {"/opt/airflow/dags", "/opt/airflow/plugins", "/opt/airflow/include"} | roles, name


def test_several_hosts_share_closed_networks_of_their_own(compose: Compose) -> None:
    """With deploy/fleet.yaml both closed networks are made beforehand, for all hosts."""
    networks = compose.resolve(files=["deploy/fleet.yaml"])["networks"]
    for name in ("control", "recovery"):
        assert networks[name]["external"] is True
        assert networks[name]["name"] == f"holdfast-{name}"
    assert not networks["outside"].get("external")


def test_demo_connections_are_those_of_the_example_policies(compose: Compose) -> None:
    """Workers find every connection that the demo's databases and stores go by; recovery workers only the stores'."""
    databases = {demo.conn_id: demo.name for demo in DEMO_DATABASES}
    assert set(yaml.safe_load(compose.secret("connections.yaml").read_text())) == {*databases, *STORE_CONN_IDS}
    databases |= {demo.owner_conn_id: demo.name for demo in DEMO_DATABASES}
    connections = yaml.safe_load(compose.secret("connections-operations.yaml").read_text())
    assert set(connections) == {*databases, *STORE_CONN_IDS}
    for conn_id, name in databases.items():
        assert connections[conn_id].endswith(f"@demo-postgres:5432/{name}")
    for name in ("connections-recovery.yaml", "connections-alerts.yaml"):
        assert set(yaml.safe_load(compose.secret(name).read_text())) == set(STORE_CONN_IDS)


def test_deployment_guide_names_every_setting_and_every_secret_of_another_host(
    compose: Compose, resolved: dict[str, Any], services: dict[str, Service]
) -> None:
    """A host that gets one secret too few does not start its worker; one too many is one too many to lose."""
    guide = (PROJECT / "docs" / "deployment.md").read_text()
    assert set(re.findall(r"HOLDFAST_[A-Z_]+", guide)) == OPTIONAL | {*NEEDED, "HOLDFAST_KEYS"}
    files = {name: Path(secret["file"]).name for name, secret in resolved["secrets"].items()}
    sections = guide.partition("## Recovery workers on another host")[2].partition("\n## ")[0]
    recovery, _, taking = sections.partition("3. Remove")
    for name, text in (("worker-recovery", recovery), ("worker", taking.partition("More hosts")[2])):
        named = {file for file in files.values() if re.search(rf"(?<![\w.-]){re.escape(file)}(?![\w.-])", text)}
        assert named == {files[secret["source"]] for secret in services[name]["secrets"]}, name
