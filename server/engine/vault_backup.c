/*
 * vault_backup.c: backup and restore of a key or secret with all its versions.
 *
 * A blob is a readable mark (recorded for keys) and base64url of sealed bytes. They are sealed under the
 * platform key and bound to kind, subscription and geography, as is documented of the service; inside,
 * private keys and values are sealed once more, as they are stored. So a blob tells nothing, cannot be
 * edited, and opens in this emulator alone (with --in-memory: in this run alone).
 */
#include "crypto/envelope.h"
#include "crypto/pkey.h"
#include "server/base/text.h"
#include "server/engine/geography.h"
#include "server/engine/rbac.h"
#include "server/engine/timeline.h"
#include "server/engine/vault_pack.h"
#include "server/engine/vault_private.h"

#define BACKUP_MAX  (2u << 20) /* 500 versions of the largest keys fit */
#define SEALED_MAX  (128u << 10)
#define BINDING_MAX 200

static const char *const marks[] = {[ST_KEY] = "&AzureKeyVaultKeyBackupV1.microsoft.com",
                                    [ST_SECRET] = "&AzureKeyVaultSecretBackupV1.microsoft.com"};

static void binding(const struct vault *v, enum st_kind kind, char dst[BINDING_MAX])
{
    (void)snprintf(dst, BINDING_MAX, "vault-backup/%s/%s/%s", kind == ST_KEY ? "key" : "secret", v->sub,
                   geography_of(v->location));
    text_tolower(dst);
}

/* ---- backup ---- */

struct backup {
    const struct vault *v;
    enum st_kind kind;
    const char *name;
    struct sb_arena *a;
    struct vault_pack pack;
};

static enum sb_err run_backup(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct backup *b = arg;
    struct st_object head = {0}, *rows = NULL;
    size_t n = 0;
    bool found = false;
    SB_TRY(st_object_find(tx, b->v->id, b->kind, b->name, b->a, &found, &head, err));
    if (!found || head.deleted != 0)
        return vault_object_missing(b->kind, b->name, NULL, err);
    SB_TRY(st_object_all(tx, head.object_id, VAULT_PACK_VERSIONS + 1, b->a, &rows, &n, err));
    if (n > VAULT_PACK_VERSIONS) /* own words */
        return sb_fail(err, SB_EBADPARAM, "'%s' has more than %d versions and cannot be backed up.",
                       head.name, VAULT_PACK_VERSIONS);
    for (size_t i = 0; i < n / 2; i++) { /* they come newest first */
        struct st_object swap = rows[i];
        rows[i] = rows[n - 1 - i];
        rows[n - 1 - i] = swap;
    }
    b->pack = (struct vault_pack){
        .kind = b->kind, .vault_id = b->v->id, .name = head.name, .versions = rows, .n = n};
out:
    return rc;
}

enum sb_err vault_backup(struct vault_call *call, enum st_kind kind, const char *name, struct sb_arena *a,
                         const char **ret, struct sb_error *err)
{
    enum sb_err rc;
    char bound[BINDING_MAX];
    struct sb_buf plain, sealed, text;
    struct backup b = {.v = &call->v->v, .kind = kind, .name = name, .a = a};
    buf_init(&plain, BACKUP_MAX);
    buf_init(&sealed, BACKUP_MAX);
    buf_init(&text, 2 * BACKUP_MAX);
    SB_TRY(store_read(call->e->kv, run_backup, &b, err));
    SB_TRY(vault_pack_write(&b.pack, &plain, err));
    binding(b.v, kind, bound);
    SB_TRY(envelope_seal_key(call->e->platform, bound, plain.p, plain.n, &sealed, err));
    (void)buf_adds(&text, marks[kind]);
    (void)b64url_encode(&text, sealed.p, sealed.n);
    const char *copy = buf_failed(&text) ? NULL : arena_strdup(a, buf_str(&text));
    if (copy == NULL)
        rc = sb_fail(err, SB_ENOMEM, "out of memory for a backup");
    else
        *ret = copy;
out:
    buf_done(&plain);
    buf_done(&sealed);
    buf_done(&text);
    return rc;
}

/* ---- restore ---- */

/* The bytes inside a blob. */
static enum sb_err open_blob(struct vault_call *call, enum st_kind kind, struct sb_blob blob,
                             struct sb_arena *a, struct vault_pack *ret, struct sb_error *err)
{
    enum sb_err rc;
    char bound[BINDING_MAX];
    struct sb_blob plain = {0};
    size_t mark = strlen(marks[kind]), n = 0;
    if (blob.n <= mark || memcmp(blob.p, marks[kind], mark) != 0)
        return sb_fail(err, SB_EBADBACKUP, "Backup blob contains invalid or corrupt version.");
    const uint8_t *sealed = b64url_decode(a, (const char *)blob.p + mark, blob.n - mark, &n);
    binding(&call->v->v, kind, bound);
    rc = sealed == NULL ? SB_ETAMPER : envelope_open_key(call->e->platform, bound, sealed, n, a, &plain, err);
    if (rc == SB_ETAMPER) /* recorded for one from another geography; also one of the real service */
        return sb_fail(err, SB_EBADPARAM, "Cannot decrypt backup blob.");
    SB_TRY(rc);
    SB_TRY(vault_pack_read(plain, a, ret, err));
    if (ret->kind != kind)
        rc = sb_fail(err, SB_EBADBACKUP, "Backup blob contains invalid or corrupt version.");
out:
    return rc;
}

/* Binds a private key or value to its new place. */
static enum sb_err reseal(struct engine *e, const struct vault_pack *p, int64_t vault_id, struct st_object *o,
                          struct sb_arena *a, struct sb_error *err)
{
    enum sb_err rc;
    char from[VAULT_AAD_MAX], to[VAULT_AAD_MAX];
    struct sb_buf b;
    struct pkey *key = NULL;
    struct sb_blob value = {0};
    buf_init(&b, SEALED_MAX);
    vault_object_aad(p->kind, p->vault_id, p->name, o->version, from);
    vault_object_aad(p->kind, vault_id, p->name, o->version, to);
    if (p->kind == ST_KEY) {
        SB_TRY(pkey_unseal(o->sealed.p, o->sealed.n, e->platform, from, &key, err));
        SB_TRY(pkey_seal(key, e->platform, to, &b, err));
    } else {
        SB_TRY(envelope_open_key(e->platform, from, o->sealed.p, o->sealed.n, a, &value, err));
        SB_TRY(envelope_seal_key(e->platform, to, value.p, value.n, &b, err));
    }
    o->sealed = (struct sb_blob){.p = arena_memdup(a, b.p, b.n), .n = b.n};
    if (o->sealed.p == NULL)
        rc = sb_fail(err, SB_ENOMEM, "out of memory restoring a backup");
out:
    pkey_unref(key);
    buf_done(&b);
    return rc;
}

struct restore {
    struct engine *e;
    const struct vault_caller *c;
    const struct vault *v;
    struct vault_pack pack;
    struct sb_arena *a;
};

static enum sb_err run_restore(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct restore *r = arg;
    struct vault_pack *p = &r->pack;
    struct st_object head = {0};
    bool found = false;
    const char *noun = p->kind == ST_KEY ? "key" : "secret";
    SB_TRY(vault_object_head(tx, r->v, p->kind, p->name, r->a, &found, &head, err));
    if (found) /* recorded */
        return sb_fail(
            err, SB_ECONFLICT,
            "There was a conflict restoring the %s '%s/%ss/%s/%s'. This can happen if either: a second %s "
            "with the same name was created after the first %s was deleted; thus trying to restore a %s "
            "whose name is already in use. To fix this, rename the second %s to something else so that the "
            "restore works. The second probable cause of this exception is when multiple operations are "
            "performed in parallel against the %s. To avoid this error, perform operations against a %s in a "
            "sequential manner.",
            noun, vault_call_base(r->c), noun, p->name, p->versions[p->n - 1].version, noun, noun, noun, noun,
            noun, noun);
    for (size_t i = 0; i < p->n; i++) {
        p->versions[i].name = p->name;
        SB_TRY(vault_object_add(tx, r->v, p->kind, &p->versions[i], r->a, err));
    }
out:
    return rc;
}

static void publish_restore(void *arg)
{
    struct restore *r = arg;
    rbac_changed(r->e);
    if (r->pack.kind == ST_KEY)
        vkey_forget(r->e, r->v->id, r->pack.name);
    timeline_poke(r->e);
}

enum sb_err vault_restore(struct vault_call *call, enum st_kind kind, struct sb_blob blob, struct sb_arena *a,
                          struct st_object *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct restore r = {.e = call->e, .c = call->c, .v = &call->v->v, .a = a};
    SB_TRY(open_blob(call, kind, blob, a, &r.pack, err));
    for (size_t i = 0; i < r.pack.n; i++)
        SB_TRY(vkey_check_hsm(text_ends(r.pack.versions[i].kty, "-HSM"), r.v, err));
    for (size_t i = 0; r.pack.vault_id != r.v->id && i < r.pack.n; i++)
        SB_TRY(reseal(call->e, &r.pack, r.v->id, &r.pack.versions[i], a, err));
    SB_TRY(store_call_publish(call->e->kv, run_restore, publish_restore, &r, err));
    *ret = r.pack.versions[r.pack.n - 1];
out:
    return rc;
}
