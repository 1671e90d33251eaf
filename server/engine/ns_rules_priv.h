/* ns_rules_priv.h: a namespace's rules in memory, between ns_rules.c and ns_sas.c. All of it under
 * engine_lock. */
#ifndef SB_NS_RULES_PRIV_H
#define SB_NS_RULES_PRIV_H

#include "server/engine/ns_priv.h"

#define NS_RULE_NAME_MAX   50
#define NS_RULE_ENTITY_MAX 260

/* Signatures that a rule's keys were seen to have made: clients send the same one for minutes, and three ways
 * of writing it times two keys are to be tried. They go with the rule, which a change of its keys replaces.
 */
#define NS_KNOWN      4
#define NS_KNOWN_TEXT 512
struct ns_rule_known {
    char text[NS_KNOWN][NS_KNOWN_TEXT];
    size_t next; /* which one gives way */
};

struct ns_rule {
    struct ns_rule *next;
    struct ns_rule_known *known;         /* or NULL */
    char entity[NS_RULE_ENTITY_MAX + 1]; /* "": the namespace's */
    char name[NS_RULE_NAME_MAX + 1];
    unsigned rights;
    bool open; /* primary and secondary are filled in */
    char primary[NS_RULE_KEY_MAX], secondary[NS_RULE_KEY_MAX];
    size_t sealed_n;
    uint8_t sealed[];
};

struct ns_rules {
    struct ns_rule *head; /* by entity and name */
};

/* Fills in the rule's keys, unless they are there. SB_ETAMPER: what is stored is damaged. */
SB_MUST enum sb_err ns_rules_open(struct engine *e, struct ns_rule *r, struct sb_error *err);

#endif
