/* cmem.c: the secure heap, keys on it, the algorithms fetched once, and the key file. The only Linux-specific
 * file. */
#include "crypto/cmem.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "crypto/cmem_priv.h"

/*
 * OpenSSL puts its own secrets on the same heap (about 1 KiB for each RSA-2048 private key in memory, 2 KiB
 * for 4096 bits), so keys are counted: vault keys cannot take the room of 4,096 of them, nor they more than
 * that. 4 MiB stay under Debian's usual 8 MiB limit of locked memory.
 */
#define HEAP_LEN (4u << 20)

static pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;
static bool ready;
static struct cmem_algs algs;
static atomic_bool locked;
static atomic_uint keys;

/* ---- set-up ---- */

static enum sb_err forbid_dumps(struct sb_error *err)
{
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return sb_fail(err, SB_EINTERNAL, "core dumps cannot be forbidden: %s", strerror(errno));
    return SB_OK;
}

static enum sb_err heap_init(struct sb_error *err)
{
    /* A heap that an earlier shutdown could not release (OpenSSL's generators live there too) is used again.
     */
    if (CRYPTO_secure_malloc_initialized())
        return SB_OK;
    int got = CRYPTO_secure_malloc_init(HEAP_LEN, CMEM_KEY_LEN);
    if (got == 0)
        return sb_fail(err, SB_ENOMEM, "no secure heap");
    atomic_store(&locked, got == 1);
    return SB_OK;
}

static void free_algs(void)
{
    EVP_CIPHER_free(algs.aes_256_gcm);
    EVP_MD_free(algs.sha1);
    EVP_MD_free(algs.sha256);
    EVP_MD_free(algs.sha384);
    EVP_MD_free(algs.sha512);
    algs = (struct cmem_algs){0};
}

static enum sb_err fetch_algs(struct sb_error *err)
{
    algs = (struct cmem_algs){
        .aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL),
        .sha1 = EVP_MD_fetch(NULL, "SHA1", NULL),
        .sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL),
        .sha384 = EVP_MD_fetch(NULL, "SHA2-384", NULL),
        .sha512 = EVP_MD_fetch(NULL, "SHA2-512", NULL),
    };
    if (algs.aes_256_gcm && algs.sha1 && algs.sha256 && algs.sha384 && algs.sha512)
        return SB_OK;
    free_algs();
    ERR_clear_error();
    return sb_fail(err, SB_ECRYPTO, "OpenSSL lacks an algorithm");
}

enum sb_err cmem_init(struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    pthread_mutex_lock(&init_lock);
    if (ready)
        goto out;
    SB_TRY(forbid_dumps(err));
    SB_TRY(heap_init(err));
    SB_TRY(fetch_algs(err));
    ready = true;
out:
    pthread_mutex_unlock(&init_lock);
    return rc;
}

void cmem_shutdown(void)
{
    pthread_mutex_lock(&init_lock);
    if (ready) {
        free_algs();
        CRYPTO_secure_malloc_done(); /* refuses while something is left on it */
        ready = false;
    }
    pthread_mutex_unlock(&init_lock);
}

bool cmem_locked(void)
{
    return atomic_load(&locked);
}

const struct cmem_algs *cmem_algs(void)
{
    return &algs;
}

/* ---- keys ---- */

enum sb_err cmem_key_new(struct cmem_key **ret, struct sb_error *err)
{
    struct cmem_key *k = NULL;
    /* Without the heap OpenSSL would hand out ordinary memory: that must not hold a key. */
    if (atomic_fetch_add(&keys, 1) < CMEM_KEYS_MAX && CRYPTO_secure_malloc_initialized())
        k = OPENSSL_secure_zalloc(sizeof *k);
    if (!k || !CRYPTO_secure_allocated(k)) {
        OPENSSL_secure_clear_free(k, sizeof *k);
        atomic_fetch_sub(&keys, 1);
        ERR_clear_error();
        return sb_fail(err, SB_ENOMEM, "the secure heap is full");
    }
    *ret = k;
    return SB_OK;
}

void cmem_key_free(struct cmem_key *k)
{
    if (!k)
        return;
    OPENSSL_secure_clear_free(k, sizeof *k);
    atomic_fetch_sub(&keys, 1);
}

enum sb_err cmem_key_random(struct cmem_key **ret, struct sb_error *err)
{
    struct cmem_key *k = NULL;
    enum sb_err rc = cmem_key_new(&k, err);
    if (rc != SB_OK)
        return rc;
    rng_secret(k->b, sizeof k->b);
    *ret = k;
    return SB_OK;
}

enum sb_err cmem_key_from_bytes(const uint8_t b[CMEM_KEY_LEN], struct cmem_key **ret, struct sb_error *err)
{
    struct cmem_key *k = NULL;
    enum sb_err rc = cmem_key_new(&k, err);
    if (rc != SB_OK)
        return rc;
    memcpy(k->b, b, sizeof k->b);
    *ret = k;
    return SB_OK;
}

enum sb_err cmem_key_dup(const struct cmem_key *k, struct cmem_key **ret, struct sb_error *err)
{
    return cmem_key_from_bytes(k->b, ret, err);
}

enum sb_err cmem_key_derive(const struct cmem_key *root, const char *label, const void *info, size_t n,
                            struct cmem_key **ret, struct sb_error *err)
{
    struct cmem_key *k = NULL;
    enum sb_err rc = cmem_key_new(&k, err);
    if (rc != SB_OK)
        return rc;
    const struct sb_blob ikm = {root->b, sizeof root->b};
    const struct sb_blob info1 = {(const uint8_t *)label, strlen(label)}, info2 = {info, n};
    if (!digest_hkdf((struct sb_blob){NULL, 0}, ikm, info1, info2, k->b, sizeof k->b)) {
        cmem_key_free(k);
        ERR_clear_error();
        return sb_fail(err, SB_ECRYPTO, "key derivation failed");
    }
    *ret = k;
    return SB_OK;
}

enum sb_err cmem_key_hmac(const struct cmem_key *k, const void *p, size_t n, uint8_t ret[32])
{
    const struct sb_blob part = {p, n};
    uint8_t mac[32];
    if (!digest_hmac_parts(k->b, sizeof k->b, &part, 1, mac)) {
        ERR_clear_error();
        return SB_ECRYPTO;
    }
    memcpy(ret, mac, sizeof mac);
    return SB_OK;
}

bool cmem_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

bool cmem_equal_str(const char *a, const char *b)
{
    size_t n = strlen(a);
    return strlen(b) == n && cmem_equal(a, b, n);
}

/* ---- the key file ---- */

static enum sb_err file_failed(const char *path, const char *what, struct sb_error *err)
{
    return sb_fail(err, SB_EDATADIR, "key file %s: %s: %s", path, what, strerror(errno));
}

static enum sb_err read_file(int fd, const char *path, struct cmem_key *k, struct sb_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return file_failed(path, "fstat", err);
    if (!S_ISREG(st.st_mode) || st.st_size != CMEM_KEY_LEN)
        return sb_fail(
            err, SB_EDATADIR,
            "key file %s is not a file of %d bytes: put it back from a copy, or choose an empty data "
            "directory",
            path, CMEM_KEY_LEN);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return sb_fail(err, SB_EDATADIR, "key file %s is open to others than its owner; chmod 600 it", path);
    for (size_t n = 0; n < sizeof k->b;) {
        ssize_t got = read(fd, k->b + n, sizeof k->b - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return sb_fail(err, SB_EDATADIR, "key file %s cannot be read", path);
        n += (size_t)got;
    }
    return SB_OK;
}

static enum sb_err write_file(int fd, const char *path, const struct cmem_key *k, struct sb_error *err)
{
    for (size_t n = 0; n < sizeof k->b;) {
        ssize_t put = write(fd, k->b + n, sizeof k->b - n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return file_failed(path, "write", err);
        n += (size_t)put;
    }
    return fsync(fd) == 0 ? SB_OK : file_failed(path, "fsync", err);
}

static enum sb_err sync_dir(const char *path, struct sb_error *err)
{
    char dir[PATH_MAX];
    memcpy(dir, path, strlen(path) + 1); /* its length was checked by make_file */
    int fd = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum sb_err rc = fd >= 0 && fsync(fd) == 0 ? SB_OK : file_failed(path, "fsync of its directory", err);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* Written aside and then linked to its name: a crash leaves no half file there, and no file is ever replaced.
 */
static enum sb_err make_file(const char *path, const struct cmem_key *k, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    char aside[PATH_MAX];
    int len = snprintf(aside, sizeof aside, "%s.XXXXXX", path); /* lint: ok, for mkstemp */
    if (len < 0 || (size_t)len >= sizeof aside)
        return sb_fail(err, SB_EDATADIR, "the key file's path is too long");
    int fd = mkstemp(aside); /* exclusively, 0600 */
    if (fd < 0)
        return file_failed(path, "create", err);
    SB_TRY(write_file(fd, path, k, err));
    if (link(aside, path) != 0) {
        rc = file_failed(path, "link", err);
        goto out;
    }
    rc = sync_dir(path, err);
out:
    close(fd);
    unlink(aside);
    return rc;
}

enum sb_err cmem_key_file(const char *path, bool create, struct cmem_key **ret, struct sb_error *err)
{
    struct cmem_key *k = NULL;
    if (!path)
        return cmem_key_random(ret, err);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum sb_err rc = SB_OK;
    if (fd < 0 && (errno != ENOENT || !create)) {
        rc = file_failed(path, "open", err);
        goto out;
    }
    SB_TRY(fd >= 0 ? cmem_key_new(&k, err) : cmem_key_random(&k, err));
    SB_TRY(fd >= 0 ? read_file(fd, path, k, err) : make_file(path, k, err));
    *ret = k;
    k = NULL;
out:
    if (fd >= 0)
        close(fd);
    cmem_key_free(k);
    return rc;
}
