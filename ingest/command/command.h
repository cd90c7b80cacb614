/*
 * The subcommands of `holdfast`, one file each. argv[0] is the subcommand;
 * each returns the exit status of design section 10: 0 good, 1 failed, 2 usage
 * or configuration, 3 the data is wrong, 4 refused.
 */
#ifndef HOLDFAST_INGEST_COMMAND_COMMAND_H
#define HOLDFAST_INGEST_COMMAND_COMMAND_H

enum {
	STATUS_GOOD = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_WRONG = 3,
	STATUS_REFUSED = 4,
};

int command_backup(int argc, char **argv);
int command_rebuild(int argc, char **argv);
int command_broker(int argc, char **argv);
int command_faults(int argc, char **argv);
int command_dead(int argc, char **argv);
int command_generations(int argc, char **argv);
int command_get(int argc, char **argv);
int command_hold(int argc, char **argv);
int command_ingest(int argc, char **argv);
int command_load(int argc, char **argv);
int command_pause(int argc, char **argv);
int command_produce(int argc, char **argv);
int command_release(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_restore(int argc, char **argv);
int command_resume(int argc, char **argv);
int command_rollback(int argc, char **argv);
int command_run(int argc, char **argv);
int command_schema(int argc, char **argv);
int command_serve(int argc, char **argv);
int command_status(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_why(int argc, char **argv);

#endif
