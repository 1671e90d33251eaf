/* st_sweep.c: messages and seen message ids of entities that are gone. */
#include "storage/st_sweep.h"
#include "storage/stmt.h"
#include "storage/tx.h"

/* next: the first entity behind ?1 that has rows. delete_some: ?2 rows of the entity ?1. */
static const struct {
    int next, delete_some; /* enum sb_stmt */
} tables[] = {
    {SB_MESSAGE_ENTITY, SB_MESSAGE_DELETE_SOME},
    {SB_SEEN_ENTITY, SB_SEEN_DELETE_SOME},
};

static enum sb_err delete_some(struct tx *tx, size_t table, int64_t entity, int max, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, tables[table].delete_some);
    stmt_bind_i64(&s, 1, entity);
    stmt_bind_i64(&s, 2, max);
    return stmt_exec(&s, err);
}

/* *ret 0: there is none. */
static enum sb_err next_entity(struct tx *tx, const struct st_sweep *at, int64_t *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool found;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, tables[at->table].next);
    stmt_bind_i64(&s, 1, at->entity);
    SB_TRY(stmt_row(&s, &found, err));
    *ret = found ? stmt_i64(&s, 0) : 0;
out:
    return rc;
}

static enum sb_err entity_there(struct tx *tx, int64_t entity, bool *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_ENTITY_THERE);
    stmt_bind_i64(&s, 1, entity);
    return stmt_row(&s, ret, err);
}

enum sb_err st_sweep_entity(struct tx *tx, int64_t entity, int max, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    for (size_t i = 0; i < SB_ARRAY_LEN(tables); i++)
        SB_TRY(delete_some(tx, i, entity, max, err));
out:
    return rc;
}

enum sb_err st_sweep_gone(struct tx *tx, struct st_sweep *at, int max, bool *ret_more, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    for (int i = 0; i < max && at->table < SB_ARRAY_LEN(tables); i++) {
        int64_t entity = 0;
        bool there = false;
        SB_TRY(next_entity(tx, at, &entity, err));
        if (entity == 0) {
            *at = (struct st_sweep){.table = at->table + 1};
            continue;
        }
        SB_TRY(entity_there(tx, entity, &there, err));
        if (!there) {
            SB_TRY(delete_some(tx, at->table, entity, max, err));
            break;
        }
        at->entity = entity;
    }
    *ret_more = at->table < SB_ARRAY_LEN(tables);
out:
    return rc;
}
