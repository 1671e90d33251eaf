/*
 * graph.h: what the Graph files share: members of objects as tables, filters, pages.
 *
 * Whoever has a token for Graph may read; changes are for the principals of the configuration (choice: there
 * are no directory roles).
 */
#ifndef SB_GRAPH_H
#define SB_GRAPH_H

#include "api/arm.h"
#include "server/engine/directory_user.h"

/* Who may sign in to an application that was not told so, as recorded. */
#define GRAPH_AUDIENCE "AzureADandPersonalMicrosoftAccount"

/* A member of an object, in the order in which it is written. */
struct graph_member {
    const char *name;
    const char *preset; /* JSON text when nothing was set; NULL: the object's own function writes it */
    bool fixed;         /* cannot be set by a request */
};
typedef void graph_write(struct request *r, struct jw *w, const char *name, const void *object);
/* Does the request name the members that it wants ($select)? */
bool graph_selects(const struct request *r);
/* The members of one object that $select wants (without one: all), without its braces; body: JSON text of
 * what was set. */
void graph_members(struct request *r, struct jw *w, const struct graph_member *m, size_t n, const char *body,
                   graph_write *write, const void *object);
/* Lays the request's members over old (JSON text), as a JSON text: only those that the table has, that are
 * not fixed and that it writes itself. SB_EBADREQUEST for an unknown one. */
SB_MUST enum sb_err graph_merge(struct request *r, const struct graph_member *m, size_t n, const char *old,
                                const char **ret, struct sb_error *err);

/* ---- answers ---- */
void graph_context(struct request *r, struct jw *w, const char *what);
SB_MUST enum sb_err graph_not_there(const char *id, struct sb_error *err);
/* The caller may change the directory, or SB_EDENIED. */
SB_MUST enum sb_err graph_may_write(struct request *r, struct sb_error *err);

/* A list in pages: $top and $skiptoken, @odata.nextLink. */
struct graph_page {
    struct jw w;
    size_t from, top, seen, shown;
    bool more;
};
SB_MUST enum sb_err graph_page_begin(struct request *r, const char *what, struct graph_page *ret,
                                     struct sb_error *err);
/* Is the next object on this page? To be asked once for each that matches. */
bool graph_page_shows(struct graph_page *p);
void graph_page_end(struct request *r, struct graph_page *p);

/* ---- filters ---- */
#define GRAPH_TERMS_MAX 8
struct graph_filter {
    struct arm_filter_term term[GRAPH_TERMS_MAX];
    size_t n;
};
SB_MUST enum sb_err graph_filter_read(struct request *r, struct graph_filter *ret, struct sb_error *err);
/* A value of an object that filters may name; list: "name/any(x:x eq …)", one of several. */
struct graph_value {
    const char *name;
    const char *const *values;
    size_t n;
    bool list;
};
/* Do all terms hold? SB_EBADREQUEST when one names something else. */
SB_MUST enum sb_err graph_filter_match(const struct graph_filter *f, const struct graph_value *v, size_t n,
                                       const char *type, bool *ret, struct sb_error *err);

/* ---- credentials (graph_credential.c) ---- */
/* keyCredentials or passwordCredentials of an owner. */
void graph_credentials(struct request *r, struct jw *w, const char *key, const char *owner,
                       bool certificates);
SB_MUST enum sb_err graph_add_password(struct request *r, const char *owner, const char *appid,
                                       struct sb_error *err);
SB_MUST enum sb_err graph_remove_password(struct request *r, const char *owner, struct sb_error *err);
/* The request's keyCredentials, if it has any, become the owner's; its passwordCredentials are made (on
 * creation) and their secrets are shown once, in the answer. */
SB_MUST enum sb_err graph_take_certificates(struct request *r, const char *owner, const char *appid,
                                            struct sb_error *err);

/* ---- handlers ---- */
enum sb_err graph_app_list(struct request *r, struct sb_error *err);
enum sb_err graph_app_post(struct request *r, struct sb_error *err);
enum sb_err graph_app_get(struct request *r, struct sb_error *err);
enum sb_err graph_app_patch(struct request *r, struct sb_error *err);
enum sb_err graph_app_delete(struct request *r, struct sb_error *err);
enum sb_err graph_app_add_password(struct request *r, struct sb_error *err);
enum sb_err graph_app_remove_password(struct request *r, struct sb_error *err);
enum sb_err graph_sp_list(struct request *r, struct sb_error *err);
enum sb_err graph_sp_post(struct request *r, struct sb_error *err);
enum sb_err graph_sp_get(struct request *r, struct sb_error *err);
enum sb_err graph_sp_patch(struct request *r, struct sb_error *err);
enum sb_err graph_sp_delete(struct request *r, struct sb_error *err);
enum sb_err graph_sp_add_password(struct request *r, struct sb_error *err);
enum sb_err graph_sp_remove_password(struct request *r, struct sb_error *err);
enum sb_err graph_user_list(struct request *r, struct sb_error *err);
enum sb_err graph_user_post(struct request *r, struct sb_error *err);
enum sb_err graph_user_get(struct request *r, struct sb_error *err);
enum sb_err graph_user_me(struct request *r, struct sb_error *err);
enum sb_err graph_user_patch(struct request *r, struct sb_error *err);
enum sb_err graph_user_delete(struct request *r, struct sb_error *err);

/* The members of one, for getByIds. */
void graph_sp_write(struct request *r, struct jw *w, const struct dir_sp *sp);
void graph_user_write(struct request *r, struct jw *w, const struct dir_user *u);
void graph_app_write(struct request *r, struct jw *w, const struct dir_app *app);

#endif
