/*
 * httpd.h: the listeners: sockets, TLS, and requests between libmicrohttpd and api/. httpd.c is the only file
 * that knows libmicrohttpd.
 *
 * Two threads serve each HTTPS address, one each HTTP address. A request whose row says R_INLINE runs there;
 * any other on a worker. Whatever has to wait is suspended and resumed by whoever finishes it.
 */
#ifndef SB_HTTPD_H
#define SB_HTTPD_H

#include <stdbool.h>
#include <stdint.h>
#include "api/request.h"

struct httpd;

struct httpd_config {
    struct engine *engine;
    const struct api_env *env;
    const char *cert_pem, *key_pem;
    const char *const *binds; /* literal addresses */
    size_t binds_n;
    bool optional_v6;          /* skip a v6 address that this machine does not have */
    int https_port, http_port; /* 0: any free one, the same for all addresses */
};

/* Figures that capabilities show. */
#define HTTPD_CONNECTIONS_MAX 4096        /* per port and address */
#define HTTPD_HEADERS_MAX     (60u << 10) /* of a request, all together, about */
#define HTTPD_IDLE_SECONDS    120         /* without a byte, not counting long receives */

/* Binds, and listens on, every address and port; cfg and what it points to must live until httpd_close.
 * SB_EUNAVAILABLE says which port is taken. When it returns, every listener accepts. */
SB_MUST enum sb_err httpd_open(const struct httpd_config *cfg, struct httpd **ret, struct sb_error *err);
int httpd_https_port(const struct httpd *h);
int httpd_http_port(const struct httpd *h);
/* NULL while all listeners take connections, else what is wrong. Blocks for a moment. Any thread. */
const char *httpd_sick(struct httpd *h);
/* No new connections; answers carry "Connection: close". */
void httpd_quiesce(struct httpd *h);
/* Waits until no request is being worked on; false after ms. Parked receives must have been answered
 * (engine_stop). */
bool httpd_drain(struct httpd *h, int64_t ms);
/* Closes all connections and frees. Only after a successful drain. NULL is ok. */
void httpd_close(struct httpd *h);

#endif
