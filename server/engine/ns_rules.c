/*
 * ns_rules.c: authorization rules of namespaces and entities, and their keys.
 *
 * Rules are few and looked at on every request, so they live in memory, guarded by engine_lock; their keys
 * are stored sealed under the platform key and opened when first needed.
 */
#include "crypto/envelope.h"
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/engine/ns_pair.h"
#include "server/engine/ns_rules_priv.h"

#define BIRTH_RULE "RootManageSharedAccessKey"
#define RULES_MAX  12 /* [doc] authorization rules of one namespace or entity */
#define KEY_BYTES  32
#define RULE_AAD   "rule-keys"

/* ---- memory ---- */

struct ns_rules *ns_rules_new(void)
{
    return calloc(1, sizeof(struct ns_rules));
}

static void rule_free(struct ns_rule *r)
{
    if (!r)
        return;
    if (r->known)
        sb_wipe(r->known, sizeof *r->known);
    free(r->known);
    sb_wipe(r, sizeof *r + r->sealed_n);
    free(r);
}

void ns_rules_free(struct ns_rules *rs)
{
    if (!rs)
        return;
    for (struct ns_rule *r = rs->head, *next; r; r = next) {
        next = r->next;
        rule_free(r);
    }
    free(rs);
}

static struct ns_rule *rule_new(const struct st_ns_rule *row)
{
    struct ns_rule *r = calloc(1, sizeof *r + row->keys.n);
    if (!r)
        return NULL;
    r->rights = row->rights;
    r->sealed_n = row->keys.n;
    memcpy(r->sealed, row->keys.p, row->keys.n);
    if (!text_copy(r->entity, sizeof r->entity, row->entity) ||
        !text_copy(r->name, sizeof r->name, row->name)) {
        rule_free(r);
        return NULL;
    }
    return r;
}

/* Order of lists: by entity, then by name, case ignored. */
static int rule_cmp(const struct ns_rule *r, const char *entity, const char *name)
{
    char a[NS_RULE_ENTITY_MAX + NS_RULE_NAME_MAX + 3], b[NS_RULE_ENTITY_MAX + NS_RULE_NAME_MAX + 3];
    (void)snprintf(a, sizeof a, "%s\n%s", r->entity, r->name);
    (void)snprintf(b, sizeof b, "%.*s\n%.*s", NS_RULE_ENTITY_MAX, entity, NS_RULE_NAME_MAX, name);
    return strcmp(text_tolower(a), text_tolower(b));
}

static struct ns_rule *find(const struct ns *n, const char *entity, const char *name)
{
    for (struct ns_rule *r = n->rules->head; r; r = r->next)
        if (text_ieq(r->entity, entity) && text_ieq(r->name, name))
            return r;
    return NULL;
}

static void unlink_rule(struct ns *n, const char *entity, const char *name)
{
    for (struct ns_rule **at = &n->rules->head; *at; at = &(*at)->next) {
        struct ns_rule *r = *at;
        if (text_ieq(r->entity, entity) && text_ieq(r->name, name)) {
            *at = r->next;
            rule_free(r);
            return;
        }
    }
}

/* Takes the place of the rule of that name. */
static void link_rule(struct ns *n, struct ns_rule *r)
{
    unlink_rule(n, r->entity, r->name);
    struct ns_rule **at = &n->rules->head;
    while (*at && rule_cmp(*at, r->entity, r->name) < 0)
        at = &(*at)->next;
    r->next = *at;
    *at = r;
}

enum sb_err ns_rules_load(struct ns *n, const struct st_ns_rule *row, struct sb_error *err)
{
    struct ns_rule *r = rule_new(row);
    if (!r)
        return sb_fail(err, SB_ENOMEM, "no memory for an authorization rule");
    link_rule(n, r);
    return SB_OK;
}

/* ---- keys ---- */

static void random_key(char dst[NS_RULE_KEY_MAX])
{
    uint8_t raw[KEY_BYTES];
    struct sb_buf b;
    rng_bytes(raw, sizeof raw);
    buf_init(&b, NS_RULE_KEY_MAX);
    dst[0] = '\0';
    if (b64_encode(&b, raw, sizeof raw) == SB_OK)
        (void)text_copy(dst, NS_RULE_KEY_MAX, buf_str(&b));
    buf_done(&b);
    sb_wipe(raw, sizeof raw);
}

/* [doc] a key of one's own choice is base64 of 256 bits. */
static bool key_ok(struct sb_arena *a, const char *key)
{
    size_t n = 0;
    return strlen(key) < NS_RULE_KEY_MAX && b64_decode(a, key, strlen(key), &n) != NULL && n == KEY_BYTES;
}

/* Both keys, one behind the other, sealed into the arena. */
static enum sb_err seal_keys(struct engine *e, const char *primary, const char *secondary, struct sb_arena *a,
                             struct sb_blob *ret, struct sb_error *err)
{
    enum sb_err rc;
    char both[2 * NS_RULE_KEY_MAX];
    struct sb_buf b;
    int n = snprintf(both, sizeof both, "%s\n%s", primary, secondary);
    buf_init(&b, sizeof both + ENV_OVERHEAD);
    SB_TRY(envelope_seal_key(e->platform, RULE_AAD, both, (size_t)n, &b, err));
    struct sb_blob sealed = {arena_memdup(a, b.p, b.n), b.n};
    if (!sealed.p)
        rc = sb_fail(err, SB_ENOMEM, "no memory for an authorization rule");
    else
        *ret = sealed;
out:
    buf_done(&b);
    sb_wipe(both, sizeof both);
    return rc;
}

enum sb_err ns_rules_open(struct engine *e, struct ns_rule *r, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    if (r->open)
        return SB_OK;
    struct sb_blob both;
    struct sb_arena *a = arena_new(4096);
    if (!a)
        return sb_fail(err, SB_ENOMEM, "no memory for the keys of a rule");
    SB_TRY(envelope_open_key(e->platform, RULE_AAD, r->sealed, r->sealed_n, a, &both, err));
    const char *text = (const char *)both.p;
    const char *split = memchr(text, '\n', both.n);
    size_t first = split ? (size_t)(split - text) : 0;
    if (!split || !text_copyn(r->primary, sizeof r->primary, text, first) ||
        !text_copyn(r->secondary, sizeof r->secondary, split + 1, both.n - first - 1))
        rc = sb_fail(err, SB_ETAMPER, "the keys of rule '%s' are damaged", r->name);
    else
        r->open = true;
out:
    arena_free(a);
    return rc;
}

enum sb_err ns_rules_birth(struct engine *e, struct sb_arena *a, struct st_ns_rule *ret, struct sb_error *err)
{
    enum sb_err rc;
    char primary[NS_RULE_KEY_MAX], secondary[NS_RULE_KEY_MAX];
    struct st_ns_rule row = {
        .entity = "", .name = BIRTH_RULE, .rights = RIGHT_LISTEN | RIGHT_MANAGE | RIGHT_SEND};
    random_key(primary);
    random_key(secondary);
    SB_TRY(seal_keys(e, primary, secondary, a, &row.keys, err));
    *ret = row;
out:
    sb_wipe(primary, sizeof primary);
    sb_wipe(secondary, sizeof secondary);
    return rc;
}

/* ---- what ARM does with them ---- */

static enum sb_err copy_out(struct engine *e, struct ns_rule *r, struct sb_arena *a, struct auth_rule *ret,
                            struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(ns_rules_open(e, r, err));
    struct auth_rule out = {arena_strdup(a, r->name), r->rights, arena_strdup(a, r->primary),
                            arena_strdup(a, r->secondary)};
    if (arena_failed(a))
        rc = sb_fail(err, SB_ENOMEM, "no memory for an authorization rule");
    else
        *ret = out;
out:
    return rc;
}

static enum sb_err no_rule(struct sb_error *err, const char *name)
{
    return sb_fail(err, SB_ENOTFOUND, "The requested authorization rule '%.50s' does not exist.", name);
}

static enum sb_err no_namespace(struct sb_error *err, const char *ns)
{
    return sb_fail(err, SB_ENONAMESPACE, "The namespace '%.64s' does not exist.", ns);
}

enum sb_err ns_rule_get(struct engine *e, const char *ns, const char *entity, const char *name,
                        struct sb_arena *a, struct auth_rule *ret, struct sb_error *err)
{
    enum sb_err rc;
    engine_lock(e);
    struct ns *n = ns_find(e, ns);
    struct ns_rule *r = n ? find(n, entity ? entity : "", name) : NULL;
    if (r)
        rc = copy_out(e, r, a, ret, err);
    else
        rc = n ? no_rule(err, name) : no_namespace(err, ns);
    engine_unlock(e);
    return rc;
}

enum sb_err ns_rule_list(struct engine *e, const char *ns, const char *entity, struct sb_arena *a,
                         struct auth_rule **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    size_t n_rules = 0;
    struct auth_rule *list = ARENA_ARRAY(a, struct auth_rule, RULES_MAX);
    if (!list)
        return sb_fail(err, SB_ENOMEM, "no memory for the authorization rules");
    engine_lock(e);
    struct ns *n = ns_find(e, ns);
    if (!n)
        rc = no_namespace(err, ns);
    for (struct ns_rule *r = n ? n->rules->head : NULL; rc == SB_OK && r && n_rules < RULES_MAX; r = r->next)
        if (text_ieq(r->entity, entity ? entity : ""))
            rc = copy_out(e, r, a, &list[n_rules++], err);
    engine_unlock(e);
    if (rc == SB_OK) {
        *ret = list;
        *ret_n = n_rules;
    }
    return rc;
}

/* A rule on its way into the database, and then into memory. */
struct rule_call {
    struct engine *e;
    const char *ns;
    struct st_ns_rule row;
    struct ns_rule *made;
    bool existed;
};

static enum sb_err run_rule_put(struct tx *tx, void *arg, struct sb_error *err)
{
    struct rule_call *c = arg;
    const struct ns *n = ns_find(c->e, c->ns);
    if (!n)
        return no_namespace(err, c->ns);
    size_t others = 0;
    for (const struct ns_rule *r = n->rules->head; r; r = r->next)
        others += text_ieq(r->entity, c->row.entity) && !text_ieq(r->name, c->row.name);
    if (others >= RULES_MAX)
        return sb_fail(err, SB_ELIMIT, "The limit of %d authorization rules has been reached.", RULES_MAX);
    c->row.ns = n->id;
    return st_ns_rule_put(tx, &c->row, err);
}

static void publish_rule(void *arg)
{
    struct rule_call *c = arg;
    engine_lock(c->e);
    struct ns *n = ns_find(c->e, c->ns);
    if (n) {
        link_rule(n, c->made);
        c->made = NULL;
    }
    engine_unlock(c->e);
}

/* Seals, stores and publishes; ret is what it has become. */
static enum sb_err save_rule(struct engine *e, const char *ns, const char *entity,
                             const struct auth_rule *want, struct sb_arena *a, struct auth_rule *ret,
                             struct sb_error *err)
{
    enum sb_err rc;
    struct rule_call c = {
        .e = e,
        .ns = ns,
        .row = {.entity = entity ? entity : "", .name = want->name, .rights = want->rights}};
    SB_TRY(seal_keys(e, want->primary, want->secondary, a, &c.row.keys, err));
    c.made = rule_new(&c.row);
    if (!c.made)
        return sb_fail(err, SB_ENOMEM, "no memory for an authorization rule");
    SB_TRY(store_call_publish(e->sb, run_rule_put, publish_rule, &c, err));
    ns_mirror_auth(e, ns, entity, want->name);
    *ret = *want;
out:
    rule_free(c.made);
    return rc;
}

enum sb_err ns_rule_set(struct engine *e, const char *ns, const char *entity, const struct auth_rule *rule,
                        struct sb_arena *a, struct sb_error *err)
{
    struct auth_rule made;
    return save_rule(e, ns, entity, rule, a, &made, err);
}

static enum sb_err check_rule(const char *name, unsigned rights, struct sb_error *err)
{
    size_t n = strlen(name);
    bool good = n > 0 && n <= NS_RULE_NAME_MAX;
    for (size_t i = 0; good && i < n; i++)
        good = (name[i] >= '0' && name[i] <= '9') ||
               (text_lower(name[i]) >= 'a' && text_lower(name[i]) <= 'z') || strchr("._-", name[i]) != NULL;
    if (!good)
        return sb_fail(err, SB_EBADREQUEST,
                       "The authorization rule name '%.64s' is invalid: it has 1 to %d letters, digits, "
                       "periods, hyphens and underscores.",
                       name, NS_RULE_NAME_MAX);
    if ((rights & ~7u) != 0 || rights == 0)
        return sb_fail(err, SB_EBADREQUEST,
                       "An authorization rule must have at least one of the rights Listen, Send and Manage.");
    if ((rights & RIGHT_MANAGE) != 0 && rights != 7) /* [doc] */
        return sb_fail(err, SB_EBADREQUEST, "Manage right must also include Send and Listen rights.");
    return SB_OK;
}

enum sb_err ns_rule_put(struct engine *e, const char *ns, const char *entity, const char *name,
                        unsigned rights, struct sb_arena *a, struct auth_rule *ret, struct sb_error *err)
{
    enum sb_err rc;
    char primary[NS_RULE_KEY_MAX], secondary[NS_RULE_KEY_MAX];
    struct auth_rule want = {0};
    SB_TRY(check_rule(name, rights, err));
    if (entity && strlen(entity) > NS_RULE_ENTITY_MAX)
        return sb_fail(err, SB_EBADREQUEST, "The entity's name is too long.");
    rc = ns_rule_get(e, ns, entity, name, a, &want, err);
    if (rc == SB_ENOTFOUND) {
        random_key(primary);
        random_key(secondary);
        want = (struct auth_rule){arena_strdup(a, name), 0, arena_strdup(a, primary),
                                  arena_strdup(a, secondary)};
        sb_wipe(primary, sizeof primary);
        sb_wipe(secondary, sizeof secondary);
        rc = arena_failed(a) ? sb_fail(err, SB_ENOMEM, "no memory for an authorization rule") : SB_OK;
    }
    if (rc != SB_OK)
        goto out;
    want.rights = rights;
    SB_TRY(save_rule(e, ns, entity, &want, a, ret, err));
out:
    return rc;
}

enum sb_err ns_rule_regenerate(struct engine *e, const char *ns, const char *entity, const char *name,
                               int which, const char *key, struct sb_arena *a, struct auth_rule *ret,
                               struct sb_error *err)
{
    enum sb_err rc;
    char made[NS_RULE_KEY_MAX];
    struct auth_rule want;
    if (key && !key_ok(a, key))
        return sb_fail(err, SB_EBADREQUEST, "The key must be a base64-encoded 256-bit value.");
    SB_TRY(ns_rule_get(e, ns, entity, name, a, &want, err));
    random_key(made);
    const char *value = arena_strdup(a, key ? key : made);
    sb_wipe(made, sizeof made);
    if (!value)
        return sb_fail(err, SB_ENOMEM, "no memory for a key");
    if (which == 0)
        want.primary = value;
    else
        want.secondary = value;
    SB_TRY(save_rule(e, ns, entity, &want, a, ret, err));
out:
    return rc;
}

static enum sb_err run_rule_delete(struct tx *tx, void *arg, struct sb_error *err)
{
    struct rule_call *c = arg;
    const struct ns *n = ns_find(c->e, c->ns);
    if (!n)
        return no_namespace(err, c->ns);
    c->existed = find(n, c->row.entity, c->row.name) != NULL;
    return c->existed ? st_ns_rule_delete(tx, n->id, c->row.entity, c->row.name, err) : SB_OK;
}

static void publish_rule_delete(void *arg)
{
    struct rule_call *c = arg;
    engine_lock(c->e);
    struct ns *n = ns_find(c->e, c->ns);
    if (n)
        unlink_rule(n, c->row.entity, c->row.name);
    engine_unlock(c->e);
}

enum sb_err ns_rule_delete(struct engine *e, const char *ns, const char *entity, const char *name,
                           bool *ret_existed, struct sb_error *err)
{
    enum sb_err rc;
    struct rule_call c = {.e = e, .ns = ns, .row = {.entity = entity ? entity : "", .name = name}};
    SB_TRY(store_call_publish(e->sb, run_rule_delete, publish_rule_delete, &c, err));
    *ret_existed = c.existed;
    ns_mirror_auth(e, ns, entity, name);
out:
    return rc;
}

enum sb_err ns_rules_drop_entity(struct tx *tx, const struct ns *n, const char *entity, struct sb_error *err)
{
    return st_ns_rules_drop(tx, n->id, entity, err);
}

void ns_rules_forget_entity(struct ns *n, const char *entity)
{
    for (struct ns_rule **at = &n->rules->head; *at;) {
        struct ns_rule *r = *at;
        if (text_ieq(r->entity, entity)) {
            *at = r->next;
            rule_free(r);
        } else {
            at = &r->next;
        }
    }
}
