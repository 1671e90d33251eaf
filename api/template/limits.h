/*
 * limits.h: how much a template may ask for. Real: the service's own published limit. Choice: ours; where it
 * is above the service's, large generated templates work here that would have to be split there (README).
 */
#ifndef SB_TEMPLATE_LIMITS_H
#define SB_TEMPLATE_LIMITS_H

#define TMPL_TEXT_MAX       (4u << 20)         /* bytes of a template (real) */
#define TMPL_PARAMETERS_MAX 256u               /* real */
#define TMPL_VARIABLES_MAX  256u               /* real */
#define TMPL_OUTPUTS_MAX    64u                /* real */
#define TMPL_RESOURCES_MAX  10000u             /* choice; real: 800 */
#define TMPL_COPY_MAX       10000u             /* choice, one loop; real: 800 */
#define TMPL_EXPRESSION_MAX 24576u             /* characters of an expression (real) */
#define TMPL_RANGE_MAX      10000u             /* range(): real */
#define TMPL_NEST_MAX       100u               /* brackets inside an expression (choice) */
#define TMPL_EVAL_MAX       400u               /* calls and variables inside each other (choice) */
#define TMPL_STEPS_MAX      UINT64_C(20000000) /* nodes evaluated and bytes/64 produced (choice) */
#define TMPL_MEMORY_MAX     (128u << 20)       /* of a session (choice) */

#endif
