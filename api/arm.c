/* arm.c: what the ARM handlers share. */
#include "api/arm.h"
#include <stdarg.h>
#include <string.h>
#include "server/base/text.h"
#include "server/engine/rbac.h"

#define TAGS_MAX      50
#define TAG_NAME_MAX  512
#define TAG_VALUE_MAX 256
#define LOCATION_MAX  60

/* ---- subscriptions, groups, rights ---- */

enum sb_err arm_require_sub(struct request *r, struct sb_error *err)
{
    const char *sub = request_param(r, "sub");
    if (engine_subscription_ok(r->e, sub))
        return SB_OK;
    return sb_fail(err, SB_ENOSUBSCRIPTION, "The subscription '%.80s' could not be found.", sub);
}

enum sb_err arm_require_group(struct request *r, struct group *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct group g;
    SB_TRY(arm_require_sub(r, err));
    SB_TRY(directory_group_get(r->e, request_param(r, "sub"), request_param(r, "group"), r->arena, &g, err));
    if (ret != NULL)
        *ret = g;
out:
    return rc;
}

enum sb_err arm_require(struct request *r, const char *action, const char *scope, struct sb_error *err)
{
    return rbac_require(r->e, &r->who, action, scope, err);
}

const char *arm_id(struct request *r, const char *sub, const char *group, const char *tail_fmt, ...)
{
    const char *tail = "";
    if (tail_fmt != NULL) {
        va_list ap;
        va_start(ap, tail_fmt);
        tail = arena_vprintf(r->arena, tail_fmt, ap);
        va_end(ap);
    }
    /* An arena that is full is noticed when the request ends: "" only has to be harmless until then. */
    const char *id = arena_printf(r->arena, "/subscriptions/%s%s%s%s%s", sub,
                                  group != NULL ? "/resourceGroups/" : "", group != NULL ? group : "",
                                  tail_fmt != NULL ? "/providers/" : "", tail != NULL ? tail : "");
    return id != NULL ? id : "";
}

enum sb_err arm_not_found(struct sb_error *err, const char *type, const char *name, const char *group)
{
    return sb_fail(err, SB_ENOTFOUND,
                   "The Resource '%.200s/%.200s' under resource group '%.90s' was not found. For more "
                   "details please go to "
                   "https://aka.ms/ARMResourceNotFoundFix",
                   type, name, group);
}

/* ---- pieces of bodies ---- */

enum sb_err arm_tags(struct request *r, const struct json *body, const char **ret, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *tags = NULL;
    SB_TRY(json_opt_obj(body, "", "tags", &tags, err));
    if (tags == NULL) {
        *ret = NULL;
        return SB_OK;
    }
    if (json_size(tags) > TAGS_MAX)
        return sb_fail(err, SB_EBADREQUEST, "A resource can have at most %d tags.", TAGS_MAX);
    JSON_FOREACH (tag, tags) {
        if (json_text(tag) == NULL)
            return sb_fail(err, SB_EBADJSON, "The value of the tag '%.80s' must be a string.", json_key(tag));
        if (json_key(tag)[0] == '\0' || utf8_length(json_key(tag), strlen(json_key(tag))) > TAG_NAME_MAX)
            return sb_fail(err, SB_EBADREQUEST, "The name of a tag must have between 1 and %d characters.",
                           TAG_NAME_MAX);
        if (utf8_length(json_text(tag), strlen(json_text(tag))) > TAG_VALUE_MAX)
            return sb_fail(err, SB_EBADREQUEST, "The value of a tag can have at most %d characters.",
                           TAG_VALUE_MAX);
    }
    const char *text = json_print(tags, r->arena);
    if (text == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    *ret = text;
out:
    return rc;
}

enum sb_err arm_location(struct request *r, const struct json *body, bool required, const char **ret,
                         struct sb_error *err)
{
    enum sb_err rc;
    const char *sent = NULL;
    SB_TRY(json_opt_str(body, "", "location", &sent, err));
    if (sent == NULL || sent[0] == '\0') {
        if (required)
            return sb_fail(err, SB_ENOLOCATION, "The location property is required for this definition.");
        *ret = NULL;
        return SB_OK;
    }
    char *name = arena_strdup(r->arena, sent), *to = name;
    if (name == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    bool ok = strlen(sent) <= LOCATION_MAX;
    for (const char *p = sent; ok && *p != '\0'; p++) {
        char c = text_lower(*p);
        if (c == ' ')
            continue;
        ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        *to++ = c;
    }
    *to = '\0';
    if (!ok || to == name)
        return sb_fail(err, SB_EBADREQUEST, "The provided location '%.80s' is not a location.", sent);
    *ret = name;
out:
    return rc;
}

/* ---- regions ---- */

/* A region's own name is its display name in lower case, without blanks. */
static const struct arm_region regions[] = {
    {"eastus", "East US", "US"},
    {"eastus2", "East US 2", "US"},
    {"southcentralus", "South Central US", "US"},
    {"westus2", "West US 2", "US"},
    {"westus3", "West US 3", "US"},
    {"australiaeast", "Australia East", "Asia Pacific"},
    {"southeastasia", "Southeast Asia", "Asia Pacific"},
    {"northeurope", "North Europe", "Europe"},
    {"swedencentral", "Sweden Central", "Europe"},
    {"uksouth", "UK South", "UK"},
    {"westeurope", "West Europe", "Europe"},
    {"centralus", "Central US", "US"},
    {"southafricanorth", "South Africa North", "Africa"},
    {"centralindia", "Central India", "Asia Pacific"},
    {"eastasia", "East Asia", "Asia Pacific"},
    {"japaneast", "Japan East", "Asia Pacific"},
    {"koreacentral", "Korea Central", "Asia Pacific"},
    {"canadacentral", "Canada Central", "Canada"},
    {"francecentral", "France Central", "Europe"},
    {"germanywestcentral", "Germany West Central", "Europe"},
    {"italynorth", "Italy North", "Europe"},
    {"norwayeast", "Norway East", "Europe"},
    {"polandcentral", "Poland Central", "Europe"},
    {"switzerlandnorth", "Switzerland North", "Europe"},
    {"uaenorth", "UAE North", "Middle East"},
    {"brazilsouth", "Brazil South", "South America"},
    {"israelcentral", "Israel Central", "Middle East"},
    {"qatarcentral", "Qatar Central", "Middle East"},
    {"northcentralus", "North Central US", "US"},
    {"westus", "West US", "US"},
    {"westcentralus", "West Central US", "US"},
    {"centraluseuap", "Central US EUAP", "US"},
    {"eastus2euap", "East US 2 EUAP", "US"},
    {"southafricawest", "South Africa West", "Africa"},
    {"australiacentral", "Australia Central", "Asia Pacific"},
    {"australiasoutheast", "Australia Southeast", "Asia Pacific"},
    {"japanwest", "Japan West", "Asia Pacific"},
    {"koreasouth", "Korea South", "Asia Pacific"},
    {"southindia", "South India", "Asia Pacific"},
    {"westindia", "West India", "Asia Pacific"},
    {"canadaeast", "Canada East", "Canada"},
    {"francesouth", "France South", "Europe"},
    {"germanynorth", "Germany North", "Europe"},
    {"norwaywest", "Norway West", "Europe"},
    {"switzerlandwest", "Switzerland West", "Europe"},
    {"ukwest", "UK West", "UK"},
    {"uaecentral", "UAE Central", "Middle East"},
    {"brazilsoutheast", "Brazil Southeast", "South America"},
};

const struct arm_region *arm_regions(size_t *ret_n)
{
    *ret_n = SB_ARRAY_LEN(regions);
    return regions;
}

const char *arm_location_display(const char *location)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(regions); i++) {
        if (text_ieq(regions[i].name, location))
            return regions[i].display;
    }
    return location;
}

void arm_reply_link(struct request *r, const char *id, const char *type, const char *name, const char *member,
                    const char *zone)
{
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    jw_obj(&w, NULL);
    jw_str(&w, "id", id);
    jw_str(&w, "name", name);
    jw_str(&w, "type", type);
    jw_obj(&w, "properties");
    jw_str(&w, "groupId", name);
    jw_arr(&w, "requiredMembers");
    jw_str(&w, NULL, member);
    jw_end_arr(&w);
    jw_arr(&w, "requiredZoneNames");
    jw_str(&w, NULL, zone);
    jw_end_arr(&w);
    jw_end_obj(&w);
    jw_end_obj(&w);
    jw_end_arr(&w);
    jw_end_obj(&w);
}
