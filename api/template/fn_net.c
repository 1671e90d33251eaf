/* fn_net.c: address ranges: parseCidr, cidrSubnet, cidrHost, for IPv4 and IPv6. */
#include <arpa/inet.h>
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

struct range {
    uint8_t ip[16]; /* the first `size` bytes count */
    size_t size;    /* 4 or 16 */
    unsigned prefix;
};

static unsigned bits(const struct range *r)
{
    return (unsigned)r->size * 8;
}

static bool bit_is_host(const struct range *r, unsigned bit)
{
    return bit >= r->prefix;
}

/* Sets every host bit to v. */
static void fill_host(struct range *r, bool v)
{
    for (unsigned bit = 0; bit < bits(r); bit++) {
        uint8_t mask = (uint8_t)(0x80 >> (bit % 8));
        if (bit_is_host(r, bit))
            r->ip[bit / 8] = (uint8_t)(v ? r->ip[bit / 8] | mask : r->ip[bit / 8] & ~mask);
    }
}

/* Adds v at bit `low` (counted from the front, the lowest that v's last bit lands on). false: overflow. */
static bool add_at(struct range *r, uint64_t v, unsigned low)
{
    unsigned carry = 0;
    for (unsigned bit = low + 1; bit-- > 0;) {
        unsigned sum = ((unsigned)r->ip[bit / 8] >> (7 - bit % 8) & 1u) + (unsigned)(v & 1u) + carry;
        uint8_t mask = (uint8_t)(0x80 >> (bit % 8));
        r->ip[bit / 8] = (uint8_t)(sum & 1u ? r->ip[bit / 8] | mask : r->ip[bit / 8] & ~mask);
        carry = sum >> 1;
        v >>= 1;
    }
    return carry == 0 && v == 0;
}

static bool read_range(const char *text, struct range *r)
{
    char ip[64];
    int64_t prefix = 0;
    const char *slash = strchr(text, '/');
    if (!slash || !text_copyn(ip, sizeof ip, text, (size_t)(slash - text)))
        return false;
    *r = (struct range){.size = strchr(ip, ':') ? 16 : 4};
    if (inet_pton(r->size == 4 ? AF_INET : AF_INET6, ip, r->ip) != 1 ||
        !text_to_i64(slash + 1, 0, bits(r), &prefix))
        return false;
    r->prefix = (unsigned)prefix;
    return true;
}

static const char *ip_text(const struct range *r, char dst[64])
{
    return inet_ntop(r->size == 4 ? AF_INET : AF_INET6, r->ip, dst, 64) ? dst : "";
}

static const struct tv *failed(struct fn_call *c, const char *why)
{
    return eval_fail(c->ev,
                     "Unable to evaluate template language function '%s': %s. Please see "
                     "https://aka.ms/arm-resource-functions/#%s for usage details.",
                     c->name, why, c->fn->name);
}

static bool put_ip(struct fn_call *c, struct tv_fields *f, const char *key, const struct range *r)
{
    char text[64];
    return tv_put(EVAL_ARENA(c->ev), f, key, tv_string(EVAL_ARENA(c->ev), ip_text(r, text)));
}

const struct tv *fn_parseCidr(struct fn_call *c)
{
    struct range r, last, mask, first_host, last_host;
    struct tv_fields f = {0};
    struct sb_arena *a = EVAL_ARENA(c->ev);
    if (!read_range(c->args[0]->u.s, &r))
        return failed(c, "the provided value is not a valid CIDR");
    fill_host(&r, false);
    last = mask = r;
    fill_host(&last, true);
    memset(mask.ip, 0xff, mask.size);
    fill_host(&mask, false);
    first_host = r;
    last_host = last;
    /* The network's and the broadcast address are no hosts, except where there is no room for them (and IPv6
     * has no broadcast). */
    if (r.size == 4 && r.prefix < 31) {
        (void)add_at(&first_host, 1, bits(&r) - 1);
        last_host.ip[3] ^= 1;
    } else if (r.size == 16 && r.prefix < 127) {
        (void)add_at(&first_host, 1, bits(&r) - 1);
    }
    if (!put_ip(c, &f, "network", &r) || !put_ip(c, &f, "netmask", &mask) ||
        (r.size == 4 && !put_ip(c, &f, "broadcast", &last)) || !put_ip(c, &f, "firstUsable", &first_host) ||
        !put_ip(c, &f, "lastUsable", &last_host) || !tv_put(a, &f, "cidr", tv_int(a, r.prefix)))
        return NULL;
    return tv_object(a, f.items, f.n);
}

const struct tv *fn_cidrSubnet(struct fn_call *c)
{
    struct range r;
    char text[64];
    int64_t prefix = c->args[1]->u.i, index = c->args[2]->u.i;
    if (!read_range(c->args[0]->u.s, &r))
        return failed(c, "the provided value is not a valid CIDR");
    if (prefix < r.prefix || prefix > bits(&r))
        return failed(c, "the new CIDR must be at least as long as the network's own");
    unsigned room = (unsigned)prefix - r.prefix;
    if (index < 0 || (room < 63 && index >= INT64_C(1) << room))
        return failed(c, "the subnet index is out of range");
    fill_host(&r, false);
    if (prefix > 0 && !add_at(&r, (uint64_t)index, (unsigned)prefix - 1))
        return failed(c, "the subnet index is out of range");
    const char *made = arena_printf(EVAL_ARENA(c->ev), "%s/%lld", ip_text(&r, text), (long long)prefix);
    return made ? tv_string(EVAL_ARENA(c->ev), made) : NULL;
}

const struct tv *fn_cidrHost(struct fn_call *c)
{
    struct range r;
    char text[64];
    int64_t index = c->args[1]->u.i;
    if (!read_range(c->args[0]->u.s, &r))
        return failed(c, "the provided value is not a valid CIDR");
    unsigned room = bits(&r) - r.prefix;
    bool whole = r.size == 16 || room < 2; /* every address is a host */
    int64_t hosts = room >= 62 ? INT64_MAX : (INT64_C(1) << room) - (whole ? 0 : 2);
    if (index < 0 || index >= hosts)
        return failed(c, "the host index is out of range");
    fill_host(&r, false);
    bool skips = r.size == 16 ? room > 1 : !whole; /* the network's own address is not the first host */
    if (!add_at(&r, (uint64_t)index + (skips ? 1 : 0), bits(&r) - 1))
        return failed(c, "the host index is out of range");
    return tv_string(EVAL_ARENA(c->ev), ip_text(&r, text));
}
