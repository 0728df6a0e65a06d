"""Ed25519 signatures, with a key that lies outside the database."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


class NoKey(Exception):  # noqa: N818 - says what is missing
    """The file does not hold an Ed25519 private key."""


@dataclass(frozen=True)
class Signer:
    """Signs digests; `public_key` is what others need to check them, in hexadecimal."""

    key: Ed25519PrivateKey

    @property
    def public_key(self) -> str:
        """The 32 bytes of the public key in hexadecimal."""
        return self.key.public_key().public_bytes_raw().hex()

    def sign(self, digest: str) -> str:
        """Return the signature of a digest, both in hexadecimal."""
        return self.key.sign(bytes.fromhex(digest)).hex()


def is_signed(digest: str, signature: str, public_key: str) -> bool:
    """Say whether the signature of this digest was made by the owner of this key."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), bytes.fromhex(digest))
    except (InvalidSignature, ValueError):
        return False
    return True


def load_signer(path: Path) -> Signer:
    """Return the signer whose key is in the file; a key is made there where nothing is yet.

    Only the owner may read the file. Raises NoKey where it holds something else.
    """
    if not path.exists():
        _make_key(path)
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, OSError) as error:
        raise NoKey(f"{path} holds no Ed25519 private key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise NoKey(f"{path} holds no Ed25519 private key")
    return Signer(key)


def _make_key(path: Path) -> None:
    """The file has a new key; where two make one at once, the first stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
