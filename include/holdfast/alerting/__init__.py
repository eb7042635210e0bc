"""The way out to people and other watchers: messages by Apprise, and the call that says that the watch lives."""

from typing import TYPE_CHECKING

from holdfast.late_imports import late_imports

if TYPE_CHECKING:
    from holdfast.alerting.delivery import deliver
    from holdfast.alerting.message import DeliveryError, Message, MessageKind
    from holdfast.alerting.pinging import ping

# Apprise takes half a second to load: only who sends should wait for it.
__getattr__ = late_imports(
    __name__,
    {
        "deliver": "delivery",
        "ping": "pinging",
        "DeliveryError": "message",
        "Message": "message",
        "MessageKind": "message",
    },
)

__all__ = ["DeliveryError", "Message", "MessageKind", "deliver", "ping"]
