/* vkey_fixture.h: a vault with access policies, and keys in it. */
#ifndef SB_VKEY_FIXTURE_H
#define SB_VKEY_FIXTURE_H

#include "tests/unit/engine/vault_fixture.h"

#define KV "v-keys"

static struct vault_caller who;

static inline void vkey_up(void)
{
    fixture_up();
    make_vault(KV);
    who = (struct vault_caller){.who = &client, .ip = "127.0.0.1", .request_id = "rid"};
}

#define ck_detail(text) ck_assert_msg(strstr(err.detail, text) != NULL, "unexpected message: %s", err.detail)
#define ck_ok(expr)     ck_assert_msg((expr) == SB_OK, "%s", err.detail)

static inline struct vkey_spec key_spec(const char *name)
{
    return (struct vkey_spec){.vault = KV, .name = name, .kty = "EC", .enabled = -1, .nbf = -1, .exp = -1};
}

static inline struct vkey create(const struct vkey_spec *s)
{
    struct vkey k;
    ck_ok(vkey_create(e, &who, s, arena, &k, &err));
    return k;
}

/* EC keys are made in no time. */
static inline struct vkey make_key(const char *name)
{
    struct vkey_spec s = key_spec(name);
    return create(&s);
}

static inline struct vkey make_rsa(const char *name)
{
    struct vkey_spec s = key_spec(name);
    s.kty = "RSA";
    return create(&s);
}

static inline enum sb_err update(const char *name, const char *version, int enabled, int64_t nbf, int64_t exp,
                                 const char *ops)
{
    struct vkey k;
    struct vkey_spec s = key_spec(name);
    s.enabled = enabled;
    s.nbf = nbf;
    s.exp = exp;
    s.key_ops = ops;
    return vkey_update(e, &who, &s, version, arena, &k, &err);
}

static const struct sb_blob secret = {(const uint8_t *)"0123456789abcdef0123456789abcdef", 32};

static inline enum sb_err crypt(const char *name, const char *version, enum vperm perm, struct sb_blob in,
                                struct sb_blob *out)
{
    const char *used = NULL;
    return vkey_crypt(e, &who, KV, name, version, perm, PKEY_RSA_OAEP_256, in, arena, out, &used, &err);
}

static inline void fault(enum fault_kind kind, bool all, int status)
{
    struct fault f = {.kind = kind, .all = all, .count = -1, .status = status};
    (void)text_copy(f.target, sizeof f.target, KV);
    ck_ok(faults_put(e, &f, &err));
}

#endif
