/* compiler.h: the few compiler attributes that the code relies on. */
#ifndef SB_COMPILER_H
#define SB_COMPILER_H

/* The caller must look at the result. */
#define SB_MUST __attribute__((warn_unused_result))
/* printf-like: format is argument f, the first value is argument a. */
#define SB_PRINTF(f, a) __attribute__((format(printf, f, a)))
/* Runs fn(&var) on every way out of the scope. Only for wiping, statement reset and unlock. */
#define SB_CLEANUP(fn)  __attribute__((cleanup(fn)))
#define SB_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define SB_UNUSED(x)    ((void)(x))
#define SB_MIN(a, b)    ((a) < (b) ? (a) : (b))
#define SB_MAX(a, b)    ((a) > (b) ? (a) : (b))

/* The one control-flow macro: goes to out: when a call fails. Needs a local `rc` and a label `out`. */
#define SB_TRY(expr)                                                                                         \
    do {                                                                                                     \
        if ((rc = (expr)) != SB_OK)                                                                          \
            goto out;                                                                                        \
    } while (0)

#endif
