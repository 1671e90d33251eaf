"""The vaults' audit log (AuditEvent): whoever does something to a vault, and how it ended."""

import harness
from test_encryption import encrypted

POLICY = "does not have keys get permission on key vault"


def rows(s, mark, *fields):
    return [tuple(r.get(f) for f in fields) for r in s.e.events(mark, "audit")]


def plain_vault(case, **properties):
    s = case.story()
    s.make_group()
    s.make_vault(**properties)
    s.make_key("key1")
    return s


def test_refused_requests_are_logged_too(case):
    s = plain_vault(case)
    host, path = f"{s.vault}.vault.azure.net", "/keys/key1?api-version=7.4"
    mark = s.mark()
    s.e.https("GET", host, path).expect(401)
    s.e.https("GET", host, path, headers={"Authorization": "Bearer x.y.z"}).expect(401)
    s.e.https("GET", host, path, headers={"Authorization": "Bearer " + s.e.token("https://management.azure.com")}).expect(401)
    s.e.vault("GET", s.vault, "/keys/nosuchkey").expect(404)
    s.e.vault("POST", s.vault, "/keys/key1/wrapkey", {"alg": "RSA-OAEP-256", "value": "!!"}).expect(400)
    s.e.vault("PUT", s.vault, "/keys/key1", {"key": 1}).expect(400)
    s.e.vault("DELETE", s.vault, "/keys/no_such_name").expect(400)
    assert rows(s, mark, "operationName", "keyId", "httpStatusCode", "resultType") == [
        ("KeyGet", "key1", 401, "Unauthorized"), ("KeyGet", "key1", 401, "Unauthorized"),
        ("KeyGet", "key1", 401, "Unauthorized"), ("KeyGet", "nosuchkey", 404, "KeyNotFound"),
        ("KeyWrap", "key1", 400, "BadParameter"), ("KeyImport", "key1", 400, "BadParameter"),
        ("KeyDelete", None, 400, "BadParameter")]
    told = s.e.events(mark, "audit")
    assert "identity" not in told[0] and "AKV10000" in told[0]["resultDescription"], told[0]
    assert "AKV10022" in told[2]["resultDescription"], told[2]
    assert harness.CLIENT_OID in told[3]["identity"] and "nosuchkey" in told[3]["resultDescription"], told[3]
    assert len({r["correlationId"] for r in told}) == len(told)
    mark = s.mark()
    s.e.https("GET", "nosuchvault.vault.azure.net", path).expect(401)
    s.e.https("GET", host, "/nosuchpath?api-version=7.4").expect(404)
    assert rows(s, mark, "operationName") == []  # no vault, and no operation


def test_what_is_purged_is_logged_with_its_own_status(case):
    s = plain_vault(case, enablePurgeProtection=None)
    s.e.vault("DELETE", s.vault, "/keys/key1").expect(200)
    mark = s.mark()
    s.e.vault("DELETE", s.vault, "/deletedkeys/key1").expect(204)
    assert rows(s, mark, "operationName", "httpStatusCode", "resultType") == [("KeyPurge", 204, "Success")]


def test_a_correlation_id_finds_the_event_of_an_answer(case):
    s = plain_vault(case)
    mark = s.mark()
    reply = s.e.vault("GET", s.vault, "/keys/nosuchkey").expect(404)
    (event,) = s.e.events(mark, "audit")
    assert event["correlationId"] == reply.headers["x-ms-request-id"], (event, reply.headers)


def test_operations_on_the_vault_itself(case):
    s = plain_vault(case)
    api = "2023-07-01"
    mark = s.mark()
    s.e.arm("GET", s.vault_path, api=api).expect(200)
    s.patch_vault(enabledForDeployment=True)
    s.allow("44444444-4444-4444-4444-444444444444")
    s.e.arm("PATCH", s.vault_path, {"properties": {"enablePurgeProtection": False}}, api=api).expect(400)
    s.e.arm("GET", s.vault_path[:-1] + "x", api=api).expect(404)
    s.e.arm("DELETE", s.vault_path, api=api).expect(200)
    assert rows(s, mark, "operationName", "httpStatusCode", "resultType") == [
        ("VaultGet", 200, "Success"), ("VaultPatch", 200, "Success"), ("VaultPatch", 200, "Success"),
        ("VaultPatch", 400, "BadRequest"), ("VaultDelete", 200, "Success")]
    assert {r["resourceId"] for r in s.e.events(mark, "audit")} == {s.vault_path}


def test_every_poll_and_why_it_failed(case):
    s = encrypted(case, 1)
    s.deny()
    mark = s.mark()
    s.e.advance("PT10M")
    mine = [r for r in s.e.events(mark, "audit") if s.principal in r.get("identity", "")]
    assert [(r["operationName"], r["resultType"], r["httpStatusCode"]) for r in mine] == [("KeyGet", "ForbiddenByPolicy", 403)] * 2
    assert all(POLICY in r["resultDescription"] and s.principal in r["resultDescription"] for r in mine), mine
    assert [r["time"][11:16] for r in mine] == ["00:05", "00:10"], mine
    s.allow(s.principal)
    s.set_key("key1", enabled=False)
    mark = s.mark()
    s.e.advance("PT5M")
    mine = [r for r in s.e.events(mark, "audit") if s.principal in r.get("identity", "")]
    assert ("KeyUnwrap", "KeyDisabled", "Operation unwrapKey is not allowed on a disabled key.") in \
        [(r["operationName"], r["resultType"], r.get("resultDescription")) for r in mine], mine


def test_secret_permissions_are_checked_as_names(case):
    s = plain_vault(case)
    for family, name in (("secrets", "wrapKey"), ("certificates", "sign"), ("storage", "import"), ("queues", "get")):
        body = {"properties": {"accessPolicies": [{"tenantId": harness.TENANT, "objectId": harness.CLIENT_OID, "permissions": {family: [name]}}]}}
        error = s.e.arm("PUT", s.vault_path + "/accessPolicies/add", body, api="2023-07-01").expect(400).json()["error"]
        assert (error["code"], error["message"]) == ("BadRequest", "An invalid value was provided for 'accessPolicies'."), error


def test_what_never_came_to_the_vault_is_not_logged(case):
    s = plain_vault(case)
    s.e.fault(s.vault, "unreachable", scope="all")
    mark = s.mark()
    s.e.vault("GET", s.vault, "/keys/key1").expect(503)
    assert rows(s, mark, "operationName") == []
