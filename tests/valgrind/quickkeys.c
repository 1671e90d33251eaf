/*
 * quickkeys.c: for `make valgrind`, preloaded into the unit test programs: RSA keys are taken from a stock
 * instead of being made, which under valgrind takes minutes of bignum arithmetic that is not ours.
 *
 * QUICKKEYS names a folder with files rsa-BITS.pem of many keys each; after the last one it begins anew. Keys
 * of other sizes and kinds are made as ever.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef EVP_PKEY *keygen(OSSL_LIB_CTX *lib, const char *propq, const char *type, ...);

struct stock {
    size_t bits;
    FILE *keys;
};

static struct stock stocks[8];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static FILE *stock(size_t bits)
{
    struct stock *s = stocks;
    while (s->bits != 0 && s->bits != bits)
        if (++s == stocks + sizeof stocks / sizeof *stocks)
            return NULL;
    if (s->bits == 0) {
        char path[4096];
        s->bits = bits;
        snprintf(path, sizeof path, "%s/rsa-%zu.pem", getenv("QUICKKEYS"), bits);
        s->keys = fopen(path, "re");
    }
    return s->keys;
}

static EVP_PKEY *ready_made(size_t bits)
{
    EVP_PKEY *key = NULL;
    pthread_mutex_lock(&lock);
    FILE *f = stock(bits);
    if (f && !(key = PEM_read_PrivateKey(f, NULL, NULL, NULL))) {
        rewind(f);
        key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    }
    pthread_mutex_unlock(&lock);
    return key;
}

EVP_PKEY *EVP_PKEY_Q_keygen(OSSL_LIB_CTX *lib, const char *propq, const char *type, ...)
{
    union {
        void *found;
        keygen *call;
    } real = {dlsym(RTLD_NEXT, "EVP_PKEY_Q_keygen")};
    va_list ap;
    EVP_PKEY *key = NULL;
    va_start(ap, type);
    if (strcmp(type, "RSA") == 0) {
        size_t bits = va_arg(ap, size_t);
        key = ready_made(bits);
        if (!key)
            key = real.call(lib, propq, type, bits);
    } else {
        key = real.call(lib, propq, type, va_arg(ap, char *)); /* EC; others take none */
    }
    va_end(ap);
    return key;
}
