/* unit.h: what a unit test program provides: its suite. */
#ifndef SB_UNIT_H
#define SB_UNIT_H

#include <check.h>

Suite *unit_suite(void);

#endif
