"""Textbook RSA of the tests' own, to make what the program must refuse and to look into what it stores. Nobody else may use it:
it is slow, and it tells its secrets to anybody who can watch."""

import base64
import functools
import hashlib
import hmac
import secrets

_SMALL = [p for p in range(3, 2000, 2) if all(p % d for d in range(3, int(p ** 0.5) + 1, 2))]


def _prime(bits):
    while True:
        n = secrets.randbits(bits) | (3 << (bits - 2)) | 1
        # Fermat's test to one base is enough for numbers that nobody chose.
        if all(n % p for p in _SMALL) and n % 65537 != 1 and pow(2, n - 1, n) == 1:
            return n


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _bytes(n):
    return n.to_bytes((n.bit_length() + 7) // 8, "big")


class Key:
    def __init__(self, bits=2048):
        self.p, self.q = _prime(bits // 2), _prime(bits // 2)
        self.n, self.e = self.p * self.q, 65537
        self.d = pow(self.e, -1, (self.p - 1) * (self.q - 1))
        self.size = bits // 8

    def jwk(self):
        """With its private part, as Key Vault imports it."""
        numbers = {"n": self.n, "e": self.e, "d": self.d, "p": self.p, "q": self.q, "dp": self.d % (self.p - 1),
                   "dq": self.d % (self.q - 1), "qi": pow(self.q, -1, self.p)}
        return {"kty": "RSA", **{name: b64url(_bytes(v)) for name, v in numbers.items()}}

    def private_parts(self):
        return [_bytes(self.p), _bytes(self.q), _bytes(self.d)]

    def sign(self, data):
        """RS256."""
        info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(data).digest()
        padded = b"\x00\x01" + b"\xff" * (self.size - len(info) - 3) + b"\x00" + info
        return pow(int.from_bytes(padded, "big"), self.d, self.n).to_bytes(self.size, "big")

    def open_oaep(self, wrapped):
        """RSA-OAEP-256."""
        block = pow(int.from_bytes(wrapped, "big"), self.d, self.n).to_bytes(self.size, "big")
        masked_seed, masked = block[1:33], block[33:]
        seed = bytes(a ^ b for a, b in zip(masked_seed, _mask(masked, 32)))
        plain = bytes(a ^ b for a, b in zip(masked, _mask(seed, len(masked))))
        assert plain[:32] == hashlib.sha256(b"").digest(), "not RSA-OAEP-256 under this key"
        return plain[plain.index(b"\x01", 32) + 1:]


@functools.cache
def key():
    """One of 2048 bits for whoever needs any: to make it takes a second."""
    return Key()


def _mask(seed, length):
    blocks = (hashlib.sha256(seed + i.to_bytes(4, "big")).digest() for i in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def hkdf(key, info):
    """HKDF-SHA256 without salt, one block."""
    pseudorandom = hmac.new(bytes(32), key, hashlib.sha256).digest()
    return hmac.new(pseudorandom, info + b"\x01", hashlib.sha256).digest()
