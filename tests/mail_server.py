"""A mail server on the loopback: takes mails, refuses some, and keeps what it was given."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a client needs. `refused` maps recipients to what is said to them."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), Conversation)
        self.mails: list[tuple[str, EmailMessage]] = []
        self.refused: dict[str, str] = {}
        self.connections = 0

    @property
    def url(self) -> str:
        """The server as LEDGER_SMTP_URL names it."""
        return f"smtp://127.0.0.1:{self.server_address[1]}"

    @property
    def recipients(self) -> list[str]:
        """Whom mails were taken for, in order."""
        return [recipient for recipient, _ in self.mails]


class Conversation(socketserver.StreamRequestHandler):
    """One connection."""

    server: MailServer

    def handle(self) -> None:
        """Answer each command until QUIT or the end."""
        self.server.connections += 1
        recipient = ""
        self.say("220 ready")
        while line := self.rfile.readline():
            command = line.decode().strip()
            verb = command.upper().split(" ")[0].split(":")[0]
            if verb == "EHLO":
                self.say("250 ready")
            elif verb == "RCPT":
                recipient = command.partition("<")[2].partition(">")[0]
                self.say(self.server.refused.get(recipient, "250 fine"))
            elif verb == "DATA":
                self.say("354 go on")
                lines = []
                while (data := self.rfile.readline()) not in {b".\r\n", b""}:
                    lines.append(data[1:] if data.startswith(b"..") else data)
                message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                self.server.mails.append((recipient, message))
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")

    def say(self, line: str) -> None:
        """Send a line."""
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def listening() -> Iterator[MailServer]:
    """Run a mail server for a while."""
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
