"""Outgoing mail: the message, leases, tries, the one mail a day, the choice, what failed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from email.headerregistry import Address

import pytest
import sqlalchemy as sa

from referral.db import read, write
from referral.mailkit import (
    BadMailSetting,
    CannotSend,
    MailSettings,
    html_of,
    make_message,
    parse_base_url,
    parse_mail_server,
    parse_sender,
    style_hash,
    text_of,
)
from referral.models import AuditEvent, Company, MailPreference, OutgoingMail
from referral.operations.mail import (
    LEASE,
    LONGEST_WAIT,
    TRIES,
    choose_mail,
    lease_mail,
    mark_mail_failed,
    mark_mail_sent,
    owe_digest,
    retry_mail,
    wait_after,
)
from referral.operations.records import queue_mail
from referral.operations.settings import change_setting
from referral.permissions import Role
from referral.queries.mail import MailState, digests_due, failures_page, outbox_page
from tests.factories import AT, make_program, make_user, make_world, refused, user_of
from wsgi import CannotStart

SETTINGS = MailSettings(Address("Ledger", "ledger", "program.example"), "https://ledger.example")
BEFORE_SEVEN = datetime(2026, 5, 5, 10, 59, tzinfo=UTC)
"""6:59 in New York, on the day after AT."""
SEVEN = datetime(2026, 5, 5, 11, 0, tzinfo=UTC)


def owe(tx, recipient="ann@house.example", *, at=AT, **said):
    said = {"subject": "News", "body": "Something happened.\n", "path": "/quotes/Q-A-1?revision=2"} | said
    queue_mail(tx, at=at, recipient=recipient, **said)
    tx.flush()
    return tx.scalars(sa.select(OutgoingMail).order_by(OutgoingMail.id.desc()).limit(1)).one()


def leased(at=AT):
    return write(lease_mail, at=at)


def mail_of(mail_id):
    """The mail as it stands now."""
    return read(lambda tx: tx.get_one(OutgoingMail, mail_id))


# the message ------------------------------------------------------------------------------------


def test_a_message_says_the_same_in_plain_text_and_in_html(tx):
    message = make_message(owe(tx, subject="Q-A-1 is approved: Büro"), SETTINGS)
    text, html = (part.get_content() for part in message.iter_parts())
    for words in ("Something happened.", "https://ledger.example/quotes/Q-A-1?revision=2"):
        assert words in text
        assert words in html
    assert message["Subject"] == "Q-A-1 is approved: Büro"
    assert message["From"] == "Ledger <ledger@program.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"] == "<https://ledger.example/mail>"
    assert not {"<img", "<script", "http:"} & set(html.split())


def test_a_message_made_again_is_the_same_to_the_byte(tx):
    mail = owe(tx)
    assert make_message(mail, SETTINGS).as_bytes() == make_message(mail, SETTINGS).as_bytes()
    assert make_message(mail, SETTINGS)["Message-ID"] == f"<{mail.id}@ledger.example>"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\u2028", "\x00"])
def test_no_header_comes_in_by_a_subject_or_an_address(tx, line_end):
    if line_end == "\x00":
        mail = OutgoingMail(
            id=owe(tx).id, subject=f"A{line_end}Bcc: x@evil.example", body="", path="", created_at=AT
        )
        mail.recipient = "ann@house.example"
    else:
        mail = owe(tx, subject=f"News{line_end}Bcc: x@evil.example")
    message = make_message(mail, SETTINGS)
    assert message["Bcc"] is None
    assert "Bcc: x@evil.example" in message["Subject"]
    mail.recipient = f"ann@house.example{line_end}Bcc: x@evil.example"
    with pytest.raises(CannotSend):
        make_message(mail, SETTINGS)


@pytest.mark.parametrize(
    "recipient",
    ["", "ann", "ann@", "@house.example", "a b@house.example", "ann@house..example", "ann@\udce4.example"],
)
def test_what_is_no_address_is_never_sent(tx, recipient):
    mail = owe(tx)
    mail.recipient = recipient
    with pytest.raises(CannotSend) as caught:
        make_message(mail, SETTINGS)
    assert caught.value.is_final
    tx.rollback()


def test_a_domain_of_other_letters_is_written_in_ascii(tx):
    message = make_message(owe(tx, "ann@büro.example"), SETTINGS)
    assert message["To"] == "ann@xn--bro-hoa.example"


def test_words_of_people_stay_words_in_html(app, tx):
    mail = owe(tx, subject="<b>", body="<script>alert(1)</script>\n\nhttps://x.example/a b\n")
    html = html_of(mail, SETTINGS)
    assert "<script>" not in html
    assert "<b>" not in html
    assert 'href="https://x.example' not in html


def test_a_line_that_is_a_path_of_this_site_becomes_its_address(app, tx):
    mail = owe(tx, body="# Heading\nWords\n/quotes/Q-A-1\n\n//evil.example/x\n/\\evil.example\n", path="")
    text = text_of(mail, SETTINGS)
    assert "https://ledger.example/quotes/Q-A-1\n" in text
    assert "\n//evil.example/x\n" in text
    assert "<h2>Heading</h2>" in html_of(mail, SETTINGS)
    assert "ledger.example/\\" not in text


def test_a_mail_leads_to_a_path_of_this_site_alone(tx):
    for path in ("https://evil.example/", "//evil.example/", "quotes"):
        with pytest.raises(ValueError, match="path of this site"):
            owe(tx, path=path)


# settings of the environment ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", ("mail.example", 25, "", "", False, False)),
        ("smtp://u:p%40ss@mail.example:587?starttls", ("mail.example", 587, "u", "p@ss", False, True)),
        ("smtp://mail.example?starttls", ("mail.example", 587, "", "", False, True)),
        ("smtps://u:p@mail.example", ("mail.example", 465, "u", "p", True, False)),
        ("smtp://[::1]:2525", ("::1", 2525, "", "", False, False)),
    ],
)
def test_a_mail_server_is_read(url, expected):
    server = parse_mail_server(url)
    assert (server.host, server.port, server.user, server.password) == expected[:4]
    assert (server.is_tls, server.is_starttls) == expected[4:]
    assert "p@ss" not in repr(server)


@pytest.mark.parametrize(
    "url",
    ["mail.example", "http://mail.example", "smtp://", "smtp://mail.example/path", "smtp://mail.example?tls",
     "smtp://user@mail.example", "smtps://mail.example?starttls", "smtp://mail.example:port", "smtp://a b",
     "smtp://mail_.example:99999", "smtp://[::1"],
)  # fmt: skip
def test_a_mail_server_that_makes_no_sense_stops_the_start(make_app, url):
    said = {"MAIL_FROM": "ledger@program.example", "BASE_URL": "https://ledger.example"}
    with pytest.raises(CannotStart, match="LEDGER_SMTP_URL"):
        make_app(SMTP_URL=url, **said)


def test_the_start_asks_for_all_that_sending_needs(make_app):
    for said in ({}, {"MAIL_FROM": "ledger@program.example"}, {"BASE_URL": "https://ledger.example"}):
        with pytest.raises(CannotStart, match="LEDGER_MAIL_FROM and LEDGER_BASE_URL"):
            make_app(SMTP_URL="smtp://mail.example", **said)
    with pytest.raises(CannotStart, match="demo never sends"):
        make_app(SMTP_URL="smtp://mail.example", DEMO=True)


@pytest.mark.parametrize(
    "url", ["ledger.example", "ftp://ledger.example", "https://ledger.example/x", "https://"]
)
def test_a_base_address_has_no_path(url):
    with pytest.raises(BadMailSetting, match="LEDGER_BASE_URL"):
        parse_base_url(url)
    assert parse_base_url("https://ledger.example:8443/") == "https://ledger.example:8443"


@pytest.mark.parametrize("sender", ["", "ledger", "a@b.example\nBcc: x@evil.example", "Ledger <>"])
def test_a_sender_is_one_address(sender):
    with pytest.raises(BadMailSetting, match="LEDGER_MAIL_FROM"):
        parse_sender(sender)
    assert str(parse_sender("The ledger <ledger@program.example>")) == "The ledger <ledger@program.example>"


# leases and tries -------------------------------------------------------------------------------


def test_a_mail_is_leased_once_and_again_when_its_worker_was_killed(tx):
    mail_id = owe(tx).id
    tx.commit()
    first = leased()
    assert (first.id, first.attempt) == (mail_id, 1)
    assert leased(AT + LEASE - timedelta(seconds=1)) is None
    again = leased(AT + LEASE)
    assert (again.id, again.attempt) == (mail_id, 2)
    write(mark_mail_sent, at=AT + LEASE, mail_id=mail_id)
    assert leased(AT + timedelta(days=9)) is None
    assert mail_of(mail_id).sent_at == AT + LEASE


def test_a_failure_is_tried_again_after_longer_and_longer_waits_and_then_given_up(tx):
    mail_id, at = owe(tx).id, AT
    tx.commit()
    waits = []
    for attempt in range(1, TRIES + 1):
        lease = leased(at)
        assert lease.attempt == attempt
        write(mark_mail_failed, at=at, mail_id=mail_id, attempt=attempt, failure="451 later\r\n")
        row = mail_of(mail_id)
        if attempt < TRIES:
            waits.append(row.next_try_at - at)
            assert leased(row.next_try_at - timedelta(seconds=1)) is None
            at = row.next_try_at
    assert waits[:4] == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]
    assert max(waits) == LONGEST_WAIT == wait_after(TRIES)
    assert timedelta(days=2, hours=12) < sum(waits, timedelta()) < timedelta(days=3, hours=12)
    assert (row.given_up_at, row.failure) == (at, "451 later")
    assert leased(at + timedelta(days=99)) is None


def test_what_the_server_will_never_take_is_given_up_at_once(tx):
    mail_id = owe(tx).id
    tx.commit()
    leased()
    write(mark_mail_failed, at=AT, mail_id=mail_id, attempt=1, failure="550 nobody", is_final=True)
    assert mail_of(mail_id).given_up_at == AT


def test_a_mail_that_kills_its_worker_each_time_is_given_up_too(tx):
    mail_id = owe(tx).id
    other = owe(tx, at=AT + timedelta(days=1)).id
    tx.execute(sa.update(OutgoingMail).where(OutgoingMail.id == mail_id).values(attempts=TRIES))
    tx.commit()
    assert leased().id == other
    assert mail_of(mail_id).given_up_at == AT
    assert "stopped" in mail_of(mail_id).failure


def test_an_attempt_that_was_overtaken_says_nothing_any_more(tx):
    mail_id = owe(tx).id
    tx.commit()
    leased()
    leased(AT + LEASE)
    write(mark_mail_failed, at=AT + LEASE, mail_id=mail_id, attempt=1, failure="too late")
    assert mail_of(mail_id).failure == ""
    write(mark_mail_sent, at=AT + LEASE, mail_id=mail_id)
    write(mark_mail_failed, at=AT + LEASE, mail_id=mail_id, attempt=2, failure="too late")
    write(mark_mail_sent, at=AT + 2 * LEASE, mail_id=mail_id)
    assert (mail_of(mail_id).sent_at, mail_of(mail_id).failure) == (AT + LEASE, "")


@pytest.mark.postgresql_only("SQLite lets one writer in at a time")
def test_many_workers_lease_each_mail_once(tx, at_once):
    ids = {owe(tx, f"person{number}@house.example").id for number in range(12)}
    found = at_once(leased, times=20)
    assert not [each for each in found if isinstance(each, Exception)]
    got = [each.id for each in found if each is not None]
    assert set(got) <= ids
    assert len(got) == len(set(got))


# the one mail a day -----------------------------------------------------------------------------


@pytest.fixture
def reader(tx):
    """Somebody who prefers one mail a day since the day before."""
    person = make_program(tx)
    choose_mail(tx, actor=person, at=AT, wants_digest=True)
    tx.commit()
    return person


def digest(person, at):
    return write(owe_digest, actor=None, at=at, user_id=person.user_id)


def mails_to(tx, person):
    tx.rollback()
    statement = sa.select(OutgoingMail).where(OutgoingMail.recipient == person.email)
    return read(lambda tx: tx.scalars(statement.order_by(OutgoingMail.id)).all())


def test_what_can_wait_waits_for_the_one_mail_of_the_morning(tx, reader):
    for number in (1, 2):
        owe(tx, reader.email, subject=f"News {number}", path=f"/quotes/Q-A-{number}", is_digestible=True)
    urgent = owe(tx, reader.email, subject="Now").id
    tx.commit()
    assert leased().id == urgent
    assert leased() is None
    assert read(digests_due, at=BEFORE_SEVEN) == ()
    assert digest(reader, BEFORE_SEVEN) == 0
    assert read(digests_due, at=SEVEN) == [reader.user_id]
    assert digest(reader, SEVEN) == 2
    *contained, _, one = mails_to(tx, reader)
    assert [mail.sent_at for mail in contained] == [SEVEN, SEVEN]
    assert one.subject == "2 pieces of news for 5 May 2026"
    text = text_of(one, SETTINGS)
    for number in (1, 2):
        assert f"News {number}" in text
        assert f"https://ledger.example/quotes/Q-A-{number}\n" in text
    assert leased(SEVEN).id == one.id


def test_a_digest_leads_to_the_place_in_the_page_too(tx, reader):
    owe(tx, reader.email, path="/quotes/Q-A-1?revision=1#thread", is_digestible=True)
    tx.commit()
    assert digest(reader, SEVEN) == 1
    *_, one = mails_to(tx, reader)
    assert "https://ledger.example/quotes/Q-A-1?revision=1#thread\n" in text_of(one, SETTINGS)


def test_there_is_one_digest_a_day_and_what_comes_later_waits_for_the_next(tx, reader):
    owe(tx, reader.email, is_digestible=True)
    tx.commit()
    assert [digest(reader, SEVEN), digest(reader, SEVEN + timedelta(minutes=1))] == [1, 0]
    late = owe(tx, reader.email, at=SEVEN, is_digestible=True).id
    tx.commit()
    assert read(digests_due, at=SEVEN + timedelta(hours=12)) == []
    assert leased(SEVEN).id != late
    assert digest(reader, SEVEN + timedelta(hours=23)) == 0
    assert digest(reader, SEVEN + timedelta(days=1)) == 1


def test_nothing_to_say_sends_no_digest_and_the_day_is_done(tx, reader):
    assert digest(reader, SEVEN) == 0
    assert mails_to(tx, reader) == []
    assert read(digests_due, at=SEVEN) == []


def test_the_day_of_a_digest_is_the_programs(tx, reader):
    change_setting(
        tx, actor=reader, at=AT, key="mail_digest_hour", value="23", valid_from=date(2026, 1, 1), valid_to=None,
        reason="Late", source="Test",
    )  # fmt: skip
    owe(tx, reader.email, is_digestible=True)
    tx.commit()
    eleven_at_night = datetime(2026, 5, 6, 3, 0, tzinfo=UTC)  # the 6th in London, the 5th in New York
    assert digest(reader, eleven_at_night - timedelta(minutes=1)) == 0
    assert digest(reader, eleven_at_night) == 1
    tx.rollback()
    assert tx.get_one(MailPreference, reader.user_id).last_digest_on == date(2026, 5, 5)
    tx.rollback()
    assert digest(reader, eleven_at_night + timedelta(hours=1)) == 0  # midnight is past, the hour is not come


def test_a_digest_that_breaks_off_leaves_everything_as_it_was(tx, reader, monkeypatch):
    owe(tx, reader.email, is_digestible=True)
    tx.commit()

    def die(*_args, **_said):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("referral.operations.mail.queue_mail", die)
        with pytest.raises(KeyboardInterrupt):
            digest(reader, SEVEN)
    assert [mail.sent_at for mail in mails_to(tx, reader)] == [None]
    assert digest(reader, SEVEN) == 1


def test_workers_at_the_same_time_make_one_digest(tx, reader, at_once):
    for _ in range(3):
        owe(tx, reader.email, is_digestible=True)
    found = at_once(lambda: digest(reader, SEVEN), times=4)
    assert sorted(found) == [0, 0, 0, 3]
    assert len(mails_to(tx, reader)) == 4


def test_who_wants_each_mail_again_gets_what_waited_at_once(tx, reader):
    mail_id = owe(tx, reader.email, is_digestible=True).id
    tx.commit()
    assert leased() is None
    write(choose_mail, actor=reader, at=AT, wants_digest=False)
    assert leased().id == mail_id
    assert digest(reader, SEVEN) == 0


def test_who_chooses_the_digest_after_its_hour_gets_the_first_one_tomorrow(tx):
    person = make_program(tx)
    choose_mail(tx, actor=person, at=SEVEN, wants_digest=True)
    owe(tx, person.email, at=SEVEN, is_digestible=True)
    tx.commit()
    assert digest(person, SEVEN + timedelta(hours=1)) == 0
    assert digest(person, SEVEN + timedelta(days=1)) == 1


# pages ------------------------------------------------------------------------------------------


def test_everybody_chooses_how_mail_comes_on_a_page_linked_from_every_page(client, tx):
    world = make_world(tx)
    tx.commit()
    for person in (world.program, world.dealer, world.account):
        visitor = client.other().sign_in(user_of(tx, person))
        visitor.get("/help")
        assert visitor.click("Mail").address == "/mail"
        visitor.post("/mail", {"wants_digest": "maybe"}, status=422)
        visitor.get("/mail")
        assert "wait" in visitor.submit("Save", {"wants_digest": "yes"}).text
        tx.rollback()
        assert tx.get_one(MailPreference, person.user_id).wants_digest
        visitor.submit("Save", {"wants_digest": "no"})
        tx.expire_all()
        assert not tx.get_one(MailPreference, person.user_id).wants_digest


def test_the_program_sees_what_failed_without_its_text_and_tries_it_again(client, tx):
    program = make_program(tx)
    auditor = make_user(tx, tx.get_one(Company, program.company_id), Role.PROGRAM_AUDITOR)
    mail_id = owe(tx, body="secret link").id
    owe(tx, "fine@house.example", at=AT)
    tx.commit()
    client.sign_in(user_of(tx, program))
    assert "No mail failed" in client.get("/mail/failures").text
    leased()
    write(mark_mail_failed, at=AT, mail_id=mail_id, attempt=1, failure="550 nobody", is_final=True)
    page = client.get("/mail/failures")
    assert "550 nobody" in page.text
    assert "secret link" not in page.html
    assert "fine@house.example" not in page.text
    reading = client.other().sign_in(user_of(tx, auditor))
    assert "Try again" not in reading.get("/mail/failures").text
    reading.post(f"/mail/failures/{mail_id}/retry", status=403)
    client.get("/mail/failures")
    assert "No mail failed" in client.submit("Try again the mail to ann@house.example").text
    assert leased(AT + timedelta(days=1)) is not None
    tx.rollback()
    events = tx.scalars(sa.select(AuditEvent.event)).all()
    assert events.count("mail.retried") == 1


def test_a_mail_that_did_not_fail_is_not_tried_again(tx):
    program = make_program(tx)
    dealer = make_world(tx).dealer
    mail_id = owe(tx).id
    refused(tx, "not_pending", retry_mail, actor=program, at=AT, mail_id=mail_id)
    refused(tx, "forbidden", retry_mail, actor=dealer, at=AT, mail_id=mail_id)
    refused(tx, "not_found", retry_mail, actor=program, at=AT, mail_id=program.user_id)


def test_the_failures_page_counts_what_waits(tx):
    owe(tx)
    owe(tx)
    tx.commit()
    page = read(failures_page, at=AT + timedelta(hours=1))
    assert (page.rows, page.waiting, page.waiting_since) == ((), 2, AT)


def test_the_outbox_of_the_demo_shows_every_state_and_the_html(tx, reader, make_app):
    sent, failed, given_up = (owe(tx, subject=subject).id for subject in ("Sent", "Failed", "Given up"))
    owe(tx, reader.email, subject="In a digest", is_digestible=True)
    tx.commit()
    digest(reader, SEVEN)
    owe(tx, reader.email, subject="For a digest", at=SEVEN, is_digestible=True)
    tx.commit()
    assert {leased().id for _ in range(3)} == {sent, failed, given_up}
    write(mark_mail_sent, at=AT, mail_id=sent)
    write(mark_mail_failed, at=AT, mail_id=failed, attempt=1, failure="451 later")
    write(mark_mail_failed, at=AT, mail_id=given_up, attempt=1, failure="550 nobody", is_final=True)
    rows, _ = read(outbox_page)
    assert {row.state for row in rows} == set(MailState)
    demo = make_app(DEMO=True).test_client()
    page = demo.get("/outbox").text
    for words in ("Waits for the daily mail", "Sent in a daily mail", "550 nobody", "Given up"):
        assert words in page
    answer = demo.get(f"/outbox/{sent}")
    assert style_hash(answer.text) in answer.headers["Content-Security-Policy"]
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert "Something happened." in answer.text


def test_the_outbox_is_the_demos_alone(client, tx):
    program = make_program(tx)
    mail_id = owe(tx).id
    tx.commit()
    client.sign_in(user_of(tx, program))
    client.get("/outbox", status=404)
    client.get(f"/outbox/{mail_id}", status=404)
