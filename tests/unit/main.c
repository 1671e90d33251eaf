/* main.c: runs the one suite that each unit test program defines. Set CK_FORK=no for sanitizers and gdb. */
#include <check.h>
#include <stdlib.h>
#include "tests/unit/unit.h"

int main(void)
{
    SRunner *r = srunner_create(unit_suite());
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
