"""The vault and the openssl command line, each opening and checking what the other made: every algorithm, both ways."""

import hashlib
import os
import subprocess

import der
import rsa
from test_vault import Vault

PLAIN = b"0123456789abcdef0123456789abcdef"
ENCRYPTION = {"RSA1_5": ["rsa_padding_mode:pkcs1"], "RSA-OAEP": ["rsa_padding_mode:oaep", "rsa_oaep_md:sha1", "rsa_mgf1_md:sha1"],
              "RSA-OAEP-256": ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"]}
DIGESTS = {"256": "sha256", "384": "sha384", "512": "sha512"}
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "P-256K"}


class Openssl:
    def __init__(self, folder):
        self.folder = folder

    def path(self, name, data=None):
        path = os.path.join(self.folder, name)
        if data is not None:
            with open(path, "wb") as f:
                f.write(data)
        return path

    def run(self, *args, fine=True):
        done = subprocess.run(["openssl", *args], capture_output=True, timeout=60)
        assert not fine or done.returncode == 0, (args, done.stderr)
        return done.returncode == 0, done.stdout

    def pkeyutl(self, how, key, data, options, *more, fine=True):
        extra = [x for o in options for x in ("-pkeyopt", o)]
        return self.run("pkeyutl", how, *key, "-in", self.path("in", data), *extra, *more, fine=fine)


def signature_options(alg):
    """pkeyutl's, for a digest that is given to it."""
    md = f"digest:{DIGESTS[alg[2:5]]}"
    if alg[0] == "P":
        return [md, "rsa_padding_mode:pss", "rsa_pss_saltlen:digest", f"rsa_mgf1_md:{DIGESTS[alg[2:5]]}"]
    return [md] + (["rsa_padding_mode:pkcs1"] if alg[0] == "R" else [])


def number(bundle, name):
    return int.from_bytes(rsa.unb64url(bundle["key"][name]), "big")


def public_file(o, bundle):
    k = bundle["key"]
    spki = der.rsa_public(number(bundle, "n"), number(bundle, "e")) if k["kty"] == "RSA" else \
        der.ec_public(k["crv"], rsa.unb64url(k["x"]), rsa.unb64url(k["y"]))
    return ["-pubin", "-keyform", "DER", "-inkey", o.path("public", spki)]


def crypt(v, op, alg, value):
    return rsa.unb64url(v.ok("POST", f"/keys/k/{op}", {"alg": alg, "value": rsa.b64url(value)}).json()["value"])


def test_what_openssl_encrypts_the_vault_decrypts(case):
    v, o = Vault(case), Openssl(case.folder)
    public = public_file(o, v.ok("POST", "/keys/k/create", {"kty": "RSA", "key_size": 3072}).json())
    for alg, options in ENCRYPTION.items():
        _, sealed = o.pkeyutl("-encrypt", public, PLAIN, options)
        assert crypt(v, "decrypt", alg, sealed) == PLAIN, alg
        assert crypt(v, "unwrapkey", alg, sealed) == PLAIN, alg
        for other in set(ENCRYPTION) - {alg}:
            v.refused(400, "BadParameter", "POST", "/keys/k/decrypt", {"alg": other, "value": rsa.b64url(sealed)})


def openssl_rsa_key(o, bits=2048):
    """A key that openssl made: its file, and its JWK."""
    path = o.path("private.pem")
    o.run("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}", "-out", path)
    _, raw = o.run("pkey", "-in", path, "-outform", "DER", "-traditional")
    return path, {"kty": "RSA", **{n: rsa.b64url(x) for n, x in der.rsa_private(raw).items()}}


def test_what_the_vault_encrypts_openssl_decrypts(case):
    v, o = Vault(case), Openssl(case.folder)
    private, jwk = openssl_rsa_key(o)
    v.ok("PUT", "/keys/k", {"key": jwk})
    for alg, options in ENCRYPTION.items():
        for op in ("encrypt", "wrapkey"):
            _, plain = o.pkeyutl("-decrypt", ["-inkey", private], crypt(v, op, alg, PLAIN), options)
            assert plain == PLAIN, (alg, op)


def rsa_signatures():
    return [family + bits for family in ("RS", "PS") for bits in DIGESTS]


def test_rsa_signatures_both_ways(case):
    v, o = Vault(case), Openssl(case.folder)
    private, jwk = openssl_rsa_key(o)
    public = public_file(o, v.ok("PUT", "/keys/k", {"key": jwk}).json())
    for alg in rsa_signatures():
        digest = hashlib.new(DIGESTS[alg[2:]], b"a message").digest()
        made = crypt(v, "sign", alg, digest)
        sig = o.path("sig", made)
        assert o.pkeyutl("-verify", public, digest, signature_options(alg), "-sigfile", sig)[0], alg
        assert not o.pkeyutl("-verify", public, digest[::-1], signature_options(alg), "-sigfile", sig, fine=False)[0], alg
        _, theirs = o.pkeyutl("-sign", ["-inkey", private], digest, signature_options(alg))
        check_ours(v, alg, digest, theirs)


def check_ours(v, alg, digest, signature):
    """The vault takes this signature, and none that differs in a bit, nor of another digest."""
    def says(d, s):
        return v.ok("POST", "/keys/k/verify", {"alg": alg, "digest": rsa.b64url(d), "value": rsa.b64url(s)}).json()["value"]
    assert says(digest, signature) is True, alg
    assert says(digest[::-1], signature) is False, alg
    assert says(digest, signature[:-1] + bytes([signature[-1] ^ 1])) is False, alg


def test_ec_signatures_both_ways(case):
    v, o = Vault(case), Openssl(case.folder)
    for alg, curve in CURVES.items():
        _, half, group = der.CURVES[curve]
        digest = hashlib.new(DIGESTS[alg[2:5]], b"a message").digest()
        public = public_file(o, v.ok("POST", "/keys/k/create", {"kty": "EC", "crv": curve}).json())
        made = crypt(v, "sign", alg, digest)
        assert len(made) == 2 * half, alg
        sig = o.path("sig", der.ec_signature(made))
        assert o.pkeyutl("-verify", public, digest, signature_options(alg), "-sigfile", sig)[0], alg
        # And a key of openssl's, imported from its numbers.
        private = o.path("ec.pem")
        o.run("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{group}", "-out", private)
        _, raw = o.run("ec", "-in", private, "-outform", "DER")
        d, point = der.members(raw)[1], der.read(der.members(raw)[3])[1][2:]  # [1] BIT STRING: unused bits, 04, x, y
        v.ok("PUT", "/keys/k", {"key": {"kty": "EC", "crv": curve, "d": rsa.b64url(d), "x": rsa.b64url(point[:half]),
                                        "y": rsa.b64url(point[half:])}})
        _, theirs = o.pkeyutl("-sign", ["-inkey", private], digest, signature_options(alg))
        check_ours(v, alg, digest, der.raw_signature(theirs, half))
