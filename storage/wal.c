/*
 * wal.c: is the write-ahead log whole? The format is SQLite's (sqlite.org/fileformat2.html, "WAL"): a head of
 * 32 bytes, then frames of 24 bytes and a page. Each frame carries the log's salts, which are new whenever
 * the log starts anew, and a checksum over all that precedes it; its field "size after commit" is not 0 when
 * it ends a transaction.
 *
 * What a crash may leave: two batches at most are committed and not yet on the disk (writer.c), so after the
 * last good commit there is the rest of two transactions at most, of whose frames any may be missing. Three
 * ends of transactions there mean that something else changed the file. That they do not add up, a start
 * brings to the disk what a kill left (syncer.c), and empties a log that lost some (store.c): SQLite would go
 * on in the middle of it, under the same salts.
 */
#include "storage/wal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#define HEAD         32u
#define FRAME_HEAD   24u
#define SUMMED       8u /* of a frame's head */
#define PAGE_MIN     512u
#define PAGE_MAX     65536u
#define MAGIC        0x377f0682u /* or 1 more: checksums of big-endian words */
#define LEFT_BY_CUTS 2

struct log {
    int fd;
    bool big;         /* words of checksums are big-endian */
    uint32_t salt[2]; /* of this log */
    uint32_t sum[2];  /* as stored last */
    size_t page;
    uint8_t *frame; /* FRAME_HEAD + page bytes */
    off_t at;       /* of the next frame */
};

static uint32_t big32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t word(const struct log *l, const uint8_t *p)
{
    return l->big ? big32(p) : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* n: a multiple of 8. */
static void add_sum(const struct log *l, const uint8_t *p, size_t n, uint32_t sum[2])
{
    for (size_t i = 0; i < n; i += 8) {
        sum[0] += word(l, p + i) + sum[1];
        sum[1] += word(l, p + i + 4) + sum[0];
    }
}

static bool read_at(int fd, off_t at, uint8_t *p, size_t n)
{
    while (n) {
        ssize_t k = pread(fd, p, n, at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
        at += k;
    }
    return true;
}

static bool read_head(struct log *l, const uint8_t head[HEAD])
{
    uint32_t magic = big32(head), sum[2] = {0, 0};
    l->page = big32(head + 8);
    if ((magic & ~1u) != MAGIC || l->page < PAGE_MIN || l->page > PAGE_MAX || (l->page & (l->page - 1)) != 0)
        return false;
    l->big = magic & 1;
    add_sum(l, head, HEAD - 8, sum);
    for (size_t i = 0; i < 2; i++) {
        l->salt[i] = big32(head + 16 + 4 * i);
        l->sum[i] = big32(head + 24 + 4 * i);
    }
    return sum[0] == l->sum[0] && sum[1] == l->sum[1];
}

enum frame { FRAME_END, FRAME_GOOD, FRAME_BAD, FRAME_FOREIGN /* of an earlier log in the same file */ };

/* The next frame; *ret_commit: it says that it ends a transaction. */
static enum frame next(struct log *l, bool *ret_commit)
{
    const uint8_t *f = l->frame;
    if (!read_at(l->fd, l->at, l->frame, FRAME_HEAD + l->page))
        return FRAME_END;
    l->at += (off_t)(FRAME_HEAD + l->page);
    if (big32(f + 8) != l->salt[0] || big32(f + 12) != l->salt[1])
        return FRAME_FOREIGN;
    *ret_commit = big32(f + 4) != 0;
    uint32_t sum[2] = {l->sum[0], l->sum[1]};
    add_sum(l, f, SUMMED, sum);
    add_sum(l, f + FRAME_HEAD, l->page, sum);
    l->sum[0] = big32(f + 16);
    l->sum[1] = big32(f + 20);
    return sum[0] == l->sum[0] && sum[1] == l->sum[1] ? FRAME_GOOD : FRAME_BAD;
}

/* Ends of transactions behind the first frame that SQLite would not take. */
static int lost_commits(struct log *l)
{
    bool whole = true, commit = false;
    int lost = 0;
    for (;;) {
        enum frame f = next(l, &commit);
        if (f == FRAME_END)
            return lost;
        whole = whole && f == FRAME_GOOD;
        if (!whole && f != FRAME_FOREIGN && commit)
            lost++;
    }
}

static enum sb_err look(int fd, const char *path, bool *ret_left_over, struct sb_error *err)
{
    uint8_t head[HEAD], first;
    struct log l = {.fd = fd, .at = HEAD};
    if (!read_at(fd, 0, head, HEAD) || !read_at(fd, HEAD, &first, 1))
        return SB_OK; /* nothing was ever committed */
    if (!read_head(&l, head))
        return sb_fail(
            err, SB_EDATADIR,
            "%s-wal is damaged (its head): restore the whole data directory from a copy, or choose "
            "an empty one",
            path);
    l.frame = malloc(FRAME_HEAD + l.page);
    if (l.frame == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory opening %s", path);
    int lost = lost_commits(&l);
    free(l.frame);
    *ret_left_over = lost > 0;
    if (lost <= LEFT_BY_CUTS)
        return SB_OK;
    return sb_fail(err, SB_EDATADIR,
                   "%s-wal is damaged (%d commits would be lost): restore the whole data directory from a "
                   "copy, or choose an empty one",
                   path, lost);
}

enum sb_err wal_check(const char *path, bool *ret_left_over, struct sb_error *err)
{
    char log[4096];
    *ret_left_over = false;
    int n = snprintf(log, sizeof log, "%s-wal", path);
    int fd = n > 0 && (size_t)n < sizeof log ? open(log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0)
        return SB_OK;
    enum sb_err rc = look(fd, path, ret_left_over, err);
    close(fd);
    return rc;
}
