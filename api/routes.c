/* routes.c: every route table there is, and the one index over them. */
#include <pthread.h>
#include "api/route.h"

static const struct route_table *const tables[] = {
    &routes_arm_core,       &routes_arm_group,      &routes_arm_identity,
    &routes_arm_federated,  &routes_arm_role,       &routes_arm_role_definition,
    &routes_arm_vault,      &routes_arm_vault_key,  &routes_arm_deployment,
    &routes_arm_diagnostic, &routes_arm_namespace,  &routes_arm_entity,
    &routes_arm_alias,      &routes_arm_tags,       &routes_arm_activity,
    &routes_arm_bus,        &routes_arm_child,      &routes_entra,
    &routes_graph,          &routes_vault_keys,     &routes_vault_keys_crypt,
    &routes_vault_secrets,  &routes_vault_other,    &routes_data,
    &routes_control,        &routes_arm_operations,
};

const struct route_table *const *route_tables(size_t *ret_n)
{
    *ret_n = SB_ARRAY_LEN(tables);
    return tables;
}

static const struct route_table *const last_tables[] = {&routes_arm_generic};

/* Constant once made: not state. */
static struct route_index *all, *generic;

static void make_indexes(void)
{
    all = route_index_new(tables, SB_ARRAY_LEN(tables));
    generic = route_index_new(last_tables, SB_ARRAY_LEN(last_tables));
}

static const struct route_index *made(struct route_index *const *ix)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_indexes);
    return *ix;
}

const struct route_index *route_index_all(void)
{
    return made(&all);
}

const struct route_index *route_index_generic(void)
{
    return made(&generic);
}
