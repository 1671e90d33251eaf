/* timefmt.c (fuzz): times and durations as clients send them; what parses prints and parses to the same
 * value. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "server/base/timefmt.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    char s[128], text[TIME_TEXT_MAX];
    int64_t v, w;
    if (n >= sizeof s)
        return 0;
    memcpy(s, p, n);
    s[n] = '\0';
    if (time_parse_rfc3339(s, &v) && (!time_parse_rfc3339(time_rfc3339(v, text), &w) || w != v))
        abort();
    if (duration_parse(s, &v) && (!duration_parse(duration_format(v, text), &w) || w != v))
        abort();
    (void)timespan_parse(s, &v);
    (void)time_parse_rfc1123(s, &v);
    return 0;
}
