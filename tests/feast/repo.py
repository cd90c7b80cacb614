"""Feast's side of schema.json: the same views, as a Feast feature repository defines them. Any version from 0.40 on."""

import datetime

from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.repo_config import RepoConfig
from feast.types import Array, Bool, Bytes, Float32, Float64, Int64, String, UnixTimestamp


def definitions():
    driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
    customer = Entity(name="customer", join_keys=["customer"], value_type=ValueType.STRING)
    item = Entity(name="item", join_keys=["item"], value_type=ValueType.INT64)
    card = Entity(name="card", join_keys=["card_id"], value_type=ValueType.STRING)
    zone = Entity(name="zone", join_keys=["zone"], value_type=ValueType.STRING)

    def view(name, entities, types, ttl=None):
        nowhere = FileSource(name=f"{name}_source", path="nowhere.parquet", timestamp_field="event_timestamp")
        return FeatureView(name=name, entities=entities, source=nowhere, ttl=ttl or datetime.timedelta(0),
                           schema=[Field(name=field, dtype=dtype) for field, dtype in types.items()])

    driver_stats = view("driver_stats", [driver],
                        {"driver_id": Int64, "conv_rate": Float64, "trips": Int64, "active": Bool, "rating": Float64,
                         "name": String, "seen": UnixTimestamp, "embedding": Array(Float32), "photo": Bytes},
                        ttl=datetime.timedelta(days=30))
    session_item = view("session_item", [customer, item],
                        {"customer": String, "item": Int64, "clicks": Int64, "score": Float64})
    zones = view("zones", [zone], {"zone": String, "city": String, "population": Int64, "altitude": Float64})
    card_stats = view("card_stats", [card], {"card_id": String, "txns": Int64, "country": String, "limit": Float64})
    credit = view("credit", [driver], {"driver_id": Int64, "line": Int64})
    # The server does not know it: what does the client make of that?
    unserved = view("unserved", [driver], {"driver_id": Int64, "x": Int64})
    fraud = FeatureService(name="fraud_v7", features=[driver_stats[["conv_rate", "trips"]], zones[["city"]]])
    return [driver, customer, item, zone, card, driver_stats, session_item, zones, card_stats, credit, unserved, fraud]


def feature_store(directory, online_store):
    """A feature store with its registry in `directory` and the definitions applied."""
    store = FeatureStore(config=RepoConfig(project="holdfast", provider="local", registry=f"{directory}/registry.db",
                                           online_store=online_store, entity_key_serialization_version=3))
    store.apply(definitions())
    return store
