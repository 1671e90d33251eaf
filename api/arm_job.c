/* arm_job.c: operations that go on after their 202: where its Location points to. A job is done before its
 * address is given away, so the first look at it already says so. */
#include <string.h>
#include "api/arm.h"
#include "api/arm_core.h"
#include "api/arm_whatif.h"
#include "server/base/text.h"

static const struct {
    const char *prefix;
    int status; /* recorded, of a job that is over; 0: it has a result (arm_whatif.c) */
} jobs[] = {
    [ARM_JOB_GROUP_DELETION] = {"RESOURCEGROUPDELETIONJOB-", 200},
    [ARM_JOB_DEPLOYMENT_DELETION] = {"DeploymentDeletionJob-GNS-", 204},
    [ARM_JOB_WHATIF] = {"DeploymentWhatIfJob-", 0},
};

/* The name as the service writes it: upper case, what is neither letter nor digit as its hex code. */
static void add_name(struct sb_buf *b, const char *name)
{
    for (const char *p = name; *p != '\0'; p++) {
        char c = text_lower(*p);
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (plain)
            buf_addc(b, (char)(c >= 'a' ? c - 'a' + 'A' : c));
        else
            buf_addf(b, ":%02X", (unsigned char)*p);
    }
}

void arm_job_reply(struct request *r, enum arm_job job, const char *sub, const char *name,
                   const char *location)
{
    struct sb_buf name_text, b;
    struct jw w;
    buf_init(&name_text, 4096);
    buf_init(&b, 8192);
    buf_adds(&name_text, jobs[job].prefix);
    add_name(&name_text, name);
    jw_init(&w, &b);
    jw_obj(&w, NULL);
    jw_str(&w, "jobId", buf_str(&name_text));
    jw_str(&w, "jobLocation", location ? location : "");
    jw_end_obj(&w);
    const char *id = b64url_str(r->arena, b.p, b.n);
    buf_done(&name_text);
    buf_done(&b);
    reply_empty(r, 202);
    reply_headerf(r, "Location", "%s%s/operationresults/%s?api-version=%s", request_base(r, HOST_ARM, NULL),
                  sub ? arm_id(r, sub, NULL, NULL) : "/providers/Microsoft.Resources", id != NULL ? id : "",
                  r->api_version);
    reply_header(r, "Retry-After", "1");
}

enum sb_err arm_job_result(struct request *r, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    size_t n = 0, i = 0;
    struct json *job = NULL;
    const char *id = request_param(r, "id");
    if (request_param(r, "sub") != NULL)
        SB_TRY(arm_require_sub(r, err));
    const uint8_t *text = b64url_decode(r->arena, id, strlen(id), &n);
    if (text == NULL || json_parse(text, n, &job, NULL) != SB_OK)
        job = NULL;
    const char *name = json_text(json_get(job, "jobId"));
    while (name != NULL && i < SB_ARRAY_LEN(jobs) && !text_istarts(name, jobs[i].prefix))
        i++;
    if (name == NULL || i == SB_ARRAY_LEN(jobs))
        rc = sb_fail(err, SB_ENOTFOUND, "The operation '%.200s' could not be found.", id);
    else if (jobs[i].status == 0)
        rc = arm_whatif_result(r, name + strlen(jobs[i].prefix), err);
    else
        reply_empty(r, jobs[i].status);
    json_free(job);
out:
    return rc;
}
