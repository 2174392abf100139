"""Idempotency keys: who repeats a request under its key gets its answer, and nothing is done again.

Answers are kept encrypted (AES-SIV, RFC 5297) under a secret that is made of the server's own and of the key
that the caller has chosen, which is not kept. So the database does not say what was answered, neither for a
response with `store: false` nor for one that was deleted since.
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
"""Bytes of the largest body that is kept."""

_PARAM = "idempotency-key"
_MAX_KEY = 255
_INFO = b"antiphon idempotent answers 1"
_SECRET_BYTES = 64  # as for sealed boxes: two keys of 256 bits

_encode = msgspec.msgpack.Encoder().encode


class Answer(Struct, frozen=True, kw_only=True):
    """An HTTP answer, and the request that it answers: its fingerprint, and how many bytes that is made of.

    `body` is None for one of more than `MAX_ANSWER` bytes.
    """

    fingerprint: bytes
    request_bytes: int
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | None


_decode = msgspec.msgpack.Decoder(Answer).decode


class Idempotency:
    """The keys of all callers. `secret` is a text that nobody can guess."""

    def __init__(self, records: IdempotencyRecords, secret: str) -> None:
        self._records = records
        self._secret = secret

    async def begin(self, owner: str, key: str) -> "Claim | Answer":
        """Takes the key for a request, or returns the answer that there is to it already.

        Raises `InvalidRequest` for what is no key, `IdempotencyKeyInUse`, and `AnswerNotKept`.
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
        except (InvalidTag, msgspec.DecodeError) as error:  # the server's secret is another one now
            raise AnswerNotKept from error

    def _cipher(self, owner: str, key: str) -> AESSIV:
        secret = b"\0".join(text.encode() for text in (self._secret, owner, key))
        return AESSIV(HKDF(algorithm=SHA512(), length=_SECRET_BYTES, salt=None, info=_INFO).derive(secret))


class Claim(Struct, frozen=True):
    """A key that one request has, until its answer is kept or the key is released."""

    records: IdempotencyRecords
    cipher: AESSIV
    owner: str
    key_hash: str

    async def keep(self, answer: Answer) -> None:
        """Keeps the answer, for a day. If that fails it is logged, and the key is free again."""
        if answer.body is not None and len(answer.body) > MAX_ANSWER:
            answer = msgspec.structs.replace(answer, body=None)
        try:
            await self.records.keep(self.owner, self.key_hash, self.cipher.encrypt(_encode(answer), None))
        except AntiphonError as error:
            log.error("an answer is not kept for its idempotency key: %s", error.message)

    def release(self) -> None:
        """Frees the key, because there is no answer to keep."""
        try:
            self.records.release(self.owner, self.key_hash)
        except AntiphonError as error:  # The server stops; the key is free when it has.
            log.info("an idempotency key is not released: %s", error.message)


def _hash_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
