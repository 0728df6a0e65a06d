"""Checkpoints: what a numbered, chained, signed statement of all heads says, and how its file is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from ledger.rules.digests import digest_of
from referral.money import MAX_TOTAL_CENTS, parse_cents
from referral.signing import Signer

CHECKPOINT_VERSION = 1

AccountPlace = tuple[str, int, str]
"""Dealer's id in hexadecimal, program year, kind of account."""


class KnownHead(NamedTuple):
    """The head of an account: its last sequence, the balance in cents and the digest after it."""

    sequence: int
    balance_cents: int
    digest: str


@dataclass(frozen=True)
class Heads:
    """All heads at one instant: of the accounts, and of the dealers' evidence."""

    accounts: dict[AccountPlace, KnownHead]
    evidence: dict[str, tuple[int, str]]

    @property
    def entries(self) -> int:
        """How many entries stand under these heads."""
        return sum(head.sequence for (_, _, kind), head in self.accounts.items() if kind != "issuance")

    @property
    def evidence_rows(self) -> int:
        """How many rows of evidence stand under these heads."""
        return sum(sequence for sequence, _ in self.evidence.values())

    def lines(self) -> Iterable[str]:
        """Yield the heads as lines, in one order."""
        for (dealer, year, kind), head in sorted(self.accounts.items()):
            yield f"account {dealer} {year} {kind} {head.sequence} {head.balance_cents} {head.digest}"
        for dealer, (sequence, digest) in sorted(self.evidence.items()):
            yield f"evidence {dealer} {sequence} {digest}"

    @property
    def digest(self) -> str:
        """SHA-256 over the lines."""
        return hashlib.sha256("\n".join(self.lines()).encode()).hexdigest()


def checkpoint_digest(
    *,
    number: int,
    taken_at: datetime,
    previous_digest: str,
    heads_digest: str,
    accounts: int,
    entries: int,
    evidence: int,
    public_key: str,
) -> str:
    """Return the digest that is signed: over everything a checkpoint says."""
    return digest_of(
        "checkpoint",
        CHECKPOINT_VERSION,
        number,
        taken_at,
        previous_digest,
        heads_digest,
        accounts,
        entries,
        evidence,
        public_key,
    )


def checkpoint_code(number: int, digest: str) -> str:
    """Return the short code that is printed on statements and workbooks, such as 41-3f9a-21bc-77e0."""
    return f"{number}-{digest[:4]}-{digest[4:8]}-{digest[8:12]}"


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint as it lies outside the database."""

    number: int
    taken_at: datetime
    previous_digest: str
    public_key: str
    signature: str
    heads: Heads

    @property
    def digest(self) -> str:
        """The digest that must carry the signature."""
        return checkpoint_digest(
            number=self.number,
            taken_at=self.taken_at,
            previous_digest=self.previous_digest,
            heads_digest=self.heads.digest,
            accounts=len(self.heads.accounts),
            entries=self.heads.entries,
            evidence=self.heads.evidence_rows,
            public_key=self.public_key,
        )

    @property
    def code(self) -> str:
        """The short code."""
        return checkpoint_code(self.number, self.digest)

    @property
    def filename(self) -> str:
        """The name of its file, which sorts by number."""
        return f"checkpoint-{self.number:08}.json"

    def write(self) -> bytes:
        """Return the file: JSON that people can read, one head a line."""
        said = {
            "what": "checkpoint of a sales-credit ledger",
            "version": CHECKPOINT_VERSION,
            "code": self.code,
            "number": self.number,
            "taken_at": self.taken_at.isoformat(),
            "previous_digest": self.previous_digest,
            "digest": self.digest,
            "public_key": self.public_key,
            "signature": self.signature,
            "heads": list(self.heads.lines()),
        }
        return (json.dumps(said, indent=1, ensure_ascii=True) + "\n").encode()


def read_checkpoint(content: bytes) -> CheckpointFile:
    """Return the checkpoint a file holds. Raises ValueError where it is none."""
    try:
        said = json.loads(content)
        if said["version"] != CHECKPOINT_VERSION:
            raise ValueError("this checkpoint is of a version not known here")
        found = CheckpointFile(
            number=_number(said["number"]),
            taken_at=datetime.fromisoformat(said["taken_at"]),
            previous_digest=str(said["previous_digest"]),
            public_key=str(said["public_key"]),
            signature=str(said["signature"]),
            heads=_read_heads(said["heads"]),
        )
    except (KeyError, TypeError, IndexError, UnicodeDecodeError) as error:
        raise ValueError("this is not a checkpoint") from error
    if found.digest != said.get("digest"):
        raise ValueError("the checkpoint does not recompute to its digest: it was changed")
    return found


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _read_heads(lines: list[str]) -> Heads:
    heads = Heads({}, {})
    for line in lines:
        match line.split(" "):
            case ["account", dealer, year, kind, sequence, balance, digest]:
                heads.accounts[dealer, int(year), kind] = KnownHead(int(sequence), int(balance), digest)
            case ["evidence", dealer, sequence, digest]:
                heads.evidence[dealer] = (int(sequence), digest)
            case _:
                raise ValueError("this is not a checkpoint")
    return heads


# receipts ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Receipt:
    """What the one who entered an order keeps: where its credit stands, signed."""

    order: str
    dealer_code: str
    program_year: int
    account_kind: str
    sequence: int
    amount_cents: int
    posting_digest: str
    public_key: str = ""
    signature: str = ""

    @property
    def digest(self) -> str:
        """The digest that carries the signature."""
        return digest_of(
            "receipt",
            CHECKPOINT_VERSION,
            self.order,
            self.dealer_code,
            self.program_year,
            self.account_kind,
            self.sequence,
            self.amount_cents,
            self.posting_digest,
            self.public_key,
        )

    def signed(self, signer: Signer) -> Receipt:
        """Return this receipt with a signature."""
        unsigned = replace(self, public_key=signer.public_key)
        return replace(unsigned, signature=signer.sign(unsigned.digest))


def read_receipt(content: bytes) -> Receipt:
    """Return the receipt a file holds, alone or in the answer to an order. Raises ValueError where it is none."""
    try:
        said = json.loads(content)
        said = said.get("receipt", said)
        return Receipt(
            order=str(said["order"]),
            dealer_code=str(said["dealer"]),
            program_year=_number(said["program_year"]),
            account_kind=str(said["account"]),
            sequence=_number(said["sequence"]),
            amount_cents=parse_cents(said["amount"], minimum=-MAX_TOTAL_CENTS, maximum=MAX_TOTAL_CENTS),
            posting_digest=str(said["digest"]),
            public_key=str(said["public_key"]),
            signature=str(said["signature"]),
        )
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError("this is not a receipt") from error
