/*
 * graph.c: as much of Microsoft Graph as az, Terraform and scripts ask: applications, service principals,
 * users, and what these ids are. This file has the rows, and what all of them share.
 */
#include "api/graph.h"
#include <string.h>
#include "server/base/text.h"

#define IDS_MAX  1000
#define PAGE     100
#define PAGE_MAX 999

/* ---- members ---- */

bool graph_selects(const struct request *r)
{
    const char *names = request_query(r, "$select");
    return names != NULL && names[0] != '\0';
}

/* Is the member among those that $select names, where it names any? */
static bool selected(const struct request *r, const char *name)
{
    if (!graph_selects(r))
        return true;
    size_t n = strlen(name);
    for (const char *p = request_query(r, "$select"); *p != '\0'; p += strcspn(p, ", ")) {
        p += strspn(p, ", ");
        if (strcspn(p, ", ") == n && text_ieqn(p, name, n))
            return true;
    }
    return false;
}

void graph_members(struct request *r, struct jw *w, const struct graph_member *m, size_t n, const char *body,
                   graph_write *write, const void *object)
{
    struct json *set = NULL;
    if (body != NULL && json_parse(body, strlen(body), &set, NULL) != SB_OK)
        set = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!selected(r, m[i].name))
            continue;
        const struct json *own = m[i].preset != NULL ? json_get(set, m[i].name) : NULL;
        if (m[i].preset == NULL)
            write(r, w, m[i].name, object);
        else
            jw_raw(w, m[i].name, own != NULL ? json_print(own, r->arena) : m[i].preset);
    }
    json_free(set);
}

static const struct graph_member *find_member(const struct graph_member *m, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (text_ieq(m[i].name, name))
            return &m[i];
    }
    return NULL;
}

enum sb_err graph_merge(struct request *r, const struct graph_member *m, size_t n, const char *old,
                        const char **ret, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct sb_buf b;
    struct jw w;
    struct json *set = NULL;
    buf_init(&b, 65536);
    SB_TRY(json_parse(old, strlen(old), &set, err));
    JSON_FOREACH (x, r->json) {
        const struct graph_member *known = find_member(m, n, json_key(x));
        if (known == NULL || text_starts(json_key(x), "@")) {
            rc = sb_fail(err, SB_EBADREQUEST, "Invalid property '%.100s'.", json_key(x));
            goto out;
        }
    }
    jw_init(&w, &b);
    jw_obj(&w, NULL);
    for (size_t i = 0; i < n; i++) {
        const struct json *now = m[i].fixed || m[i].preset == NULL ? NULL : json_get(r->json, m[i].name);
        if (now == NULL)
            now = json_get(set, m[i].name);
        if (now != NULL)
            jw_raw(&w, m[i].name, json_print(now, r->arena));
    }
    jw_end_obj(&w);
    const char *text = buf_failed(&b) ? NULL : arena_strdup(r->arena, buf_str(&b));
    if (text == NULL)
        rc = sb_fail(err, SB_EBADREQUEST, "The object is too large.");
    else
        *ret = text;
out:
    json_free(set);
    buf_done(&b);
    return rc;
}

/* ---- answers ---- */

void graph_context(struct request *r, struct jw *w, const char *what)
{
    const char *base = request_base(r, HOST_GRAPH, NULL);
    int set = (int)strcspn(what, "/");
    if (graph_selects(r))
        jw_strf(w, "@odata.context", "%s/v1.0/$metadata#%.*s(%s)%s", base, set, what,
                request_query(r, "$select"), what + set);
    else
        jw_strf(w, "@odata.context", "%s/v1.0/$metadata#%s", base, what);
}

enum sb_err graph_not_there(const char *id, struct sb_error *err)
{
    return sb_fail(
        err, SB_ENOTFOUND,
        "Resource '%.200s' does not exist or one of its queried reference-property objects are not present.",
        id);
}

enum sb_err graph_may_write(struct request *r, struct sb_error *err)
{
    if (directory_is_configured(r->e, r->who.oid))
        return SB_OK;
    return sb_fail(err, SB_EDENIED, "Insufficient privileges to complete the operation.");
}

enum sb_err graph_page_begin(struct request *r, const char *what, struct graph_page *ret,
                             struct sb_error *err)
{
    int64_t top = PAGE, from = 0;
    const char *t = request_query(r, "$top"), *f = request_query(r, "$skiptoken");
    if (t != NULL && !text_to_i64(t, 1, PAGE_MAX, &top))
        return sb_fail(err, SB_EBADREQUEST,
                       "Invalid page size specified: '%.40s'. Must be between 1 and %d inclusive.", t,
                       PAGE_MAX);
    if (f != NULL && !text_to_i64(f, 0, INT32_MAX, &from))
        return sb_fail(
            err, SB_EBADREQUEST,
            "The specified page token value has expired and can no longer be included in your request.");
    *ret = (struct graph_page){.w = reply_json(r, 200), .from = (size_t)from, .top = (size_t)top};
    jw_obj(&ret->w, NULL);
    graph_context(r, &ret->w, what);
    jw_arr(&ret->w, "value");
    return SB_OK;
}

bool graph_page_shows(struct graph_page *p)
{
    if (p->seen++ < p->from)
        return false;
    p->more = p->shown == p->top;
    p->shown += p->more ? 0 : 1;
    return !p->more;
}

/* The same question, from where this page ends. */
static void next_link(struct request *r, struct graph_page *p)
{
    struct sb_buf b;
    buf_init(&b, 16384);
    buf_addf(&b, "%s%s?", request_base(r, HOST_GRAPH, NULL), r->path);
    for (size_t i = 0; i < r->query_n; i++) {
        if (text_ieq(r->query[i].name, "$skiptoken"))
            continue;
        percent_encode(&b, r->query[i].name);
        buf_addc(&b, '=');
        percent_encode(&b, r->query[i].value);
        buf_addc(&b, '&');
    }
    buf_addf(&b, "$skiptoken=%zu", p->from + p->top);
    jw_str(&p->w, "@odata.nextLink", buf_str(&b));
    buf_done(&b);
}

void graph_page_end(struct request *r, struct graph_page *p)
{
    jw_end_arr(&p->w);
    if (p->more)
        next_link(r, p);
    jw_end_obj(&p->w);
}

/* ---- filters ---- */

enum sb_err graph_filter_read(struct request *r, struct graph_filter *ret, struct sb_error *err)
{
    *ret = (struct graph_filter){.n = 0};
    return arm_filter(r, request_query(r, "$filter"), ret->term, GRAPH_TERMS_MAX, &ret->n, err);
}

static bool term_holds(const struct arm_filter_term *t, const struct graph_value *v, bool starts)
{
    for (size_t i = 0; i < v->n; i++) {
        if (v->values[i] == NULL)
            continue;
        if (starts ? text_istarts(v->values[i], t->right) : text_ieq(v->values[i], t->right))
            return true;
    }
    return false;
}

/* Does the term name this value: "name", "name/any", "startswith(name)"? */
static bool term_names(const struct arm_filter_term *t, const struct graph_value *v, bool *ret_starts)
{
    size_t n = strlen(v->name);
    *ret_starts = text_istarts(t->left, "startswith(");
    if (*ret_starts)
        return text_ieqn(t->left + strlen("startswith("), v->name, n) &&
               strcmp(t->left + strlen("startswith(") + n, ")") == 0;
    return text_ieqn(t->left, v->name, n) && text_ieq(t->left + n, v->list ? "/any" : "");
}

enum sb_err graph_filter_match(const struct graph_filter *f, const struct graph_value *v, size_t n,
                               const char *type, bool *ret, struct sb_error *err)
{
    bool all = true;
    for (size_t i = 0; i < f->n; i++) {
        bool starts = false;
        size_t k = 0;
        while (k < n && !term_names(&f->term[i], &v[k], &starts))
            k++;
        if (k == n)
            return sb_fail(err, SB_EBADREQUEST,
                           "Unsupported or invalid query filter clause specified for property '%.80s' of "
                           "resource '%s'.",
                           f->term[i].left, type);
        all = all && term_holds(&f->term[i], &v[k], starts);
    }
    *ret = all;
    return SB_OK;
}

/* ---- what are these ids? ---- */

/* {"ids":[…],"types":[…]}: does it ask for this type? No list of types means all. */
static bool asks_for(const struct json *types, const char *type)
{
    bool asked = types == NULL || json_size(types) == 0;
    JSON_FOREACH (t, types) {
        asked = asked || text_ieq(json_text(t), type) || text_ieq(json_text(t), "directoryObject");
    }
    return asked;
}

/* One object, if there is such a one of a type that was asked for. */
static enum sb_err write_object(struct request *r, struct jw *w, const char *id, const struct json *types,
                                struct sb_error *err)
{
    enum sb_err rc;
    struct dir_sp sp;
    struct dir_user user;
    struct dir_app app;
    bool is_sp = false, is_user = false, is_app = false;
    SB_TRY(directory_app_sp(r->e, id, false, r->arena, &is_sp, &sp, err));
    SB_TRY(directory_user_get(r->e, id, r->arena, &is_user, &user, err));
    SB_TRY(directory_app_get(r->e, id, false, r->arena, &is_app, &app, err));
    const char *type = is_sp ? "servicePrincipal" : is_user ? "user" : is_app ? "application" : NULL;
    if (type == NULL || !asks_for(types, type))
        goto out;
    jw_obj(w, NULL);
    jw_strf(w, "@odata.type", "#microsoft.graph.%s", type);
    if (is_sp)
        graph_sp_write(r, w, &sp);
    else if (is_user)
        graph_user_write(r, w, &user);
    else
        graph_app_write(r, w, &app);
    jw_end_obj(w);
out:
    return rc;
}

static enum sb_err by_ids(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *ids = NULL, *types = NULL;
    SB_TRY(json_opt_arr(r->json, "", "ids", &ids, err));
    SB_TRY(json_opt_arr(r->json, "", "types", &types, err));
    if (ids == NULL || json_size(ids) > IDS_MAX)
        return sb_fail(err, SB_EBADREQUEST, "A list of at most %d ids is required.", IDS_MAX);
    JSON_FOREACH (t, types) {
        if (json_text(t) == NULL)
            return sb_fail(err, SB_EBADREQUEST, "Each of 'types' must be a string.");
    }
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    graph_context(r, &w, "directoryObjects");
    jw_arr(&w, "value");
    JSON_FOREACH (id, ids) {
        if (json_text(id) == NULL || !guid_valid(json_text(id)))
            return sb_fail(err, SB_EBADREQUEST, "Invalid GUID:%.80s",
                           json_text(id) != NULL ? json_text(id) : "");
        SB_TRY(write_object(r, &w, json_text(id), types, err));
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

/* ---- what there is none of ---- */

/* Groups, and deleted objects: a deletion is final here (choice). */
static enum sb_err empty_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct graph_page p;
    SB_TRY(graph_page_begin(r, "directoryObjects", &p, err));
    graph_page_end(r, &p);
out:
    return rc;
}

static enum sb_err no_object(struct request *r, struct sb_error *err)
{
    return graph_not_there(request_param(r, "id"), err);
}

static enum sb_err purge(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(graph_may_write(r, err));
    reply_empty(r, 204);
out:
    return rc;
}

#define READ  R_AUTH
#define WRITE (R_AUTH | R_JSON)
#define V     "/v1.0"
#define APP   V "/applications"
#define SP    V "/servicePrincipals"

static const struct route rows[] = {
    {"GET", PLANE_GRAPH, V "/me", READ, 0, graph_user_me, "GraphMe"},
    {"GET", PLANE_GRAPH, V "/users", READ, 0, graph_user_list, "GraphUserList"},
    {"POST", PLANE_GRAPH, V "/users", WRITE, 65536, graph_user_post, "GraphUserPost"},
    {"GET", PLANE_GRAPH, V "/users/{id}", READ, 0, graph_user_get, "GraphUserGet"},
    {"PATCH", PLANE_GRAPH, V "/users/{id}", WRITE, 65536, graph_user_patch, "GraphUserPatch"},
    {"DELETE", PLANE_GRAPH, V "/users/{id}", READ, 0, graph_user_delete, "GraphUserDelete"},
    {"GET", PLANE_GRAPH, SP, READ, 0, graph_sp_list, "GraphServicePrincipalList"},
    {"POST", PLANE_GRAPH, SP, WRITE, 65536, graph_sp_post, "GraphServicePrincipalPost"},
    {"GET", PLANE_GRAPH, SP "/{id}", READ, 0, graph_sp_get, "GraphServicePrincipalGet"},
    {"PATCH", PLANE_GRAPH, SP "/{id}", WRITE, 65536, graph_sp_patch, "GraphServicePrincipalPatch"},
    {"DELETE", PLANE_GRAPH, SP "/{id}", READ, 0, graph_sp_delete, "GraphServicePrincipalDelete"},
    {"POST", PLANE_GRAPH, SP "/{id}/addPassword", WRITE, 65536, graph_sp_add_password,
     "GraphServicePrincipalAddPassword"},
    {"POST", PLANE_GRAPH, SP "/{id}/removePassword", WRITE, 65536, graph_sp_remove_password,
     "GraphServicePrincipalRemovePassword"},
    {"GET", PLANE_GRAPH, SP "/{id}/owners", READ, 0, empty_list, "GraphServicePrincipalOwners"},
    {"GET", PLANE_GRAPH, APP, READ, 0, graph_app_list, "GraphApplicationList"},
    {"POST", PLANE_GRAPH, APP, WRITE, 65536, graph_app_post, "GraphApplicationPost"},
    {"GET", PLANE_GRAPH, APP "/{id}", READ, 0, graph_app_get, "GraphApplicationGet"},
    {"PATCH", PLANE_GRAPH, APP "/{id}", WRITE, 65536, graph_app_patch, "GraphApplicationPatch"},
    {"DELETE", PLANE_GRAPH, APP "/{id}", READ, 0, graph_app_delete, "GraphApplicationDelete"},
    {"POST", PLANE_GRAPH, APP "/{id}/addPassword", WRITE, 65536, graph_app_add_password,
     "GraphApplicationAddPassword"},
    {"POST", PLANE_GRAPH, APP "/{id}/removePassword", WRITE, 65536, graph_app_remove_password,
     "GraphApplicationRemovePassword"},
    {"GET", PLANE_GRAPH, APP "/{id}/owners", READ, 0, empty_list, "GraphApplicationOwners"},
    {"GET", PLANE_GRAPH, V "/groups", READ, 0, empty_list, "GraphGroupList"},
    {"GET", PLANE_GRAPH, V "/groups/{id}", READ, 0, no_object, "GraphGroupGet"},
    {"GET", PLANE_GRAPH, V "/directory/deletedItems/{id}", READ, 0, empty_list, "GraphDeletedItemList"},
    {"DELETE", PLANE_GRAPH, V "/directory/deletedItems/{id}", READ, 0, purge, "GraphDeletedItemDelete"},
    {"POST", PLANE_GRAPH, V "/directoryObjects/getByIds", WRITE, 65536, by_ids,
     "GraphDirectoryObjectGetByIds"},
};
const struct route_table routes_graph = {rows, SB_ARRAY_LEN(rows)};
