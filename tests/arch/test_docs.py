"""The documentation knows everything that there is, and its links lead somewhere."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from docs import pages
from provisioner.__main__ import main
from provisioner.core.lockstep import Stage
from provisioner.core.values import KEY_TYPES, Reason
from provisioner.settings import PREFIX, SETTINGS
from tests.arch.sources import ROOT
from tests.installations import shared_catalogue

REFERENCE = ROOT / "docs" / "reference"
CATALOGUE = shared_catalogue()
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "bench" / "README.md"])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
WANTED = [
    "tutorial.md", "glossary.md", "explain/architecture.md", "explain/lockstep.md", "explain/access-and-secrets.md", "explain/threat-model.md",
    "explain/performance.md", "howto/add-a-model.md", "howto/add-a-vendor.md", "howto/point-phones-at-the-server.md", "howto/import-phones.md",
    "howto/postgresql.md", "howto/two-servers.md", "howto/https.md", "howto/backup-and-restore.md", "howto/reverse-proxy.md", "howto/firmware-files.md",
    "howto/recover.md", "howto/change-a-template.md", "howto/run-as-a-service.md", "howto/pbx.md", "howto/external-pbx.md", "howto/script-it.md",
]  # fmt: skip


@cache
def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


@cache
def anchors(path: Path) -> set[str]:
    """Returns the anchors of a page's headings, as code forges make them."""
    headings = re.findall(r"^#{1,6} +(.+?) *$", FENCE.sub("", path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", sorted(pages.PAGES))
def test_reference_is_up_to_date(name: str) -> None:
    assert not pages.is_stale(name), "run 'make docs'"


def test_reference_has_no_other_page() -> None:
    assert {path.name for path in REFERENCE.iterdir()} == set(pages.PAGES)


@pytest.mark.parametrize("name", WANTED)
def test_page_is_there(name: str) -> None:
    assert len(text(name)) > 500


@pytest.mark.parametrize("name", [row.name for row in SETTINGS])
def test_setting_is_documented(name: str) -> None:
    assert f"`{PREFIX}{name}`" in text("reference/settings.md")


@pytest.mark.parametrize("name", sorted(CATALOGUE.settings))
def test_phone_setting_is_documented(name: str) -> None:
    assert f"| `{name}` |" in text("reference/phone-settings.md")


@pytest.mark.parametrize("reason", Reason)
def test_reason_is_documented(reason: Reason) -> None:
    assert re.search(rf"^\| `{reason}` \| \S.{{15,}} \|", text("reference/reasons.md"), re.MULTILINE)


@pytest.mark.parametrize("stage", Stage)
def test_stage_is_documented(stage: Stage) -> None:
    assert f"| `{stage}` |" in text("reference/stages.md")
    assert f"`{stage}`" in text("explain/lockstep.md")


@pytest.mark.parametrize("name", sorted(main.wiring))
def test_command_is_documented(name: str) -> None:
    assert f"## provisioner {name}\n" in text("reference/commands.md")


@pytest.mark.parametrize("vendor", sorted(CATALOGUE.vendors))
def test_vendor_is_documented(vendor: str) -> None:
    name = CATALOGUE.vendors[vendor].name
    assert f"## {name}\n" in text("reference/models.md")
    assert name in text("howto/point-phones-at-the-server.md"), "how its phones learn the server's address"
    assert name in text("glossary.md"), "its words for the trade's terms"
    assert name in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("model", sorted(model.id for vendor in CATALOGUE.vendors.values() for model in vendor.models.values()))
def test_model_is_documented(model: str) -> None:
    assert f"| `{model}` |" in text("reference/models.md")


@pytest.mark.parametrize("name", KEY_TYPES)
def test_key_type_is_in_the_glossary(name: str) -> None:
    assert f"`{name}`" in text("glossary.md")


def targets(page: Path) -> list[tuple[str, Path, str]]:
    """Returns (link, file, anchor) of every link of a page that stays in the project."""
    found = []
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if not re.match(r"[a-z]+:", link):
            name, _, anchor = link.partition("#")
            found.append((link, (page.parent / name).resolve() if name else page, anchor))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = [
        link
        for link, place, anchor in targets(page)
        if not place.exists() or not place.is_relative_to(ROOT) or (anchor and place.suffix == ".md" and anchor not in anchors(place))
    ]
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page not in reached and page.suffix == ".md" and page.exists():
            reached.add(page)
            todo += [place for _, place, _ in targets(page)]
    assert [str(page.relative_to(ROOT)) for page in PAGES if page not in reached] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "adr").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
    for path in (ROOT / "docs" / "adr").glob("*.md"):
        assert all(part in path.read_text("utf-8") for part in ("## Context", "## Decision", "## Consequences")), path.name
