/*
 * log.h: events to stderr, as text or JSON lines, written with one write(2) each.
 *
 * log_event(LOG_INFO, "key.revoked", "ns", name, "key", key, NULL): an event name, then pairs of field name
 * and text value, ended by NULL. Never a key, token, body or connection string. Thread-safe. Layers below api
 * do not log above debug.
 */
#ifndef SB_LOG_H
#define SB_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_setup(enum log_level max, bool json);
bool log_on(enum log_level level);
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));
/* A bare line for people (the ready sentence that container tests wait for). */
void log_line(const char *line);

#endif
