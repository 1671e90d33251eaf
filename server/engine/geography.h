/* geography.h: which geography a location lies in: backups of a vault stay inside one. */
#ifndef SB_GEOGRAPHY_H
#define SB_GEOGRAPHY_H

/* location: lower case without blanks. One that is not in the table is a geography of its own. */
const char *geography_of(const char *location);

#endif
