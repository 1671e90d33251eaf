"""Every resource type of Microsoft.ServiceBus in every api-version: made, read, listed, deleted, with the members of that version."""

VERSIONS = ["2017-04-01", "2018-01-01-preview", "2021-01-01-preview", "2021-06-01-preview", "2021-11-01", "2022-01-01-preview",
            "2022-10-01-preview", "2023-01-01-preview", "2024-01-01", "2025-05-01-preview", "2026-01-01"]

COUNTS = ["accessedAt", "countDetails", "createdAt", "sizeInBytes", "updatedAt"]
SHARED = ["autoDeleteOnIdle", "defaultMessageTimeToLive", "enableBatchedOperations", "status"]
RIGHTS = {"properties": {"rights": ["Send"]}}

# path -> (body, members of "properties" from the first version on)
CHILDREN = {
    "queues/q": ({"properties": {}}, COUNTS + SHARED + [
        "deadLetteringOnMessageExpiration", "duplicateDetectionHistoryTimeWindow", "enableExpress", "enablePartitioning", "lockDuration",
        "maxDeliveryCount", "maxSizeInMegabytes", "messageCount", "requiresDuplicateDetection", "requiresSession"]),
    "topics/t": ({"properties": {}}, COUNTS + SHARED + [
        "duplicateDetectionHistoryTimeWindow", "enableExpress", "enablePartitioning", "maxSizeInMegabytes", "requiresDuplicateDetection",
        "subscriptionCount", "supportOrdering"]),
    "topics/t/subscriptions/s": ({"properties": {}}, [c for c in COUNTS if c != "sizeInBytes"] + SHARED + [
        "deadLetteringOnFilterEvaluationExceptions", "deadLetteringOnMessageExpiration", "lockDuration", "maxDeliveryCount", "messageCount",
        "requiresSession"]),
    "topics/t/subscriptions/s/rules/r": ({"properties": {"filterType": "SqlFilter", "sqlFilter": {"sqlExpression": "a=1"}}},
                                         ["action", "filterType", "sqlFilter"]),
    "AuthorizationRules/a": (RIGHTS, ["rights"]),
    "queues/q/authorizationRules/a": (RIGHTS, ["rights"]),
    "topics/t/authorizationRules/a": (RIGHTS, ["rights"]),
    "networkRuleSets/default": ({"properties": {"defaultAction": "Allow"}}, ["defaultAction", "ipRules", "virtualNetworkRules"]),
}
NAMESPACE = ["createdAt", "metricId", "provisioningState", "serviceBusEndpoint", "status", "updatedAt"]

# What later versions add: (path, since, until, member). "": the namespace itself.
ADDED = [
    ("", "2018", None, "zoneRedundant"), ("", "2021-06", None, "disableLocalAuth"), ("", "2022", None, "minimumTlsVersion"),
    ("", "2022", None, "publicNetworkAccess"), ("", "2022-10", None, "premiumMessagingPartitions"), ("", "2023", "2024", "geoDataReplication"),
    ("", "2025", None, "geoDataReplication"), ("queues/q", "2021", None, "maxMessageSizeInKilobytes"),
    ("topics/t", "2021", None, "maxMessageSizeInKilobytes"), ("topics/t/subscriptions/s", "2021-06", None, "isClientAffine"),
    ("networkRuleSets/default", "2021", None, "publicNetworkAccess"), ("networkRuleSets/default", "2021", None, "trustedServiceAccessEnabled"),
]


def members(path, first, version):
    return sorted(first + [m for p, since, until, m in ADDED if p == path and since <= version and (until is None or version < until)])


def sweep(s, version):
    s.namespace = "sweep-" + version.replace("-preview", "p")
    made = s.put({"location": "northeurope", "sku": {"name": "Premium"}}, api=version).expect(201 if version >= "2023" else 200).json()
    assert sorted(made["properties"]) == members("", NAMESPACE, version), (version, made)
    for path, (body, first) in CHILDREN.items():
        url = f"{s.namespace_path}/{path}"
        made = s.e.arm("PUT", url, body, api=version).expect(200).json()
        assert sorted(made["properties"]) == members(path, first, version), (version, path, made)
        shown = s.e.arm("GET", url, api=version).expect(200).json()
        assert set(shown) == set(made) and set(shown["properties"]) == set(made["properties"]), (version, path, shown, made)
        above, name = url.rsplit("/", 1)
        assert name in [x["name"] for x in s.e.arm("GET", above, api=version).expect(200).json()["value"]], (version, path)
    for path in reversed([p for p in CHILDREN if p != "networkRuleSets/default"]):
        url = f"{s.namespace_path}/{path}"
        s.e.arm("DELETE", url, api=version).expect(200)
        s.e.arm("GET", url, api=version).expect(404)
    s.e.arm("DELETE", s.namespace_path, api=version).expect(202)
    s.e.arm("GET", s.namespace_path, api=version).expect(404)


def test_every_type_in_every_version(case):
    s = case.story()
    s.make_group()
    for version in VERSIONS:
        sweep(s, version)
