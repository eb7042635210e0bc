"""The types of a policy's fields: each accepts what can be meant, and says what is wrong with anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from holdfast.errors import UsageError
from holdfast.policy import cron, places
from holdfast.values import duration, keys


def _duration(value: Any) -> duration.Duration:
    if isinstance(value, duration.Duration):
        return value
    try:
        return duration.Duration.parse(str(value))
    except UsageError as error:
        raise ValueError(str(error)) from error


def _timezone(value: Any) -> str:
    try:
        ZoneInfo(str(value))
    except Exception as error:
        raise ValueError(f"{value!r} is no time zone of the IANA database, such as Europe/Berlin") from error
    return str(value)


def _schedule(value: Any) -> str:
    text = " ".join(str(value).split())
    if text == "continuous":
        return text
    if not cron.is_valid(text):
        raise ValueError(f"{value!r} is neither five cron fields, such as '0 2 * * *', nor 'continuous'")
    if not cron.ever_comes(text):
        raise ValueError(f"{value!r} never comes: no month that it names has such a day")
    return text


def _recipient(value: Any) -> str:
    text = str(value).strip()
    if not text.startswith("age1") or not text.isalnum():
        raise ValueError("no age recipient, which begins with age1; secret keys and passwords never stand in a policy")
    return text


def _url(fault_of: Callable[[str], str | None]) -> BeforeValidator:
    """Accepts the URLs in which ``fault_of`` finds no fault."""

    def validated(value: Any) -> str:
        text = str(value)
        fault = fault_of(text)
        if fault is not None:
            raise ValueError(fault)
        return text

    return BeforeValidator(validated)


Span = Annotated[
    duration.Duration,
    BeforeValidator(_duration),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": duration.PATTERN, "examples": ["24h", "35d", "12mo"]}),
]


def _place(value: Any) -> Any:
    if isinstance(value, str) and (not value or places.CONTROL.search(value)):
        found = "a control character in it" if value else "an empty text"
        raise ValueError(f"expected the path of a file or directory, found {found}")
    return value


def _query(value: Any) -> Any:
    if isinstance(value, str) and not value.strip(" \t\r\n;"):
        raise ValueError("is empty: expected a SQL query")
    return value


LocalPath = Annotated[str, BeforeValidator(_place)]
Query = Annotated[str, BeforeValidator(_query)]
MediaUrl = Annotated[str, _url(places.media_url_fault)]
_PART = r'("([^"]|"")+"|[^".]+)'
TableName = Annotated[
    str,
    Field(
        pattern=rf"^({_PART}\.)?{_PART}$",
        description="table or schema.table as in the database; with a dot or quote in a name, quoted as in SQL",
    ),
]
Timezone = Annotated[str, BeforeValidator(_timezone)]
Recipient = Annotated[str, BeforeValidator(_recipient)]
StoreUrl = Annotated[str, _url(places.store_url_fault)]
Schedule = Annotated[str, BeforeValidator(_schedule)]
Name = Annotated[str, Field(pattern=f"^{keys.NAME.pattern}$")]
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
RoleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}$")]
SystemIdentifier = Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]
ConnId = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_.-]+$")]


def _command_line(value: Any) -> Any:
    if isinstance(value, str) and (not value.strip() or places.CONTROL.search(value)):
        raise ValueError("expected a program with its arguments on one line, without control characters")
    return value


CommandLine = Annotated[str, BeforeValidator(_command_line)]


class Part(BaseModel):
    """Base of every section of a policy."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
