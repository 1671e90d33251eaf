/*
 * arm_metadata.c: /metadata/endpoints, from which clients learn where a cloud's services are, without
 * credentials.
 *
 * Three shapes: az cloud register reads the object of 2015-01-01, az's ARM_CLOUD_METADATA_URL the array of
 * clouds of 2019-05-01, Terraform's metadata_host the object of 2022-09-01. Services that are not emulated
 * are left out, but for the addresses that a client insists on having.
 */
#include <string.h>
#include "api/arm.h"
#include "api/arm_core.h"
#include "api/hosts.h"
#include "server/base/text.h"

/* On real names the emulator stands in for the public cloud; on local ones it is a cloud of its own. */
static const char *cloud_name(const struct request *r)
{
    return r->real_name ? "AzureCloud" : "SealedBus";
}

static const char *const audiences[] = {"https://management.core.windows.net/",
                                        "https://management.azure.com/"};

static void write_authentication(struct request *r, struct jw *w, bool full)
{
    jw_obj(w, "authentication");
    jw_str(w, "loginEndpoint",
           request_base(r, HOST_LOGIN, NULL)); /* without a slash: clients append "/{tenant}" */
    jw_arr(w, "audiences");
    for (size_t i = 0; i < SB_ARRAY_LEN(audiences); i++)
        jw_str(w, NULL, audiences[i]);
    jw_end_arr(w);
    if (full) {
        jw_str(w, "tenant", "common");
        jw_str(w, "identityProvider", "AAD");
    }
    jw_end_obj(w);
}

/* "vault.localhost:8443": names below it are "{label}.vault.localhost:8443". */
static void write_suffix(struct request *r, struct jw *w, const char *key, enum host_kind kind)
{
    const char *name = hosts_name(r->arena, kind, r->real_name, NULL);
    jw_strf(w, key, "%s%s", name + strspn(name, "."), r->host_port);
}

static void write_2015(struct request *r, struct jw *w)
{
    jw_obj(w, NULL);
    jw_strf(w, "galleryEndpoint", "%s/", request_base(r, HOST_ARM, NULL));
    jw_strf(w, "graphEndpoint", "%s/", request_base(r, HOST_GRAPH, NULL));
    jw_strf(w, "portalEndpoint", "%s/", request_base(r, HOST_ARM, NULL));
    write_authentication(r, w, false);
    jw_end_obj(w);
}

static void write_cloud(struct request *r, struct jw *w)
{
    const char *arm = request_base(r, HOST_ARM, NULL), *graph = request_base(r, HOST_GRAPH, NULL);
    jw_obj(w, NULL);
    jw_strf(w, "portal", "%s/", arm);
    write_authentication(r, w, true);
    jw_strf(w, "graphAudience", "%s/", graph);
    jw_strf(w, "graph", "%s/", graph);
    jw_str(w, "name", cloud_name(r));
    jw_obj(w, "suffixes");
    write_suffix(r, w, "keyVaultDns", HOST_VAULT);
    write_suffix(r, w, "serviceBusEndpointSuffix", HOST_BUS);
    /* No storage is emulated, but Terraform's provider does not start where a cloud has none. */
    jw_str(w, "storage", r->real_name ? "core.windows.net" : "core.localhost");
    jw_end_obj(w);
    jw_strf(w, "resourceManager", "%s/", arm);
    jw_strf(w, "microsoftGraphResourceId", "%s/", graph);
    jw_strf(w, "gallery", "%s/", arm);
    jw_end_obj(w);
}

enum sb_err arm_metadata_endpoints(struct request *r, struct sb_error *err)
{
    const char *version = r->api_version;
    if (version == NULL)
        return sb_fail(err, SB_ENOAPIVERSION,
                       "The api-version query parameter (?api-version=) is required for all requests.");
    struct jw w = reply_json(r, 200);
    if (strcmp(version, "2019-05-01") < 0) {
        write_2015(r, &w);
    } else if (strcmp(version, "2022-09-01") < 0) {
        jw_arr(&w, NULL);
        write_cloud(r, &w);
        jw_end_arr(&w);
    } else {
        write_cloud(r, &w);
    }
    return SB_OK;
}
