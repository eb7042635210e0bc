"""The forms of the DAGs that restore, switch back, roll back and migrate: what they ask, and what cannot be met."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from airflow.sdk import Param

from holdfast.errors import UsageError
from holdfast.values.ids import RestorePointId
from holdfast_airflow.answers import line_of, one_of
from holdfast_airflow.operation_form import (
    OTHER_SOURCE,
    Asked,
    other_source_param,
    reason_param,
    restore_point_param,
    window_params,
)
from holdfast_airflow.restore_choices import Choices

What = Literal["database", "media", "both"]
Target = Literal["live", "rehearsal"]
WHAT: tuple[What, ...] = ("database", "media", "both")
TARGETS: tuple[Target, ...] = ("live", "rehearsal")
RESTORE_CHECK = "restore_check"
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,84}")
_PRE_DEPLOY = "pre-deploy-"


@dataclass(frozen=True, slots=True)
class RestoreForm:
    """The answers of a run that restores; they come from people and pipelines, so each is checked."""

    asked: Asked
    restore_point: RestorePointId
    what: What
    target: Target

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The answers in a run's params; raises UsageError naming the field that cannot be meant."""
        given = {name: params[name] for name in params}
        asked = Asked.of(given)
        what = one_of(given.get("what"), "what", WHAT)
        return cls(asked, asked.demand_restore_point(), what, one_of(given.get("target"), "target", TARGETS))

    def demand_possible(self, title: str, *, has_media: bool) -> None:
        """Raise UsageError where media are asked for that the policy does not name."""
        _demand_media(title, self.what, has_media=has_media)


@dataclass(frozen=True, slots=True)
class SwitchBackForm:
    """The answers of a run that switches back."""

    asked: Asked
    what: What

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The answers in a run's params; raises UsageError naming the field that cannot be meant."""
        given = {name: params[name] for name in params}
        return cls(Asked.of(given), one_of(given.get("what"), "what", WHAT))

    def demand_possible(self, title: str, *, has_media: bool) -> None:
        """Raise UsageError where media are asked for that the policy does not name."""
        _demand_media(title, self.what, has_media=has_media)


@dataclass(frozen=True, slots=True)
class RollbackForm:
    """The answers of a run that rolls a deployment back; without a label the newest snapshot before one is meant."""

    asked: Asked
    label: str | None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The answers in a run's params; raises UsageError naming the field that cannot be meant."""
        given = {name: params[name] for name in params}
        label = _label_of(given.get("label"))
        if label is not None and not label.startswith(_PRE_DEPLOY):
            raise UsageError(
                f"label: {label!r} does not begin with {_PRE_DEPLOY}",
                hint="Give the label of the snapshot that was taken before the deployment, or none for the newest.",
            )
        return cls(Asked.of(given), label)


@dataclass(frozen=True, slots=True)
class MigrationForm:
    """The answers of a run that migrates."""

    asked: Asked
    label: str | None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The answers in a run's params; raises UsageError naming the field that cannot be meant."""
        given = {name: params[name] for name in params}
        return cls(Asked.of(given), _label_of(given.get("label")))


def restore_params(choices: Choices, *, has_media: bool) -> dict[str, Param]:
    """The form of a restore; media can be asked for only where the policy has them."""
    return {
        "restore_point": restore_point_param(choices=choices),
        "target": Param(
            "live",
            type="string",
            enum=list(TARGETS),
            values_display={
                "live": "live: restored and checked elsewhere first, then approved, then switched",
                "rehearsal": "rehearsal: restored and checked elsewhere, and nothing more",
            },
            title="Target",
            description="With rehearsal the live application is left alone, and nobody is asked",
        ),
        **_what(has_media=has_media),
        "reason": reason_param(),
        **window_params(),
        OTHER_SOURCE: other_source_param(),
    }


def switch_back_params(*, has_media: bool) -> dict[str, Param]:
    """The form of a switch back: always to what the latest restore has put aside."""
    return {**_what(has_media=has_media), "reason": reason_param(), **window_params()}


def rollback_params() -> dict[str, Param]:
    """The form of a rollback."""
    label = Param(
        None,
        type=["null", "string"],
        pattern=f"^{_PRE_DEPLOY}[A-Za-z0-9._-]{{1,80}}$",
        title="Label",
        description="Of the snapshot before the deployment, such as pre-deploy-2026.11.3; empty: the newest such one",
    )
    return {"label": label, "reason": reason_param(), **window_params()}


def migration_params(*, has_restore_check: bool) -> dict[str, Param]:
    """The form of a guarded migration."""
    label = Param(
        None,
        type=["null", "string"],
        pattern=f"^{_LABEL.pattern}$",
        title="Label",
        description="What is migrated, such as add-invoices: the snapshot is called pre-migration-add-invoices",
    )
    check = Param(
        False,
        type="boolean",
        title="Wait for the snapshot's restore check",
        description="The migration begins only when the snapshot was restored for real and compared",
    )
    checked = {RESTORE_CHECK: check} if has_restore_check else {}
    return {"label": label, **checked, "reason": reason_param(), **window_params()}


def _what(*, has_media: bool) -> dict[str, Param]:
    if not has_media:
        return {}
    what = Param(
        "database",
        type="string",
        enum=list(WHAT),
        title="What",
        description="The database, the uploaded media, or both",
    )
    return {"what": what}


def _demand_media(title: str, what: What, *, has_media: bool) -> None:
    if what != "database" and not has_media:
        raise UsageError(f"what: {what} is asked for, but the policy of {title} names no media")


def _label_of(value: object) -> str | None:
    label = line_of(value, "label", longest=100)
    if label is not None and not _LABEL.fullmatch(label):
        raise UsageError(f"label: {label!r} holds other characters than letters, digits, '.', '_' and '-'")
    return label
