/*
 * brokerprops.h: messages as HTTP carries them: the BrokerProperties header (JSON), and custom properties as
 * headers of their own, with values written like JSON: 42, 3.14, true, "text". Both ways.
 */
#ifndef SB_BROKERPROPS_H
#define SB_BROKERPROPS_H

#include "api/request.h"
#include "server/engine/amqpmsg.h"
#include "server/engine/broker.h"

#define BROKERPROPS_HEADER_MAX   65536 /* of the BrokerProperties header */
#define BROKERPROPS_PROPERTY_MAX 32768 /* of one custom property (documented) */
#define BROKERPROPS_TOTAL_MAX    65536 /* of all custom properties of a message (documented) */

/* What a sender says about its message. */
struct brokerprops {
    struct amqp_props props; /* message_id NULL: not given */
    int64_t ttl_ms;          /* -1: not given */
    int64_t scheduled_ms;    /* 0: not given */
};

/* From the header's text (NULL or "": nothing given). Unknown members are ignored, as documented.
 * SB_EBADREQUEST. */
SB_MUST enum sb_err brokerprops_parse(const char *text, struct sb_arena *a, struct brokerprops *ret,
                                      struct sb_error *err);
/* From an object of a batch (NULL: nothing given). Texts are copied into a. */
SB_MUST enum sb_err brokerprops_read(const struct json *obj, struct sb_arena *a, struct brokerprops *ret,
                                     struct sb_error *err);

/* Custom properties: every header that HTTP itself does not use. SB_EQUOTA when they are too large. */
SB_MUST enum sb_err brokerprops_custom(const struct request_pair *headers, size_t n, struct sb_arena *a,
                                       const struct amqp_app_prop **ret, size_t *ret_n, struct sb_error *err);
/* The same from "UserProperties" of a batch (NULL: none). */
SB_MUST enum sb_err brokerprops_user(const struct json *obj, struct sb_arena *a,
                                     const struct amqp_app_prop **ret, size_t *ret_n, struct sb_error *err);

/* Appends the BrokerProperties of a delivery: members in alphabetical order, as recorded. ASCII only. */
void brokerprops_write(struct sb_buf *b, const struct broker_delivery *d, const struct amqp_props *p);
/* Appends a custom property's value as a header has it. ASCII only. */
void brokerprops_value(struct sb_buf *b, const struct amqp_value *v);
/* Can a property of this name be shown as a header (a token, and not one that HTTP uses)? */
bool brokerprops_showable(const char *name);

#endif
