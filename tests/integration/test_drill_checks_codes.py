"""Codes that people hold: the oldest and newest are verified with link and picture, and planted faults are seen."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
import pytest
import segno

from fix_postgres import execute
from holdfast.drill.checks import check_codes
from holdfast.drill.outcome import Outcome
from holdfast.errors import IntegrityError, RestoreError
from holdfast.policy.drill import DrillCodes
from holdfast.postgres.conninfo import Target

TEMPLATE = "https://campus.example/verify/{code}"
CODES = [f"CERT-{year}-{year * 7 % 1000:03}" for year in range(2015, 2027)]


def qr(text: str, kind: str = "png") -> bytes:
    out = io.BytesIO()
    segno.make_qr(text).save(out, kind=kind, scale=3)
    return out.getvalue()


def link(code: str) -> str:
    return TEMPLATE.replace("{code}", code)


@pytest.fixture
def campus(make_database: Callable[..., str]) -> str:
    """Twelve certificates, one a year, whose QR codes are stored as bytes."""
    url = make_database("CREATE TABLE certificates (code text, url text, issued date, image bytea, file text)")
    with psycopg.connect(url, autocommit=True) as session:
        session.cursor().executemany(
            "INSERT INTO certificates VALUES (%s, %s, make_date(%s, 6, 1), %s, %s)",
            [(code, link(code), code[5:9], qr(link(code)), f"qr/{code}.png") for code in CODES],
        )
    return url


def sql(image: str | None = "image", rest: str = "") -> str:
    picture = "" if image is None else f", {image} AS image"
    return f"SELECT code, url AS link, issued AS at{picture} FROM certificates {rest}"


def check(
    url: str,
    query: str,
    *,
    each: int = 3,
    media: Path | None = None,
    fetch: Callable[[Sequence[str]], None] | None = None,
    source: str = "",
) -> Outcome:
    codes = DrillCodes(sql=query, link=TEMPLATE, each=each)
    return check_codes(Target.parse(url), codes, media, fetch, source=source)


def only(outcome: Outcome) -> tuple[str, str]:
    """(whose fault, what) of the one finding; no code in full is anywhere."""
    (finding,) = outcome.findings
    assert not any(code in repr(outcome) for code in CODES)
    return finding.about, finding.text


@pytest.mark.parametrize("image", [None, "image", "'data:image/png;base64,' || encode(image, 'base64')"])
def test_old_and_new_codes_are_verified(campus: str, image: str | None) -> None:
    found = check(campus, sql(image) + ";")
    assert found.findings == () and found.notes == ()
    assert found.facts == {
        "codes_oldest": "3 of 3",
        "codes_newest": "3 of 3",
        "codes_pictures_read": 0 if image is None else 6,
    }
    assert not any(code in repr(found) for code in CODES)


def test_fewer_codes_than_asked_are_each_looked_at_once(campus: str) -> None:
    found = check(campus, sql(), each=100)
    assert found.passed
    assert found.facts == {"codes_oldest": "12 of 12", "codes_newest": "12 of 12", "codes_pictures_read": 12}


@pytest.mark.parametrize("year", [2015, 2017, 2024, 2026])
def test_wrong_link_is_found_among_old_and_new(campus: str, year: int) -> None:
    execute(campus, f"UPDATE certificates SET url = replace(url, 'campus', 'old') WHERE code LIKE 'CERT-{year}-%'")
    found = check(campus, sql())
    assert only(found) == ("backup", f"code CERT…: its link is not {TEMPLATE} but https://old.example/verify/{{code}}")
    assert sorted(str(found.facts[name]) for name in ("codes_oldest", "codes_newest")) == ["2 of 3", "3 of 3"]


def test_picture_with_another_link_is_found(campus: str) -> None:
    with psycopg.connect(campus, autocommit=True) as session:
        session.execute("UPDATE certificates SET image = %s WHERE code = %s", (qr(link(CODES[5])), CODES[-1]))
    about, text = only(check(campus, sql()))
    assert about == "backup"
    assert text.endswith("does not hold its link but https://campus.example/… without the code")


@pytest.mark.parametrize(
    ("image", "about", "text"),
    [
        (b"garbage", "backup", "no PNG, JPEG or WebP picture"),
        (b"", "backup", "no PNG, JPEG or WebP picture"),
        (qr("x")[:100], "backup", "damaged"),
        (qr("x", "svg"), "drill", "SVG"),
        (bytes((20 << 20) + 1), "drill", "too many to be a QR code"),
    ],
)
def test_picture_that_cannot_be_read_is_found(campus: str, image: bytes, about: str, text: str) -> None:
    with psycopg.connect(campus, autocommit=True) as session:
        session.execute("UPDATE certificates SET image = %s WHERE code = %s", (image, CODES[0]))
    found = only(check(campus, sql()))
    assert found[0] == about and text in found[1]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("SET url = NULL", "it has no link"),
        ("SET url = 'nothing'", "but no link"),
        ("SET code = NULL", "a row without a code"),
    ],
)
def test_missing_parts_are_found(campus: str, change: str, text: str) -> None:
    execute(campus, f"UPDATE certificates {change} WHERE issued = '2026-06-01'")
    about, said = only(check(campus, sql()))
    assert about == "backup" and text in said


def test_no_code_at_all_is_found(campus: str) -> None:
    execute(campus, "DELETE FROM certificates")
    assert only(check(campus, sql())) == ("backup", "codes: the policy's query yields none at all")


@pytest.mark.parametrize(
    ("query", "about", "text"),
    [
        ("SELECT code, url AS link FROM certificates", "drill", "no column named at"),
        ("SELECT 1 AS code", "drill", "no column named link and none named at"),
        ("SELECT FROM WHERE", "drill", "the policy's query is wrong"),
        ("SELECT 1) x; DELETE FROM certificates; SELECT (1", "drill", "the policy's query is wrong"),
        ("DELETE FROM certificates RETURNING code", "drill", "the policy's query is wrong"),
        ("SELECT code, link, at FROM diplomas", "backup", "either the restored database lost it"),
    ],
)
def test_query_that_cannot_serve_is_found(campus: str, query: str, about: str, text: str) -> None:
    found = only(check(campus, query))
    assert found[0] == about and text in found[1]
    assert check(campus, sql()).passed


class Media:
    """Files as a restore would bring them, and which were asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, list[str]()

    def fetch(self, paths: Sequence[str]) -> None:
        self.asked += paths
        for path in paths:
            code = Path(path).stem
            if code in CODES:
                (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / path).write_bytes(qr(link(code)))


@pytest.mark.parametrize("prefix", ["", "/", "./", "file:///srv/media/", "/srv/media/"])
def test_pictures_among_the_media_are_fetched_once(campus: str, tmp_path: Path, prefix: str) -> None:
    """However the application writes their paths; those that the sample holds already are not asked for."""
    media = Media(tmp_path)
    media.fetch([f"qr/{CODES[0]}.png"])
    media.asked.clear()
    found = check(
        campus, sql(f"'{prefix}' || file"), media=tmp_path, fetch=media.fetch, source="file:///srv/media"
    )  # fmt: skip
    assert found.findings == () and found.facts["codes_pictures_read"] == 6
    assert media.asked == [f"qr/{code}.png" for code in [CODES[1], CODES[2], *CODES[-3:]]]


def test_picture_that_the_media_lack_is_found(campus: str, tmp_path: Path) -> None:
    media = Media(tmp_path)
    execute(campus, f"UPDATE certificates SET file = 'qr/lost.png' WHERE code = '{CODES[-1]}'")
    about, text = only(check(campus, sql("file"), media=tmp_path, fetch=media.fetch))
    assert (about, text) == ("backup", "code CERT…: its picture: its file is not among the restored media")


@pytest.mark.parametrize(("error", "about"), [(IntegrityError("damaged"), "backup"), (RestoreError("full"), "drill")])
def test_failing_fetch_is_found(campus: str, tmp_path: Path, error: Exception, about: str) -> None:
    def fetch(paths: Sequence[str]) -> None:
        raise error

    found = check(campus, sql("file"), media=tmp_path, fetch=fetch)
    assert (found.findings[0].about, found.findings[0].text) == (about, str(error))
    assert len(found.findings) == 7


def test_no_file_outside_the_media_is_read(campus: str, tmp_path: Path) -> None:
    """Neither by dots nor by a restored link."""
    outside = tmp_path / "outside.png"
    outside.write_bytes(qr(link(CODES[-1])))
    folder = tmp_path / "media"
    folder.mkdir()
    (folder / "linked.png").symlink_to(outside)
    for path in ("../outside.png", "linked.png", "x/../../outside.png"):
        execute(campus, f"UPDATE certificates SET file = '{path}' WHERE code = '{CODES[-1]}'")
        found = check(campus, sql("file"), media=folder, fetch=Media(folder).fetch)
        assert only(found)[1].endswith("its file is not among the restored media")


def test_pictures_are_noted_where_no_media_are_restored(campus: str) -> None:
    found = check(campus, sql("file"))
    assert found.passed and found.notes == ("6 codes have their picture among the media, which were not restored",)


def test_null_and_empty_pictures_are_none(campus: str, tmp_path: Path) -> None:
    execute(campus, "UPDATE certificates SET file = CASE WHEN issued < '2020-01-01' THEN '' END")
    assert check(campus, sql("file"), media=tmp_path).passed


def test_data_urls_that_are_none_are_found(campus: str) -> None:
    svg = base64.b64encode(qr("x", "svg")).decode()
    assert "SVG" in check(campus, sql(f"'data:image/svg+xml;base64,{svg}'")).findings[0].text
    assert "no base64" in check(campus, sql("'data:image/png,abc'")).findings[0].text
