/*
 * fn.h: the functions of the template language: one table (fn.c), a row each.
 *
 * A row says the name, how many arguments, their types, where in a template the function may stand, and what
 * evaluates it. The evaluator (eval.c) checks all that once; an fn_eval sees arguments that fit. A newcomer
 * is a row and a function.
 */
#ifndef SB_TEMPLATE_FN_H
#define SB_TEMPLATE_FN_H

#include "api/template/expr.h"

struct eval;

struct fn_call {
    struct eval *ev;
    const struct fn *fn;
    const struct expr *expr;      /* as written: FN_LAZY functions evaluate their arguments themselves */
    const char *name;             /* as written */
    const struct tv *const *args; /* evaluated; NULL when FN_LAZY */
    size_t n;
};

/* NULL: failed, with the reason in the session (eval_fail). */
typedef const struct tv *(*fn_eval)(struct fn_call *c);

/* Where an expression stands. */
#define AT_PARAMETER 0x01u /* default value of a parameter */
#define AT_VARIABLE  0x02u
#define AT_PLAN      0x04u /* name, type, apiVersion, scope, condition, copy, dependsOn of a resource */
#define AT_BODY      0x08u /* the rest of a resource */
#define AT_OUTPUT    0x10u
#define AT_FUNCTION  0x20u /* output of a user's function */
#define AT_ANY       0x3fu
#define AT_RUNTIME   (AT_BODY | AT_OUTPUT)

#define FN_LAZY    0x1u
#define FN_GROUP   0x2u /* only in a template that deploys to a resource group */
#define FN_MANAGED 0x4u /* only in one that deploys to a management group */
#define FN_BILLED  0x8u /* only where there is a subscription */

#define FN_ANY 255u /* as max: no upper limit */

struct fn {
    const char *name;
    uint8_t min, max;
    /* A letter an argument, the last one for all further ones: s string, i integer, n number, b boolean,
     * a array, o object, l lambda, k integer or string, t array or string, c array, object or string,
     * anything else: any value. */
    const char *types;
    uint8_t where, flags;
    fn_eval eval;
};

/* Ignoring case; any "list…" that is no row of its own gives the row of list*. NULL: no such function. */
const struct fn *fn_find(const char *name);
const struct fn *fn_at(size_t i); /* NULL behind the last */

/* ---- fn_*.c, by family ---- */
#define FN_DECLARE(name) const struct tv *fn_##name(struct fn_call *c);
/* clang-format off */
#define FN_ARRAY(X) X(array) X(concat) X(contains) X(createArray) X(empty) X(first) X(flatten) X(indexFromEnd) \
    X(indexOf) X(intersection) X(last) X(lastIndexOf) X(length) X(max) X(min) X(range) X(skip) X(take) X(tryGet) \
    X(tryIndexFromEnd) X(union)
#define FN_OBJECT(X) X(bool) X(coalesce) X(createObject) X(false) X(float) X(int) X(items) X(json) X(null) \
    X(objectKeys) X(shallowMerge) X(string) X(true)
#define FN_LAMBDA(X) X(filter) X(groupBy) X(lambda) X(lambdaVariables) X(map) X(mapValues) X(reduce) X(sort) X(toObject)
#define FN_LOGIC(X) X(add) X(and) X(copyIndex) X(div) X(equals) X(greater) X(greaterOrEquals) X(if) X(less) \
    X(lessOrEquals) X(mod) X(mul) X(not) X(or) X(sub)
#define FN_STRING(X) X(endsWith) X(format) X(join) X(padLeft) X(replace) X(split) X(startsWith) X(substring) \
    X(toLower) X(toUpper) X(trim)
#define FN_ENCODE(X) X(base64) X(base64ToJson) X(base64ToString) X(dataUri) X(dataUriToString) X(guid) X(newGuid) \
    X(uniqueString) X(uri) X(uriComponent) X(uriComponentToString)
#define FN_DATE(X) X(dateTimeAdd) X(dateTimeFromEpoch) X(dateTimeToEpoch) X(utcNow)
#define FN_NET(X) X(cidrHost) X(cidrSubnet) X(parseCidr)
#define FN_RESOURCE(X) X(extensionResourceId) X(list) X(managementGroupResourceId) X(pickZones) X(providers) \
    X(reference) X(references) X(resourceId) X(resourceInfo) X(subscriptionResourceId) X(tenantResourceId) \
    X(toLogicalZone) X(toLogicalZones) X(toPhysicalZone) X(toPhysicalZones)
#define FN_DEPLOY(X) X(deployer) X(deployment) X(environment) X(fail) X(managementGroup) X(parameters) \
    X(resourceGroup) X(subscription) X(tenant) X(variables)
/* clang-format on */
FN_ARRAY(FN_DECLARE)
FN_OBJECT(FN_DECLARE)
FN_LAMBDA(FN_DECLARE)
FN_LOGIC(FN_DECLARE)
FN_STRING(FN_DECLARE)
FN_ENCODE(FN_DECLARE)
FN_DATE(FN_DECLARE)
FN_NET(FN_DECLARE)
FN_RESOURCE(FN_DECLARE)
FN_DEPLOY(FN_DECLARE)

#endif
