/* geography.c: the geographies of the public regions (documented). */
#include "server/engine/geography.h"
#include <string.h>
#include "server/base/compiler.h"

static const struct {
    const char *geography;
    const char *const *locations; /* ends with NULL */
} geographies[] = {
    {"unitedstates",
     (const char *const[]){"centralus", "eastus", "eastus2", "northcentralus", "southcentralus",
                           "westcentralus", "westus", "westus2", "westus3", NULL}},
    {"europe", (const char *const[]){"northeurope", "westeurope", NULL}},
    {"asiapacific", (const char *const[]){"eastasia", "southeastasia", NULL}},
    {"australia", (const char *const[]){"australiacentral", "australiacentral2", "australiaeast",
                                        "australiasoutheast", NULL}},
    {"brazil", (const char *const[]){"brazilsouth", "brazilsoutheast", NULL}},
    {"canada", (const char *const[]){"canadacentral", "canadaeast", NULL}},
    {"france", (const char *const[]){"francecentral", "francesouth", NULL}},
    {"germany", (const char *const[]){"germanynorth", "germanywestcentral", NULL}},
    {"india", (const char *const[]){"centralindia", "jioindiacentral", "jioindiawest", "southindia",
                                    "westindia", NULL}},
    {"japan", (const char *const[]){"japaneast", "japanwest", NULL}},
    {"korea", (const char *const[]){"koreacentral", "koreasouth", NULL}},
    {"norway", (const char *const[]){"norwayeast", "norwaywest", NULL}},
    {"southafrica", (const char *const[]){"southafricanorth", "southafricawest", NULL}},
    {"sweden", (const char *const[]){"swedencentral", "swedensouth", NULL}},
    {"switzerland", (const char *const[]){"switzerlandnorth", "switzerlandwest", NULL}},
    {"uae", (const char *const[]){"uaecentral", "uaenorth", NULL}},
    {"unitedkingdom", (const char *const[]){"uksouth", "ukwest", NULL}},
};

const char *geography_of(const char *location)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(geographies); i++)
        for (const char *const *l = geographies[i].locations; *l != NULL; l++)
            if (strcmp(*l, location) == 0)
                return geographies[i].geography;
    return location;
}
