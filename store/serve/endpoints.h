/*
 * What the server tells of itself: health, metrics, the status page. The
 * router calls these, as it calls its own endpoints for lookups.
 *
 * Each fills in exchange->reply, always something that can be sent, also where
 * there is no reader, and leaves exchange->endpoint to the router. HEAD needs
 * nothing: the body is not sent then.
 * Source: contracts.md A.1, I.1, I.2.
 */
#ifndef HOLDFAST_STORE_SERVE_ENDPOINTS_H
#define HOLDFAST_STORE_SERVE_ENDPOINTS_H

#include "store/serve/exchange.h"

/* GET /livez: 200 while the process can answer at all. `?verbose` lists. */
int health_livez(struct exchange *exchange, struct fault *fault);

/*
 * GET /readyz and its alias /health: 200 while lookups can be answered, also
 * while ingest is down; else 503. `?verbose` lists as kube-apiserver does,
 * without it a refusal is JSON.
 * Errors, with a reply: as reader_status().
 */
int health_readyz(struct exchange *exchange, struct fault *fault);

/* GET /metrics: Prometheus' text format 0.0.4; without a reader the server's
 * own figures alone. Errors, with a reply: as reader_status(). */
int metrics_write(struct exchange *exchange, struct fault *fault);

/* GET /: one page of HTML for whoever is on call. Errors, with a reply: as
 * reader_status(). */
int page_write(struct exchange *exchange, struct fault *fault);

#endif
