"""How the engine's errors end a task: transient ones are retried, all others fail it at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from holdfast.errors import HoldfastError, TransientError
from holdfast.redaction import cleansed, redact
from holdfast_airflow.log_filter import redacted_logs

if TYPE_CHECKING:
    from airflow.sdk.types import Logger


@contextmanager
def reported(log: Logger) -> Iterator[None]:
    """Log an error of the engine as message and hint, then raise what Airflow understands of it.

    Raises AirflowException (Airflow retries) for transient errors and lost connections, and
    AirflowFailException (it does not) for everything else: corruption, refusals and defects stay
    what they are, however often they are tried. Airflow logs the whole chain of causes, so that all of it is
    cleansed of secrets.
    """
    try:
        with redacted_logs():
            yield
    except HoldfastError as error:
        log.error("%s", redact(error.message))
        if error.hint:
            log.error("hint: %s", redact(error.hint))
        kind = AirflowException if isinstance(error, TransientError) else AirflowFailException
        raise kind(redact(_sentence(error))) from cleansed(error)
    except (ConnectionError, TimeoutError) as error:
        raise AirflowException(redact(f"connection lost: {error}")) from cleansed(error)
    except Exception as error:
        raise AirflowFailException(redact(f"unexpected {type(error).__name__}: {error}")) from cleansed(error)


def _sentence(error: HoldfastError) -> str:
    return f"{error.message} (hint: {error.hint})" if error.hint else error.message
