"""Just enough DER to hand keys and signatures to the openssl command line and to take them from it."""

CURVES = {"P-256": ("1.2.840.10045.3.1.7", 32, "prime256v1"), "P-384": ("1.3.132.0.34", 48, "secp384r1"),
          "P-521": ("1.3.132.0.35", 66, "secp521r1"), "P-256K": ("1.3.132.0.10", 32, "secp256k1")}
INTEGER, BITS, OCTETS, NULL, OID, SEQUENCE = 0x02, 0x03, 0x04, 0x05, 0x06, 0x30


def tlv(tag, content):
    n = len(content)
    length = bytes([n]) if n < 128 else bytes([0x80 | (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag]) + length + content


def integer(v):
    return tlv(INTEGER, v.to_bytes(v.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = (int(x) for x in text.split("."))
    out = bytes([40 * first + second])
    for v in rest:
        part = [v & 127]
        while v := v >> 7:
            part.insert(0, v & 127 | 128)
        out += bytes(part)
    return tlv(OID, out)


def sequence(*parts):
    return tlv(SEQUENCE, b"".join(parts))


def read(data):
    """(tag, content, what follows)"""
    n, at = data[1], 2
    if n & 0x80:
        at += n & 0x7f
        n = int.from_bytes(data[2:at], "big")
    return data[0], data[at:at + n], data[at + n:]


def members(data):
    """The contents of a SEQUENCE's members."""
    _, data, _ = read(data)
    out = []
    while data:
        _, content, data = read(data)
        out.append(content)
    return out


def rsa_public(n, e):
    """SubjectPublicKeyInfo."""
    return sequence(sequence(oid("1.2.840.113549.1.1.1"), tlv(NULL, b"")), tlv(BITS, b"\0" + sequence(integer(n), integer(e))))


def ec_public(curve, x, y):
    return sequence(sequence(oid("1.2.840.10045.2.1"), oid(CURVES[curve][0])), tlv(BITS, b"\0\x04" + x + y))


def rsa_private(der):
    """The numbers of an RSAPrivateKey by their JWK names."""
    return dict(zip(["n", "e", "d", "p", "q", "dp", "dq", "qi"], (m.lstrip(b"\0") for m in members(der)[1:])))


def ec_signature(raw):
    half = len(raw) // 2
    return sequence(integer(int.from_bytes(raw[:half], "big")), integer(int.from_bytes(raw[half:], "big")))


def raw_signature(der, half):
    return b"".join(int.from_bytes(m, "big").to_bytes(half, "big") for m in members(der))
