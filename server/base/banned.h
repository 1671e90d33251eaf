/* banned.h: force-included; calling one of these does not compile. */
#ifndef SB_BANNED_H
#define SB_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* glibc makes it a macro for clang, and a macro cannot be poisoned. */
#undef sprintf
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atoll gmtime localtime ctime asctime srand
#pragma GCC poison sleep usleep gets tmpnam mktemp strncpy strncat

/* OpenSSL's headers have parameters of this name: only calls are refused (clang wants it on the first
 * declaration). */
#ifndef __clang__
int rand(void) __attribute__((error("banned")));
#endif

#endif
