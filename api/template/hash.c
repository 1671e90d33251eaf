/*
 * hash.c: see hash.h. Checked against values that the service gave: "test" -> rbgf3xv4ufgzg.
 */
#include "api/template/hash.h"

#define LANE_1 0x239b961bu
#define LANE_2 0xab0e9789u

static uint32_t rotate(uint32_t x, unsigned by)
{
    return (x << by) | (x >> (32 - by));
}

/* Up to four bytes, little-endian. */
static uint32_t word(const uint8_t *p, size_t n)
{
    uint32_t w = 0;
    for (size_t i = 0; i < n && i < 4; i++)
        w |= (uint32_t)p[i] << (8 * i);
    return w;
}

static uint32_t scatter(uint32_t k, uint32_t by, unsigned turn, uint32_t then)
{
    return rotate(k * by, turn) * then;
}

static uint32_t finish(uint32_t h)
{
    h = (h ^ (h >> 16)) * 0x85ebca6bu;
    h = (h ^ (h >> 13)) * 0xc2b2ae35u;
    return h ^ (h >> 16);
}

uint64_t hash_murmur64(const void *data, size_t n)
{
    const uint8_t *p = data;
    uint32_t h1 = 0, h2 = 0;
    size_t at = 0;
    for (; at + 8 <= n; at += 8) {
        h1 ^= scatter(word(p + at, 4), LANE_1, 15, LANE_2);
        h1 = (rotate(h1, 19) + h2) * 5 + 0x561ccd1bu;
        h2 ^= scatter(word(p + at + 4, 4), LANE_2, 17, LANE_1);
        h2 = (rotate(h2, 13) + h1) * 5 + 0x0bcaa747u;
    }
    if (at < n)
        h1 ^= scatter(word(p + at, n - at), LANE_1, 15, LANE_2);
    if (at + 4 < n)
        h2 ^= scatter(word(p + at + 4, n - at - 4), LANE_2, 17, LANE_1);
    h1 ^= (uint32_t)n;
    h2 ^= (uint32_t)n;
    h1 += h2;
    h2 += h1;
    h1 = finish(h1);
    h2 = finish(h2);
    h1 += h2;
    h2 += h1;
    return (uint64_t)h2 << 32 | h1;
}

void hash_base32(uint64_t h, char dst[14])
{
    for (int i = 0; i < 13; i++, h <<= 5)
        dst[i] = "abcdefghijklmnopqrstuvwxyz234567"[h >> 59];
    dst[13] = '\0';
}
