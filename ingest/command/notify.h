/*
 * A word to the supervisor: systemd's services of Type=notify learn when they
 * are up and when they end. Where nobody asks ($NOTIFY_SOCKET is not set)
 * nothing happens, and what can't be sent is nobody's fault.
 * Source: sd_notify(3).
 */
#ifndef HOLDFAST_INGEST_COMMAND_NOTIFY_H
#define HOLDFAST_INGEST_COMMAND_NOTIFY_H

void notify_ready(void);
void notify_stopping(void);

#endif
