/* bare_rsa.c: how long N RSA-2048 private operations (OAEP-256 decryption) take on T threads with nothing
 * around them. bare_rsa N T -> one JSON object. */
#define _GNU_SOURCE
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static EVP_PKEY *key;
static unsigned char wrapped[256];
static size_t wrapped_n = sizeof wrapped;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static EVP_PKEY_CTX *context(int encrypt)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    if (!c || (encrypt ? EVP_PKEY_encrypt_init(c) : EVP_PKEY_decrypt_init(c)) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(c, EVP_sha256()) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(c, EVP_sha256()) != 1)
        exit(2);
    return c;
}

static void *work(void *arg)
{
    long n = *(long *)arg;
    unsigned char out[256];
    EVP_PKEY_CTX *c = context(0);
    for (long i = 0; i < n; i++) {
        size_t out_n = sizeof out;
        if (EVP_PKEY_decrypt(c, out, &out_n, wrapped, wrapped_n) != 1 || out_n != 32)
            exit(2);
    }
    EVP_PKEY_CTX_free(c);
    return NULL;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 3000;
    int threads = argc > 2 ? atoi(argv[2]) : 2;
    unsigned char secret[32] = {1, 2, 3};
    key = EVP_RSA_gen(2048);
    EVP_PKEY_CTX *c = key ? context(1) : NULL;
    if (!c || threads < 1 || threads > 64 ||
        EVP_PKEY_encrypt(c, wrapped, &wrapped_n, secret, sizeof secret) != 1)
        return 2;
    EVP_PKEY_CTX_free(c);
    pthread_t t[64];
    long each = n / threads;
    double begin = now();
    for (int i = 0; i < threads; i++)
        if (pthread_create(&t[i], NULL, work, &each) != 0)
            return 2;
    for (int i = 0; i < threads; i++)
        pthread_join(t[i], NULL);
    double s = now() - begin;
    printf("{\"operations\":%ld,\"threads\":%d,\"seconds\":%.4f,\"rate\":%.1f}\n", each * threads, threads, s,
           (double)(each * threads) / s);
    EVP_PKEY_free(key);
    return 0;
}
