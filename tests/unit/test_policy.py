"""Policy files are read strictly; each fault is named with file, line, field and reason."""

from datetime import datetime
from pathlib import Path

import pytest
from croniter import CroniterBadDateError, croniter
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import PolicyError
from holdfast.policy import cron, load_policy
from holdfast.policy.schema import json_schema

GOOD = """\
app: shop
environments:
  production:
    timezone: Europe/Berlin
    targets: {rpo: 24h, rto: 1h}
    database: {conn_id: shop_db, pitr: streaming}
    media: {source: "file:///srv/shop/storage"}
    store: {url: "s3://shop-backups/holdfast", conn_id: shop_store}
    keys:
      recipients: [age1qqqq]
      identity_file: ${KEYS}/identity.txt
      signing_key_file: ${KEYS}/signing.pem
    inventory: {file: shop.inventory.yaml}
    tiers:
      nightly: {schedule: "0 2 * * *", keep: 35d}
      wal: {schedule: continuous, keep: 7d}
      snapshot: {keep: 90d}
      restore_drill: {schedule: "0 9 1 1,4,7,10 *"}
    drill:
      app_dir: /srv/shop/app
      commands: ["pnpm check"]
    alerts: {conn_id: pager}
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "shop.yaml"
    path.write_text(text)
    return path


def test_good_policy_is_read(tmp_path: Path) -> None:
    """Spans, schedules and places are values; variables and relative paths are filled in."""
    policy = load_policy(_write(tmp_path, GOOD), {"KEYS": "/keys"})
    production = policy.environments["production"]
    assert production.keys.identity_file == "/keys/identity.txt"
    assert production.inventory is not None
    assert production.inventory.file == str(tmp_path / "shop.inventory.yaml")
    assert str(production.tiers["nightly"].keep) == "35d"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "keep: 35d",
            "kep: 35d",
            "line 15: environments.production.tiers.nightly.kep: unknown field (did you mean keep?)",
        ),
        ("nightly:", "nightlyy:", "did you mean nightly?"),
        ("35d", "35 days", "line 15: environments.production.tiers.nightly.keep: duration '35 days'"),
        (", keep: 35d", "", "tiers.nightly.keep is missing"),
        ("0 2 * * *", "0 2 * *", "schedule: '0 2 * *' is neither five cron fields"),
        ("0 2 * * *", "0 25 * * *", "schedule: '0 25 * * *' is neither"),
        ("0 2 * * *", "0 5-2 * * *", "schedule: '0 5-2 * * *' is neither"),
        ("0 2 * * *", "0 2 * foo *", "schedule: '0 2 * foo *' is neither"),
        (
            "0 2 * * *",
            "0 2 31 2 *",
            "line 15: environments.production.tiers.nightly.schedule: '0 2 31 2 *' never",
        ),
        ("s3://shop-backups/holdfast", "/srv/backups", "store.url: expected one of file://"),
        ("s3://shop-backups/holdfast", "file://rel/dir", "store.url: expected a folder"),
        ("s3://shop-backups/holdfast", "s3://", "store.url: expected a bucket"),
        ("s3://shop-backups/holdfast", "file:///tmp/$HOME", "store.url: it holds a $"),
        ("s3://shop-backups/holdfast", "s3://key:hunter22@b/p", "store.url: it holds a login"),
        ("age1qqqq", "AGE-SECRET-KEY-1QQQ", "keys.recipients.0: no age recipient"),
        ("Europe/Berlin", "Europe/Berln", "line 4: environments.production.timezone"),
        (
            "    database: {conn_id: shop_db, pitr: streaming}\n",
            "",
            "line 3: environments.production.database: is missing",
        ),
        ("recipients: [age1qqqq]", "recipients: []", "no recipient"),
        ("file: shop.inventory.yaml", 'file: ""', "line 13: environments.production.inventory.file: expected the path"),
        ("file: shop.inventory.yaml", 'file: " "', "inventory.file: expected the path of a file"),
        ("file: shop.inventory.yaml", 'file: "a\\0b"', "inventory.file: expected the path of a file"),
        ("conn_id: shop_store}", "object_lock: {mode: governance, days: true}}", "object_lock.days: input should be"),
        ("conn_id: shop_store}", 'object_lock: {mode: governance, days: "3"}}', "object_lock.days: input should be"),
        ("wal: {", "media: {fraction: 0.5}\n      wal: {", "tiers.media.fraction: means nothing there"),
        ("wal: {", "media_check: {keep: 3d}\n      wal: {", "tiers.media_check.keep: means nothing there"),
        ("wal: {", "media_check: {fraction: true}\n      wal: {", "tiers.media_check.fraction: input should be"),
        (
            "wal: {",
            "media_check: {fraction: 0.000000000001}\n      wal: {",
            "fraction: input should be greater than or",
        ),
        ("wal: {", "media_check: {min_size_ratio: 1}\n      wal: {", "min_size_ratio: means nothing there"),
        ("    keys:", '    media_references: "  \\n ;"\n    keys:', "media_references: is empty: expected a SQL query"),
        ("file:///srv/shop/storage", "file:///srv/%00x", "line 7: environments.production.media.source: it holds"),
        ("file:///srv/shop/storage", "file:///srv/x%0A", "line 7: environments.production.media.source: it holds"),
        ("tiers:\n", "tiers: {}\n    was:\n", "tiers: expected at least one entry, found none"),
        ("s3://shop-backups/holdfast", "file:///srv/shop/app/backups", "inside the application's own /srv/shop/app"),
        ("s3://shop-backups/holdfast", "file:///srv/shop/storage", "inside the application's own"),
        ("s3://shop-backups/holdfast", "file:///srv/shop/x/../app", "inside the application's own"),
        ("app: shop", "app: Shop!", "line 1: app"),
        (
            "${KEYS}/identity.txt",
            "${NOWHERE}/identity.txt",
            "line 11: environments.production.keys.identity_file: the environment variable NOWHERE is not set",
        ),
        ("app: shop", "app: shop\napp: other", "field 'app' stands twice"),
        ("app: shop", "app: [", "shop.yaml, line"),
        ("schedule: continuous", 'schedule: "0 1 * * *"', "tiers.wal.schedule"),
        ("tiers:\n", "wal: {lag_page: 1m}\n    tiers:\n", "lag_page is shorter than lag_warning"),
        (
            "{conn_id: pager}",
            "{conn_id: pager, severities: {too_smal: notify}}",
            "line 22: environments.production.alerts.severities: 'too_smal' is no kind of finding (did you mean too_",
        ),
        ("{conn_id: pager}", "{conn_id: pager, severities: {xyz: off}}", "'xyz' is no kind of finding"),
        ("{conn_id: pager}", "{conn_id: pager, severities: {late: loud}}", "alerts.severities.late: input should be"),
    ],
)
def test_each_fault_is_named(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """The message names the file and what is wrong where."""
    assert old in GOOD
    path = _write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(PolicyError) as caught:
        load_policy(path, {"KEYS": "/keys"})
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{a: " * 3000, "42", "- a", "\x00", "app: &a [*a]"])
def test_what_is_no_policy_is_refused(tmp_path: Path, text: str) -> None:
    """Whatever the file holds, the answer is a PolicyError."""
    with pytest.raises(PolicyError):
        load_policy(_write(tmp_path, text))


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ('{tables: [public.payments, \'"Odd.Name"."a""b"\', User], keep: 10y, tiers: [nightly]}', None),
        ("{tables: [a.b.c], keep: 10y, tiers: [nightly]}", "compliance_export.tables.0"),
        ("{tables: [], keep: 10y, tiers: [nightly]}", "compliance_export.tables"),
        ("{tables: [a], tiers: [nightly]}", "compliance_export.keep: is missing"),
        ("{tables: [a], keep: 10y}", "the environment has no tier monthly, so it would never run"),
    ],
)
def test_compliance_export(tmp_path: Path, section: str, expected: str | None) -> None:
    """Tables are named as in SQL, and a tier that never runs is told."""
    path = _write(tmp_path, GOOD.replace("    tiers:\n", f"    compliance_export: {section}\n    tiers:\n", 1))
    if expected is None:
        assert load_policy(path, {"KEYS": "/keys"}).environments["production"].compliance_export is not None
        return
    with pytest.raises(PolicyError) as caught:
        load_policy(path, {"KEYS": "/keys"})
    assert expected in str(caught.value)


def test_fault_of_an_entry_is_told_alone(tmp_path: Path) -> None:
    """Nothing is said of a list without entries where its one entry has a fault."""
    text = GOOD.replace("    tiers:\n", "    compliance_export: {tables: [a.b.c], keep: 1y}\n    tiers:\n", 1)
    with pytest.raises(PolicyError) as caught:
        load_policy(_write(tmp_path, text), {"KEYS": "/keys"})
    assert "compliance_export.tables.0" in str(caught.value)
    assert "at least" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A path that leads nowhere is told with its reason."""
    with pytest.raises(PolicyError, match=r"nowhere.yaml: no such file"):
        load_policy(tmp_path / "nowhere.yaml")


def test_link_into_the_application_is_seen_through(tmp_path: Path) -> None:
    """A store that reaches the application's directory by a symbolic link is refused too."""
    (tmp_path / "app").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "app")
    text = GOOD.replace("/srv/shop/app", str(tmp_path / "app")).replace(
        "s3://shop-backups/holdfast", f"file://{tmp_path}/link/backups"
    )
    with pytest.raises(PolicyError, match="inside the application's own"):
        load_policy(_write(tmp_path, text), {"KEYS": "/keys"})


def test_schema_describes_every_field() -> None:
    """Editors get a schema that refuses unknown fields as loading does."""
    schema = json_schema()
    assert schema["additionalProperties"] is False
    assert "nightly" in str(schema)


@pytest.mark.parametrize(
    "text", ["0 2 * * *", "*/15 * * * *", "0 9 1 1,4,7,10 *", "5-55/10 0 1-7 jan-mar MON", "0 0 * * 7"]
)
def test_cron_as_people_write_it_is_taken(text: str) -> None:
    """Steps, ranges, lists and names are cron too."""
    assert cron.is_valid(text)


def _parts(lowest: int, highest: int) -> st.SearchStrategy[str]:
    numbers = st.integers(lowest, highest)
    # Of one number with itself, croniter makes a range that goes round.
    ranges = st.lists(numbers, min_size=2, max_size=2, unique=True).map(lambda ends: f"{min(ends)}-{max(ends)}")
    steps = st.integers(1, 9).map(lambda step: f"/{step}")
    stepped = st.tuples(ranges | st.just("*"), steps | st.just("")).map("".join)
    return st.lists(numbers.map(str) | stepped, min_size=1, max_size=3).map(",".join)


_DAYS = st.sampled_from(["31", "30", "30,31", "30-31", "29"]) | _parts(1, 31)


@given(_DAYS, _parts(1, 12), st.just("*") | _parts(0, 6))
def test_a_schedule_that_never_comes_is_known_as_the_scheduler_knows_it(days: str, months: str, weekdays: str) -> None:
    """For days that no named month has, and weekdays beside them, as what Airflow reckons with says."""
    text = f"0 2 {days} {months} {weekdays}"
    assert cron.is_valid(text)
    try:
        croniter(text, datetime(2026, 1, 1)).get_next()
    except CroniterBadDateError:
        assert not cron.ever_comes(text)
    else:
        assert cron.ever_comes(text)
