/*
 * Prometheus' text format, read strictly: what is only tolerated fails the
 * test. Source: prometheus.io/docs/instrumenting/exposition_formats.
 */
#ifndef HOLDFAST_TESTS_EXPOSITION_CHECK_H
#define HOLDFAST_TESTS_EXPOSITION_CHECK_H

/*
 * Each family has one HELP and one TYPE, in this order, before its samples,
 * which are together; its name begins with `prefix`. Names and labels are
 * well-formed, no series comes twice, counters end in _total, no other family
 * does; a histogram's buckets ascend, do not shrink, and end with +Inf, which
 * is its count. The last line ends.
 */
void exposition_check(const char *text, const char *prefix);

/* The value of a series, written as in the text; fails the test where it is
 * not there. */
double exposition_value(const char *text, const char *series);

#endif
