"""reference.py DIRECTORY PORT NOW: Feast's own Python feature server on 127.0.0.1:PORT, as `feast serve` starts it, with the
rows of rows.py in Feast's SQLite online store."""

import datetime
import sys

import pandas
from feast.feature_server import start_server

import repo
import rows


def frame(now, entity, before, features):
    def column(name, value):
        if name == "seen":
            return pandas.to_datetime([value], unit="s", utc=True)
        return [value]
    at = pandas.to_datetime([rows.event_time(now, before)], unit="s", utc=True)
    return pandas.DataFrame({name: column(name, value) for name, value in (entity | features).items()} | {"event_timestamp": at})


def null_frame(now, entity, before, features):
    """A null has no type that pandas could see."""
    types = {"city": "string", "population": "Int64", "altitude": "Float64"}
    return frame(now, entity, before, features).astype({name: types[name] for name in features})


def main():
    directory, port, now = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    store = repo.feature_store(directory, {"type": "sqlite", "path": f"{directory}/online.db"})
    for view, *row in rows.ROWS:
        store.write_to_online_store(view, frame(now, *row))
    for view, *row in rows.NULLS:
        store.write_to_online_store(view, null_frame(now, *row))
    start_server(store, host="127.0.0.1", port=port, no_access_log=True, workers=1, worker_connections=1000, max_requests=0,
                 max_requests_jitter=0, keep_alive_timeout=30, registry_ttl_sec=3600, tls_key_path="", tls_cert_path="",
                 metrics=False)


if __name__ == "__main__":
    main()
