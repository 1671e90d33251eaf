/* order.c: an order in which every dependency comes first, otherwise the order of declaration; and cycles. */
#include <string.h>
#include "api/template/session.h"

struct visit {
    size_t index;
    size_t range, member; /* the dependency to look at next */
};

enum colour {
    WHITE,
    OPEN, /* on the way: meeting it again is a cycle */
    DONE,
};

struct search {
    struct tmpl *t;
    struct visit *stack;
    size_t depth;
    unsigned char *colour;
    size_t done;
};

static void open_at(struct search *s, size_t index)
{
    s->colour[index] = OPEN;
    s->stack[s->depth++] = (struct visit){.index = index};
}

/* The next dependency of the resource on top; false: none left. */
static bool next_dependency(struct search *s, size_t *ret)
{
    struct visit *v = &s->stack[s->depth - 1];
    const struct tmpl_resource *r = &s->t->r.all[v->index].shown;
    if (v->range < r->depends_n && v->member == r->depends[v->range].n) {
        v->range++;
        v->member = 0;
    }
    if (v->range == r->depends_n)
        return false;
    *ret = r->depends[v->range].first + v->member++;
    return true;
}

/* Depth first from one resource, without recursion. The index of a resource in a cycle + 1; 0: none. */
static size_t search_from(struct search *s, size_t index)
{
    size_t dependency = 0;
    open_at(s, index);
    while (s->depth > 0) {
        if (!next_dependency(s, &dependency)) {
            size_t ready = s->stack[--s->depth].index;
            s->colour[ready] = DONE;
            s->t->r.order[s->done++] = ready;
        } else if (s->colour[dependency] == OPEN) {
            return dependency + 1;
        } else if (s->colour[dependency] == WHITE) {
            open_at(s, dependency);
        }
    }
    return 0;
}

enum sb_err order_resources(struct tmpl *t, struct sb_error *err)
{
    size_t n = t->r.n;
    struct search s = {.t = t,
                       .stack = ARENA_ARRAY(t->a, struct visit, n + 1),
                       .colour = ARENA_ARRAY(t->a, unsigned char, n + 1)};
    t->r.order = ARENA_ARRAY(t->a, size_t, n + 1);
    if (!s.stack || !s.colour || !t->r.order)
        return FAULT(t, err, NULL, FAULT_MEMORY, fault_why(t));
    for (size_t i = 0; i < n; i++) {
        size_t cycle = s.colour[i] == WHITE ? search_from(&s, i) : 0;
        const struct tmpl_resource *r = cycle ? &t->r.all[cycle - 1].shown : NULL;
        struct fault_place place = {"", r ? r->line : 0, r ? r->column : 0};
        if (r)
            return FAULT(t, err, &place, FAULT_CYCLE, r->id);
    }
    return SB_OK;
}
