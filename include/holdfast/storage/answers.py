"""What an object store's refusal means, in words that name the reason and hold no credential."""

from __future__ import annotations

import re
from dataclasses import dataclass

# obstore's text holds URLs (on Azure with the access signature in them) and whole answers, so only these
# well-known places are read from it and nothing else is passed on.
_STATUS = re.compile(r"status(?: code)?: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,80})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,300}?)(?:[.\s]*(?:<|RequestId:|\\n)|$)", re.DOTALL)
_PART = re.compile(r"[?&](?:partNumber=|comp=block(?!list))")
_TRANSPORT = (
    ("ConnectionRefused", "connection refused"),
    ("dns error", "its host name cannot be resolved"),
    ("InvalidCertificate", "its TLS certificate is not trusted"),
    ("InvalidContentType", "it does not speak TLS"),
    ("TimedOut", "no answer in time"),
    ("Timeout", "no answer in time"),
    ("Unreachable", "the network is unreachable"),
    ("ConnectionReset", "the connection was cut"),
    ("IncompleteMessage", "the connection was cut"),
    ("UnexpectedEof", "the connection was cut"),
    ("BrokenPipe", "the connection was cut"),
    ("redential", "no usable credentials"),
)
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "InvalidBucketName")
_HINTS = {
    **dict.fromkeys(_NO_BUCKET, "Create the bucket, or correct the store's url in the policy."),
    "SignatureDoesNotMatch": "Check the secret key in the password of the store's connection.",
    "AuthenticationFailed": "Check the account key or signature in the store's connection.",
    "AuthorizationFailure": "Check the account key or signature in the store's connection.",
    "InvalidAccessKeyId": "Check the access key in the login of the store's connection.",
    "AccessDenied": "The store's credentials need the rights to read, write, list and delete below its url.",
    "AuthorizationPermissionMismatch": "The store's credentials need the rights to read, write, list and delete.",
    "ExpiredToken": "Renew the session token in the store's connection.",
    "RequestTimeTooSkewed": "Set this machine's clock: it differs too much from the store's.",
    "PermanentRedirect": "Set region_name in the extra of the store's connection to the bucket's region.",
    "AuthorizationHeaderMalformed": "Set region_name in the extra of the store's connection to the bucket's region.",
    "QuotaExceeded": "The store is full: free space in it, or let the policy keep less.",
    "InsufficientStorage": "The store is full: free space in it, or let the policy keep less.",
}
_STATUS_HINTS = {
    301: _HINTS["PermanentRedirect"],
    401: "Check the credentials in the store's connection.",
    403: _HINTS["AccessDenied"],
    507: _HINTS["QuotaExceeded"],
}
_UNREACHED = "Check that the store runs, and endpoint_url in the extra of its connection."
_UNTRUSTED = "Name a file with the certificate of its authority as verify in the extra of the store's connection."


@dataclass(frozen=True, slots=True)
class Answer:
    """What can be told of a failed request: the HTTP status and the store's own code where it answered."""

    status: int | None
    code: str | None
    reason: str
    is_about_part: bool = False  # the request was to send one part of an upload

    @classmethod
    def of(cls, error: BaseException) -> Answer:
        """Read obstore's exception."""
        text = str(error)
        status, code = _STATUS.search(text), _CODE.search(text)
        is_about_part = _PART.search(text) is not None
        if status is None:
            return cls(None, None, _transport_reason(text, type(error).__name__), is_about_part)
        message = _MESSAGE.search(text)
        words = [f"the store answered {status[1]}", *([code[1]] if code else [])]
        said = f": {' '.join(message[1].split())}" if message else ""
        return cls(int(status[1]), code[1] if code else None, " ".join(words) + said, is_about_part)

    @property
    def hint(self) -> str | None:
        """What to do about it."""
        if self.status is None:
            return _UNTRUSTED if "certificate" in self.reason else _UNREACHED
        return _HINTS.get(self.code or "") or _STATUS_HINTS.get(self.status)

    @property
    def is_about_bucket(self) -> bool:
        """Is it the bucket, not the object, that is missing?"""
        return self.code in _NO_BUCKET

    @property
    def is_about_access(self) -> bool:
        """Is it who asks, or the bucket or region asked for, that is wrong?"""
        return self.is_about_bucket or self.status in (301, 401, 403)

    @property
    def is_refusal(self) -> bool:
        """Did the store say no, so that the request surely had no effect?"""
        return self.status is not None and 400 <= self.status < 500


def _transport_reason(text: str, kind: str) -> str:
    for mark, reason in _TRANSPORT:
        if mark in text:
            return reason
    return f"the request failed ({kind})"
