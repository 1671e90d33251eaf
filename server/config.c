/* config.c: the option table, and the checks that no table can say. */
#include "server/config.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "api/hosts.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"

enum cfg_type { CFG_TEXT, CFG_FLAG, CFG_INT, CFG_CHOICE, CFG_TIME, CFG_LIST, CFG_ACTION };

struct cfg_option {
    const char *name; /* without the dashes */
    const char *env;
    const char *arg; /* what --help calls the value; for CFG_CHOICE: the words */
    enum cfg_type type;
    size_t offset;      /* in struct config */
    const char *preset; /* parsed like a value; NULL: none */
    int64_t min, max;
    const char *text;
};

#define AT(field) offsetof(struct config, field)

static const struct cfg_option options[] = {
    {"data-dir", "SEALEDBUS_DATA_DIR", "DIR", CFG_TEXT, AT(data_dir), NULL, 0, 0,
     "databases, platform key, CA and certificates (default $XDG_STATE_HOME/sealedbus, else "
     "~/.local/state/sealedbus)"},
    {"in-memory", "SEALEDBUS_IN_MEMORY", NULL, CFG_FLAG, AT(in_memory), NULL, 0, 0,
     "nothing is written to disk but CA and certificate; every other key is new at each start"},
    {"token-clock", "SEALEDBUS_TOKEN_CLOCK", "machine|emulator", CFG_CHOICE, AT(token_clock), "machine", 0, 0,
     "which clock ends tokens and SAS"},
    {"control-host", "SEALEDBUS_CONTROL_HOSTS", "NAME", CFG_LIST, AT(control_hosts), NULL, 0, 0,
     "further Host value allowed on the HTTP port (a container's service name)"},
    {"bind", "SEALEDBUS_BIND", "ADDR", CFG_LIST, AT(binds), NULL, 0, 0,
     "listening address (default 127.0.0.1 and ::1)"},
    {"https-port", "SEALEDBUS_HTTPS_PORT", "N", CFG_INT, AT(https_port), "8443", 0, 65535,
     "ARM, Entra ID, Key Vault, Service Bus REST, Graph, told apart by Host; 0: any free port"},
    {"http-port", "SEALEDBUS_HTTP_PORT", "N", CFG_INT, AT(http_port), "5300", 0, 65535,
     "/health, managed-identity tokens, /_emulator/...; 0: any free port"},
    {"poll-interval", "SEALEDBUS_POLL_INTERVAL", "S", CFG_INT, AT(poll_interval), "300", 1, 86400,
     "seconds between polls of the customer keys"},
    {"grant-delay", "SEALEDBUS_GRANT_DELAY", "S", CFG_INT, AT(grant_delay), "0", 0, 86400,
     "seconds before a new role assignment counts, and before a removed one no longer does"},
    {"provisioning-delay", "SEALEDBUS_PROVISIONING_DELAY", "S", CFG_INT, AT(provisioning_delay), "0", 0,
     86400, "seconds that creates, updates and deletes of namespaces take; 0: done when ARM answers"},
    {"clock", "SEALEDBUS_CLOCK", "real|manual", CFG_CHOICE, AT(clock), "real", 0, 0,
     "manual: time moves only when /_emulator/clock moves it"},
    {"now", "SEALEDBUS_NOW", "RFC3339", CFG_TIME, AT(now_ms), NULL, 0, 0,
     "start time of a manual clock in a new data directory (default: now)"},
    {"subscription", "SEALEDBUS_SUBSCRIPTIONS", "GUID", CFG_LIST, AT(subscriptions), NULL, 0, 0,
     "strict list of subscriptions (default: any GUID is accepted)"},
    {"client", "SEALEDBUS_CLIENTS", "ID:SECRET[:OBJECTID]", CFG_LIST, AT(client_texts), NULL, 0, 0,
     "service principal that may sign in, beside the well-known one"},
    {"client-cert", "SEALEDBUS_CLIENT_CERTS", "ID:FILE[:OBJECTID]", CFG_LIST, AT(cert_texts), NULL, 0, 0,
     "certificate (PEM) with which a service principal may sign in"},
    {"user", "SEALEDBUS_USERS", "UPN:PASSWORD[:OBJECTID]", CFG_LIST, AT(user_texts), NULL, 0, 0,
     "user that may sign in, beside the well-known one"},
    {"tls-cert", "SEALEDBUS_TLS_CERT", "FILE", CFG_TEXT, AT(tls_cert), NULL, 0, 0,
     "own certificate (PEM) for the HTTPS port"},
    {"tls-key", "SEALEDBUS_TLS_KEY", "FILE", CFG_TEXT, AT(tls_key), NULL, 0, 0, "its private key (PEM)"},
    {"log-level", "SEALEDBUS_LOG_LEVEL", "error|warn|info|debug", CFG_CHOICE, AT(log_level), "info", 0, 0,
     "how much goes to stderr"},
    {"log-format", "SEALEDBUS_LOG_FORMAT", "text|json", CFG_CHOICE, AT(log_format), "text", 0, 0,
     "how it looks"},
    {"print-hosts", NULL, "NAME...", CFG_ACTION, AT(action), NULL, CONFIG_PRINT_HOSTS, 0,
     "print hosts-file lines: ARM, sign-in and Graph, then these namespaces and vaults"},
    {"print-capabilities", NULL, NULL, CFG_ACTION, AT(action), NULL, CONFIG_CAPABILITIES, 0,
     "print what this build can do, as JSON"},
    {"help", NULL, NULL, CFG_ACTION, AT(action), NULL, CONFIG_HELP, 0, "print this"},
    {"version", NULL, NULL, CFG_ACTION, AT(action), NULL, CONFIG_VERSION, 0, "print the version"},
};

/* ---- one value ---- */

static void *field(struct config *c, const struct cfg_option *o)
{
    return (char *)c + o->offset;
}

static enum sb_err bad(struct sb_error *err, const struct cfg_option *o, const char *value, const char *want)
{
    return sb_fail(err, SB_EUSAGE, "--%s: '%.200s' is not %s", o->name, value, want);
}

static enum sb_err add_to_list(struct config_list *l, const char *value, struct sb_arena *a,
                               struct sb_error *err)
{
    const char **v = ARENA_ARRAY(a, const char *, l->n + 1);
    if (!v)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    if (l->n)
        memcpy(v, l->v, l->n * sizeof *v);
    v[l->n++] = value;
    l->v = v;
    return SB_OK;
}

/* The place of value among the words of "a|b|c". */
static enum sb_err set_choice(int *dst, const struct cfg_option *o, const char *value, struct sb_error *err)
{
    int i = 0;
    for (const char *w = o->arg; *w; i++) {
        size_t n = strcspn(w, "|");
        if (strlen(value) == n && memcmp(w, value, n) == 0) {
            *dst = i;
            return SB_OK;
        }
        w += n + (w[n] == '|');
    }
    return bad(err, o, value, o->arg);
}

static enum sb_err set_flag(bool *dst, const struct cfg_option *o, const char *value, struct sb_error *err)
{
    static const char *const yes[] = {"", "1", "true", "yes", "on"}, *const no[] = {"0", "false", "no",
                                                                                    "off"};
    for (size_t i = 0; i < SB_ARRAY_LEN(yes); i++) {
        if (text_ieq(value, yes[i])) {
            *dst = true;
            return SB_OK;
        }
    }
    for (size_t i = 0; i < SB_ARRAY_LEN(no); i++) {
        if (text_ieq(value, no[i])) {
            *dst = false;
            return SB_OK;
        }
    }
    return bad(err, o, value, "true or false");
}

static enum sb_err set_int(int64_t *dst, const struct cfg_option *o, const char *value, struct sb_error *err)
{
    char want[80];
    if (text_to_i64(value, o->min, o->max, dst))
        return SB_OK;
    snprintf(want, sizeof want, "a number from %lld to %lld", (long long)o->min, (long long)o->max);
    return bad(err, o, value, want);
}

static enum sb_err set(struct config *c, const struct cfg_option *o, const char *value, struct sb_arena *a,
                       struct sb_error *err)
{
    void *dst = field(c, o);
    switch (o->type) {
    case CFG_TEXT:
        if (!*value)
            return bad(err, o, value, "a name");
        *(const char **)dst = value;
        return SB_OK;
    case CFG_FLAG: return set_flag(dst, o, value, err);
    case CFG_INT: return set_int(dst, o, value, err);
    case CFG_CHOICE: return set_choice(dst, o, value, err);
    case CFG_TIME:
        return time_parse_rfc3339(value, dst) && c->now_ms > 0
                   ? SB_OK
                   : bad(err, o, value, "a time such as 2030-01-31T12:00:00Z");
    case CFG_LIST: return *value ? add_to_list(dst, value, a, err) : bad(err, o, value, "a value");
    case CFG_ACTION: *(enum config_action *)dst = (enum config_action)o->min; return SB_OK;
    }
    return SB_EINTERNAL;
}

/* ---- the environment: before the command line; lists are separated by commas ---- */

static enum sb_err set_env_list(struct config *c, const struct cfg_option *o, const char *value,
                                struct sb_arena *a, struct sb_error *err)
{
    while (*value) {
        size_t n = strcspn(value, ",");
        char *part = arena_strndup(a, value, n);
        if (!part)
            return sb_fail(err, SB_ENOMEM, "out of memory");
        enum sb_err rc = n ? set(c, o, part, a, err) : SB_OK;
        if (rc != SB_OK)
            return rc;
        value += n + (value[n] == ',');
    }
    return SB_OK;
}

static enum sb_err read_env(struct config *c, config_env *env, struct sb_arena *a, struct sb_error *err)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(options); i++) {
        const struct cfg_option *o = &options[i];
        const char *value = o->env ? env(o->env) : NULL;
        if (!value || !*value)
            continue;
        struct sb_error why = {0};
        enum sb_err rc = o->type == CFG_LIST ? set_env_list(c, o, value, a, &why) : set(c, o, value, a, &why);
        if (rc != SB_OK)
            return sb_fail(err, rc, "%s (from %s)", why.detail, o->env);
    }
    return SB_OK;
}

/* ---- the command line ---- */

static const struct cfg_option *option_named(const char *name, size_t n)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(options); i++) {
        if (strlen(options[i].name) == n && memcmp(options[i].name, name, n) == 0)
            return &options[i];
    }
    return NULL;
}

static bool takes_value(const struct cfg_option *o)
{
    return o->type != CFG_FLAG && o->type != CFG_ACTION;
}

/* The first time a list is named on the command line it replaces what the environment said. */
static void forget_env(struct config *c, const struct cfg_option *o, uint64_t *seen)
{
    uint64_t bit = UINT64_C(1) << (o - options);
    if (o->type == CFG_LIST && !(*seen & bit))
        *(struct config_list *)field(c, o) = (struct config_list){0};
    *seen |= bit;
}

static enum sb_err read_args(struct config *c, int argc, char *const *argv, struct sb_arena *a,
                             struct sb_error *err)
{
    uint64_t seen = 0;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (arg[0] != '-') { /* only --print-hosts takes bare words */
            if (c->action != CONFIG_PRINT_HOSTS)
                return sb_fail(err, SB_EUSAGE, "unexpected argument '%.200s'", arg);
            enum sb_err rc = add_to_list(&c->names, arg, a, err);
            if (rc != SB_OK)
                return rc;
            continue;
        }
        size_t n = text_starts(arg, "--") ? strcspn(arg + 2, "=") : 0;
        const struct cfg_option *o = n ? option_named(arg + 2, n) : NULL;
        if (!o)
            return sb_fail(err, SB_EUSAGE, "unknown option '%.200s'", arg);
        const char *value = arg[2 + n] == '=' ? arg + 3 + n : NULL;
        if (!value && takes_value(o))
            value = ++i < argc ? argv[i] : NULL;
        if (!value && takes_value(o))
            return sb_fail(err, SB_EUSAGE, "--%s needs a value: %s", o->name, o->arg);
        if (value && o->type == CFG_ACTION)
            return sb_fail(err, SB_EUSAGE, "--%s takes no value", o->name);
        forget_env(c, o, &seen);
        enum sb_err rc = set(c, o, value ? value : "", a, err);
        if (rc != SB_OK)
            return rc;
    }
    return SB_OK;
}

/* ---- what no table says ---- */

/* A client without an object id gets one that is the same at every start: a hash of its own id. */
static const char *object_id_for(const char *client_id, struct sb_arena *a)
{
    uint8_t raw[16];
    char guid[SB_GUID_LEN + 1];
    const char *again = arena_printf(a, "object id of %s", client_id);
    be_put_u64(raw, text_ihash(client_id));
    be_put_u64(raw + 8, text_ihash(again ? again : ""));
    guid_format(raw, guid);
    return arena_strdup(a, guid);
}

/* FIRST:SECOND[:OBJECTID]; the second part may hold colons. */
struct triple {
    char *first, *second;
    const char *oid; /* NULL: none */
};

static bool split_triple(const char *text, struct sb_arena *a, struct triple *ret)
{
    struct triple t = {.first = arena_strdup(a, text)};
    t.second = t.first ? strchr(t.first, ':') : NULL;
    if (!t.second)
        return false;
    *t.second++ = '\0';
    char *last = strrchr(t.second, ':');
    if (last && guid_valid(last + 1)) {
        *last = '\0';
        t.oid = last + 1;
    }
    *ret = t;
    return *t.first && *t.second;
}

/* ---- clients ---- */

static struct engine_client *client_of(struct engine_client *list, size_t *n, const char *id)
{
    size_t at = 0;
    while (at < *n && !text_ieq(list[at].id, id))
        at++;
    if (at == *n)
        list[(*n)++] = (struct engine_client){.id = id};
    return &list[at];
}

/* One more way in for a client; naming the well-known id keeps its object id. */
static enum sb_err add_client(struct engine_client *list, size_t *n, const struct triple *t,
                              const char *secret, struct sb_arena *a, struct sb_error *err)
{
    struct engine_client *c = client_of(list, n, text_tolower(t->first));
    if (secret)
        c->secret = secret;
    if (t->oid)
        c->oid = t->oid;
    else if (!c->oid)
        c->oid = object_id_for(c->id, a);
    return c->oid ? SB_OK : sb_fail(err, SB_ENOMEM, "out of memory");
}

/* The well-known client, then the given ones; naming the well-known id replaces its secret. */
static enum sb_err make_clients(struct config *c, struct sb_arena *a, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct triple t;
    size_t n = 0, most = c->client_texts.n + c->cert_texts.n + 1;
    struct engine_client *list = ARENA_ARRAY(a, struct engine_client, most);
    struct config_cert *certs = ARENA_ARRAY(a, struct config_cert, c->cert_texts.n + 1);
    if (!list || !certs)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    list[n++] = (struct engine_client){ENGINE_CLIENT_ID, ENGINE_CLIENT_SECRET, ENGINE_CLIENT_OID};
    for (size_t i = 0; i < c->client_texts.n; i++) {
        if (!split_triple(c->client_texts.v[i], a, &t) || !guid_valid(t.first))
            return sb_fail(err, SB_EUSAGE,
                           "--client: write it as ID:SECRET[:OBJECTID], both ids being GUIDs");
        SB_TRY(add_client(list, &n, &t, t.second, a, err));
    }
    for (size_t i = 0; i < c->cert_texts.n; i++) {
        if (!split_triple(c->cert_texts.v[i], a, &t) || !guid_valid(t.first))
            return sb_fail(err, SB_EUSAGE,
                           "--client-cert: write it as ID:FILE[:OBJECTID], both ids being GUIDs");
        SB_TRY(add_client(list, &n, &t, NULL, a, err));
        certs[i] = (struct config_cert){t.first, t.second};
    }
    c->clients = list;
    c->clients_n = n;
    c->certs = certs;
    c->certs_n = c->cert_texts.n;
out:
    return rc;
}

/* ---- users ---- */

static bool upn_like(const char *s)
{
    const char *at = strchr(s, '@');
    return at && at != s && at[1] && !strchr(at + 1, '@') && strlen(s) <= 113 && !strpbrk(s, " /\\\"'");
}

/* The well-known user, then the given ones; naming the well-known one replaces its password. */
static enum sb_err make_users(struct config *c, struct sb_arena *a, struct sb_error *err)
{
    struct triple t;
    size_t n = 0;
    struct engine_user *list = ARENA_ARRAY(a, struct engine_user, c->user_texts.n + 1);
    if (!list)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    list[n++] = (struct engine_user){ENGINE_USER, ENGINE_USER_PASSWORD, ENGINE_USER_OID};
    for (size_t i = 0; i < c->user_texts.n; i++) {
        if (!split_triple(c->user_texts.v[i], a, &t) || !upn_like(t.first))
            return sb_fail(err, SB_EUSAGE,
                           "--user: write it as NAME@DOMAIN:PASSWORD[:OBJECTID], the object id being a GUID");
        size_t at = 0;
        while (at < n && !text_ieq(list[at].upn, t.first))
            at++;
        const char *before = at < n ? list[at].oid : NULL;
        list[at] = (struct engine_user){t.first, t.second, t.oid ? t.oid : before};
        n = SB_MAX(n, at + 1);
    }
    c->users = list;
    c->users_n = n;
    return SB_OK;
}

static bool literal_address(const char *s)
{
    unsigned char raw[16];
    return inet_pton(AF_INET, s, raw) == 1 || inet_pton(AF_INET6, s, raw) == 1;
}

static bool name_like(const char *s)
{
    size_t n = strlen(s);
    return n > 0 && n <= 253 &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == n;
}

static bool label_like(const char *s)
{
    size_t n = strlen(s);
    return n > 0 && n <= 63 &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == n;
}

static enum sb_err check_list(const struct config_list *l, bool (*ok)(const char *), const char *option,
                              const char *want, struct sb_error *err)
{
    for (size_t i = 0; i < l->n; i++) {
        if (!ok(l->v[i]))
            return sb_fail(err, SB_EUSAGE, "%s: '%.200s' is not %s", option, l->v[i], want);
    }
    return SB_OK;
}

static enum sb_err check_lists(const struct config *c, struct sb_error *err)
{
    const struct {
        const struct config_list *list;
        bool (*ok)(const char *);
        const char *option, *want;
    } checks[] = {
        {&c->binds, literal_address, "--bind", "an IP address"},
        {&c->control_hosts, name_like, "--control-host", "a host name (without a port)"},
        {&c->subscriptions, guid_valid, "--subscription", "a GUID"},
        {&c->names, label_like, "--print-hosts", "the name of a namespace or vault"},
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(checks); i++) {
        enum sb_err rc = check_list(checks[i].list, checks[i].ok, checks[i].option, checks[i].want, err);
        if (rc != SB_OK)
            return rc;
    }
    return SB_OK;
}

static enum sb_err check_together(const struct config *c, struct sb_error *err)
{
    if (!c->tls_cert != !c->tls_key)
        return sb_fail(err, SB_EUSAGE, "--tls-cert and --tls-key go together");
    if (c->now_ms && c->clock == 0)
        return sb_fail(err, SB_EUSAGE, "--now needs --clock manual");
    if (c->https_port && c->https_port == c->http_port)
        return sb_fail(err, SB_EUSAGE, "--https-port and --http-port must differ");
    if (c->action == CONFIG_PRINT_HOSTS && c->names.n == 0)
        return sb_fail(err, SB_EUSAGE, "--print-hosts needs the names of namespaces or vaults");
    return SB_OK;
}

static enum sb_err default_dir(struct config *c, config_env *env, struct sb_arena *a, struct sb_error *err)
{
    if (c->data_dir || c->in_memory)
        return SB_OK;
    const char *state = env("XDG_STATE_HOME"), *home = env("HOME");
    if (state && state[0] == '/') /* the specification: a relative one is ignored */
        c->data_dir = arena_printf(a, "%s/sealedbus", state);
    else if (home && home[0] == '/')
        c->data_dir = arena_printf(a, "%s/.local/state/sealedbus", home);
    else
        return sb_fail(err, SB_EUSAGE,
                       "there is no home directory: choose one with --data-dir, or use --in-memory");
    return c->data_dir ? SB_OK : sb_fail(err, SB_ENOMEM, "out of memory");
}

static enum sb_err default_binds(struct config *c, struct sb_arena *a, struct sb_error *err)
{
    if (c->binds.n)
        return SB_OK;
    c->default_binds = true;
    enum sb_err rc = add_to_list(&c->binds, "127.0.0.1", a, err);
    return rc == SB_OK ? add_to_list(&c->binds, "::1", a, err) : rc;
}

enum sb_err config_parse(int argc, char *const *argv, config_env *env, struct sb_arena *a, struct config *ret,
                         struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct config c = {0};
    for (size_t i = 0; i < SB_ARRAY_LEN(options); i++) {
        if (options[i].preset)
            SB_TRY(set(&c, &options[i], options[i].preset, a, err));
    }
    SB_TRY(read_env(&c, env, a, err));
    SB_TRY(read_args(&c, argc, argv, a, err));
    SB_TRY(check_lists(&c, err));
    SB_TRY(check_together(&c, err));
    SB_TRY(make_clients(&c, a, err));
    SB_TRY(make_users(&c, a, err));
    SB_TRY(default_binds(&c, a, err));
    if (c.action == CONFIG_RUN)
        SB_TRY(default_dir(&c, env, a, err));
    *ret = c;
out:
    return rc;
}

/* ---- printing ---- */

void config_help(struct sb_buf *b)
{
    buf_adds(
        b, "sealedbus " SB_VERSION
           ": a local emulator of Azure Service Bus Premium encryption at rest with customer-managed keys\n\n"
           "usage: sealedbus [options]\n\n");
    for (size_t i = 0; i < SB_ARRAY_LEN(options); i++) {
        const struct cfg_option *o = &options[i];
        buf_addf(b, "  --%s%s%s%s\n      %s%s%s%s\n", o->name, o->arg ? " " : "", o->arg ? o->arg : "",
                 o->type == CFG_LIST ? " (repeatable)" : "", o->text, o->preset ? " (default " : "",
                 o->preset ? o->preset : "", o->preset ? ")" : "");
        if (o->env)
            buf_addf(b, "      environment: %s%s\n", o->env,
                     o->type == CFG_LIST ? " (separated by commas)" : "");
    }
    buf_adds(
        b,
        "\nWell-known values\n"
        "  tenant           " ENGINE_TENANT "\n"
        "  subscription     " ENGINE_SUBSCRIPTION "\n"
        "  client id        " ENGINE_CLIENT_ID "\n"
        "  client secret    " ENGINE_CLIENT_SECRET "\n"
        "  its object id    " ENGINE_CLIENT_OID "\n"
        "  user             " ENGINE_USER "\n"
        "  password         " ENGINE_USER_PASSWORD "\n"
        "  object id        " ENGINE_USER_OID "\n"
        "\nExit status: 0 stopped as asked, 1 failed while running, 2 usage, 3 data directory unusable.\n"
        "When every listener accepts, one JSON line goes to standard output; logs go to standard error.\n");
}

void config_describe(struct jw *w, const char *key)
{
    jw_arr(w, key);
    for (size_t i = 0; i < SB_ARRAY_LEN(options); i++) {
        const struct cfg_option *o = &options[i];
        jw_obj(w, NULL);
        jw_strf(w, "name", "--%s", o->name);
        jw_str(w, "environment", o->env);
        jw_str(w, "value", o->arg);
        jw_str(w, "default", o->preset);
        jw_bool(w, "repeatable", o->type == CFG_LIST);
        jw_str(w, "description", o->text);
        jw_end_obj(w);
    }
    jw_end_arr(w);
}

void config_hosts(const struct config *c, struct sb_buf *b)
{
    static const enum host_kind kinds[] = {HOST_BUS, HOST_VAULT};
    size_t n = 0;
    const char *const *fixed = hosts_cert_dns(&n);
    struct sb_arena *a = arena_new(1u << 20);
    buf_adds(b, "127.0.0.1");
    for (size_t i = 0; i < n; i++) {
        if (fixed[i][0] != '*' && strcmp(fixed[i], "localhost") != 0)
            buf_addf(b, " %s", fixed[i]);
    }
    buf_adds(b, "\n");
    for (size_t i = 0; a && i < c->names.n; i++) {
        buf_addf(b, "127.0.0.1");
        for (size_t k = 0; k < SB_ARRAY_LEN(kinds) * 2; k++)
            buf_addf(b, " %s", hosts_name(a, kinds[k / 2], k % 2 == 0, c->names.v[i]));
        buf_adds(b, "\n");
    }
    arena_free(a);
}
