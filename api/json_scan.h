/* json_scan.h: the strict look at JSON text before cJSON, which is lenient, sees it (for json.c alone). */
#ifndef SB_JSON_SCAN_H
#define SB_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_VALUES_MAX 100000u /* a value costs cJSON about 100 bytes */

struct json_scan {
    size_t at;         /* where it stopped */
    const char *why;   /* one sentence; NULL: well-formed */
    bool keep_numbers; /* some number is not a short whole one: its text must be kept */
};

/* Exactly one value as RFC 8259 has it, at most JSON_DEPTH levels and JSON_VALUES_MAX values, without \u0000,
 * lone surrogates or malformed UTF-8. A leading byte order mark is for the caller to skip. */
struct json_scan json_scan(const char *p, size_t n);
/* In text that json_scan found well-formed: the next number token from *at; *at moves behind it. */
const char *json_scan_number(const char *p, size_t n, size_t *at, size_t *ret_len);
/* Is this number token a whole number of so few digits that a double and its printed form keep it? */
bool json_scan_short(const char *p, size_t n);

#endif
