/* arm_core.h: handlers of arm_core.c's routes that stand in files of their own. */
#ifndef SB_ARM_CORE_H
#define SB_ARM_CORE_H

#include "api/request.h"

/* arm_metadata.c: GET /metadata/endpoints. */
SB_MUST enum sb_err arm_metadata_endpoints(struct request *r, struct sb_error *err);
/* arm_provider.c: resource providers and their registration. */
SB_MUST enum sb_err arm_provider_list(struct request *r, struct sb_error *err);
SB_MUST enum sb_err arm_provider_get(struct request *r, struct sb_error *err);
SB_MUST enum sb_err arm_provider_register(struct request *r, struct sb_error *err);
SB_MUST enum sb_err arm_provider_unregister(struct request *r, struct sb_error *err);
/* The newest version (not a preview) of the type that "NAMESPACE/TYPE…" begins with; NULL: not emulated. */
const char *arm_provider_version(struct request *r, const char *type);
/* arm_resource.c: lists of resources of every type. */
SB_MUST enum sb_err arm_resource_list(struct request *r, struct sb_error *err);
/* arm_export.c: a group as a template. */
SB_MUST enum sb_err arm_export(struct request *r, struct sb_error *err);

/* arm_job.c: GET …/operationresults/{id}. */
SB_MUST enum sb_err arm_job_result(struct request *r, struct sb_error *err);

#endif
