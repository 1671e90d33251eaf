/* st_document.c: SQL of ARM documents. */
#include "storage/st_document.h"
#include <string.h>
#include "storage/stmt.h"

enum sb_err st_document_put(struct tx *tx, const struct st_document *d, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_DOCUMENT_PUT);
    stmt_bind_text(&s, 1, d->id);
    stmt_bind_i64(&s, 2, d->kind);
    stmt_bind_text(&s, 3, d->scope);
    stmt_bind_text(&s, 4, d->name);
    stmt_bind_text(&s, 5, d->type);
    stmt_bind_text(&s, 6, d->location);
    stmt_bind_text(&s, 7, d->body);
    stmt_bind_text(&s, 8, d->extra);
    stmt_bind_i64(&s, 9, d->changed_ms);
    return stmt_exec(&s, err);
}

static void read_document(struct stmt *s, struct sb_arena *a, void *row)
{
    *(struct st_document *)row = (struct st_document){
        .id = stmt_text(s, 0, a),
        .kind = stmt_i64(s, 1) == DOCUMENT_RESOURCE ? DOCUMENT_RESOURCE : DOCUMENT_DEPLOYMENT,
        .scope = stmt_text(s, 2, a),
        .name = stmt_text(s, 3, a),
        .type = stmt_text(s, 4, a),
        .location = stmt_text(s, 5, a),
        .body = stmt_text(s, 6, a),
        .extra = stmt_text(s, 7, a),
        .changed_ms = stmt_i64(s, 8),
    };
}

enum sb_err st_document_get(struct tx *tx, const char *id, struct sb_arena *a, bool *ret_found,
                            struct st_document *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_DOCUMENT_GET);
    stmt_bind_text(&s, 1, id);
    return stmt_one(&s, read_document, sizeof *ret, a, ret_found, ret, err);
}

enum sb_err st_document_list(struct tx *tx, enum document_kind kind, const char *scope, bool below,
                             struct sb_arena *a, struct st_document **ret, size_t *ret_n,
                             struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_DOCUMENT_LIST);
    stmt_bind_i64(&s, 1, kind);
    stmt_bind_text(&s, 2, scope);
    stmt_bind_i64(&s, 3, below);
    return stmt_all(&s, read_document, sizeof **ret, a, ret, ret_n, err);
}

enum sb_err st_document_drop(struct tx *tx, const char *id, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_DOCUMENT_DROP);
    stmt_bind_text(&s, 1, id);
    return stmt_exec(&s, err);
}

enum sb_err st_document_drop_scope(struct tx *tx, const char *scope, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_DOCUMENT_DROP_SCOPE);
    stmt_bind_text(&s, 1, scope);
    return stmt_exec(&s, err);
}
