"""What the application's commands can reach: decided by the policy's word, proven before the first of them runs."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from holdfast.errors import DrillError
from holdfast.manifest.evidence import Confinement
from holdfast.process.child import base_environment
from holdfast.recovery.account import Account
from holdfast.recovery.launching import Launch, Network, launch

Word = Literal["isolated", "isolated-host", "unconfined"]
_WORDS = ("isolated", "isolated-host", "unconfined")
# From most to least: what a kernel refuses is left out, but never the network where isolation was promised.
_ISOLATED = (("net", "pid", "mount", "ipc"), ("net", "pid"), ("net",))
_OPEN = (("pid", "mount", "ipc"), ("pid",), ())
_HINT = (
    "Let the worker use namespaces (in a container: CAP_SYS_ADMIN, or unprivileged user namespaces). Else say in the "
    "policy what is so: `network: isolated-host` on a worker that stands on an internal network, or "
    "`network: unconfined`."
)


@dataclass(frozen=True, slots=True)
class Confined:
    """The proof for the evidence, and the namespaces in which commands run from now on."""

    proof: Confinement
    namespaces: tuple[str, ...]


def confine(network: str, account: Account) -> Confined:
    """Look at the network from where commands will run. Raises DrillError where ``isolated`` cannot be had."""
    if network not in _WORDS:
        raise DrillError(f"network {network}: not one of {', '.join(_WORDS)}")
    refusals = []
    for namespaces in _ISOLATED if network == "isolated" else _OPEN:
        ended = launch(Launch(None, namespaces, account, Path("/"), base_environment()), timeout_s=60)
        seen = ended.report.network
        if seen is None:
            refusals.append(ended.report.refused or ended.output.strip() or f"exit status {ended.status}")
            continue
        proof = Confinement(network=cast(Word, network), interfaces=_interfaces(seen), routes=_routes(seen))
        if network == "isolated":
            _demand_isolated(seen, proof)
        return Confined(proof, namespaces)
    raise DrillError(f"network {network}: the kernel refuses it: {refusals[-1]}", hint=_HINT)


def _demand_isolated(seen: Network, proof: Confinement) -> None:
    """No interface but loopback is up, no route leads anywhere else.

    Where tunnel modules are loaded, the kernel puts their unusable interfaces into each new namespace.
    """
    faults = [f"interface {name} is up" for name in seen.up if name != "lo"]
    faults += [f"route {route}" for route in proof.routes if not route.endswith(" dev lo")]
    faults += [f"there is a way to {address}" for address in seen.ways_out]
    if faults or not proof.interfaces:
        raise DrillError(f"network isolated: it is not: {'; '.join(faults) or 'nothing is seen of it'}", hint=_HINT)


def _interfaces(seen: Network) -> tuple[str, ...]:
    names = [line.partition(":")[0].strip() for line in seen.shown["/proc/net/dev"].splitlines()[2:]]
    return tuple(name if name in seen.up else f"{name} (down)" for name in names)


def _routes(seen: Network) -> tuple[str, ...]:
    four = [_route4(line.split()) for line in seen.shown["/proc/net/route"].splitlines()[1:]]
    six = [_route6(line.split()) for line in seen.shown["/proc/net/ipv6_route"].splitlines()]
    return tuple(dict.fromkeys(filter(None, (*four, *six))))


def _route4(fields: list[str]) -> str:
    """Addresses stand there as a number in the machine's own byte order (proc(5))."""
    if len(fields) < 8:
        return ""
    address, gateway, mask = (ipaddress.IPv4Address(bytes.fromhex(fields[at])[::-1]) for at in (1, 2, 7))
    return _told(f"{address}/{ipaddress.IPv4Network(f'0.0.0.0/{mask}').prefixlen}", gateway, fields[0])


def _route6(fields: list[str]) -> str:
    """A route that rejects (flag 0x200) leads nowhere and is not told."""
    if len(fields) < 10 or int(fields[8], 16) & 0x200:
        return ""
    address, gateway = (ipaddress.IPv6Address(bytes.fromhex(fields[at])) for at in (0, 4))
    return _told(f"{address}/{int(fields[1], 16)}", gateway, fields[9])


def _told(network: str, gateway: ipaddress.IPv4Address | ipaddress.IPv6Address, device: str) -> str:
    via = "" if gateway.is_unspecified else f" via {gateway}"
    return f"{network}{via} dev {device}"
