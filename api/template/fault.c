/*
 * fault.c: every failure of a template: code and text in one table. "{0}" is a value, "{line}" and "{column}"
 * the place. Texts are the service's where one was seen; (choice) marks ours.
 */
#include <stdio.h>
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

#define MESSAGE_MAX (256u << 10)

#define INVALID    "InvalidTemplate"
#define CHECKED(s) "Deployment template validation failed: '" s "'."

struct row {
    const char *code, *text;
};

static const struct row rows[FAULT_ID_MAX] = {
    [FAULT_MEMORY] = {INVALID, CHECKED("{0}")},
    [FAULT_READ] =
        {"InvalidRequestContent",
         "The request content was invalid and could not be deserialized: '{0} Path '{1}', line {line}, "
         "position {column}.'."},
    /* (choice) */
    [FAULT_SECTION] = {INVALID,
                       CHECKED("The template section '{0}' at line '{line}' and column '{column}' is not "
                               "valid. Expected '{1}'. Actual '{2}'. Please see "
                               "https://aka.ms/arm-syntax for usage details.")},
    [FAULT_MISSING] = {INVALID, CHECKED("The template section '{0}' is missing. Please see "
                                        "https://aka.ms/arm-syntax for usage details.")}, /* (choice) */
    [FAULT_LIMIT] = {INVALID,
                     CHECKED("The number of template {0} limit exceeded. Limit: '{1}' and actual: '{2}'. "
                             "Please see https://aka.ms/arm-deploy for usage details.")},
    [FAULT_PARAM_MISSING] = {INVALID,
                             CHECKED("The value for the template parameter '{0}' at line '{line}' and column "
                                     "'{column}' is not provided. Please see "
                                     "https://aka.ms/arm-create-parameter-file for usage details.")},
    [FAULT_PARAM_UNKNOWN] =
        {INVALID, CHECKED("The template parameters '{0}' in the parameters file are not valid; they are "
                          "not present in the original template and can therefore not be provided at "
                          "deployment time. The only supported parameters for this template are '{1}'. "
                          "Please see https://aka.ms/arm-pass-parameter-values for usage details.")},
    [FAULT_PARAM_ALLOWED] =
        {INVALID, CHECKED("The provided value{1} for the template parameter '{0}' at line '{line}' and "
                          "column '{column}' is not valid. The parameter value is not part of the "
                          "allowed value(s): '{2}'.")},
    [FAULT_PARAM_TYPE] = {INVALID,
                          CHECKED("Template parameter JToken type is not valid. Expected '{0}'. Actual "
                                  "'{1}'. Please see https://aka.ms/arm-create-parameter-file for usage "
                                  "details.")},
    [FAULT_PARAM_INVALID] = {INVALID,
                             CHECKED("The provided value for the template parameter '{0}' at line '{line}' "
                                     "and column '{column}' is not valid. {1} Please see "
                                     "https://aka.ms/arm-create-parameter-file for usage details.")},
    [FAULT_PARAM_SECRET] = {"KeyVaultParameterReferenceSecretRetrieveFailed",
                            "The secret of KeyVault parameter '{0}' cannot be retrieved. {1} Please see "
                            "https://aka.ms/arm-keyvault for usage details."},
    [FAULT_PARAM_VAULT] = {"KeyVaultParameterReferenceNotFound",
                           "The specified KeyVault '{0}' could not be found. Please see "
                           "https://aka.ms/arm-keyvault for usage details."},
    [FAULT_PARAM_DENIED] = {"KeyVaultParameterReferenceAuthorizationFailed",
                            "{0} Please see https://aka.ms/arm-keyvault for usage details."},
    [FAULT_VARIABLE] = {INVALID, CHECKED("The template variable '{0}' is not valid: {1}. Please see "
                                         "https://aka.ms/arm-template-expressions for usage details.")},
    [FAULT_RESOURCE] =
        {INVALID, CHECKED("The template resource '{0}' at line '{line}' and column '{column}' is not valid: "
                          "{1}. Please see https://aka.ms/arm-template-expressions for usage details.")},
    [FAULT_RESOURCE_FIELD] = {INVALID,
                              CHECKED(
                                  "The template resource '{0}' at line '{line}' and column '{column}' is not "
                                  "valid. The '{1}' property is missing or of the wrong type. Please see "
                                  "https://aka.ms/arm-syntax-resources for usage details.")}, /* (choice) */
    [FAULT_SEGMENTS] =
        {INVALID, CHECKED("The template resource '{0}' for type '{1}' at line '{line}' and column '{column}' "
                          "has incorrect segment lengths. A nested resource type must have identical number "
                          "of segments as its resource name. A root resource type must have segment length "
                          "one greater than its resource name. Please see "
                          "https://aka.ms/arm-syntax-resources for usage details.")},
    [FAULT_TWICE] =
        {INVALID,
         CHECKED("The resource '{0}' at line '{line}' and column '{column}' is defined multiple times in "
                 "a template. Please see https://aka.ms/arm-syntax-resources for usage details.")},
    [FAULT_UNKNOWN_DEPENDENCY] = {INVALID,
                                  CHECKED("The resource '{0}' is not defined in the template. Please see "
                                          "https://aka.ms/arm-syntax for usage details.")},
    [FAULT_CYCLE] = {INVALID, CHECKED("Circular dependency detected on resource: '{0}'. Please see "
                                      "https://aka.ms/arm-syntax-resources for usage details.")},
    [FAULT_COPY] = {INVALID, CHECKED("{0}")},
    [FAULT_BATCH] =
        {INVALID,
         CHECKED("The template 'copy' definition at line '{line}' and column '{column}' has an invalid "
                 "copy batch size. The copy batch size must be a non-negative integer value and cannot "
                 "exceed the copy count '{0}'. Please see https://aka.ms/arm-copy for usage details.")},
    [FAULT_FUNCTION] = {INVALID,
                        CHECKED("The template function '{0}' is not valid: {1} Please see "
                                "https://aka.ms/arm-template/#functions for usage details.")}, /* (choice) */
    [FAULT_OUTPUT] = {"DeploymentOutputEvaluationFailed", "The template output '{0}' is not valid: {1}."},
    [FAULT_OUTPUT_CHECK] =
        {INVALID, CHECKED("The template output '{0}' at line '{line}' and column '{column}' is not valid: "
                          "{1}. Please see https://aka.ms/arm-template/#outputs for usage details.")},
    [FAULT_BODY] = {INVALID,
                    "Unable to process template language expressions for resource '{0}' at line '{line}' "
                    "and column '{column}'. '{1}'"},
    [FAULT_ASSERT] = {"DeploymentAssertionFailed",
                      "The template assertions '{0}' evaluated to false."}, /* (choice) */
    [FAULT_NESTED] = {INVALID,
                      CHECKED(
                          "The nested deployment '{0}' at line '{line}' and column '{column}' is not valid. "
                          "{1}")}, /* (choice) */
};

const char *fault_why(struct tmpl *t)
{
    const char *why = t->why ? t->why : "The template takes too much memory to evaluate.";
    t->why = NULL;
    return why;
}

/* Appends text with its placeholders replaced. */
static void expand(struct sb_buf *b, const char *text, const struct fault_place *place,
                   const char *const *values)
{
    size_t n = 0;
    while (values[n])
        n++;
    while (*text) {
        size_t plain = strcspn(text, "{");
        buf_add(b, text, plain);
        text += plain;
        if (text_starts(text, "{line}"))
            buf_addf(b, "%u", place ? place->line : 0);
        else if (text_starts(text, "{column}"))
            buf_addf(b, "%u", place ? place->column : 0);
        else if (*text && (size_t)(text[1] - '0') < n)
            buf_adds(b, values[text[1] - '0']);
        text += strcspn(text, "}");
        text += *text == '}';
    }
}

enum sb_err fault_set(struct tmpl *t, struct sb_error *err, const struct fault_place *place, enum fault_id id,
                      const char *const *values)
{
    struct sb_buf b;
    buf_init(&b, MESSAGE_MAX);
    expand(&b, rows[id].text, place, values);
    char *message = buf_failed(&b) ? NULL : arena_strndup(t->a, buf_str(&b), b.n);
    buf_done(&b);
    t->fault = (struct tmpl_fault){
        .code = rows[id].code,
        .message = message ? message : "The template takes too much memory to evaluate.",
        .has_place = place != NULL,
        .line = place ? place->line : 0,
        .position = place ? place->column : 0,
        .path = place && place->path ? place->path : "",
    };
    if (message)
        tmpl_scrub(t, message); /* a function's own words may have quoted one */
    return sb_fail(err, SB_ETEMPLATE, "%s", t->fault.message);
}
