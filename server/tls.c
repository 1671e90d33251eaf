/* tls.c: finding or making the certificate. */
#include "server/tls.h"
#include "api/hosts.h"
#include "crypto/cert.h"
#include "server/base/log.h"

#define PEM_MAX   (256u << 10)
#define DAYS      825 /* longer ones are refused by some clients */
#define DAYS_LEFT 30

#define CA_FILE   "ca.pem"
#define CERT_FILE "tls-cert.pem"
#define KEY_FILE  "tls-key.pem"

static struct cert_names wanted(void)
{
    struct cert_names n = {0};
    n.dns = hosts_cert_dns(&n.dns_n);
    n.ip = hosts_cert_ips(&n.ip_n);
    n.permitted = hosts_cert_permitted(&n.permitted_n);
    return n;
}

/* The text of a file in the arena; *ret NULL when there is none. */
static enum sb_err read_pem(const char *path, struct sb_arena *a, const char **ret, struct sb_error *err)
{
    bool found = false;
    struct sb_buf b;
    buf_init(&b, PEM_MAX);
    enum sb_err rc = datadir_read(path, &b, &found, err);
    if (rc == SB_OK)
        *ret = found ? arena_strndup(a, buf_str(&b), b.n) : NULL;
    if (rc == SB_OK && found && !*ret)
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
    buf_done(&b);
    return rc;
}

/* A file that an option names. */
static enum sb_err own_file(const char *option, const char *path, struct sb_arena *a, const char **ret,
                            struct sb_error *err)
{
    struct sb_error why = {0};
    if (read_pem(path, a, ret, &why) != SB_OK)
        return sb_fail(err, SB_EUSAGE, "%s: %s", option, why.detail);
    return *ret ? SB_OK : sb_fail(err, SB_EUSAGE, "%s: %.400s: there is no such file", option, path);
}

static enum sb_err own_files(const char *cert, const char *key, struct sb_arena *a, struct tls_files *ret,
                             struct sb_error *err)
{
    enum sb_err rc = own_file("--tls-cert", cert, a, &ret->cert_pem, err);
    if (rc == SB_OK)
        rc = own_file("--tls-key", key, a, &ret->key_pem, err);
    if (rc != SB_OK)
        return rc;
    ret->ca_pem = ret->cert_pem;
    ret->ca_path = datadir_absolute(a, cert);
    return ret->ca_path ? SB_OK : sb_fail(err, SB_ENOMEM, "out of memory");
}

/* What the data directory has; *ret_good tells whether it will do. */
static enum sb_err kept_files(const struct datadir *d, struct sb_arena *a, struct tls_files *ret,
                              bool *ret_good, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct sb_error why = {0};
    const char *cert = datadir_file(d, CERT_FILE), *key = datadir_file(d, KEY_FILE);
    ret->ca_path = datadir_file(d, CA_FILE);
    if (!cert || !key || !ret->ca_path)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(read_pem(ret->ca_path, a, &ret->ca_pem, err));
    SB_TRY(read_pem(cert, a, &ret->cert_pem, err));
    SB_TRY(read_pem(key, a, &ret->key_pem, err));
    *ret_good = false;
    if (!ret->ca_pem || !ret->cert_pem || !ret->key_pem)
        goto out;
    const struct cert_names names = wanted();
    *ret_good = cert_check(ret->ca_pem, ret->cert_pem, ret->key_pem, &names, DAYS_LEFT, &why) == SB_OK;
    if (!*ret_good)
        log_event(LOG_WARN, "tls.renewed", "reason", why.detail, "advice", "trust the new ca.pem", NULL);
out:
    return rc;
}

static enum sb_err make_files(const struct datadir *d, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct sb_buf ca, cert, key;
    const struct cert_names names = wanted();
    buf_init(&ca, PEM_MAX);
    buf_init(&cert, PEM_MAX);
    buf_init(&key, PEM_MAX);
    SB_TRY(cert_make(&names, DAYS, &ca, &cert, &key, err));
    /* The key first: a start that was cut short leaves a pair that does not fit, which cert_check sees. */
    SB_TRY(datadir_write(d, KEY_FILE, &key, err));
    SB_TRY(datadir_write(d, CERT_FILE, &cert, err));
    SB_TRY(datadir_write(d, CA_FILE, &ca, err));
out:
    buf_done(&ca);
    buf_done(&cert);
    buf_done(&key);
    return rc;
}

enum sb_err tls_prepare(struct datadir *d, const char *own_cert, const char *own_key, struct sb_arena *a,
                        struct tls_files *ret, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    bool good = false;
    struct tls_files f = {0};
    if (own_cert) {
        SB_TRY(own_files(own_cert, own_key, a, &f, err));
        good = true;
    } else {
        SB_TRY(kept_files(d, a, &f, &good, err));
    }
    if (!good) {
        /* An in-memory emulator holds no lock so far: another one may just have made them. */
        SB_TRY(datadir_lock(d, err));
        SB_TRY(kept_files(d, a, &f, &good, err));
    }
    if (!good) {
        SB_TRY(make_files(d, err));
        SB_TRY(kept_files(d, a, &f, &good, err));
        if (!good)
            rc = sb_fail(err, SB_EDATADIR, "%s: the new certificate does not pass its own check",
                         datadir_path(d));
    }
    if (rc == SB_OK)
        *ret = f;
out:
    return rc;
}
