/*
 * arm_deployment_put.c: the resources of a deployment are put: one by one in the order of the template's
 * dependencies, but those that have nothing to do with each other several at a time, so that they share the
 * database's commits.
 *
 * What comes of it is what putting them one after another gives: results are settled in that order, and a
 * resource waits for what is under way when it depends on it, stands below or above it, or says its name.
 */
#include <stdlib.h>
#include <string.h>
#include "api/arm_call.h"
#include "api/arm_deployment.h"
#include "api/crew.h"
#include "server/base/text.h"
#include "server/engine/document.h"

#define ANSWER_MAX (16u << 20)

/* Providers whose resources are put by request; all others are kept as documents. */
static const char *const emulated[] = {"Microsoft.ServiceBus",      "Microsoft.KeyVault",
                                       "Microsoft.ManagedIdentity", "Microsoft.Authorization",
                                       "Microsoft.Resources",       "Microsoft.Insights"};

/* Of the emulated types, those whose resources don't care who of them comes first. Kept ones never do. */
static const char *const side_by_side[] = {
    "Microsoft.ServiceBus/namespaces/queues",
    "Microsoft.ServiceBus/namespaces/topics",
    "Microsoft.ServiceBus/namespaces/topics/subscriptions",
    "Microsoft.ServiceBus/namespaces/topics/subscriptions/rules",
    "Microsoft.ServiceBus/namespaces/AuthorizationRules",
    "Microsoft.ServiceBus/namespaces/queues/authorizationRules",
    "Microsoft.ServiceBus/namespaces/topics/authorizationRules",
    "Microsoft.KeyVault/vaults/keys",
    "Microsoft.KeyVault/vaults/secrets",
};

bool deployment_emulates(const char *type)
{
    size_t n = strcspn(type, "/");
    for (size_t i = 0; i < SB_ARRAY_LEN(emulated); i++) {
        if (strlen(emulated[i]) == n && text_ieqn(emulated[i], type, n))
            return true;
    }
    return false;
}

static bool needs_turn(const char *type)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(side_by_side); i++) {
        if (text_ieq(side_by_side[i], type))
            return false;
    }
    return deployment_emulates(type);
}

/* ---- one resource that is under way ---- */

struct job {
    struct crew_job crew; /* first */
    struct deployment *d;
    const struct tmpl_resource *x;
    char *names; /* its segments in lower case, each with its NUL */
    size_t names_n;
    const char *url, *text; /* of a PUT; in the session's arena */
    const char *said;       /* the body in lower case; likewise */
    struct sb_arena *arena; /* of its answer */
    struct arm_answer answer;
    struct sb_buf record; /* of one that is kept; url is NULL then */
    enum sb_err rc;
    struct sb_error err;
};

static void job_free(struct job *j)
{
    arena_free(j->arena);
    buf_done(&j->record);
    free(j->names);
    free(j);
}

static struct job *job_new(struct deployment *d, const struct tmpl_resource *x)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    buf_init(&j->record, DEPLOYMENT_RECORD_MAX);
    *j = (struct job){.d = d, .x = x, .record = j->record, .arena = arena_new(ANSWER_MAX)};
    j->names_n = strlen(x->name) + 1;
    j->names = malloc(j->names_n);
    if (!j->names || !j->arena) {
        job_free(j);
        return NULL;
    }
    for (size_t i = 0; i < j->names_n; i++)
        j->names[i] = (char)(x->name[i] == '/' ? '\0' : text_lower(x->name[i]));
    return j;
}

/* On some thread. */
static void put_one(struct crew_job *crew)
{
    struct job *j = (struct job *)(void *)crew;
    j->rc = arm_call(j->d->r, j->arena, "PUT", j->url, j->text, &j->answer, &j->err);
}

static const char *last_name(const struct tmpl_resource *x)
{
    const char *last = strrchr(x->name, '/');
    return last ? last + 1 : x->name;
}

/* On some thread. */
static void keep_one(struct crew_job *crew)
{
    struct job *j = (struct job *)(void *)crew;
    const struct st_document doc = {.kind = DOCUMENT_RESOURCE,
                                    .id = j->x->id,
                                    .scope = j->x->scope_id,
                                    .name = last_name(j->x),
                                    .type = j->x->type,
                                    .location = j->x->location,
                                    .body = buf_str(&j->record)};
    j->rc = document_put(j->d->r->e, &doc, &j->err);
}

/* ---- settling ---- */

/* A nested deployment's own request has been answered: has it gone well? */
static enum sb_err nested_state(struct deployment *d, const struct tmpl_resource *x, bool *ret_ok,
                                struct sb_error *err)
{
    const struct tv *v = NULL;
    enum sb_err rc = deployment_ask(d->r, tmpl_arena(d->t), "GET", x->id, "2022-09-01", NULL, &v, err);
    if (rc != SB_OK)
        return rc;
    const char *state = tv_text(tv_path(v, "properties.provisioningState"));
    const char *code = tv_text(tv_path(v, "properties.error.code"));
    const char *message = tv_text(tv_path(v, "properties.error.message"));
    *ret_ok = state && text_ieq(state, "Succeeded");
    if (!*ret_ok)
        deployment_refused(d, x, 409, code ? code : "DeploymentFailed",
                           message ? message : "The nested deployment failed.");
    return SB_OK;
}

static enum sb_err settle_put(struct job *j, struct sb_error *err)
{
    struct json *body = NULL;
    bool ok = true;
    if (j->answer.status >= 300) {
        if (json_parse(j->answer.body, j->answer.n, &body, NULL) != SB_OK)
            body = NULL;
        const char *code = json_text(json_path(body, "error.code")),
                   *message = json_text(json_path(body, "error.message"));
        deployment_refused(j->d, j->x, j->answer.status, code, message);
        json_free(body);
        return SB_OK;
    }
    enum sb_err rc = j->x->deployment ? nested_state(j->d, j->x, &ok, err) : SB_OK;
    if (rc == SB_OK && ok) {
        j->d->deployed[j->x->index] = true;
        deployment_operation(j->d, j->x, j->answer.status, NULL, NULL);
    }
    return rc;
}

/* Takes down what came of it. Frees it. */
static enum sb_err take_down(struct deployment *d, struct job *j, struct sb_error *err)
{
    enum sb_err rc = j->rc;
    if (rc != SB_OK && err)
        *err = j->err;
    if (rc == SB_OK && j->url) {
        rc = settle_put(j, err);
    } else if (rc == SB_OK) {
        d->deployed[j->x->index] = true;
        deployment_operation(d, j->x, 201, NULL, NULL);
    }
    job_free(j);
    return rc;
}

/* Waits for the oldest. */
static enum sb_err settle(struct deployment *d, struct sb_error *err)
{
    return take_down(d, (struct job *)(void *)crew_settle(d->crew), err);
}

enum sb_err deployment_settle(struct deployment *d, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    while (rc == SB_OK && d->crew && crew_count(d->crew) > 0)
        rc = settle(d, err);
    return rc;
}

void deployment_dismiss(struct deployment *d)
{
    while (d->crew && crew_count(d->crew) > 0)
        job_free((struct job *)(void *)crew_settle(d->crew));
    crew_free(d->crew);
    d->crew = NULL;
}

/* ---- who waits for whom ---- */

static bool depends_on(const struct tmpl_resource *x, const struct tmpl_resource *other)
{
    for (size_t i = 0; i < x->depends_n; i++) {
        if (other->index >= x->depends[i].first && other->index - x->depends[i].first < x->depends[i].n)
            return true;
    }
    return false;
}

static bool stands_below(const char *id, const char *above)
{
    return text_istarts(id, above) && id[strlen(above)] == '/';
}

/* Does the body of `by` hold one of the names of `j`? */
static bool says_name(const struct job *by, const struct job *j)
{
    for (size_t i = 0; i < j->names_n; i += strlen(j->names + i) + 1) {
        if (strstr(by->said, j->names + i))
            return true;
    }
    return false;
}

/* Settles until nothing is under way that x has to wait for, and there is room for one more. own: x's job;
 * NULL: its body is not known yet. */
static enum sb_err wait_for_turn(struct deployment *d, const struct tmpl_resource *x, const struct job *own,
                                 struct sb_error *err)
{
    size_t last = crew_count(d->crew) == CREW_WIDTH, k = 0;
    for (const struct crew_job *c = crew_oldest(d->crew); c; c = c->next) {
        const struct job *j = (const struct job *)(const void *)c;
        k++;
        if (depends_on(x, j->x) || stands_below(x->id, j->x->id) || stands_below(j->x->id, x->id) ||
            (own && (says_name(own, j) || says_name(j, own))))
            last = k;
    }
    for (enum sb_err rc; last > 0; last--) {
        rc = settle(d, err);
        if (rc != SB_OK)
            return rc;
    }
    return SB_OK;
}

static bool waits_for_failed(const struct deployment *d, const struct tmpl_resource *x)
{
    for (size_t i = 0; i < x->depends_n; i++) {
        for (size_t k = 0; k < x->depends[i].n; k++) {
            if (d->failed[x->depends[i].first + k])
                return true;
        }
    }
    return false;
}

/* ---- giving out ---- */

/* What is kept of a resource of another provider: as it was sent, but for secrets. */
static bool write_record(struct job *j, const struct tv *v)
{
    struct jw w;
    const struct tv *shown = tmpl_public(j->d->t, v);
    jw_init(&w, &j->record);
    jw_obj(&w, NULL);
    jw_str(&w, "id", j->x->id);
    jw_str(&w, "name", last_name(j->x));
    jw_str(&w, "type", j->x->type);
    for (uint32_t i = 0; shown && i < shown->n; i++)
        tv_write(&w, shown->u.members[i].key, shown->u.members[i].value);
    jw_end_obj(&w);
    return shown && !buf_failed(&j->record);
}

static struct job *prepare(struct deployment *d, const struct tmpl_resource *x, const struct tv *v)
{
    struct sb_arena *a = tmpl_arena(d->t);
    struct job *j = job_new(d, x);
    if (!j)
        return NULL;
    j->text = tv_print(a, v, NULL);
    j->said = text_tolower(arena_strdup(a, j->text));
    bool ok = j->said != NULL;
    if (ok && deployment_emulates(x->type)) {
        j->url = arena_printf(a, "%s?api-version=%s", x->id, x->api_version);
        j->crew.run = put_one;
        ok = j->url != NULL;
    } else if (ok) {
        j->crew.run = keep_one;
        ok = write_record(j, v);
    }
    if (ok)
        return j;
    job_free(j);
    return NULL;
}

static enum sb_err carry_out(struct deployment *d, const struct tmpl_resource *x, const struct tv *v,
                             struct sb_error *err)
{
    bool turn = needs_turn(x->type);
    struct job *j = prepare(d, x, v);
    if (!j)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    enum sb_err rc = turn ? deployment_settle(d, err) : wait_for_turn(d, x, j, err);
    if (rc != SB_OK) {
        job_free(j);
        return rc;
    }
    if (!turn) {
        crew_give(d->crew, &j->crew);
        return SB_OK;
    }
    j->crew.run(&j->crew);
    return take_down(d, j, err);
}

enum sb_err deployment_put(struct deployment *d, const struct tmpl_resource *x, struct sb_error *err)
{
    enum sb_err rc;
    const struct tv *v = NULL;
    struct tmpl_nested nested;
    if (x->existing || !x->condition)
        return SB_OK;
    if (!d->crew && !(d->crew = crew_new()))
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(wait_for_turn(d, x, NULL, err));
    d->failed[x->index] = waits_for_failed(d, x);
    if (d->failed[x->index])
        return SB_OK;
    rc = x->deployment ? tmpl_nested(d->t, x, TMPL_RUN, &nested, err) : SB_OK;
    if (rc == SB_OK)
        rc = tmpl_body(d->t, x, TMPL_RUN, &v, err);
    if (rc == SB_ETEMPLATE) {
        deployment_refused(d, x, 400, tmpl_fault(d->t)->code, tmpl_fault(d->t)->message);
        return SB_OK;
    }
    if (rc == SB_OK)
        rc = carry_out(d, x, v, err);
out:
    return rc;
}
