/* fn.c: the table of functions, after the public reference. */
#include "api/template/fn.h"
#include "server/base/text.h"

#define AT_LOOPS (AT_VARIABLE | AT_PLAN | AT_BODY | AT_OUTPUT)
#define AT_TOP   (AT_ANY & ~AT_FUNCTION) /* not inside a user's function */

static const struct fn rows[] = {
    /* array */
    {"array", 1, 1, "*", AT_ANY, 0, fn_array},
    {"concat", 1, FN_ANY, "*", AT_ANY, 0, fn_concat},
    {"contains", 2, 2, "c*", AT_ANY, 0, fn_contains},
    {"createArray", 0, FN_ANY, "*", AT_ANY, 0, fn_createArray},
    {"empty", 1, 1, "*", AT_ANY, 0, fn_empty},
    {"first", 1, 1, "t", AT_ANY, 0, fn_first},
    {"flatten", 1, 1, "a", AT_ANY, 0, fn_flatten},
    {"indexFromEnd", 2, 2, "ai", AT_ANY, 0, fn_indexFromEnd},
    {"indexOf", 2, 2, "t*", AT_ANY, 0, fn_indexOf},
    {"intersection", 2, FN_ANY, "*", AT_ANY, 0, fn_intersection},
    {"last", 1, 1, "t", AT_ANY, 0, fn_last},
    {"lastIndexOf", 2, 2, "t*", AT_ANY, 0, fn_lastIndexOf},
    {"length", 1, 1, "c", AT_ANY, 0, fn_length},
    {"max", 1, FN_ANY, "*", AT_ANY, 0, fn_max},
    {"min", 1, FN_ANY, "*", AT_ANY, 0, fn_min},
    {"range", 2, 2, "i", AT_ANY, 0, fn_range},
    {"skip", 2, 2, "ti", AT_ANY, 0, fn_skip},
    {"take", 2, 2, "ti", AT_ANY, 0, fn_take},
    {"tryGet", 2, FN_ANY, "*k", AT_ANY, 0, fn_tryGet},
    {"tryIndexFromEnd", 2, 2, "ai", AT_ANY, 0, fn_tryIndexFromEnd},
    {"union", 1, FN_ANY, "*", AT_ANY, 0, fn_union},
    /* object and conversion */
    {"bool", 1, 1, "*", AT_ANY, 0, fn_bool},
    {"coalesce", 1, FN_ANY, "*", AT_ANY, FN_LAZY, fn_coalesce},
    {"createObject", 0, FN_ANY, "*", AT_ANY, 0, fn_createObject},
    {"false", 0, 0, "*", AT_ANY, 0, fn_false},
    {"float", 1, 1, "*", AT_ANY, 0, fn_float},
    {"int", 1, 1, "*", AT_ANY, 0, fn_int},
    {"items", 1, 1, "o", AT_ANY, 0, fn_items},
    {"json", 1, 1, "s", AT_ANY, 0, fn_json},
    {"null", 0, 0, "*", AT_ANY, 0, fn_null},
    {"objectKeys", 1, 1, "o", AT_ANY, 0, fn_objectKeys},
    {"shallowMerge", 1, 1, "a", AT_ANY, 0, fn_shallowMerge},
    {"string", 1, 1, "*", AT_ANY, 0, fn_string},
    {"true", 0, 0, "*", AT_ANY, 0, fn_true},
    /* lambda */
    {"filter", 2, 2, "al", AT_ANY, 0, fn_filter},
    {"groupBy", 2, 2, "al", AT_ANY, 0, fn_groupBy},
    {"lambda", 1, 4, "*", AT_ANY, FN_LAZY, fn_lambda},
    {"lambdaVariables", 1, 1, "s", AT_ANY, 0, fn_lambdaVariables},
    {"map", 2, 2, "al", AT_ANY, 0, fn_map},
    {"mapValues", 2, 2, "ol", AT_ANY, 0, fn_mapValues},
    {"reduce", 3, 3, "a*l", AT_ANY, 0, fn_reduce},
    {"sort", 2, 2, "al", AT_ANY, 0, fn_sort},
    {"toObject", 2, 3, "al", AT_ANY, 0, fn_toObject},
    /* comparison, logical, numeric */
    {"add", 2, 2, "i", AT_ANY, 0, fn_add},
    {"and", 2, FN_ANY, "b", AT_ANY, FN_LAZY, fn_and},
    {"copyIndex", 0, 2, "ki", AT_LOOPS, 0, fn_copyIndex},
    {"div", 2, 2, "i", AT_ANY, 0, fn_div},
    {"equals", 2, 2, "*", AT_ANY, 0, fn_equals},
    {"greater", 2, 2, "*", AT_ANY, 0, fn_greater},
    {"greaterOrEquals", 2, 2, "*", AT_ANY, 0, fn_greaterOrEquals},
    {"if", 3, 3, "b*", AT_ANY, FN_LAZY, fn_if},
    {"less", 2, 2, "*", AT_ANY, 0, fn_less},
    {"lessOrEquals", 2, 2, "*", AT_ANY, 0, fn_lessOrEquals},
    {"mod", 2, 2, "i", AT_ANY, 0, fn_mod},
    {"mul", 2, 2, "i", AT_ANY, 0, fn_mul},
    {"not", 1, 1, "b", AT_ANY, 0, fn_not},
    {"or", 2, FN_ANY, "b", AT_ANY, FN_LAZY, fn_or},
    {"sub", 2, 2, "i", AT_ANY, 0, fn_sub},
    /* string */
    {"endsWith", 2, 2, "s", AT_ANY, 0, fn_endsWith},
    {"format", 2, FN_ANY, "s*", AT_ANY, 0, fn_format},
    {"join", 2, 2, "as", AT_ANY, 0, fn_join},
    {"padLeft", 2, 3, "kis", AT_ANY, 0, fn_padLeft},
    {"replace", 3, 3, "s", AT_ANY, 0, fn_replace},
    {"split", 2, 2, "st", AT_ANY, 0, fn_split},
    {"startsWith", 2, 2, "s", AT_ANY, 0, fn_startsWith},
    {"substring", 2, 3, "si", AT_ANY, 0, fn_substring},
    {"toLower", 1, 1, "s", AT_ANY, 0, fn_toLower},
    {"toUpper", 1, 1, "s", AT_ANY, 0, fn_toUpper},
    {"trim", 1, 1, "s", AT_ANY, 0, fn_trim},
    /* encodings, hashes */
    {"base64", 1, 1, "s", AT_ANY, 0, fn_base64},
    {"base64ToJson", 1, 1, "s", AT_ANY, 0, fn_base64ToJson},
    {"base64ToString", 1, 1, "s", AT_ANY, 0, fn_base64ToString},
    {"dataUri", 1, 1, "s", AT_ANY, 0, fn_dataUri},
    {"dataUriToString", 1, 1, "s", AT_ANY, 0, fn_dataUriToString},
    {"guid", 1, FN_ANY, "s", AT_ANY, 0, fn_guid},
    {"newGuid", 0, 0, "*", AT_PARAMETER, 0, fn_newGuid},
    {"uniqueString", 1, FN_ANY, "s", AT_ANY, 0, fn_uniqueString},
    {"uri", 2, 2, "s", AT_ANY, 0, fn_uri},
    {"uriComponent", 1, 1, "s", AT_ANY, 0, fn_uriComponent},
    {"uriComponentToString", 1, 1, "s", AT_ANY, 0, fn_uriComponentToString},
    /* date */
    {"dateTimeAdd", 2, 3, "s", AT_ANY, 0, fn_dateTimeAdd},
    {"dateTimeFromEpoch", 1, 1, "i", AT_ANY, 0, fn_dateTimeFromEpoch},
    {"dateTimeToEpoch", 1, 1, "s", AT_ANY, 0, fn_dateTimeToEpoch},
    {"utcNow", 0, 1, "s", AT_PARAMETER, 0, fn_utcNow},
    /* cidr */
    {"cidrHost", 2, 2, "si", AT_ANY, 0, fn_cidrHost},
    {"cidrSubnet", 3, 3, "si", AT_ANY, 0, fn_cidrSubnet},
    {"parseCidr", 1, 1, "s", AT_ANY, 0, fn_parseCidr},
    /* resource */
    {"extensionResourceId", 3, FN_ANY, "s", AT_ANY, 0, fn_extensionResourceId},
    {"list*", 2, 3, "ss*", AT_RUNTIME, 0, fn_list},
    {"managementGroupResourceId", 2, FN_ANY, "s", AT_ANY, 0, fn_managementGroupResourceId},
    {"pickZones", 3, 5, "sssi", AT_ANY, 0, fn_pickZones},
    {"providers", 1, 2, "s", AT_ANY, 0, fn_providers},
    {"reference", 1, 3, "s", AT_RUNTIME, 0, fn_reference},
    {"references", 1, 2, "s", AT_RUNTIME, 0, fn_references},
    {"resourceId", 2, FN_ANY, "s", AT_ANY, 0, fn_resourceId},
    {"resourceInfo", 1, 1, "s", AT_PLAN | AT_RUNTIME, 0, fn_resourceInfo},
    {"subscriptionResourceId", 2, FN_ANY, "s", AT_ANY, 0, fn_subscriptionResourceId},
    {"tenantResourceId", 2, FN_ANY, "s", AT_ANY, 0, fn_tenantResourceId},
    {"toLogicalZone", 3, 3, "s", AT_ANY, 0, fn_toLogicalZone},
    {"toLogicalZones", 3, 3, "ssa", AT_ANY, 0, fn_toLogicalZones},
    {"toPhysicalZone", 3, 3, "s", AT_ANY, 0, fn_toPhysicalZone},
    {"toPhysicalZones", 3, 3, "ssa", AT_ANY, 0, fn_toPhysicalZones},
    /* deployment and scope */
    {"deployer", 0, 0, "*", AT_ANY, 0, fn_deployer},
    {"deployment", 0, 0, "*", AT_TOP, 0, fn_deployment},
    {"environment", 0, 0, "*", AT_ANY, 0, fn_environment},
    {"fail", 1, 1, "s", AT_ANY, 0, fn_fail},
    {"managementGroup", 0, 0, "*", AT_TOP, FN_MANAGED, fn_managementGroup},
    {"parameters", 1, 1, "s", AT_ANY, 0, fn_parameters},
    {"resourceGroup", 0, 0, "*", AT_TOP, FN_GROUP, fn_resourceGroup},
    {"subscription", 0, 0, "*", AT_TOP, FN_BILLED, fn_subscription},
    {"tenant", 0, 0, "*", AT_TOP, 0, fn_tenant},
    {"variables", 1, 1, "s", AT_TOP & ~AT_PARAMETER, 0, fn_variables},
};

const struct fn *fn_at(size_t i)
{
    return i < SB_ARRAY_LEN(rows) ? &rows[i] : NULL;
}

const struct fn *fn_find(const char *name)
{
    const struct fn *any_list = NULL;
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        if (text_ieq(rows[i].name, name))
            return &rows[i];
        if (rows[i].eval == fn_list)
            any_list = &rows[i];
    }
    return text_istarts(name, "list") ? any_list : NULL;
}
