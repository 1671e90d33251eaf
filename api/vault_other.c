/*
 * vault_other.c: the parts of a vault's data plane that are not emulated: certificates, managed storage
 * accounts and key attestation. Asked by whoever is signed in, they say so in the vault's own shape, instead
 * of a bare 404 that would look like a wrong address. One question has a true answer: no vault has contacts
 * for its certificates. Terraform asks it of every vault.
 */
#include "api/vault_common.h"

static enum sb_err not_emulated(struct request *r, struct sb_error *err)
{
    return sb_fail(err, SB_ENOTSUP,
                   "%.40s is not emulated: this vault has keys and secrets, no certificates and no managed "
                   "storage accounts.",
                   r->path);
}

static enum sb_err no_attestation(struct request *r, struct sb_error *err)
{
    (void)r;
    return sb_fail(err, SB_ENOTSUP, "Key attestation is not emulated.");
}

/* That the real service has a 404 here is what its clients count on; code and words are ours (choice). */
static enum sb_err no_contacts(struct request *r, struct sb_error *err)
{
    (void)r;
    return sb_fail(err, SB_ENOTFOUND, "This vault has no contacts for certificates.");
}

/* Every method, on the collection and on what lies below it. */
#define ALL(path, op)                                                                                        \
    {"GET", PLANE_VAULT, path, VAULT_READ_FLAGS, VAULT_BODY_MAX, not_emulated, "Get" op},                    \
        {"PUT", PLANE_VAULT, path, VAULT_READ_FLAGS, VAULT_BODY_MAX, not_emulated, "Put" op},                \
        {"POST", PLANE_VAULT, path, VAULT_READ_FLAGS, VAULT_BODY_MAX, not_emulated, "Post" op},              \
        {"PATCH", PLANE_VAULT, path, VAULT_READ_FLAGS, VAULT_BODY_MAX, not_emulated, "Patch" op},            \
    {                                                                                                        \
        "DELETE", PLANE_VAULT, path, VAULT_READ_FLAGS, VAULT_BODY_MAX, not_emulated, "Delete" op             \
    }

static const struct route rows[] = {
    {"GET", PLANE_VAULT, "/keys/{name}/{version}/attestation", VAULT_READ_FLAGS, VAULT_BODY_MAX,
     no_attestation, "KeyAttestation"},
    {"GET", PLANE_VAULT, "/certificates/contacts", VAULT_READ_FLAGS, VAULT_BODY_MAX, no_contacts,
     "CertificateContactsGet"},
    ALL("/certificates", "Certificates"),
    ALL("/certificates/{rest*}", "Certificate"),
    ALL("/deletedcertificates", "DeletedCertificates"),
    ALL("/deletedcertificates/{rest*}", "DeletedCertificate"),
    ALL("/storage", "StorageAccounts"),
    ALL("/storage/{rest*}", "StorageAccount"),
    ALL("/deletedstorage", "DeletedStorageAccounts"),
    ALL("/deletedstorage/{rest*}", "DeletedStorageAccount"),
};

const struct route_table routes_vault_other = {rows, SB_ARRAY_LEN(rows)};
