"""Messages reach every address, or it is said which not; whatever happens, nobody sees an address's secrets."""

from __future__ import annotations

import json
import logging
import time

import pytest
from apprise import OverflowMode

from fix_webhook import TOKEN, Webhook, closed_port
from holdfast.alerting import DeliveryError, Message, deliver, ping
from holdfast.alerting.addresses import addresses
from holdfast.alerting.delivery import _fit
from holdfast.errors import UsageError
from holdfast.values.airflow_conn import parse_connection
from holdfast.values.connection import Connection

MESSAGE = Message("[page] shop/production: nightly backup missing", "First line.\nSecond line.", "page", "shop/nightly")


def apprise(config: object) -> Connection:
    """A connection as Airflow keeps it."""
    return Connection("shop_alerts", "apprise", extra={"config": config})


@pytest.mark.parametrize("form", ["dict", "list", "text of a dict", "bare URL", "URI of another type"])
def test_every_form_of_a_connection_is_understood(form: str, webhook: Webhook) -> None:
    """As Airflow's provider reads it, and as somebody writes it who has but one address."""
    url = webhook.url()
    connection = {
        "dict": apprise({"path": url, "tag": "ops"}),
        "list": apprise([{"path": url}]),
        "text of a dict": apprise(json.dumps({"path": url})),
        "bare URL": apprise(url),
        "URI of another type": parse_connection("shop_alerts", url),
    }[form]
    assert deliver(connection, None, MESSAGE) == ("JSON",)
    (received,) = webhook.taken
    assert received.path == f"/hook/{TOKEN}"
    assert received.title == MESSAGE.title
    assert received.message["message"] == MESSAGE.body
    assert received.message["type"] == "failure"


def test_the_tag_chooses_addresses(webhook: Webhook) -> None:
    """A message with a tag goes to those that have it; without one to all."""
    config = [{"path": webhook.url("a"), "tag": "ops, night"}, {"path": webhook.url("b"), "tag": ["dev"]}]
    deliver(apprise(config), "night", MESSAGE)
    assert [each.path for each in webhook.taken] == [f"/a/{TOKEN}"]
    assert deliver(apprise(config), None, MESSAGE) == ("JSON", "JSON 2")
    assert sorted(each.path for each in webhook.taken) == [f"/a/{TOKEN}", f"/b/{TOKEN}"]


def test_no_address_is_an_error_and_no_silence(webhook: Webhook) -> None:
    """Neither a tag that nobody has, nor an empty or malformed connection, passes for a delivery."""
    with pytest.raises(DeliveryError, match="no address with the tag nobody"):
        deliver(apprise([{"path": webhook.url(), "tag": "ops"}]), "nobody", MESSAGE)
    for config in ([], {"tag": "ops"}, 7, [webhook.url()]):
        with pytest.raises(UsageError) as caught:
            deliver(apprise(config), None, MESSAGE)
        assert TOKEN not in caught.value.message
    with pytest.raises(UsageError, match="has no config"):
        deliver(Connection("shop_alerts", "apprise"), None, MESSAGE)
    assert webhook.taken == []


def test_an_error_is_tried_again(webhook: Webhook) -> None:
    """A server that stumbles once has the message in the end, once."""
    webhook.answers = [500, 503]
    assert deliver(apprise(webhook.url()), None, MESSAGE) == ("JSON",)
    assert len(webhook.taken) == 1


def test_what_fails_is_named_and_the_rest_is_told(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    """One that is down, and one that is no address, keep nobody else from the message; nowhere is a secret."""
    caplog.set_level(logging.DEBUG)
    config = [
        {"path": webhook.url()},
        {"path": f"json://me:{TOKEN}@127.0.0.1:{closed_port()}/{TOKEN}"},
        {"path": f"carrier-pigeon://{TOKEN}"},
    ]
    with pytest.raises(DeliveryError) as caught:
        deliver(apprise(config), None, MESSAGE)
    assert caught.value.delivered == ("JSON",)
    assert caught.value.failed == ("JSON 2", "entry 3")
    assert "delivered to JSON" in caught.value.message
    assert len(webhook.taken) == 1
    assert TOKEN not in caplog.text + repr(caught.value) + str(caught.value.hint) + str(caught.value.__cause__)
    assert "apprise" not in {record.name for record in caplog.records}


def test_only_those_who_are_owed_it_are_told_again(webhook: Webhook) -> None:
    """Who has a message does not get it a second time because another has it not."""
    config = [{"path": webhook.url("a")}, {"path": webhook.url("b")}]
    assert deliver(apprise(config), None, MESSAGE, only=("JSON 2",)) == ("JSON 2",)
    assert [each.path for each in webhook.taken] == [f"/b/{TOKEN}"]


def test_a_refusal_is_said_with_its_status(webhook: Webhook) -> None:
    """Whoever reads the error sees what the server answered."""
    webhook.status = 403
    with pytest.raises(DeliveryError, match="JSON: answered 403"):
        deliver(apprise(webhook.url()), None, MESSAGE)


def test_a_redirect_is_no_delivery(webhook: Webhook) -> None:
    """A login page that answers in the place of the service has not got the message."""
    webhook.moved_to = f"http://127.0.0.1:{webhook.port}/login"
    with pytest.raises(DeliveryError, match="JSON: answered 302"):
        deliver(apprise(webhook.url()), None, MESSAGE)
    assert webhook.taken == []


def test_what_hangs_holds_nobody_up(webhook: Webhook) -> None:
    """It is given up in time, whatever the server does."""
    webhook.hangs = True
    began = time.monotonic()
    with pytest.raises(DeliveryError, match="no answer in time"):
        deliver(apprise(webhook.url()), None, MESSAGE, within_s=1.0)
    assert time.monotonic() - began < 10


def test_messages_fit_every_way() -> None:
    """A title is one line of a header, and of what is too long the beginning arrives."""
    fitted = Message("[page]\r\nBcc: someone@example.com\x00", "head\r\n\x1b[31m" + "x" * 20_000, "page").fitted()
    assert fitted.title == "[page] Bcc: someone@example.com\\x00"
    assert fitted.body.startswith("head\n\\x1b[31mx")
    assert len(fitted.body) < 6100
    assert "`holdfast status`" in fitted.body[-60:]
    assert len(Message("y" * 900, "", "page").fitted().title) == 200


def test_incidents_are_resolved_and_not_opened_anew() -> None:
    """PagerDuty is asked to map: what is resolved closes the incident of the same thread. Long texts are cut."""
    (address,) = addresses(apprise({"path": f"pagerduty://{TOKEN}@{TOKEN}"}), None)
    _fit(address.service, MESSAGE)
    assert "action=map" in address.service.url()
    assert "dedup=shop%2Fnightly" in address.service.url()
    assert address.service.overflow_mode == OverflowMode.TRUNCATE
    assert TOKEN not in address.name


@pytest.mark.parametrize("form", ["URI", "host", "extra"])
def test_a_ping_calls_the_url_and_says_how_it_is(form: str, webhook: Webhook) -> None:
    """The query stays, and /fail goes behind the path."""
    url = f"http://127.0.0.1:{webhook.port}/{TOKEN}?create=1"
    connection = {
        "URI": parse_connection("shop_ping", url),
        "host": Connection("shop_ping", "http", host=url),
        "extra": Connection("shop_ping", "generic", extra={"url": url}),
    }[form]
    ping(connection, True, "all is well")
    ping(connection, False, "nightly backup missing")
    assert [(each.method, each.path, each.body) for each in webhook.taken] == [
        ("POST", f"/{TOKEN}?create=1", "all is well"),
        ("POST", f"/{TOKEN}/fail?create=1", "nightly backup missing"),
    ]


def test_a_ping_that_is_not_taken_is_tried_again_and_told(webhook: Webhook) -> None:
    """Once is a moment's; and the error names the connection, never the URL."""
    connection = parse_connection("shop_ping", webhook.ping_connection())
    webhook.answers = [500]
    ping(connection, True, "")
    assert len(webhook.taken) == 1
    webhook.status = 404
    with pytest.raises(DeliveryError, match="connection shop_ping: the ping was not taken: answered 404") as caught:
        ping(connection, True, "")
    assert TOKEN not in str(caught.value)
    with pytest.raises(DeliveryError, match="cannot be reached"):
        ping(Connection("shop_ping", "http", host=f"http://127.0.0.1:{closed_port()}/{TOKEN}"), True, "")
    with pytest.raises(UsageError, match="holds no http:// or https:// URL"):
        ping(Connection("shop_ping", "ftp", host="example.com"), True, "")
