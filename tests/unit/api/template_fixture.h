/* template_fixture.h: a session over a template written in a test, with a small world around it. */
#ifndef SB_TESTS_TEMPLATE_FIXTURE_H
#define SB_TESTS_TEMPLATE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api/template/template.h"
#include "crypto/cmem.h"
#include "tests/unit/unit.h"

#define SUB   "00000000-0000-0000-0000-000000000000"
#define GROUP "/subscriptions/" SUB "/resourceGroups/rg"

static inline void world_guid(void *cookie, char dst[37])
{
    SB_UNUSED(cookie);
    snprintf(dst, 37, "%s", "0a0a0a0a-1111-4222-8333-444444444444");
}

/* Every id that does not end in "missing" exists; its properties say which it is and which api-version was
 * asked for. */
static inline enum sb_err world_reference(void *cookie, struct sb_arena *a, const char *id,
                                          const char *api_version, bool full, const struct tv **ret,
                                          struct sb_error *err)
{
    struct tv_fields p = {0}, o = {0};
    SB_UNUSED(cookie);
    if (strstr(id, "missing"))
        return sb_fail(err, SB_ENOTFOUND, "The Resource '%s' was not found.", id);
    tv_put(a, &p, "id", tv_string(a, id));
    tv_put(a, &p, "version", tv_string(a, api_version ? api_version : "newest"));
    tv_put(a, &o, "location", tv_string(a, "westus"));
    tv_put(a, &o, "properties", tv_object(a, p.items, p.n));
    *ret = full ? tv_object(a, o.items, o.n) : tv_object(a, p.items, p.n);
    return SB_OK;
}

static inline enum sb_err world_list(void *cookie, struct sb_arena *a, const char *function, const char *id,
                                     const char *api_version, const struct tv *body, const struct tv **ret,
                                     struct sb_error *err)
{
    struct tv_fields o = {0};
    SB_UNUSED(cookie);
    if (strstr(id, "missing"))
        return sb_fail(err, SB_ENOTFOUND, "The Resource '%s' was not found.", id);
    tv_put(a, &o, "function", tv_string(a, function));
    tv_put(a, &o, "id", tv_string(a, id));
    tv_put(a, &o, "version", tv_string(a, api_version));
    tv_put(a, &o, "body", body ? body : tv_null());
    *ret = tv_object(a, o.items, o.n);
    return SB_OK;
}

static inline enum sb_err world_providers(void *cookie, struct sb_arena *a, const char *space,
                                          const char *type, const struct tv **ret, struct sb_error *err)
{
    SB_UNUSED(cookie);
    if (strcmp(space, "Microsoft.None") == 0)
        return sb_fail(err, SB_ENOTFOUND, "The provider '%s' is not known.", space);
    *ret = tv_string(a, type ? type : space);
    return SB_OK;
}

static inline enum sb_err world_secret(void *cookie, struct sb_arena *a, const char *vault, const char *name,
                                       const char *version, const char **ret, struct sb_error *err)
{
    SB_UNUSED(cookie);
    if (strcmp(name, "missing") == 0)
        return sb_fail(err, SB_ENOTFOUND, "A secret with (name/id) %s was not found in this key vault.",
                       name);
    *ret = arena_printf(a, "secret of %s in %s at %s", name, vault, version ? version : "newest");
    return SB_OK;
}

static inline struct tmpl_world world_make(enum tmpl_scope scope)
{
    return (struct tmpl_world){
        .scope = scope,
        .subscription_id = scope == TMPL_GROUP || scope == TMPL_SUBSCRIPTION ? SUB : NULL,
        .group_name = scope == TMPL_GROUP ? "rg" : NULL,
        .management_group = scope == TMPL_MANAGEMENT_GROUP ? "mg" : NULL,
        .tenant_id = "11111111-1111-1111-1111-111111111111",
        .deployment_name = "deploy1",
        .location = "westeurope",
        .mode = "Incremental",
        .now_ms = INT64_C(1586271194123), /* 2020-04-07T14:53:14.123Z */
        .new_guid = world_guid,
        .reference = world_reference,
        .list = world_list,
        .providers = world_providers,
        .secret = world_secret,
    };
}

static inline struct tmpl *session_new(enum tmpl_scope scope)
{
    struct tmpl_world w = world_make(scope);
    struct tmpl *t = NULL;
    ck_assert_int_eq(cmem_init(NULL), SB_OK);
    ck_assert_int_eq(tmpl_new(&w, &t, NULL), SB_OK);
    return t;
}

static inline const struct tv *session_read(struct tmpl *t, const char *text)
{
    const struct tv *v = NULL;
    struct sb_error err = {0};
    if (!text)
        return NULL;
    ck_assert_msg(tmpl_read(t, text, strlen(text), &v, &err) == SB_OK, "%s\n%s", err.detail, text);
    return v;
}

/* The members of a template beside $schema and contentVersion; resources [] unless they are among them. */
static inline const struct tv *session_template(struct tmpl *t, const char *members)
{
    const char *rest = strstr(members, "'resources'") ? "" : ", 'resources': []";
    char *text = arena_printf(tmpl_arena(t), "{'$schema': 's', 'contentVersion': '1.0.0.0'%s%s%s}",
                              *members ? ", " : "", members, rest);
    return session_read(t, text);
}

/* Loads, and says what is wrong if that fails. */
static inline struct tmpl *session_load(const char *members, const char *parameters)
{
    struct tmpl *t = session_new(TMPL_GROUP);
    struct sb_error err = {0};
    enum sb_err rc = tmpl_load(t, session_template(t, members), session_read(t, parameters), &err);
    ck_assert_msg(rc == SB_OK, "%s\n%s", members, tmpl_fault(t)->message);
    return t;
}

/* Loading fails with a message that holds `why`. */
static inline void session_refused(const char *members, const char *parameters, const char *why)
{
    struct tmpl *t = session_new(TMPL_GROUP);
    struct sb_error err = {0};
    enum sb_err rc = tmpl_load(t, session_template(t, members), session_read(t, parameters), &err);
    ck_assert_msg(rc == SB_ETEMPLATE, "accepted: %s", members);
    ck_assert_msg(strstr(tmpl_fault(t)->message, why) != NULL, "%s\nsaid: %s\nnot: %s", members,
                  tmpl_fault(t)->message, why);
    tmpl_free(t);
}

static inline const char *session_json(struct tmpl *t, const struct tv *v)
{
    return tv_print(tmpl_arena(t), v, NULL);
}

#endif
