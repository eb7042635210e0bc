"""The watch: reads facts from stores, judges them purely, and tells people what is not as it must be."""

from typing import TYPE_CHECKING

from holdfast.late_imports import late_imports

if TYPE_CHECKING:
    from holdfast.watch.raising import raise_alert
    from holdfast.watch.reports import RoundReport, StatusReport, WatchReport
    from holdfast.watch.round import watch_round
    from holdfast.watch.status import status_of
    from holdfast.watch.watching import watch_all

__getattr__ = late_imports(
    __name__,
    {
        "RoundReport": "reports",
        "StatusReport": "reports",
        "WatchReport": "reports",
        "raise_alert": "raising",
        "status_of": "status",
        "watch_all": "watching",
        "watch_round": "round",
    },
)

__all__ = ["RoundReport", "StatusReport", "WatchReport", "raise_alert", "status_of", "watch_all", "watch_round"]
