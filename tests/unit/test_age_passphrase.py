"""Passphrases: the scrypt stanza alone, exact, and no costlier than a machine can bear."""

import pytest

import age_builder as build
from holdfast.crypto import age
from holdfast.crypto.x25519 import X25519Identity
from holdfast.errors import DecryptError, NoIdentityMatch, UsageError

PASSPHRASE = age.PassphraseIdentity(build.PASSPHRASE)


def opened(*stanzas: list[str], identity: age.Identity = PASSPHRASE) -> bytes:
    """The plaintext of a file with these stanzas."""
    return b"".join(age.decrypt([build.age_file(b"hello", *stanzas)], (identity,)))


def test_passphrase_opens_what_other_code_wrote() -> None:
    """Built by the tests' own arithmetic."""
    assert opened(build.scrypt()) == b"hello"
    assert opened(build.scrypt(work="10")) == b"hello"


def test_round_trip() -> None:
    """Written and read here."""
    file = b"".join(age.encrypt([b"hello"], [age.PassphraseRecipient(b"pass", work_factor=4)]))
    assert b"".join(age.decrypt([file], (age.PassphraseIdentity(b"pass"),))) == b"hello"


@pytest.mark.parametrize("identity", [age.PassphraseIdentity(b"wrong"), X25519Identity(build.SECRET)])
def test_other_keys_do_not_match(identity: age.Identity) -> None:
    """A wrong passphrase and an identity of another kind are no malformed file, and the hint tells what it needs."""
    with pytest.raises(NoIdentityMatch) as caught:
        opened(build.scrypt(), identity=identity)
    assert caught.value.hint == "This file needs a passphrase, the very one it was encrypted with."


@pytest.mark.parametrize(
    "stanzas",
    [
        [build.scrypt(), build.x25519()],
        [build.x25519(), build.scrypt()],
        [build.scrypt(), build.scrypt(b"another")],
        [build.scrypt(), ["-> grease", ""]],
    ],
    ids=["before X25519", "after X25519", "two passphrases", "beside grease"],
)
@pytest.mark.parametrize("identity", [PASSPHRASE, X25519Identity(build.SECRET)], ids=["passphrase", "x25519"])
def test_passphrase_must_stand_alone(stanzas: list[list[str]], identity: age.Identity) -> None:
    """Else whoever knows another recipient's key could write a file that seems to come from the passphrase's owner."""
    with pytest.raises(DecryptError, match="beside other recipients"):
        opened(*stanzas, identity=identity)


@pytest.mark.parametrize(
    "work",
    ["0", "-1", "+2", "02", "0x2", "2.", "2e0", "a", "2a", "a2", "٢", "23", "64", "99999999999999999999", "9" * 6000],
)
def test_bad_work_factor_is_refused(work: str) -> None:
    """At once: the work is not begun."""
    with pytest.raises(DecryptError) as caught:
        opened(build.scrypt(work=work))
    assert not isinstance(caught.value, NoIdentityMatch)


def test_work_factor_above_the_limit_says_so() -> None:
    """The limit is the age tool's."""
    with pytest.raises(DecryptError, match="work factor 23 is above the limit of 22"):
        opened(build.scrypt(work="23"))


@pytest.mark.parametrize(
    "head",
    [
        "-> scrypt",
        f"-> scrypt {build.b64(bytes(16))}",
        f"-> scrypt {build.b64(bytes(16))} 2 more",
        f"-> scrypt {build.b64(bytes(15))} 2",
        f"-> scrypt {build.b64(bytes(17))} 2",
        f"-> scrypt {build.b64(bytes(16))}== 2",
        f"-> scrypt {build.not_canonical(build.b64(bytes(16)))} 2",
        "-> scrypt 2",
    ],
)
def test_malformed_arguments_are_refused(head: str) -> None:
    """Two arguments, a salt of 16 bytes in canonical base64."""
    with pytest.raises(DecryptError) as caught:
        opened([head, *build.scrypt()[1:]])
    assert not isinstance(caught.value, NoIdentityMatch)


def test_body_of_wrong_length_is_refused() -> None:
    """Before any work."""
    with pytest.raises(DecryptError, match="body is 48 bytes"):
        opened(build.scrypt(file_key=bytes(32)))


def test_kind_in_other_case_is_unknown() -> None:
    """Kinds are compared exactly."""
    with pytest.raises(NoIdentityMatch):
        opened([build.scrypt()[0].replace("scrypt", "Scrypt"), *build.scrypt()[1:]])


def test_unusable_passphrases_are_refused() -> None:
    """Empty ones, and work beyond what can be read again."""
    with pytest.raises(UsageError, match="is empty"):
        age.PassphraseIdentity(b"")
    with pytest.raises(UsageError, match="not between"):
        age.PassphraseRecipient(b"pass", work_factor=23)


def test_passphrase_is_never_shown() -> None:
    """Neither repr nor str holds it."""
    for key in (PASSPHRASE, PASSPHRASE.recipient()):
        assert build.PASSPHRASE.decode() not in repr(key) + str(key)
