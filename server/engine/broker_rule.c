/* broker_rule.c: a subscription's rule: compiling, matching, its sealed form. */
#include "server/engine/broker_rule.h"
#include <stdlib.h>
#include "crypto/envelope.h"
#include "server/base/text.h"
#include "server/engine/engine.h"

#define RULE_ARENA_MAX (1u << 20)
#define AAD_MAX        512

/* The texts of a rule by their names at rest; "p." begins a property of a correlation filter. */
static const struct {
    const char *name;
    size_t at;
} texts[] = {
    {"sql", offsetof(struct rule_spec, sql)},
    {"action", offsetof(struct rule_spec, action)},
    {"correlationId", offsetof(struct rule_spec, correlation_id)},
    {"messageId", offsetof(struct rule_spec, message_id)},
    {"to", offsetof(struct rule_spec, to)},
    {"replyTo", offsetof(struct rule_spec, reply_to)},
    {"label", offsetof(struct rule_spec, label)},
    {"sessionId", offsetof(struct rule_spec, session_id)},
    {"replyToSessionId", offsetof(struct rule_spec, reply_to_session_id)},
    {"contentType", offsetof(struct rule_spec, content_type)},
    {"preprocess", offsetof(struct rule_spec, preprocess)},
    {"actionPreprocess", offsetof(struct rule_spec, action_preprocess)},
    {"compat", offsetof(struct rule_spec, compat)},
    {"actionCompat", offsetof(struct rule_spec, action_compat)},
};
#define KIND     "filter"
#define PROPERTY "p."

static const char **text_at(struct rule_spec *s, size_t i)
{
    return (const char **)(void *)((char *)s + texts[i].at);
}

static enum sb_err no_memory(struct sb_error *err)
{
    return sb_fail(err, SB_ENOMEM, "out of memory handling a rule");
}

/* A copy of spec with texts of its own. */
static enum sb_err copy_spec(const struct rule_spec *spec, struct sb_arena *a, struct rule_spec *ret,
                             struct sb_error *err)
{
    struct rule_spec s = *spec;
    struct amqp_app_prop *props = ARENA_ARRAY(a, struct amqp_app_prop, spec->props_n + 1);
    for (size_t i = 0; i < SB_ARRAY_LEN(texts); i++)
        *text_at(&s, i) = arena_strdup(a, *text_at(&s, i));
    for (size_t i = 0; props && i < spec->props_n; i++) {
        props[i].name = arena_strdup(a, spec->props[i].name);
        props[i].value = spec->props[i].value;
        props[i].value.s = arena_strdup(a, spec->props[i].value.s);
    }
    s.props = props;
    if (arena_failed(a))
        return no_memory(err);
    *ret = s;
    return SB_OK;
}

static bool always(const char *sql)
{
    return sql && (strcmp(sql, "1=1") == 0 || strcmp(sql, "1 = 1") == 0);
}

static enum sb_err compile(struct rule *r, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct rule_spec *s = &r->spec;
    if (!s->correlation) {
        if (s->sql == NULL)
            s->sql = "1=1";
        SB_TRY(sqlfilter_compile(s->sql, r->a, &r->filter, err));
        r->always = always(s->sql);
    }
    if (s->action && *s->action)
        SB_TRY(sqlfilter_compile_action(s->action, r->a, &r->action, err));
    if (s->props_n > RULE_PROPS_MAX)
        rc = sb_fail(err, SB_EBADREQUEST, "A correlation filter can name at most %d properties.",
                     RULE_PROPS_MAX);
out:
    return rc;
}

enum sb_err broker_rule_new(const char *name, int64_t created_ms, const struct rule_spec *spec,
                            struct rule **ret, struct sb_error *err)
{
    enum sb_err rc;
    struct sb_arena *a = arena_new(RULE_ARENA_MAX);
    struct rule *r = a ? ARENA_NEW(a, struct rule) : NULL;
    if (r == NULL) {
        arena_free(a);
        return no_memory(err);
    }
    r->a = a;
    r->created_ms = created_ms;
    r->name = arena_strdup(a, name);
    SB_TRY(copy_spec(spec, a, &r->spec, err));
    SB_TRY(compile(r, err));
    *ret = r;
    r = NULL;
out:
    broker_rule_free(r);
    return rc;
}

void broker_rule_free(struct rule *r)
{
    if (r)
        arena_free(r->a);
}

void broker_rule_free_all(struct rule *list)
{
    for (struct rule *next; list; list = next) {
        next = list->next;
        broker_rule_free(list);
    }
}

enum sb_err broker_rule_view(const struct rule *r, struct sb_arena *a, struct rule_view *ret,
                             struct sb_error *err)
{
    enum sb_err rc;
    struct rule_view v = {.name = arena_strdup(a, r->name), .created_ms = r->created_ms};
    SB_TRY(copy_spec(&r->spec, a, &v.spec, err));
    *ret = v;
out:
    return rc;
}

/* ---- at rest ---- */

static char *rule_aad(char dst[AAD_MAX], int64_t ns, const char *path, const char *name)
{
    (void)snprintf(dst, AAD_MAX, "rule/%lld/%s/%s", (long long)ns, path, name);
    return text_tolower(dst);
}

static void add_pair(struct sb_buf *b, const char *prefix, const char *name, const char *value)
{
    buf_add(b, prefix, strlen(prefix));
    buf_add(b, name, strlen(name) + 1);
    buf_add(b, value, strlen(value) + 1);
}

enum sb_err broker_rule_seal(struct engine *e, int64_t ns, const char *path, const struct rule *r,
                             struct sb_buf *out, struct sb_error *err)
{
    enum sb_err rc;
    char aad[AAD_MAX];
    struct sb_buf b;
    struct rule_spec s = r->spec;
    buf_init(&b, RULE_SEALED_MAX);
    add_pair(&b, "", KIND, s.correlation ? "correlation" : "sql");
    for (size_t i = 0; i < SB_ARRAY_LEN(texts); i++) {
        if (*text_at(&s, i))
            add_pair(&b, "", texts[i].name, *text_at(&s, i));
    }
    for (size_t i = 0; i < s.props_n; i++)
        add_pair(&b, PROPERTY, s.props[i].name, s.props[i].value.s);
    if (buf_failed(&b))
        rc = sb_fail(err, SB_EBADREQUEST, "The rule '%s' is too large.", r->name);
    else
        rc = envelope_seal_key(e->platform, rule_aad(aad, ns, path, r->name), b.p, b.n, out, err);
    buf_done(&b);
    return rc;
}

static void set_pair(struct rule_spec *s, struct amqp_app_prop *props, const char *name, const char *value)
{
    if (strcmp(name, KIND) == 0)
        s->correlation = strcmp(value, "correlation") == 0;
    for (size_t i = 0; i < SB_ARRAY_LEN(texts); i++) {
        if (strcmp(name, texts[i].name) == 0)
            *text_at(s, i) = value;
    }
    if (text_starts(name, PROPERTY) && s->props_n < RULE_PROPS_MAX)
        props[s->props_n++] =
            (struct amqp_app_prop){name + strlen(PROPERTY), {.kind = AMQP_STRING, .s = value}};
}

enum sb_err broker_rule_open(struct engine *e, int64_t ns, const char *path, const struct st_rule *row,
                             struct rule **ret, struct sb_error *err)
{
    enum sb_err rc;
    char aad[AAD_MAX];
    struct sb_blob plain = {0};
    struct amqp_app_prop props[RULE_PROPS_MAX];
    struct rule_spec s = {.props = props};
    struct sb_arena *a = arena_new(RULE_ARENA_MAX);
    if (a == NULL)
        return no_memory(err);
    SB_TRY(envelope_open_key(e->platform, rule_aad(aad, ns, path, row->name), row->sealed.p, row->sealed.n, a,
                             &plain, err));
    const char *p = (const char *)plain.p, *end = p + plain.n;
    while (p < end) {
        const char *value = memchr(p, '\0', (size_t)(end - p));
        const char *next = value ? memchr(value + 1, '\0', (size_t)(end - value - 1)) : NULL;
        if (next == NULL) {
            rc = sb_fail(err, SB_ETAMPER, "the rule '%s' is damaged", row->name);
            goto out;
        }
        set_pair(&s, props, p, value + 1);
        p = next + 1;
    }
    SB_TRY(broker_rule_new(row->name, row->created_ms, &s, ret, err));
out:
    arena_free(a);
    return rc;
}

/* ---- matching ---- */

static bool has_prop(const struct amqp_message *m, const struct amqp_app_prop *want)
{
    for (size_t i = 0; i < m->app_n; i++) {
        if (text_ieq(m->app[i].name, want->name))
            return m->app[i].value.kind == AMQP_STRING && strcmp(m->app[i].value.s, want->value.s) == 0;
    }
    return false;
}

/* Every field that is given must be equal. */
static bool correlates(const struct rule_spec *s, const struct amqp_message *m)
{
    const struct amqp_props *p = &m->props;
    const char *const fields[][2] = {
        {s->correlation_id, p->correlation_id},
        {s->message_id, p->message_id},
        {s->to, p->to},
        {s->reply_to, p->reply_to},
        {s->label, p->subject},
        {s->session_id, p->session_id},
        {s->reply_to_session_id, p->reply_to_session_id},
        {s->content_type, p->content_type},
    };
    bool same = true;
    for (size_t i = 0; i < SB_ARRAY_LEN(fields); i++)
        same = same && (fields[i][0] == NULL || (fields[i][1] && strcmp(fields[i][0], fields[i][1]) == 0));
    for (size_t i = 0; same && i < s->props_n; i++)
        same = has_prop(m, &s->props[i]);
    return same;
}

enum sb_err broker_rule_match(const struct rule *r, const struct amqp_message *m, struct sb_arena *a,
                              bool *ret, struct sb_error *err)
{
    if (r->filter && !r->always)
        return sqlfilter_match(r->filter, m, a, ret, err);
    *ret = r->always || correlates(&r->spec, m);
    return SB_OK;
}
