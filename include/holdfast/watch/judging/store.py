"""What is wrong with the store itself, with points in it, and with how it can be read."""

from __future__ import annotations

from holdfast.values.visible import visible
from holdfast.watch.facts import FaultyPoint, Trouble
from holdfast.watch.judging.case import Case, Findings

_MEANING = {
    "store_unreachable": "Nothing can be backed up to it or restored from it, and the watch is blind for this "
    "environment until it answers.",
    "signature_mismatch": "It cannot be told from something that somebody else put into the store; nothing is restored "
    "from it.",
    "identity_mismatch": "What is stored from now on may be unreadable for those who have to read it, or lies among "
    "that of another.",
    "not_decryptable": "It cannot be read with the identity at hand, so that it cannot be restored.",
    "artifact_missing": "It cannot be restored: what it needs is not all there, and somebody or something deletes from "
    "the store.",
    "audit_broken": "Somebody may have removed or altered what is recorded of who did what.",
}
_KEYS = (
    "Compare keys.verify_key_file and keys.identity_file of the policy with the keys that the backups were taken with; "
    "has somebody changed them? Old keys must stay where what was made with them is read."
)


def judge_store(case: Case) -> Findings:
    """Troubles of reading, faulty points, and what the store guard found."""
    for trouble in case.facts.troubles:
        yield case.finding(
            trouble.kind,
            visible(trouble.subject),
            visible(trouble.text),
            meaning=_MEANING[trouble.kind],
            advice=visible(trouble.hint) if trouble.hint else _advice_of_trouble(case, trouble),
            # Several parts of the reading meet the same store.
            cause="store" if trouble.kind == "store_unreachable" else None,
        )
    for faulty in (*case.facts.faulty, *case.facts.vanished):
        yield case.finding(
            faulty.kind,
            visible(faulty.id),
            visible(faulty.text),
            since=faulty.opened_at,
            meaning=_MEANING[faulty.kind],
            advice=_advice_of_point(case, faulty),
            tier=faulty.tier,
        )
    for guard in case.facts.guard:
        yield case.finding(
            "store_guard",
            visible(guard.name),
            visible(guard.text),
            meaning="Backups are refused until it is mended."
            if guard.is_blocking
            else "The store is less protected than the policy says, or than it could be.",
            advice=visible(guard.hint) if guard.hint else f"{case.command('store check')} shows it and how to mend it.",
            severity="page" if guard.is_blocking else None,
        )


def _advice_of_trouble(case: Case, trouble: Trouble) -> str:
    return {
        "store_unreachable": f"{case.command('doctor')} says what does not answer. Look at the provider's status page, "
        "the network, and whether the connection's key was rotated.",
        "audit_broken": f"{case.command('audit verify')} names the first record that does not fit. "
        f"{case.who('team_lead')} decides whether this is an incident; until then delete nothing.",
    }.get(trouble.kind, _KEYS)


def _advice_of_point(case: Case, faulty: FaultyPoint) -> str:
    verify = f"{case.command('verify', visible(faulty.id))} says it once more."
    if faulty.kind == "artifact_missing":
        return (
            f"{verify} Look who deleted it: the bucket's log, a lifecycle rule ({case.command('store check')}), old "
            f"object versions. Take a new one by the DAG {case.dag(faulty.tier)}."
        )
    return f"{verify} {_KEYS}"
