/*
 * config.h: the one option table (contract 1): it parses the command line and the environment and prints
 * --help and the capabilities.
 */
#ifndef SB_CONFIG_H
#define SB_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include "api/json.h"
#include "server/base/arena.h"
#include "server/base/log.h"
#include "server/engine/engine.h"

enum config_action { CONFIG_RUN, CONFIG_HELP, CONFIG_VERSION, CONFIG_CAPABILITIES, CONFIG_PRINT_HOSTS };

struct config_list {
    const char **v;
    size_t n;
};

/* --client-cert: whose certificate is in which file. */
struct config_cert {
    const char *id, *file;
};

struct config {
    enum config_action action;
    struct config_list names; /* of --print-hosts */
    const char *data_dir;     /* NULL only with --in-memory and no --data-dir */
    bool in_memory;
    int token_clock; /* 0 machine, 1 emulator */
    struct config_list control_hosts;
    struct config_list binds; /* literal addresses */
    bool default_binds;       /* none was given: an unavailable ::1 is skipped */
    int64_t https_port, http_port;
    int64_t poll_interval;      /* seconds */
    int64_t grant_delay;        /* seconds */
    int64_t provisioning_delay; /* seconds */
    int clock;                  /* 0 real, 1 manual */
    int64_t now_ms;             /* 0: not given */
    struct config_list subscriptions;
    struct config_list client_texts;
    const struct engine_client *clients; /* the well-known one first */
    size_t clients_n;
    struct config_list cert_texts;
    const struct config_cert *certs;
    size_t certs_n;
    struct config_list user_texts;
    const struct engine_user *users; /* the well-known one first */
    size_t users_n;
    const char *tls_cert, *tls_key;
    int log_level;  /* enum log_level */
    int log_format; /* 0 text, 1 json */
};

/* getenv, or a test's own. */
typedef const char *config_env(const char *name);

/* Reads argv and the environment; an option wins over its environment twin. Texts live in the arena or are
 * borrowed. SB_EUSAGE says what is wrong. */
SB_MUST enum sb_err config_parse(int argc, char *const *argv, config_env *env, struct sb_arena *a,
                                 struct config *ret, struct sb_error *err);
/* The text of --help. */
void config_help(struct sb_buf *b);
/* One object per option: name, env, default, repeatable, text. */
void config_describe(struct jw *w, const char *key);
/* Hosts-file lines for --print-hosts: the names that are always there, then those of each NAME. */
void config_hosts(const struct config *c, struct sb_buf *b);

#endif
