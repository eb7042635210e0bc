"""How the engine's errors end a task: transient ones are retried, all others fail it at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from holdfast.errors import HoldfastError, TransientError

if TYPE_CHECKING:
    from airflow.sdk.types import Logger


@contextmanager
def reported(log: Logger) -> Iterator[None]:
    """Log an error of the engine as message and hint, then raise what Airflow understands of it.

    Raises AirflowException (Airflow retries) for transient errors and lost connections, and
    AirflowFailException (it does not) for everything else: corruption, refusals and defects stay
    what they are, however often they are tried.
    """
    try:
        yield
    except HoldfastError as error:
        log.error("%s", error.message)
        if error.hint:
            log.error("hint: %s", error.hint)
        kind = AirflowException if isinstance(error, TransientError) else AirflowFailException
        raise kind(_sentence(error)) from error
    except (ConnectionError, TimeoutError) as error:
        raise AirflowException(f"connection lost: {error}") from error
    except Exception as error:
        raise AirflowFailException(f"unexpected {type(error).__name__}: {error}") from error


def _sentence(error: HoldfastError) -> str:
    return f"{error.message} (hint: {error.hint})" if error.hint else error.message
