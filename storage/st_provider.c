/* st_provider.c: SQL of unregistered resource providers. */
#include "storage/st_provider.h"
#include "storage/stmt.h"

enum sb_err st_provider_set(struct tx *tx, const char *sub, const char *name, bool registered,
                            struct sb_error *err)
{
    SB_CLEANUP(stmt_reset)
    struct stmt s = stmt_get(tx, registered ? KV_PROVIDER_REGISTER : KV_PROVIDER_UNREGISTER);
    stmt_bind_text(&s, 1, sub);
    stmt_bind_text(&s, 2, name);
    return stmt_exec(&s, err);
}

enum sb_err st_provider_registered(struct tx *tx, const char *sub, const char *name, bool *ret,
                                   struct sb_error *err)
{
    bool found = false;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_PROVIDER_GET);
    stmt_bind_text(&s, 1, sub);
    stmt_bind_text(&s, 2, name);
    enum sb_err rc = stmt_row(&s, &found, err);
    if (rc == SB_OK)
        *ret = !found;
    return rc;
}

enum sb_err st_provider_clear(struct tx *tx, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_PROVIDER_CLEAR);
    return stmt_exec(&s, err);
}
