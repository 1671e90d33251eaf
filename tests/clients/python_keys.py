"""azure-identity and azure-keyvault-keys, as an application uses them: the challenge of the vault is verified, the
long-running operations are waited for by the SDK's own pollers."""

import datetime
import hashlib
import logging
import os

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.keys import (JsonWebKey, KeyClient, KeyCurveName, KeyOperation, KeyRotationLifetimeAction, KeyRotationPolicy,
                                 KeyRotationPolicyAction, KeyType)
from azure.keyvault.keys.crypto import EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from checks import Suite, raises
from harness import CLIENT, SECRET, TENANT

PORT = os.environ["CLIENTS_PORT"]
VAULT = f"https://clientsvault.vault.localhost:{PORT}"


def sign_in(secret=SECRET):
    return ClientSecretCredential(TENANT, CLIENT, secret, authority=f"https://login.localhost:{PORT}",
                                  disable_instance_discovery=True)


logging.disable()  # of the refusals that are asked for
suite = Suite("python keys")
client = KeyClient(VAULT, sign_in())
KEY_TEXT = bytes(range(32))
DIGEST = hashlib.sha256(b"one hundred secret teapots").digest()

with suite.check("a wrong secret is refused by the sign-in, in its words"):
    with raises(ClientAuthenticationError):
        KeyClient(VAULT, sign_in("wrong")).get_key("any")
    try:
        sign_in("wrong").get_token("https://vault.azure.net/.default")
    except ClientAuthenticationError as e:
        assert "AADSTS7000215" in str(e), e

with suite.check("create an RSA key"):
    key = client.create_rsa_key("rsa", size=2048, tags={"purpose": "clients"})
    assert key.key_type == KeyType.rsa and key.name == "rsa" and key.id.startswith(f"{VAULT}/keys/rsa/"), key.id
    assert key.properties.enabled and key.properties.tags == {"purpose": "clients"}
    assert key.properties.recovery_level == "Recoverable+Purgeable", key.properties.recovery_level
    assert key.key.n and len(key.key.n) == 256 and key.key.e == b"\x01\x00\x01" and key.key.d is None

with suite.check("get it, newest and by version"):
    assert client.get_key("rsa").id == key.id
    assert client.get_key("rsa", key.properties.version).id == key.id
    with raises(ResourceNotFoundError, status_code=404):
        client.get_key("nothere")

with suite.check("create with operations and dates, which come back"):
    start = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)
    end = datetime.datetime(2031, 1, 1, tzinfo=datetime.timezone.utc)
    dated = client.create_rsa_key("dated", size=3072, key_operations=[KeyOperation.wrap_key, KeyOperation.unwrap_key],
                                  not_before=start, expires_on=end)
    assert (dated.properties.not_before, dated.properties.expires_on) == (start, end)
    assert [str(o) for o in dated.key_operations] == ["wrapKey", "unwrapKey"], dated.key_operations

with suite.check("list keys over several pages"):
    for i in range(4):
        client.create_ec_key(f"page{i}", curve=KeyCurveName.p_256)
    pages = [[k.name for k in page] for page in client.list_properties_of_keys(max_page_size=2).by_page()]
    assert len(pages) == 3 and all(len(p) <= 2 for p in pages), pages
    assert sorted(sum(pages, [])) == ["dated", "page0", "page1", "page2", "page3", "rsa"], pages

with suite.check("rotate makes a new version, which is the newest; both are listed"):
    rotated = client.rotate_key("rsa")
    assert rotated.properties.version != key.properties.version
    assert client.get_key("rsa").id == rotated.id
    versions = {v.version for page in client.list_properties_of_key_versions("rsa", max_page_size=1).by_page() for v in page}
    assert versions == {key.properties.version, rotated.properties.version}

with suite.check("update: disable, enable, tags, operations"):
    off = client.update_key_properties("rsa", rotated.properties.version, enabled=False)
    assert off.properties.enabled is False and client.get_key("rsa").properties.enabled is False
    with raises(HttpResponseError, status_code=403):
        client.get_cryptography_client("rsa").decrypt(EncryptionAlgorithm.rsa_oaep_256, b"\0" * 256)
    on = client.update_key_properties("rsa", rotated.properties.version, enabled=True, tags={"a": "b"},
                                      key_operations=["wrapKey", "unwrapKey", "encrypt", "decrypt", "sign", "verify"])
    assert on.properties.enabled and on.properties.tags == {"a": "b"}

with suite.check("wrap with one version, unwrap through the cryptography client of that version"):
    old = client.get_cryptography_client("rsa", key_version=key.properties.version)
    for alg in (KeyWrapAlgorithm.rsa_oaep, KeyWrapAlgorithm.rsa_oaep_256, KeyWrapAlgorithm.rsa1_5):
        wrapped = old.wrap_key(alg, KEY_TEXT)
        assert wrapped.key_id == key.id and old.unwrap_key(alg, wrapped.encrypted_key).key == KEY_TEXT
    with raises(HttpResponseError, status_code=400):
        client.get_cryptography_client("rsa").unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, wrapped.encrypted_key)

with suite.check("encrypt and decrypt"):
    crypto = client.get_cryptography_client("rsa")
    for alg in (EncryptionAlgorithm.rsa_oaep, EncryptionAlgorithm.rsa_oaep_256):
        sealed = crypto.encrypt(alg, b"teapots")
        assert crypto.decrypt(alg, sealed.ciphertext).plaintext == b"teapots"

with suite.check("sign in the vault, verify in the client, RSA and EC"):
    for alg in (SignatureAlgorithm.rs256, SignatureAlgorithm.ps256):
        signature = crypto.sign(alg, DIGEST).signature
        assert crypto.verify(alg, DIGEST, signature).is_valid
        assert not crypto.verify(alg, hashlib.sha256(b"other").digest(), signature).is_valid
    curves = ((KeyCurveName.p_256, SignatureAlgorithm.es256, "sha256"), (KeyCurveName.p_384, SignatureAlgorithm.es384, "sha384"),
              (KeyCurveName.p_521, SignatureAlgorithm.es512, "sha512"),
              (KeyCurveName.p_256_k, SignatureAlgorithm.es256_k, "sha256"))
    for curve, alg, name in curves:
        ec = client.get_cryptography_client(client.create_ec_key(f"ec-{curve.lower()}", curve=curve).name)
        digest = hashlib.new(name, b"teapots").digest()
        assert ec.verify(alg, digest, ec.sign(alg, digest).signature).is_valid, curve

with suite.check("import a key that another program made; the vault's private part is that key's"):
    own = rsa.generate_private_key(65537, 2048)
    numbers, public = own.private_numbers(), own.public_key().public_numbers()
    as_bytes = lambda v: v.to_bytes((v.bit_length() + 7) // 8, "big")  # noqa: E731
    jwk = JsonWebKey(kty="RSA", key_ops=["encrypt", "decrypt"], n=as_bytes(public.n), e=as_bytes(public.e),
                     d=as_bytes(numbers.d), p=as_bytes(numbers.p), q=as_bytes(numbers.q), dp=as_bytes(numbers.dmp1),
                     dq=as_bytes(numbers.dmq1), qi=as_bytes(numbers.iqmp))
    imported = client.import_key("imported", jwk)
    assert imported.key.n == as_bytes(public.n) and imported.key.d is None
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    sealed = own.public_key().encrypt(b"from outside", oaep)
    opened = client.get_cryptography_client("imported").decrypt(EncryptionAlgorithm.rsa_oaep_256, sealed)
    assert opened.plaintext == b"from outside"

with suite.check("soft delete: the poller waits, the key is among the deleted, its name is taken"):
    deleted = client.begin_delete_key("rsa")
    deleted.wait()
    bundle = deleted.result()
    assert bundle.name == "rsa" and bundle.recovery_id == f"{VAULT}/deletedkeys/rsa", bundle.recovery_id
    assert (bundle.scheduled_purge_date - bundle.deleted_date).days == 90
    assert client.get_deleted_key("rsa").name == "rsa"
    assert [d.name for d in client.list_deleted_keys()] == ["rsa"]
    with raises(ResourceNotFoundError, status_code=404):
        client.get_key("rsa")
    with raises(HttpResponseError, status_code=409):
        client.create_rsa_key("rsa")

with suite.check("recover: the poller waits, every version is back"):
    back = client.begin_recover_deleted_key("rsa")
    back.wait()
    assert back.result().id == rotated.id
    assert {v.version for v in client.list_properties_of_key_versions("rsa")} == versions
    assert client.get_cryptography_client("rsa", key_version=key.properties.version).unwrap_key(
        KeyWrapAlgorithm.rsa1_5, wrapped.encrypted_key).key == KEY_TEXT

with suite.check("purge: gone for good, the name is free"):
    client.begin_delete_key("page0").wait()
    client.purge_deleted_key("page0")
    with raises(ResourceNotFoundError, status_code=404):
        client.get_deleted_key("page0")
    assert client.create_ec_key("page0").key_type == KeyType.ec

with suite.check("more keys than a page of the service holds: 25 and the rest, each once"):
    for i in range(26):
        client.create_ec_key(f"many-{i:02}", curve=KeyCurveName.p_256)
    pages = [[k.name for k in page] for page in client.list_properties_of_keys().by_page()]
    names = sum(pages, [])
    assert [len(p) for p in pages] == [25, len(names) - 25] and len(names) == len(set(names)), pages
    assert {f"many-{i:02}" for i in range(26)} < set(names), names

with suite.check("backup; restore after a purge brings back every version under its id"):
    blob = client.backup_key("rsa")
    with raises(ResourceExistsError, status_code=409):
        client.restore_key_backup(blob)
    client.begin_delete_key("rsa").wait()
    client.purge_deleted_key("rsa")
    assert client.restore_key_backup(blob).id == rotated.id
    assert {v.version for v in client.list_properties_of_key_versions("rsa")} == versions
    assert client.get_cryptography_client("rsa", key_version=key.properties.version).unwrap_key(
        KeyWrapAlgorithm.rsa1_5, wrapped.encrypted_key).key == KEY_TEXT
    with raises(HttpResponseError, status_code=400):
        client.restore_key_backup(b"no backup of anything")

with suite.check("rotation policy: the default, one of one's own, which stamps the next version"):
    assert client.get_key_rotation_policy("rsa").expires_in is None
    actions = [KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_after_create="P30D"),
               KeyRotationLifetimeAction(KeyRotationPolicyAction.notify, time_before_expiry="P7D")]
    put = client.update_key_rotation_policy("rsa", KeyRotationPolicy(), expires_in="P90D", lifetime_actions=actions)
    got = client.get_key_rotation_policy("rsa")
    assert put.id == got.id == f"{VAULT}/keys/rsa/rotationpolicy" and got.expires_in == "P90D", got.id
    shown = {str(a.action).lower().rsplit(".", 1)[-1]: (a.time_after_create, a.time_before_expiry) for a in got.lifetime_actions}
    assert shown == {"rotate": ("P30D", None), "notify": (None, "P7D")}, shown
    stamped = client.rotate_key("rsa").properties
    assert (stamped.expires_on - stamped.created_on).days == 90, (stamped.created_on, stamped.expires_on)

suite.close()
