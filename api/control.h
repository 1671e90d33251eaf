/*
 * control.h: the emulator's own control plane (contract 4): handlers behind the rows of control.c, by
 * subject, and what the command line prints of it. Host and Origin were looked at by the dispatcher.
 */
#ifndef SB_CONTROL_H
#define SB_CONTROL_H

#include "api/request.h"

/* The capabilities document; e NULL: without what only a running emulator knows (--print-capabilities). env
 * adds the program's part; NULL: none. */
void control_capabilities(struct jw *w, struct engine *e, const struct api_env *env);

/* SB_EBADREQUEST naming the member when the body's object has one that is not listed (NULL-terminated). */
SB_MUST enum sb_err control_only(const struct json *body, const char *const *names, struct sb_error *err);
/* A query value as a number in range; absent leaves *ret alone. */
SB_MUST enum sb_err control_query_i64(const struct request *r, const char *name, int64_t min, int64_t max,
                                      int64_t *ret, struct sb_error *err);
/* Time as RFC 3339; 0 ("never") as null. */
void control_time(struct jw *w, const char *key, int64_t ms);

/* control_clock.c */
enum sb_err control_clock_get(struct request *r, struct sb_error *err);
enum sb_err control_clock_post(struct request *r, struct sb_error *err);
enum sb_err control_poll(struct request *r, struct sb_error *err);
/* control_view.c */
enum sb_err control_namespace(struct request *r, struct sb_error *err);
enum sb_err control_key_delete(struct request *r, struct sb_error *err);
enum sb_err control_events(struct request *r, struct sb_error *err);
enum sb_err control_at_rest(struct request *r, struct sb_error *err);
/* control_faults.c */
enum sb_err control_faults_get(struct request *r, struct sb_error *err);
enum sb_err control_faults_post(struct request *r, struct sb_error *err);
enum sb_err control_faults_delete(struct request *r, struct sb_error *err);
/* control_signin.c: device codes that wait for their users. */
enum sb_err control_device_list(struct request *r, struct sb_error *err);
enum sb_err control_device_decide(struct request *r, struct sb_error *err);
/* control_identity.c: errors have the instance metadata service's own shape. */
enum sb_err control_identity_imds(struct request *r, struct sb_error *err);
enum sb_err control_identity_app_service(struct request *r, struct sb_error *err);

#endif
