/* fault.c: the fault points of a FAULTS=1 build; in any other build this file holds no code. */
#include "server/base/fault.h"

#ifdef SB_FAULTS
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "server/base/text.h"

static struct {
    pthread_mutex_t lock;
    bool read; /* the environment has been looked at */
    char name[64];
    int64_t at; /* 0: no fault */
    bool kill;
    long hits;
} fault = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Under the lock. */
static bool parse(const char *spec)
{
    char at[24];
    fault.at = 0;
    fault.hits = 0;
    fault.kill = false;
    if (spec == NULL || *spec == '\0')
        return true;
    const char *colon = strchr(spec, ':');
    if (colon == NULL || !text_copyn(fault.name, sizeof fault.name, spec, (size_t)(colon - spec)))
        return false;
    const char *number = colon + 1;
    const char *end = strchr(number, ':');
    size_t len = end == NULL ? strlen(number) : (size_t)(end - number);
    if (end != NULL && strcmp(end, ":kill") != 0)
        return false;
    if (!text_copyn(at, sizeof at, number, len) || !text_to_i64(at, 1, INT64_MAX, &fault.at))
        return false;
    fault.kill = end != NULL;
    return true;
}

bool fault_hit(const char *name)
{
    bool hit = false;
    pthread_mutex_lock(&fault.lock);
    if (!fault.read) {
        fault.read = true;
        /* A misspelt fault would make a test pass without its fault. */
        if (!parse(getenv("SEALEDBUS_FAULT")))
            abort();
    }
    if (fault.at > 0 && strcmp(name, fault.name) == 0)
        hit = ++fault.hits == fault.at;
    bool die = hit && fault.kill;
    pthread_mutex_unlock(&fault.lock);
    if (die)
        raise(SIGKILL);
    return hit;
}

bool fault_arm(const char *spec)
{
    pthread_mutex_lock(&fault.lock);
    fault.read = true;
    bool ok = parse(spec);
    pthread_mutex_unlock(&fault.lock);
    return ok;
}

long fault_hits(void)
{
    pthread_mutex_lock(&fault.lock);
    long n = fault.hits;
    pthread_mutex_unlock(&fault.lock);
    return n;
}
#else
typedef int fault_none; /* ISO C wants a declaration in every file */
#endif
