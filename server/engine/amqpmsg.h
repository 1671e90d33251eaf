/*
 * amqpmsg.h: the stored form of a message: AMQP 1.0 sections (properties, application-properties, body), read
 * and written byte for byte. Sections that we do not know are kept as they are. (OASIS AMQP 1.0 part 1
 * and 3.2.)
 */
#ifndef SB_AMQPMSG_H
#define SB_AMQPMSG_H

#include "server/base/arena.h"
#include "server/base/buf.h"
#include "server/base/err.h"

/* The fields of the properties section that Service Bus uses; NULL: absent. */
struct amqp_props {
    const char *message_id, *to, *subject /* Label */, *reply_to, *correlation_id, *content_type,
        *session_id /* group-id */, *reply_to_session_id /* reply-to-group-id */;
    const char *partition_key, *via_partition_key; /* message annotations */
};

enum amqp_value_kind {
    AMQP_STRING,
    AMQP_LONG,
    AMQP_DOUBLE,
    AMQP_BOOL,
    AMQP_TIMESTAMP,
    AMQP_NULL,
    AMQP_OTHER
};
struct amqp_value {
    enum amqp_value_kind kind;
    const char *s;
    int64_t i; /* long, bool, timestamp (ms) */
    double d;
};
struct amqp_app_prop {
    const char *name;
    struct amqp_value value;
};

struct amqp_message {
    struct amqp_props props;
    const struct amqp_app_prop *app;
    size_t app_n;
    struct sb_blob body; /* one data section; for an amqp-value body that is a string or binary, its bytes */
};

/* Appends annotations (if any), properties, application-properties (if any) and one data section. */
SB_MUST enum sb_err amqpmsg_encode(const struct amqp_message *m, struct sb_buf *out, struct sb_error *err);
/* Encodes m's properties and, instead of its body, every section of the original that amqpmsg_encode does not
 * write itself, byte for byte. SB_EINVAL: original is malformed. */
SB_MUST enum sb_err amqpmsg_rewrite(const struct amqp_message *m, struct sb_blob original, struct sb_buf *out,
                                    struct sb_error *err);
/* Decodes into the arena; strict about lengths and nesting (hostile input). SB_EINVAL. */
SB_MUST enum sb_err amqpmsg_decode(struct sb_blob sections, struct sb_arena *a, struct amqp_message *ret,
                                   struct sb_error *err);

#endif
