"""Reads reports as a browser does, and makes evidence whose every field holds somebody's nasty words."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import strategies as st

from evidence_factory import OPENED_AT, make_closing, make_evidence
from holdfast.manifest.evidence import (
    Closing,
    Confinement,
    Evidence,
    Finding,
    GivenApproval,
    HistoryPoint,
    Step,
    Surroundings,
    TableRows,
)

NASTY = st.sampled_from(
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=y>',
        "' onload='x",
        "</style></title></svg>",
        "&lt;b&gt;",
        "a|b`c",
        "\\|",
        "`` ` ```",
        "[x](javascript:alert(1))",
        "![x](http://evil.example/x.png)",
        "https://evil.example/@someone",
        "\n\n# Approved\n\n- yes\n| a | b |\n",
        "line\rline\u2028line",
        "\u202egnp.exe",
        "\x00\x1b[31m\u200b",
        "*bold* _it_ ~~gone~~ <!-- x -->",
        "    code",
        "1. one",
        "---",
    ]
)
TEXT = st.lists(
    NASTY | st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20), min_size=1, max_size=3
).map(" ".join)


class Structure(HTMLParser):
    """The tags of a page with the names of their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.urls: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.urls += [value or "" for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}", ()))

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", ()))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        """All that a reader sees."""
        return "\n".join(self.texts)


def evidence_of(text: str) -> tuple[Evidence, Closing]:
    """Failed evidence with ``text`` in every field that holds anybody's words, and a closing alike."""
    finding = Finding(about="backup", text=text)
    step = Step(
        name="pnpm_check",
        title=text,
        started_at=OPENED_AT,
        seconds=1.5,
        outcome="failed",
        findings=(finding,),
        notes=(text,),
        facts={"said": text, f"{text}=": 7},
    )
    evidence = make_evidence(
        restore_point=text,
        manifest_sha256=text,
        source_version=text,
        requested_by=text,
        reason=text,
        origin=text,
        holdfast_version=text,
        app=text,
        environment=text,
        surroundings=Surroundings(
            server_version=text,
            is_throwaway=False,
            is_same_major=False,
            ready_seconds=1,
            confinement=Confinement(network="unconfined", interfaces=(text,), routes=(text,)),
        ),
        steps=(step, step.model_copy(update={"name": "recovery_settings"})),
        steps_not_run=(text,),
        tables=(TableRows(table=text, expected=2, found=1), TableRows(table=f"{text}2", expected=1, found=1)),
        history=(HistoryPoint(id=text, bytes=1, rows=1),),
        verdict="failed",
    )
    approval = GivenApproval(gate=text, approver=text, answered_at=OPENED_AT, sha256=text, comment=text)
    return evidence, make_closing(evidence).model_copy(update={"approval": "given", "approvals": (approval,)})
