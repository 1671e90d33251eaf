/*
 * rng.c: random bytes. OpenSSL's generator costs almost 2 us a call whatever the length, more than sealing a
 * message: nonces and ids come from a pool that each thread refills. Longer requests (secrets among them)
 * never do.
 */
#include "crypto/rng.h"
#include <limits.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "crypto/cmem_priv.h"
#include "server/base/log.h"
#include "server/base/text.h"

#define POOL_LEN  1024u
#define SMALL_LEN 16u

static _Thread_local struct {
    uint8_t p[POOL_LEN];
    size_t left; /* unused bytes, at the end of p */
} pool;

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

/* Without this a child would hand out its parent's nonces. Only the forking thread lives on in it. */
static void forget_pool(void)
{
    pool.left = 0;
}

static void watch_fork(void)
{
    if (pthread_atfork(NULL, NULL, forget_pool) != 0)
        abort();
}

static void check(int good)
{
    if (good == 1)
        return;
    log_event(LOG_ERROR, "rng.failed", NULL);
    abort();
}

static void take_small(uint8_t *p, size_t n)
{
    if (pool.left < n) {
        pthread_once(&fork_once, watch_fork);
        check(RAND_bytes(pool.p, (int)POOL_LEN));
        pool.left = POOL_LEN;
    }
    uint8_t *from = pool.p + POOL_LEN - pool.left;
    memcpy(p, from, n);
    sb_wipe(from, n);
    pool.left -= n;
}

void rng_bytes(void *p, size_t n)
{
    uint8_t *dst = p;
    if (n && n <= SMALL_LEN) {
        take_small(dst, n);
        return;
    }
    while (n) {
        size_t k = SB_MIN(n, (size_t)INT_MAX);
        check(RAND_bytes(dst, (int)k));
        dst += k;
        n -= k;
    }
}

void rng_secret(void *p, size_t n)
{
    check(n <= INT_MAX ? RAND_priv_bytes(p, (int)n) : 0);
}

void rng_guid(char *dst)
{
    uint8_t b[16];
    rng_bytes(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    guid_format(b, dst);
}

void rng_hex32(char *dst)
{
    uint8_t b[16];
    rng_bytes(b, sizeof b);
    hex_encode(b, sizeof b, dst);
}
