"""Outgoing mail: settings of the environment, the message made of a row of the outbox, the mail server."""

from __future__ import annotations

import base64
import hashlib
import re
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from flask import Flask, current_app

from referral.operations.mail import LeasedMail
from referral.queries.mail import MailRow
from referral.text import clean_line

TIMEOUT_SECONDS = 30
PORTS = {"smtp": 25, "smtps": 465}
STARTTLS_PORT = 587
PREFERENCES_PATH = "/mail"
SUBJECT_LENGTH = 200
SIGNATURE = "\n\n-- \n"
"""What stands between a plain text and its signature."""
_OWN_PATH = re.compile(r"/(?![/\\])[A-Za-z0-9._~/?=&%+-]*(?:#[a-z-]+)?\Z")
_ADDRESS_LINE = re.compile(r"https?://[^\s<>\"]+\Z")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\Z|[0-9a-f:.]*:[0-9a-f:.]*\Z")
_PERMANENT = range(500, 600)


class BadMailSetting(ValueError):  # noqa: N818 - says what it is
    """A setting of the environment says something that mail can't be sent with."""


class CannotSend(Exception):  # noqa: N818 - says what happened
    """The mail server did not take a mail. `is_final`: it never will, so there is no use in trying again."""

    def __init__(self, message: str, *, is_final: bool = False, is_server_away: bool = False) -> None:
        """Take what the server said; `is_server_away` where it was not about this mail at all."""
        super().__init__(message)
        self.is_final, self.is_server_away = is_final, is_server_away


# settings ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over."""

    host: str
    port: int
    user: str
    password: str
    is_tls: bool
    """TLS from the first byte."""
    is_starttls: bool

    def __repr__(self) -> str:
        """Name the server without its password."""
        return f"MailServer({self.host}:{self.port})"


@dataclass(frozen=True)
class MailSettings:
    """What a message needs beside its row: the sender, and the address of this site, without a slash at the end."""

    sender: Address
    base_url: str

    @property
    def host(self) -> str:
        """The host of the site, for ids of messages."""
        return urlsplit(self.base_url).hostname or "localhost"

    def link(self, path: str) -> str:
        """Return the address of a page of this site."""
        return f"{self.base_url}{path}"


def parse_mail_server(url: str) -> MailServer:
    """Read smtp://user:password@host:587?starttls or smtps://host. Raises BadMailSetting."""
    problem = "LEDGER_SMTP_URL must look like smtp://user:password@host:587?starttls or smtps://host"
    parts, port = _split(url, problem)
    if parts.scheme not in PORTS or not parts.hostname or not _HOST.match(parts.hostname):
        raise BadMailSetting(f"{problem}.")
    if parts.path not in {"", "/"} or parts.fragment or parts.query not in {"", "starttls"}:
        raise BadMailSetting(f"{problem}; behind the host only ?starttls may stand.")
    if parts.scheme == "smtps" and parts.query:
        raise BadMailSetting("LEDGER_SMTP_URL: smtps:// is encrypted from the start; leave ?starttls away.")
    if (parts.username is None) != (parts.password is None):
        raise BadMailSetting("LEDGER_SMTP_URL needs user and password, or neither.")
    is_starttls = parts.query == "starttls"
    return MailServer(
        host=parts.hostname,
        port=port or (STARTTLS_PORT if is_starttls else PORTS[parts.scheme]),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        is_tls=parts.scheme == "smtps",
        is_starttls=is_starttls,
    )


def parse_base_url(url: str) -> str:
    """Read https://ledger.example.com and return it without a slash at the end. Raises BadMailSetting."""
    problem = "LEDGER_BASE_URL must be the address people open, such as https://ledger.example.com"
    parts, _ = _split(url, problem)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadMailSetting(f"{problem}.")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username is not None:
        raise BadMailSetting(f"{problem}: no path, no query, no user.")
    return f"{parts.scheme}://{parts.netloc}"


def parse_sender(text: str) -> Address:
    """Read ledger@example.com or Ledger <ledger@example.com>. Raises BadMailSetting."""
    problem = "LEDGER_MAIL_FROM must be an address, such as Ledger <ledger@example.com>."
    name, address = parseaddr(text)
    if clean_line(text) != text.strip():
        raise BadMailSetting(problem)
    try:
        return Address(name, addr_spec=_in_ascii_domain(address))
    except (ValueError, MessageError, IndexError) as error:
        raise BadMailSetting(problem) from error


def _split(url: str, problem: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadMailSetting(f"{problem}.") from error
    if not url.isascii() or not url.isprintable() or " " in url:
        raise BadMailSetting(f"{problem}.")
    return parts, port


# the message ------------------------------------------------------------------------------------


OwedMail = LeasedMail | MailRow
"""What a message is made of."""


@dataclass(frozen=True)
class Line:
    """A line of a mail: words, a heading, or an address alone."""

    text: str
    url: str = ""
    is_heading: bool = False


def text_of(mail: OwedMail, settings: MailSettings) -> str:
    """Return the plain text: complete on its own, with every address written out."""
    paragraphs = [
        "\n".join(f"* {line.text}" if line.is_heading else line.url or line.text for line in paragraph)
        for paragraph in _paragraphs(mail, settings)
    ]
    if mail.path:
        paragraphs.append(f"Open it here (opening changes nothing):\n{settings.link(mail.path)}")
    signature = f"Ketra Referral Ledger\nHow mail reaches you: {settings.link(PREFERENCES_PATH)}\n"
    return "\n\n".join(paragraphs) + SIGNATURE + signature


def html_of(mail: OwedMail, settings: MailSettings) -> str:
    """Return the same as HTML: no picture, no script, nothing that tells whether it was read."""
    template = current_app.jinja_env.get_template(
        "mail/message.html"
    )  # what pages know does not belong into a mail
    return template.render(
        subject=clean_line(mail.subject),
        paragraphs=_paragraphs(mail, settings),
        link=settings.link(mail.path) if mail.path else "",
        preferences_url=settings.link(PREFERENCES_PATH),
    )


def style_hash(html: str) -> str:
    """Return the hash by which a policy allows the style sheet inside a mail."""
    style = html.partition("<style>")[2].partition("</style>")[0]
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _paragraphs(mail: OwedMail, settings: MailSettings) -> Sequence[Sequence[Line]]:
    """Return the body's paragraphs. A line that is nothing but a path of this site stands for its address."""
    return [
        [_line(text, settings) for text in paragraph.splitlines()]
        for paragraph in re.split(r"\n\s*\n", mail.body.strip())
        if paragraph.strip()
    ]


def _line(text: str, settings: MailSettings) -> Line:
    if text.startswith("# "):
        return Line(text.removeprefix("# "), is_heading=True)
    if _OWN_PATH.match(text):
        return Line(text, settings.link(text))
    return Line(text, text if _ADDRESS_LINE.match(text) else "")


def make_message(mail: OwedMail, settings: MailSettings) -> EmailMessage:
    """Return the message of a row of the outbox; made again, it is the same, with the same id.

    Raises CannotSend, finally, where the recipient is no address a mail can carry.
    """
    message = EmailMessage(policy=SMTP)
    try:
        message["From"] = settings.sender
        message["To"] = Address(addr_spec=_in_ascii_domain(mail.recipient))
        message["Subject"] = clean_line(mail.subject)[:SUBJECT_LENGTH]
    except (ValueError, MessageError, IndexError) as error:
        raise CannotSend(f"This is no address for a mail: {error}", is_final=True) from error
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = f"<{mail.id}@{settings.host}>"
    message["Auto-Submitted"] = "auto-generated"
    message["List-Unsubscribe"] = f"<{settings.link(PREFERENCES_PATH)}>"
    message.set_content(text_of(mail, settings), cte="quoted-printable")
    message.add_alternative(html_of(mail, settings), subtype="html", cte="quoted-printable")
    message.set_boundary(f"part-{mail.id}")
    return message


def _in_ascii_domain(address: str) -> str:
    """Return an address with its domain in ASCII; the part before it stays. Raises ValueError."""
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or clean_line(address) != address or " " in address:
        raise ValueError("it does not look like ann@example.com")
    return f"{local}@{domain if domain.isascii() else domain.encode('idna').decode()}"


# the server -------------------------------------------------------------------------------------


class Transport(Protocol):
    """Hands messages over."""

    def send(self, message: EmailMessage) -> None:
        """The server has taken the message. Raises CannotSend."""

    def close(self) -> None:
        """The connection is let go."""


class SmtpTransport:
    """A mail server by SMTP: connected to for the first message, and anew after a failure."""

    def __init__(self, server: MailServer) -> None:
        """Remember the server; nothing is connected yet."""
        self._server = server
        self._smtp: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> None:
        """The server has taken the message. Raises CannotSend."""
        try:
            smtp = self._connected()
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise CannotSend(_said(error), is_server_away=True) from error
        try:
            smtp.send_message(message)
        except smtplib.SMTPServerDisconnected as error:
            self.close()
            raise CannotSend(_said(error)) from error
        except smtplib.SMTPRecipientsRefused as error:
            self.close()
            codes = [code for code, _ in error.recipients.values()]
            raise CannotSend(_said(error), is_final=all(code in _PERMANENT for code in codes)) from error
        except smtplib.SMTPNotSupportedError as error:
            self.close()
            raise CannotSend(_said(error), is_final=True) from error
        except (OSError, smtplib.SMTPException, UnicodeError, ValueError) as error:
            self.close()
            raise CannotSend(_said(error)) from error

    def close(self) -> None:
        """The connection is let go, politely where that is possible."""
        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        try:
            smtp.quit()
        except (OSError, smtplib.SMTPException):
            smtp.close()

    def _connected(self) -> smtplib.SMTP:
        if self._smtp is not None:
            return self._smtp
        server = self._server
        context = ssl.create_default_context()
        if server.is_tls:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=TIMEOUT_SECONDS, context=context
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
        self._smtp = smtp
        if server.is_starttls:
            smtp.starttls(context=context)
        if server.user:
            smtp.login(server.user, server.password)
        return smtp


def _said(error: Exception) -> str:
    """Return what went wrong in one line; a reply of the server with its number."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(f"{code} {_decoded(words)}" for code, words in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_decoded(error.smtp_error)}"
    return clean_line(str(error)) or type(error).__name__


def _decoded(words: bytes | str) -> str:
    return clean_line(words if isinstance(words, str) else words.decode(errors="replace"))


# what the application was told ------------------------------------------------------------------


def prepare_mail(app: Flask) -> None:
    """Read what the application was told of mail; called once at the roof. Raises BadMailSetting.

    Without SMTP_URL mails stay in the outbox. The demo never sends: its people are invented.
    """
    url, sender, base_url = (
        str(app.config.get(name) or "") for name in ("SMTP_URL", "MAIL_FROM", "BASE_URL")
    )
    if url and app.config["DEMO"]:
        raise BadMailSetting(
            "The demo never sends mail: its people are invented. Start without LEDGER_SMTP_URL."
        )
    server = parse_mail_server(url) if url else None
    parsed_sender, parsed_base_url = sender and parse_sender(sender), base_url and parse_base_url(base_url)
    if server is not None and not (parsed_sender and parsed_base_url):
        raise BadMailSetting("LEDGER_SMTP_URL is set: set LEDGER_MAIL_FROM and LEDGER_BASE_URL too.")
    app.extensions["mail_server"] = server
    app.extensions["mail_settings"] = (
        MailSettings(parsed_sender, parsed_base_url)
        if isinstance(parsed_sender, Address) and parsed_base_url
        else None
    )


def mail_server() -> MailServer | None:
    """Return the server the application was told of, or None: then mails stay in the outbox."""
    found: MailServer | None = current_app.extensions["mail_server"]
    return found


def mail_settings() -> MailSettings | None:
    """Return what messages are made with, or None where the application was not told."""
    found: MailSettings | None = current_app.extensions["mail_settings"]
    return found
