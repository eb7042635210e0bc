"""What a reader of an operation's report sees first: what was done to the live application, who wanted it, the plan."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.evidence import acts
from holdfast.evidence.figures import counts, moment
from holdfast.evidence.page import words
from holdfast.evidence.page.html import Html, folded, joined, section, table, tag
from holdfast.evidence.page.overview import tile
from holdfast.evidence.page.plan_text import plan_html
from holdfast.manifest.evidence import Evidence, Window
from holdfast.values import figures

_DONE = {
    "restore": "What was live has been replaced by restore point",
    "switch_back": "What had been replaced is live again; it had been replaced by restore point",
    "restore_tables": "Tables of the live database were restored from restore point",
    "recover_rows": "Rows that were missing live were brought back from restore point",
    "undo_rows": "What a recovery had inserted was taken out again; it had come from restore point",
    "guarded_migration": "The migration was run behind restore point",
    "rollback": "The database has been taken back to restore point",
}


def heading(evidence: Evidence) -> Html:
    """Whose evidence it is."""
    title = f"{words.KIND[evidence.kind]}: {evidence.app}/{evidence.environment}"
    return tag("div", tag("h1", title), tag("span", moment(evidence.finished_at), class_="soft"), class_="head")


def verdict(evidence: Evidence) -> Html:
    """Done or not, in big words, what became of the live application, and who had agreed."""
    return tag(
        "div",
        tag("p", "✓ Done" if evidence.verdict == "passed" else "✗ Not done", class_="word"),
        tag("p", _meaning(evidence), class_="said"),
        _approval(evidence),
        class_=f"verdict {evidence.verdict}",
    )


def _meaning(evidence: Evidence) -> Html:
    point, failed = words.code(evidence.restore_point), acts.failed(evidence)
    done = ", ".join(step.title for step in acts.changed(evidence))
    if failed is not None:
        was = f"What is live WAS changed ({done}). Then this failed" if done else "This failed"
        left = "the findings say what is where." if done else "what is live is as it was, unless they say otherwise."
        return joined(f"{was}: {failed.title}. Read the findings: {left}")
    if evidence.verdict == "passed":
        said = _DONE[evidence.kind] if done else "Nothing live had to be changed. It was about restore point"
        return joined(said, " ", point, ".")
    if not done:
        return joined("It ended before anything live was changed: what is live is as it was.")
    return joined(f"What is live WAS changed ({done}), but not everything that was to follow passed.")


def _approval(evidence: Evidence) -> Html:
    names = ", ".join(approval.approver for approval in acts.standing(evidence.approvals))
    if names:
        return tag("span", f"Approved by {names}", class_="chip ok")
    if evidence.verdict == "passed":
        return tag("span", "Approval: not asked", class_="chip")
    return tag("span", "Nobody has approved it", class_="chip bad")


def tiles(evidence: Evidence) -> Html:
    """The figures that count."""
    return tag("div", _tiles(evidence), class_="tiles")


def _tiles(evidence: Evidence) -> Iterator[Html]:
    yield tile(figures.seconds(sum(step.seconds for step in evidence.steps)), "all steps together, without waiting")
    away = [step.facts.get("unavailable_seconds") for step in acts.changing(evidence)]
    known = [float(each) for each in away if isinstance(each, int | float)]
    if known:
        yield tile(figures.seconds(sum(known)), "the application was away")
    found = counts(evidence.tables)
    if found.tables:
        said = f"{figures.count(len(found.differing))} differ" if found.differing else "every count equal"
        yield tile(figures.count(found.tables), f"tables, {said}", is_bad=bool(found.differing))
    number = len(evidence.findings)
    yield tile(figures.count(number), "findings" if number != 1 else "finding", is_bad=number > 0)


def asked(evidence: Evidence) -> Html:
    """Who wanted what, why, and when it was allowed."""
    rows: list[tuple[str, str]] = [
        ("Requested by", words.requester(evidence)),
        ("Reason", evidence.reason or "none given"),
        ("Change window", _window(evidence.window)),
        ("Ticket", (evidence.window.ticket if evidence.window is not None else None) or "none given"),
        ("Restore point", words.code(evidence.restore_point)),
        ("Taken", moment(evidence.restore_point_taken_at)),
        ("Manifest's SHA-256", words.code(evidence.manifest_sha256)),
        ("Begun", moment(evidence.opened_at)),
        ("Ended", moment(evidence.finished_at)),
        ("Run", evidence.origin),
        ("Evidence", words.code(evidence.id)),
        ("Written by", f"holdfast {evidence.holdfast_version}"),
    ]
    return section("What was asked", tag("dl", (joined(tag("dt", name), tag("dd", value)) for name, value in rows)))


def _window(window: Window | None) -> str:
    return f"{moment(window.begins_at)} to {moment(window.ends_at)}" if window is not None else "none was named"


def plan(evidence: Evidence) -> Html:
    """What was to be done, as it was agreed to."""
    planned = evidence.plan
    if planned is None:
        return section("Plan", tag("p", "No plan was made: it ended before."))
    notes = [folded("What was seen beside it", plan_html(planned.notes), is_open=True)] if planned.notes.strip() else []
    return section(
        "Plan",
        plan_html(planned.body),
        notes,
        tag("p", "SHA-256 of the plan: ", words.code(planned.sha256), class_="soft"),
    )


def without_plan_twice(evidence: Evidence) -> Evidence:
    """The step that planned notes the plan for logs; a page that shows the plan has it already."""
    if evidence.plan is None:
        return evidence
    steps = (step.model_copy(update={"notes": ()}) if step.name == acts.PLAN else step for step in evidence.steps)
    return evidence.model_copy(update={"steps": tuple(steps)})


def approvals(evidence: Evidence) -> Html:
    """Who agreed to what, when."""
    if not evidence.approvals:
        is_needless = evidence.verdict == "passed"
        said = "Nothing was done that people are asked about." if is_needless else "Nobody has approved it."
        return section("Approval", tag("p", said))
    standing = acts.standing(evidence.approvals)
    rows = (
        (
            joined(each.approver, *([] if each in standing else [" (asked again since)"])),
            moment(each.answered_at),
            joined(words.code(each.gate), *([": ", each.comment] if each.comment else [])),
            words.code(each.sha256),
        )
        for each in evidence.approvals
    )
    said = "Each approval is a signed record in the store; what was shown begins with the plan above."
    return section(
        "Approval",
        table(("who", "when", "gate", "SHA-256 of what was shown"), rows),
        tag("p", said, class_="soft"),
    )


def way_back(evidence: Evidence) -> Html:
    """How what was done is taken back; nothing where nothing live was changed."""
    if not acts.changed(evidence):
        return Html()
    return section("How to go back", tag("p", _way_back(evidence)))


def _way_back(evidence: Evidence) -> Html:
    place = f"{evidence.app}-{evidence.environment}"
    if evidence.kind == "restore_tables":
        return joined(
            "The rows that were deleted or overwritten lie encrypted beside this evidence, as ",
            words.code("previous-….copy.zst.age"),
            ".",
        )
    if evidence.kind == "recover_rows":
        return joined("DAG ", words.code(f"{place}.undo_rows"), " with this evidence's id takes the rows out again.")
    if evidence.kind == "undo_rows":
        return joined("DAG ", words.code(f"{place}.recover_rows"), " brings them back again.")
    kept = [words.code(name) for name in _kept(evidence)]
    if kept:
        return joined(
            "What was live before is kept as ",
            *[piece for name in kept for piece in (name, " and ")][:-1],
            " for as long as the policy says. DAG ",
            words.code(f"{place}.switch_back"),
            ", or ",
            words.code(f"holdfast switch-back POLICY {evidence.environment}"),
            ", makes it live again.",
        )
    if evidence.kind == "guarded_migration":
        point = words.code(evidence.restore_point)
        return joined("DAG ", words.code(f"{place}.restore"), " with restore point ", point, " takes it back.")
    return joined("Nothing of it was kept but the fresh snapshot that was taken before: restore that.")


def _kept(evidence: Evidence) -> Iterator[str]:
    for step in acts.changed(evidence):
        for name in ("kept_as", "media_kept"):
            kept = step.facts.get(name)
            if isinstance(kept, str):
                yield kept
