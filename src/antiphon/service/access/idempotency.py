"""Idempotency keys: a repeated request gets the stored response of the first one.

Responses are stored encrypted (AES-SIV, RFC 5297). The encryption key is derived from the server's secret and
from the idempotency key, of which only a hash is stored. The database alone therefore doesn't reveal a
response, not even one with `store: false` or one that was deleted later.
"""

import hashlib
import logging

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from antiphon.errors import AntiphonError, InvalidRequest
from antiphon.service.access.errors import AnswerNotKept, IdempotencyKeyInUse
from antiphon.store.idempotency import IdempotencyRecords

log = logging.getLogger("antiphon.service")

MAX_ANSWER = 8 * 1024 * 1024
"""Size of the largest stored body in bytes."""

_PARAM = "idempotency-key"
_MAX_KEY = 255
_INFO = b"antiphon idempotent answers 1"
_SECRET_BYTES = 64  # Two keys of 256 bits: AES-SIV authenticates with one and encrypts with the other.

_encode = msgspec.msgpack.Encoder().encode


class Answer(Struct, frozen=True, kw_only=True):
    """An HTTP response and the fingerprint of its request."""

    fingerprint: bytes
    """Fingerprint of the request."""
    request_bytes: int
    """Number of bytes that the fingerprint was computed from."""
    status: int
    """HTTP status code."""
    headers: list[tuple[bytes, bytes]]
    """Headers in the form of ASGI."""
    body: bytes | None
    """The body; None if it is larger than `MAX_ANSWER`."""


_decode = msgspec.msgpack.Decoder(Answer).decode


class Idempotency:
    """The idempotency keys of all owners.

    Args:
        records: The stored responses.
        secret: The server's secret, from which the encryption keys are derived.
    """

    def __init__(self, records: IdempotencyRecords, secret: str) -> None:
        self._records = records
        self._secret = secret

    async def begin(self, owner: str, key: str) -> "Claim | Answer":
        """Claim the key for a request, or return the stored response of its first request.

        Raises:
            InvalidRequest: The key is empty or too long.
            IdempotencyKeyInUse: The first request with the key is still in progress.
            AnswerNotKept: The server cannot decrypt the stored response.
        """
        if not 0 < len(key) <= _MAX_KEY:
            raise InvalidRequest(
                f"Invalid '{_PARAM}': expected between 1 and {_MAX_KEY} characters, but got {len(key)}.",
                code="string_above_max_length" if key else "string_below_min_length",
                param=_PARAM,
            )
        claim = Claim(self._records, self._cipher(owner, key), owner, _hash_of(key))
        found = await self._records.claim(owner, claim.key_hash)
        if found.granted:
            return claim
        if found.answer is None:
            raise IdempotencyKeyInUse
        try:
            return _decode(claim.cipher.decrypt(found.answer, None))
        except (InvalidTag, msgspec.DecodeError) as error:  # The server's secret has changed.
            raise AnswerNotKept from error

    def _cipher(self, owner: str, key: str) -> AESSIV:
        secret = b"\0".join(text.encode() for text in (self._secret, owner, key))
        return AESSIV(HKDF(algorithm=SHA512(), length=_SECRET_BYTES, salt=None, info=_INFO).derive(secret))


class Claim(Struct, frozen=True):
    """A key that one request holds until it stores its response or releases the key."""

    records: IdempotencyRecords
    """The stored responses."""
    cipher: AESSIV
    """Encryption of the response."""
    owner: str
    """The owner of the request."""
    key_hash: str
    """Hash of the idempotency key."""

    async def keep(self, answer: Answer) -> None:
        """Store the response for a day.

        A failure is logged, and the key becomes free.
        """
        if answer.body is not None and len(answer.body) > MAX_ANSWER:
            answer = msgspec.structs.replace(answer, body=None)
        try:
            await self.records.keep(self.owner, self.key_hash, self.cipher.encrypt(_encode(answer), None))
        except AntiphonError as error:
            log.error("Failed to store the response for an idempotency key: %s", error.message)

    def release(self) -> None:
        """Release the key without storing a response."""
        try:
            self.records.release(self.owner, self.key_hash)
        except AntiphonError as error:  # The server is stopping, which releases all its keys.
            log.info("Failed to release an idempotency key: %s", error.message)


def _hash_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
