"""The documentation stays true to the code where that can be told without a server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from evidence_factory import make_operation
from holdfast.evidence.checklists import checklists
from holdfast.evidence.objects import OPERATION_KINDS
from holdfast.manifest.model import Manifest
from holdfast.policy import Policy, load_policy
from holdfast.policy.model import EnvironmentPolicy

PROJECT = Path(__file__).parents[2]
PAGES = sorted([PROJECT / "README.md", PROJECT / "CHANGELOG.md", *(PROJECT / "docs").glob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """The anchors that a Markdown renderer makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def fields(model: type[BaseModel]) -> set[str]:
    """The names of a model's fields and of those of the models that its fields hold."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        found.add(name)
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found |= fields(kind)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file, and its anchor a heading there."""
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", ["README.md", "docs/policy.md"])
def test_example_policies_are_valid(page: str, tmp_path: Path) -> None:
    """Each complete policy on a page loads as it stands there."""
    text = (PROJECT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n( *)(app:.*?)```", text, re.DOTALL)
    assert blocks
    for indent, block in blocks:
        file = tmp_path / "example.yaml"
        file.write_text(block.replace(f"\n{indent}", "\n"), encoding="utf-8")
        load_policy(file, {"HOME": "/home/someone"})


def test_every_policy_field_is_explained() -> None:
    """No field is missing on the policy page."""
    text = (PROJECT / "docs" / "policy.md").read_text(encoding="utf-8")
    tables = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    explained = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", tables))))
    assert fields(Policy) | fields(EnvironmentPolicy) <= explained


def test_the_example_manifest_is_one() -> None:
    """The manifest on the design page has today's form, to the byte."""
    text = (PROJECT / "docs" / "design.md").read_text(encoding="utf-8")
    example = re.search(r"```json\n(\{\n  \"format\".*?\n\}\n)```", text, re.DOTALL)
    assert example
    assert Manifest.model_validate_json(example[1]).encode().decode() == example[1]


def test_on_call_finds_every_operation() -> None:
    """Each has its row or its step on the page for on-call, and each checklist that reports tick stands there, too."""
    text = (PROJECT / "docs" / "on-call.md").read_text(encoding="utf-8")
    assert [kind for kind in OPERATION_KINDS if f"`{kind}`" not in text] == []
    ticked = [item.text for each in checklists(make_operation(), None) for item in each.items]
    assert [item for item in ticked if item not in text] == []
    assert text.index("| situation |") < 100
