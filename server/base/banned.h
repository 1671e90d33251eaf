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
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atoll gmtime localtime ctime asctime rand srand
#pragma GCC poison sleep usleep gets tmpnam mktemp strncpy strncat

#endif
