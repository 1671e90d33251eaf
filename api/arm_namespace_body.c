/*
 * arm_namespace_body.c: the body of Microsoft.ServiceBus/namespaces, in and out, by api-version.
 *
 * Two generations of the resource provider were recorded: the older one (api-versions up to
 * 2022-10-01-preview here) answered a new namespace with 200 and wrote times in milliseconds; the newer one
 * (from 2023-01-01-preview) answers 201 and writes seven digits. The recordings of 2023-01-01-preview itself
 * differ (200 in 2023, 201 in 2024): the newer one counts (choice). Locations are written as both take them,
 * in lower case (the older one wrote "North Europe"; choice).
 */
#include "api/arm_namespace.h"
#include <string.h>
#include "server/base/text.h"
#include "server/base/timefmt.h"

#define KEYS_READ_MAX 32 /* more are refused here; 4 to 32 by the engine, in the service's words */
#define UAIS_READ_MAX 64
#define TEXT_MAX      512

/* ---- what an api-version shows (recorded and specified) ---- */

#define SHOW_INFRA      0x01u  /* encryption.requireInfrastructureEncryption */
#define SHOW_LOCAL_AUTH 0x02u  /* disableLocalAuth, privateEndpointConnections */
#define SHOW_TLS        0x04u  /* minimumTlsVersion, publicNetworkAccess */
#define SHOW_PARTITIONS 0x08u  /* premiumMessagingPartitions */
#define SHOW_GEO        0x10u  /* geoDataReplication */
#define NEW_PROVIDER    0x20u  /* 201 and seven digits */
#define SHOW_PREMIUM    0x40u  /* zoneRedundant, encryption, identity */
#define SHOW_PLATFORM   0x80u  /* platformCapabilities */
#define SHOW_ADDRESS    0x100u /* ipAddressType */
#define SINCE_2018      SHOW_PREMIUM
#define SINCE_2021      (SINCE_2018 | SHOW_INFRA)
#define SINCE_2021_06   (SINCE_2021 | SHOW_LOCAL_AUTH)
#define SINCE_2022      (SINCE_2021_06 | SHOW_TLS)
#define SINCE_2022_10   (SINCE_2022 | SHOW_PARTITIONS)
#define SINCE_2024      (SINCE_2022_10 | NEW_PROVIDER)
#define SINCE_2025      (SINCE_2024 | SHOW_GEO | SHOW_PLATFORM)

static const struct {
    const char *since; /* the date of the api-version */
    unsigned shows;
} shapes[] = {
    {"2026-01-01", SINCE_2025 | SHOW_ADDRESS},
    {"2025-05-01", SINCE_2025},
    {"2024-01-01", SINCE_2024},
    {"2023-01-01", SINCE_2024 | SHOW_GEO},
    {"2022-10-01", SINCE_2022_10},
    {"2022-01-01", SINCE_2022},
    {"2021-06-01", SINCE_2021_06},
    {"2021-01-01", SINCE_2021},
    {"2018-01-01", SINCE_2018},
    {"", 0},
};

static unsigned shows(const struct request *r)
{
    size_t i = 0;
    const char *v = r->api_version ? r->api_version : "";
    while (strncmp(v, shapes[i].since, strlen(shapes[i].since)) < 0)
        i++;
    return shapes[i].shows;
}

int arm_ns_created_status(const struct request *r)
{
    return (shows(r) & NEW_PROVIDER) != 0 ? 201 : 200;
}

/* ---- identity ---- */

static const struct {
    const char *text;
    enum identity_type type;
} identities[] = {
    {"None", IDENTITY_NONE},
    {"SystemAssigned", IDENTITY_SYSTEM},
    {"UserAssigned", IDENTITY_USER},
    {"SystemAssigned, UserAssigned", IDENTITY_BOTH},
    {"SystemAssigned,UserAssigned", IDENTITY_BOTH},
    {"UserAssigned, SystemAssigned", IDENTITY_BOTH},
};

static enum sb_err read_uais(struct request *r, const struct json *list, struct ns_spec *s,
                             struct sb_error *err)
{
    if (json_size(list) > UAIS_READ_MAX)
        return sb_fail(err, SB_EBADREQUEST, "Too many user-assigned identities were given.");
    const char **ids = ARENA_ARRAY(r->arena, const char *, json_size(list) + 1);
    if (!ids)
        return sb_fail(err, SB_ENOMEM, "no memory for the identities");
    JSON_FOREACH (j, list) {
        if (json_is_null(j)) /* in a PATCH: this one goes */
            continue;
        if (strlen(json_key(j)) > TEXT_MAX)
            return sb_fail(err, SB_EBADREQUEST, "The id of a user-assigned identity is too long.");
        ids[s->uais_n++] = json_key(j);
    }
    s->uais = ids;
    return SB_OK;
}

static enum sb_err read_identity(struct request *r, const struct json *body, struct ns_spec *s,
                                 struct sb_error *err)
{
    enum sb_err rc;
    const struct json *identity = NULL, *list = NULL;
    const char *type = NULL;
    SB_TRY(json_opt_obj(body, "", "identity", &identity, err));
    if (!identity)
        return SB_OK;
    SB_TRY(json_opt_str(identity, "identity", "type", &type, err));
    if (!type) /* recorded */
        return sb_fail(err, SB_EBADJSON,
                       "The request content was invalid and could not be deserialized: 'Required property "
                       "'type' not found in JSON. Path "
                       "'identity'.'.");
    size_t i = 0;
    while (i < SB_ARRAY_LEN(identities) && !text_ieq(identities[i].text, type))
        i++;
    if (i == SB_ARRAY_LEN(identities))
        return sb_fail(err, SB_EBADREQUEST, "The identity type '%.64s' is not valid.", type);
    s->has_identity = true;
    s->identity = identities[i].type;
    SB_TRY(json_opt_obj(identity, "identity", "userAssignedIdentities", &list, err));
    SB_TRY(read_uais(r, list, s, err));
out:
    return rc;
}

static void write_identity(struct jw *w, const struct ns_view *v)
{
    if (v->identity == IDENTITY_NONE) /* recorded: the member goes */
        return;
    jw_obj(w, "identity");
    if ((v->identity & IDENTITY_SYSTEM) != 0) {
        jw_str(w, "principalId", v->principal_id);
        jw_str(w, "tenantId", ENGINE_TENANT);
    }
    for (size_t i = 0; i < SB_ARRAY_LEN(identities); i++) {
        if (identities[i].type == v->identity) {
            jw_str(w, "type", identities[i].text);
            break;
        }
    }
    if ((v->identity & IDENTITY_USER) != 0) {
        jw_obj(w, "userAssignedIdentities");
        for (size_t i = 0; i < v->uais_n; i++) {
            jw_obj(w, v->uais[i].id); /* as sent */
            jw_str(w, "clientId", v->uais[i].client_id);
            jw_str(w, "principalId", v->uais[i].principal_id);
            jw_end_obj(w);
        }
        jw_end_obj(w);
    }
    jw_end_obj(w);
}

/* ---- encryption ---- */

static enum sb_err read_key(const struct json *j, struct nskey *ret, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *identity = NULL;
    struct nskey k = {0};
    static const char where[] = "properties.encryption.keyVaultProperties";
    if (!json_is_object(j))
        return sb_fail(err, SB_EBADJSON, "Each of '%s' must be an object.", where);
    SB_TRY(json_opt_str(j, where, "keyName", &k.key_name, err));
    SB_TRY(json_opt_str(j, where, "keyVaultUri", &k.vault_uri, err));
    SB_TRY(json_opt_str(j, where, "keyVersion", &k.version, err));
    SB_TRY(json_opt_obj(j, where, "identity", &identity, err));
    SB_TRY(json_opt_str(identity, where, "userAssignedIdentity", &k.identity, err));
    const char *const texts[] = {k.key_name, k.vault_uri, k.version, k.identity};
    for (size_t i = 0; i < SB_ARRAY_LEN(texts); i++)
        if (texts[i] && strlen(texts[i]) > TEXT_MAX)
            return sb_fail(err, SB_EBADREQUEST, "A value of '%s' is too long.", where);
    *ret = k;
out:
    return rc;
}

/* 5: an array, or (clients of 2018-01-01-preview) one object. */
static enum sb_err read_keys(struct request *r, const struct json *encryption, struct ns_spec *s,
                             struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    const struct json *list = json_get(encryption, "keyVaultProperties");
    if (!list || json_is_null(list))
        return SB_OK;
    if (!json_is_array(list) && !json_is_object(list))
        return sb_fail(err, SB_EBADJSON, "'properties.encryption.keyVaultProperties' must be an array.");
    bool single = json_is_object(list);
    size_t n = single ? 1 : json_size(list);
    if (n > KEYS_READ_MAX)
        return sb_fail(err, SB_EBADREQUEST,
                       "A namespace can be encrypted with at most %d keys: %zu were given.", NS_KEYS_MAX, n);
    struct nskey *keys = ARENA_ARRAY(r->arena, struct nskey, n + 1);
    if (!keys)
        return sb_fail(err, SB_ENOMEM, "no memory for the keys");
    for (const struct json *j = single ? list : json_first(list); s->keys_n < n; j = json_next(j))
        SB_TRY(read_key(j, &keys[s->keys_n++], err));
    s->keys = keys;
    s->has_keys = true;
out:
    return rc;
}

static enum sb_err read_encryption(struct request *r, const struct json *properties, struct ns_spec *s,
                                   struct sb_error *err)
{
    enum sb_err rc;
    const struct json *encryption = NULL;
    SB_TRY(json_opt_obj(properties, "properties", "encryption", &encryption, err));
    if (!encryption)
        return SB_OK;
    s->has_encryption = true;
    SB_TRY(json_opt_str(encryption, "properties.encryption", "keySource", &s->key_source, err));
    SB_TRY(json_opt_bool(encryption, "properties.encryption", "requireInfrastructureEncryption", &s->infra,
                         err));
    SB_TRY(read_keys(r, encryption, s, err));
out:
    return rc;
}

static void write_encryption(struct jw *w, const struct ns_view *v, unsigned show)
{
    if (!v->encrypted)
        return;
    jw_obj(w, "encryption");
    jw_str(w, "keySource", "Microsoft.KeyVault");
    jw_arr(w, "keyVaultProperties");
    for (size_t i = 0; i < v->keys_n; i++) {
        const struct nskey *k = &v->keys[i];
        if (k->state == NSKEY_REVOKED) /* 9: out of the record */
            continue;
        jw_obj(w, NULL);
        jw_str(w, "keyName", k->key_name);
        jw_str(w, "keyVaultUri", k->vault_uri);
        jw_str(w, "keyVersion", k->version); /* 5: only if it was sent */
        if (k->identity) {
            jw_obj(w, "identity");
            jw_str(w, "userAssignedIdentity", k->identity);
            jw_end_obj(w);
        }
        jw_end_obj(w);
    }
    jw_end_arr(w);
    if ((show & SHOW_INFRA) != 0)
        jw_bool(w, "requireInfrastructureEncryption", v->infra);
    /* 17: where the service shows it is not public (choice). ARM shows the stored status. */
    jw_str(w, "status", v->stored_status == NS_REVOKED ? "Revoked" : "Active");
    jw_end_obj(w);
}

/* ---- reading the rest ---- */

static enum sb_err read_sku(const struct json *body, struct ns_spec *s, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *sku = NULL;
    const char *tier = NULL;
    int64_t capacity = -1;
    SB_TRY(json_opt_obj(body, "", "sku", &sku, err));
    SB_TRY(json_opt_str(sku, "sku", "name", &s->sku, err));
    SB_TRY(json_opt_str(sku, "sku", "tier", &tier, err));
    SB_TRY(json_opt_i64(sku, "sku", "capacity", INT32_MIN, INT32_MAX, &capacity, err));
    if (!s->sku)
        s->sku = tier;
    if (s->sku && strlen(s->sku) > 32)
        return sb_fail(err, SB_EBADREQUEST, "The SKU is not valid.");
    /* Standard and Basic have none; the service ignores 0 there (az sends it). */
    s->capacity = capacity < 0 && capacity != -1 ? 0 : (int)capacity;
out:
    return rc;
}

/* Kept as sent, for api-versions that show it. */
static enum sb_err read_extra(struct request *r, const struct json *properties, struct ns_spec *s,
                              struct sb_error *err)
{
    enum sb_err rc;
    const struct json *geo = NULL, *platform = NULL;
    const char *alternate = NULL, *address = NULL;
    struct sb_buf b;
    struct jw w;
    buf_init(&b, 64u << 10);
    SB_TRY(json_opt_str(properties, "properties", "alternateName", &alternate, err));
    SB_TRY(json_opt_obj(properties, "properties", "geoDataReplication", &geo, err));
    SB_TRY(json_opt_obj(properties, "properties", "platformCapabilities", &platform, err));
    SB_TRY(json_opt_str(properties, "properties", "ipAddressType", &address, err));
    if (address && !text_ieq(address, "IPv4") && !text_ieq(address, "DualStack")) {
        rc = sb_fail(err, SB_EBADREQUEST, "The ipAddressType '%.32s' is not valid.", address);
        goto out;
    }
    if (!alternate && !geo && !platform && !address)
        goto out;
    jw_init(&w, &b);
    jw_obj(&w, NULL);
    jw_str(&w, "alternateName", alternate);
    if (geo)
        jw_raw(&w, "geoDataReplication", json_print(geo, r->arena));
    if (platform)
        jw_raw(&w, "platformCapabilities", json_print(platform, r->arena));
    jw_str(&w, "ipAddressType", address);
    jw_end_obj(&w);
    s->extra = arena_strdup(r->arena, buf_str(&b));
    if (buf_failed(&b) || !s->extra)
        rc = sb_fail(err, SB_EBADREQUEST, "The properties of the namespace are too long.");
out:
    buf_done(&b);
    return rc;
}

static enum sb_err read_properties(struct request *r, const struct json *body, struct ns_spec *s,
                                   struct sb_error *err)
{
    static const char *const tls[] = {"1.0", "1.1", "1.2", "1.3"};
    enum sb_err rc;
    const struct json *p = NULL;
    const char *access = NULL;
    int64_t partitions = -1;
    bool known = false;
    SB_TRY(json_opt_obj(body, "", "properties", &p, err));
    SB_TRY(json_opt_bool(p, "properties", "disableLocalAuth", &s->disable_local_auth, err));
    SB_TRY(json_opt_bool(p, "properties", "zoneRedundant", &s->zone_redundant, err));
    SB_TRY(json_opt_i64(p, "properties", "premiumMessagingPartitions", 0, 64, &partitions, err));
    SB_TRY(json_opt_str(p, "properties", "minimumTlsVersion", &s->tls, err));
    SB_TRY(json_opt_str(p, "properties", "publicNetworkAccess", &access, err));
    for (size_t i = 0; s->tls && i < SB_ARRAY_LEN(tls); i++)
        known = known || strcmp(tls[i], s->tls) == 0;
    if (s->tls && !known)
        return sb_fail(err, SB_EBADREQUEST, "The minimumTlsVersion '%.32s' is not valid.", s->tls);
    if (access && !text_ieq(access, "Enabled") && !text_ieq(access, "Disabled") &&
        !text_ieq(access, "SecuredByPerimeter"))
        return sb_fail(err, SB_EBADREQUEST, "The publicNetworkAccess '%.32s' is not valid.", access);
    s->partitions = (int)partitions;
    s->public_access = access ? !text_ieq(access, "Disabled") : -1;
    SB_TRY(read_encryption(r, p, s, err));
    SB_TRY(read_extra(r, p, s, err));
out:
    return rc;
}

enum sb_err arm_ns_read(struct request *r, const struct json *body, struct ns_spec *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_spec s = ns_spec(request_param(r, "sub"), request_param(r, "group"), request_param(r, "ns"));
    SB_TRY(arm_tags(r, body, &s.tags, err));
    SB_TRY(arm_location(r, body, false, &s.location, err));
    SB_TRY(read_sku(body, &s, err));
    SB_TRY(read_identity(r, body, &s, err));
    SB_TRY(read_properties(r, body, &s, err));
    *ret = s;
out:
    return rc;
}

/* ---- writing the rest ---- */

static bool creating(const struct ns_view *v)
{
    return v->move == MOVE_CREATE || v->move == MOVE_CREATE_IDENTITY || v->move == MOVE_CREATE_ENCRYPTED;
}

/* One region, as recorded for a namespace that is not replicated; what was sent, completed, for one that is
 * to be. */
static void write_geo(struct request *r, struct jw *w, const struct ns_view *v, const struct json *extra)
{
    const struct json *geo = json_get(extra, "geoDataReplication"),
                      *lag = json_get(geo, "maxReplicationLagDurationInSeconds");
    const struct json *list = json_get(geo, "locations");
    int64_t seconds = 0;
    if (lag && !json_i64(lag, &seconds))
        seconds = 0;
    jw_obj(w, "geoDataReplication");
    jw_i64(w, "maxReplicationLagDurationInSeconds", seconds);
    jw_arr(w, "locations");
    JSON_FOREACH (j, json_is_array(list) ? list : NULL) {
        const char *name = json_text(json_get(j, "locationName"));
        char *lower = arena_strdup(r->arena, name ? name : "");
        jw_obj(w, NULL);
        jw_str(w, "locationName", lower ? text_tolower(lower) : "");
        jw_str(w, "roleType", json_text(json_get(j, "roleType")));
        jw_str(w, "clusterArmId", json_text(json_get(j, "clusterArmId")));
        jw_str(w, "replicaState", creating(v) ? "InBuild" : "Ready");
        jw_end_obj(w);
    }
    if (!json_is_array(list)) {
        jw_obj(w, NULL);
        jw_str(w, "locationName", v->location);
        jw_str(w, "roleType", "Primary");
        jw_str(w, "replicaState", creating(v) ? "InBuild" : "Ready");
        jw_end_obj(w);
    }
    jw_end_arr(w);
    jw_end_obj(w);
}

/* provisioningState and status while something is being done, of the older provider (in the first and in the
 * second half of the time) and of the newer (recorded; for its deletions and for encrypted creation, what is
 * recorded of lists and of other creations). */
static const char *const *state_of(const struct ns_view *v, unsigned show)
{
    static const char *const states[][3][2] = {
        [MOVE_NONE] = {{"Succeeded", "Active"}, {"Succeeded", "Active"}, {"Succeeded", "Active"}},
        [MOVE_CREATE] = {{"Created", "Activating"}, {"Created", "Activating"}, {"Creating", "Creating"}},
        [MOVE_CREATE_IDENTITY] = {{"ActivatingIdentity", "Activating"},
                                  {"ActivatingIdentity", "Active"},
                                  {"Creating", "Creating"}},
        [MOVE_CREATE_ENCRYPTED] = {{"EnablingEncryption", "Activating"},
                                   {"ActivatingIdentity", "Active"},
                                   {"Creating", "Creating"}},
        [MOVE_UPDATE] = {{"Updating", "Activating"}, {"Updating", "Activating"}, {"Updating", "Updating"}},
        [MOVE_IDENTITY] = {{"ActivatingIdentity", "Activating"},
                           {"ActivatingIdentity", "Activating"},
                           {"ActivatingIdentity", "ActivatingIdentity"}},
        [MOVE_DELETE] = {{"Succeeded", "Removing"}, {"Succeeded", "Removing"}, {"Deleting", "Deleting"}},
    };
    return states[v->move][(show & NEW_PROVIDER) != 0 ? 2 : v->move_late];
}

/* What is shown as it was sent, by the api-versions that have it. */
static const struct {
    const char *name;
    unsigned show;
} kept[] = {{"platformCapabilities", SHOW_PLATFORM}, {"ipAddressType", SHOW_ADDRESS}};

static void write_kept(struct request *r, struct jw *w, const struct json *extra, unsigned show)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(kept); i++) {
        const struct json *j = json_get(extra, kept[i].name);
        if (j && (show & kept[i].show) != 0)
            jw_raw(w, kept[i].name, json_print(j, r->arena));
    }
}

static void write_properties(struct request *r, struct jw *w, const struct ns_view *v, unsigned show)
{
    struct json *extra = NULL;
    char created[TIME_TEXT_MAX], updated[TIME_TEXT_MAX];
    char *(*format)(int64_t, char *) = (show & NEW_PROVIDER) != 0 ? time_rfc3339_7 : time_rfc3339;
    char *lower = arena_strdup(r->arena, v->name);
    if (v->extra && json_parse(v->extra, strlen(v->extra), &extra, NULL) != SB_OK)
        extra = NULL;
    jw_obj(w, "properties");
    if ((show & SHOW_GEO) != 0)
        write_geo(r, w, v, extra);
    if ((show & SHOW_PARTITIONS) != 0)
        jw_i64(w, "premiumMessagingPartitions", v->partitions);
    if ((show & SHOW_TLS) != 0) {
        jw_str(w, "minimumTlsVersion", v->tls);
        jw_str(w, "publicNetworkAccess", v->public_access ? "Enabled" : "Disabled");
    }
    if ((show & SHOW_LOCAL_AUTH) != 0)
        jw_bool(w, "disableLocalAuth", v->disable_local_auth);
    if ((show & SHOW_LOCAL_AUTH) != 0)
        arm_ns_connections(r, w, v);
    if ((show & SHOW_PREMIUM) != 0)
        jw_bool(w, "zoneRedundant", v->zone_redundant);
    jw_str(w, "alternateName", json_text(json_get(extra, "alternateName")));
    if ((show & SHOW_PREMIUM) != 0)
        write_encryption(w, v, show);
    write_kept(r, w, extra, show);
    jw_strf(w, "metricId", "%s:%s", v->sub, lower ? text_tolower(lower) : "");
    jw_strf(w, "serviceBusEndpoint", "https://%s/", request_authority(r, HOST_BUS, v->name, true));
    /* Without --provisioning-delay what the service does over minutes is done when the emulator answers
     * (choice); 17: Revoked shows here too. */
    const char *const *state = state_of(v, show);
    jw_str(w, "provisioningState", state[0]);
    jw_str(w, "status", v->stored_status == NS_REVOKED && v->move != MOVE_DELETE ? "Revoked" : state[1]);
    jw_str(w, "createdAt", format(v->created_ms, created));
    jw_str(w, "updatedAt", format(v->updated_ms, updated));
    jw_end_obj(w);
    json_free(extra);
}

void arm_ns_write(struct request *r, struct jw *w, const struct ns_view *v)
{
    jw_obj(w, NULL);
    jw_str(w, "id", arm_id(r, v->sub, v->group, "Microsoft.ServiceBus/namespaces/%s", v->name));
    jw_str(w, "name", v->name);
    jw_str(w, "type", "Microsoft.ServiceBus/Namespaces");
    jw_str(w, "location", v->location);
    jw_raw(w, "tags", v->tags);
    write_properties(r, w, v, shows(r));
    if ((shows(r) & SHOW_PREMIUM) != 0)
        write_identity(w, v);
    jw_obj(w, "sku");
    jw_str(w, "name", v->sku);
    jw_str(w, "tier", v->sku);
    if (v->capacity > 0)
        jw_i64(w, "capacity", v->capacity);
    jw_end_obj(w);
    jw_end_obj(w);
}
