/*
 * broker_rule.h: rules of subscriptions: what each says, in memory and at rest.
 *
 * A rule is stored sealed under the platform key (its texts are users' own) as pairs of texts, so that a
 * field can be added without changing the schema.
 */
#ifndef SB_BROKER_RULE_H
#define SB_BROKER_RULE_H

#include "server/engine/sqlfilter.h"
#include "storage/st_entity.h"

struct engine;

#define RULE_NAME_MAX   50
#define RULE_DEFAULT    "$Default"
#define RULE_PROPS_MAX  100
#define RULE_COMPAT     20 /* recorded compatibilityLevel */
#define RULE_SEALED_MAX (64u << 10)

/* Every text may be NULL: not given. */
struct rule_spec {
    bool correlation; /* CorrelationFilter, else SqlFilter */
    const char *sql, *action;
    const char *correlation_id, *message_id, *to, *reply_to, *label, *session_id, *reply_to_session_id,
        *content_type;
    const char *preprocess, *action_preprocess; /* requiresPreprocessing as sent: "true", "false" */
    const char *compat, *action_compat;         /* compatibilityLevel as sent */
    const struct amqp_app_prop *props;          /* of a correlation filter: texts */
    size_t props_n;
};

struct rule_view {
    const char *name;
    int64_t created_ms;
    struct rule_spec spec;
};

struct rule {
    struct rule *next;
    struct sb_arena *a; /* owns everything here */
    const char *name;
    int64_t created_ms;
    struct rule_spec spec;
    const struct sqlfilter *filter, *action; /* compiled; NULL: none */
    bool always;                             /* matches every message: "1=1" */
};

/* Compiles; copies spec. SB_EBADREQUEST: the filter or the action is malformed, or too much is given. */
SB_MUST enum sb_err broker_rule_new(const char *name, int64_t created_ms, const struct rule_spec *spec,
                                    struct rule **ret, struct sb_error *err);
void broker_rule_free(struct rule *r);        /* NULL is ok */
void broker_rule_free_all(struct rule *list); /* NULL is ok */
/* path: the subscription's, "TOPIC/subscriptions/SUB". Appends the sealed form to out. */
SB_MUST enum sb_err broker_rule_seal(struct engine *e, int64_t ns, const char *path, const struct rule *r,
                                     struct sb_buf *out, struct sb_error *err);
SB_MUST enum sb_err broker_rule_open(struct engine *e, int64_t ns, const char *path,
                                     const struct st_rule *row, struct rule **ret, struct sb_error *err);
/* Copies into a. SB_ENOMEM. */
SB_MUST enum sb_err broker_rule_view(const struct rule *r, struct sb_arena *a, struct rule_view *ret,
                                     struct sb_error *err);
/* Does it match? SB_EINVAL: its filter cannot be evaluated on this message. */
SB_MUST enum sb_err broker_rule_match(const struct rule *r, const struct amqp_message *m, struct sb_arena *a,
                                      bool *ret, struct sb_error *err);

#endif
