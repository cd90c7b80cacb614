"""sdk.py DIRECTORY PORT NOW [unittest options]: the installed Feast SDK reads from `holdfast serve` on PORT, unchanged.

Before 0.64 the client asks once for each feature view, sends only the first join key and knows values by the word PRESENT
alone; the expected values say where that shows.
"""

import importlib.util
import logging
import sys
import unittest

import feast
from feast import errors
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

import repo
import rows

VERSION = tuple(int(part) for part in feast.__version__.split(".")[:2])
ONE_REQUEST = VERSION >= (0, 64)  # which carries everything; before: one a view
# The server's words reach the caller, as the exception they were. Before, a RuntimeError tells the HTTP status alone.
ERRORS_ARRIVE = importlib.util.find_spec("feast.rest_error_handler") is not None
DRIVER = ["conv_rate", "trips", "active", "rating", "name", "seen", "embedding"]
DIRECTORY = PORT = NOW = None


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.store = repo.feature_store(DIRECTORY, {"type": "remote", "path": f"http://127.0.0.1:{PORT}"})

    def read(self, features, entity_rows, **more):
        return self.store.get_online_features(features=features, entity_rows=entity_rows, **more)

    def values(self, features, entity_rows, **more):
        return self.read(features, entity_rows, **more).to_dict()

    def statuses(self, features, entity_rows):
        proto = self.read(features, entity_rows).proto
        return {name: [FieldStatus.Name(status) for status in result.statuses]
                for name, result in zip(proto.metadata.feature_names.val, proto.results)}


class Values(Case):
    def driver(self, driver_id, features):
        got = self.values([f"driver_stats:{feature}" for feature in features], [{"driver_id": driver_id}])
        self.assertEqual(got.pop("driver_id"), [driver_id])
        return {name: value for name, [value] in got.items()}

    def test_every_type(self):
        self.assertEqual(self.driver(1001, DRIVER), {
            "conv_rate": 1.0, "trips": 9007199254740993, "active": True, "rating": 4.25,
            "name": "O'Brien \"Zoë\" \\ 日本 / \U0001f600\n", "seen": 1767323045, "embedding": [1.0, 2.5, -0.125]})
        self.assertEqual(self.driver(1002, DRIVER), {
            "conv_rate": -0.5, "trips": -9007199254740993, "active": False, "rating": -0.01, "name": "", "seen": -1,
            "embedding": [0.0, 1e10, -1.0]})

    def test_types_stay(self):
        got = self.driver(1001, DRIVER)
        self.assertEqual({name: type(value) for name, value in got.items()},
                         {"conv_rate": float, "trips": int, "active": bool, "rating": float, "name": str, "seen": int, "embedding": list})
        self.assertTrue(all(type(element) is float for element in got["embedding"]))

    def test_every_feature_by_itself(self):
        for feature in DRIVER:
            self.assertEqual(len(self.driver(1001, [feature])), 1)
            self.assertEqual(len(self.driver(9, [feature])), 1)

    def test_the_largest_integer(self):
        self.assertEqual(self.driver(-7, ["trips", "rating"]), {"trips": 2**63 - 1, "rating": 99999999.99})

    def test_rows_come_in_the_order_asked_for(self):
        got = self.values(["driver_stats:trips"], [{"driver_id": driver} for driver in (1002, 9, 1001, 1002, -7)])
        self.assertEqual(got, {"driver_id": [1002, 9, 1001, 1002, -7],
                               "trips": [-9007199254740993, None, 9007199254740993, -9007199254740993, 2**63 - 1]})

    def test_string_keys_as_odd_as_they_may_be(self):
        got = self.values(["zones:city", "zones:population"],
                          [{"zone": "a/b"}, {"zone": "it's \"odd\", 50 %2F ü/../x"}, {"zone": "a"}])
        self.assertEqual((got["city"], got["population"]), (["Würzburg", "b", None], [130000, 0, None]))

    def test_what_is_not_there(self):
        self.assertEqual(self.driver(9, DRIVER), dict.fromkeys(DRIVER))
        self.assertEqual(self.statuses(["driver_stats:trips"], [{"driver_id": 9}])["trips"],
                         ["NOT_FOUND"] if ONE_REQUEST else ["PRESENT"])  # the old client says that of all it reads

    def test_deleted_and_never_set(self):
        self.assertEqual(self.driver(1006, ["trips"]), {"trips": None})
        self.assertEqual(self.driver(1005, ["trips", "conv_rate"]), {"trips": 5, "conv_rate": None})

    def test_a_stored_null(self):
        got = self.values(["zones:city", "zones:altitude"], [{"zone": "nowhere"}])
        self.assertEqual((got["city"], got["altitude"]), ([None], [-3.5]))
        if ONE_REQUEST:
            self.assertEqual(self.statuses(["zones:city"], [{"zone": "nowhere"}])["city"], ["NULL_VALUE"])

    def test_an_expired_value(self):
        if ONE_REQUEST:
            self.assertEqual(self.driver(1003, ["trips"]), {"trips": 3})
            self.assertEqual(self.statuses(["driver_stats:trips"], [{"driver_id": 1003}])["trips"], ["OUTSIDE_MAX_AGE"])
        else:
            self.assertEqual(self.driver(1003, ["trips"]), {"trips": None})

    def test_parts_of_a_second(self):
        self.assertEqual(self.driver(1004, ["conv_rate", "seen", "name"]), {"conv_rate": 0.1, "seen": 1767323045, "name": None})

    def test_full_names(self):
        got = self.values(["driver_stats:trips", "zones:city"], [{"driver_id": 1001, "zone": "a/b"}], full_feature_names=True)
        self.assertEqual(got, {"driver_id": [1001], "zone": ["a/b"], "driver_stats__trips": [rows.BIG], "zones__city": ["Würzburg"]})

    def test_a_service(self):
        service = self.store.get_feature_service("fraud_v7")
        got = self.values(service, [{"driver_id": 1001, "zone": "a/b"}, {"driver_id": 1002, "zone": "x"}])
        self.assertEqual(got, {"driver_id": [1001, 1002], "zone": ["a/b", "x"], "conv_rate": [1.0, -0.5],
                               "trips": [rows.BIG, -rows.BIG], "city": ["Würzburg", None]})

    def test_a_data_frame(self):
        frame = self.read(["driver_stats:trips", "driver_stats:name"], [{"driver_id": 1001}, {"driver_id": 1002}]).to_df()
        self.assertEqual(frame["trips"].tolist(), [rows.BIG, -rows.BIG])
        self.assertEqual(frame["name"].tolist(), [rows.ODD_NAME, ""])

    def test_many_requests(self):
        for _ in range(100):
            self.assertEqual(self.driver(1001, ["trips"]), {"trips": rows.BIG})


class Composite(Case):
    features = ["session_item:clicks", "session_item:score"]

    @unittest.skipUnless(ONE_REQUEST, "the client sends the first join key only")
    def test_both_keys_arrive(self):
        keys = [("c1", 1), ("c1", 2), ("c2", 1), ("c2", 2), ("1", 1)]
        got = self.values(self.features, [{"customer": customer, "item": item} for customer, item in keys])
        self.assertEqual((got["clicks"], got["score"]), ([7, 8, -2**63, None, 11], [0.5, 1e300, -1.0, None, 3.0]))

    @unittest.skipIf(ONE_REQUEST, "the client sends all join keys")
    def test_a_client_that_sends_one_key_gets_an_error_never_another_row(self):
        for customer, item in (("c1", 1), ("c2", 2), ("1", 1)):
            with self.assertRaises(Exception) as caught:
                self.values(self.features, [{"customer": customer, "item": item}])
            self.assertIn('join key \\"item\\"' if ERRORS_ARRIVE else "Error_code=422", str(caught.exception))

    def test_one_key_only(self):
        with self.assertRaises(Exception):
            self.values(self.features, [{"customer": "c1"}])


class Errors(Case):
    one = [{"driver_id": 1001}]

    def test_an_unknown_view(self):
        with self.assertRaises(errors.FeatureViewNotFoundException):
            self.values(["nope:x"], self.one)

    def test_a_view_that_only_the_client_knows(self):
        with self.assertRaises(errors.FeatureViewNotFoundException if ERRORS_ARRIVE else RuntimeError) as caught:
            self.values(["unserved:x"], self.one)
        self.assertIn("unserved" if ERRORS_ARRIVE else "Error_code=404", str(caught.exception))

    @unittest.skipUnless(ONE_REQUEST, "the client takes services apart by itself")
    def test_an_unknown_service(self):
        with self.assertRaises(errors.FeatureServiceNotFoundException):
            self.values(feast.FeatureService(name="nope", features=[self.store.get_feature_view("zones")]), self.one)

    def test_two_features_of_one_name(self):
        with self.assertRaises(errors.FeatureNameCollisionError):
            self.values(["driver_stats:trips", "driver_stats:trips"], self.one)

    def test_refused_by_its_terms(self):
        with self.assertRaises(errors.FeastError if ERRORS_ARRIVE else RuntimeError) as caught:
            self.values(["credit:line"], self.one)
        self.assertIn("credit:line of row 0 comes from further behind" if ERRORS_ARRIVE else "Error_code=412", str(caught.exception))

    def test_a_key_of_the_wrong_type(self):
        with self.assertRaises(Exception):
            self.values(["driver_stats:trips"], [{"driver_id": "one"}])


@unittest.skipUnless(ONE_REQUEST, "there it is what get_online_features() does")
class ByView(Case):
    """online_read(), by which clients of 0.61 to 0.63 read, is still there: one request a view, typed by the registry."""

    def online_read(self, view, join_key, key, features):
        table = self.store.get_feature_view(view)
        keys = [EntityKey(join_keys=[join_key], entity_values=[key])]
        [(_, row)] = self.store._get_provider().online_read(self.store.config, table, keys, features)
        return {name: (value.WhichOneof("val"), getattr(value, value.WhichOneof("val") or "", None)) for name, value in row.items()}

    def test_types_by_the_registry(self):
        got = self.online_read("driver_stats", "driver_id", Value(int64_val=1001), [name for name in DRIVER if name != "embedding"])
        self.assertEqual(got, {
            "conv_rate": ("double_val", 1.0), "trips": ("int64_val", rows.BIG), "active": ("bool_val", True),
            "rating": ("double_val", 4.25), "name": ("string_val", rows.ODD_NAME), "seen": ("unix_timestamp_val", 1767323045)})

    def test_a_vector(self):
        kind, value = self.online_read("driver_stats", "driver_id", Value(int64_val=1004), ["embedding"])["embedding"]
        self.assertEqual(kind, "float_list_val")
        for got, expected in zip(value.val, (0.1, 0.2, 0.3), strict=True):
            self.assertAlmostEqual(got, expected, places=7)

    def test_nulls(self):
        self.assertEqual(self.online_read("zones", "zone", Value(string_val="nowhere"), ["city"]), {"city": (None, None)})


def main():
    global DIRECTORY, PORT, NOW
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    DIRECTORY, PORT, NOW = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(f"Feast {feast.__version__}", flush=True)
    logging.disable()
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])


if __name__ == "__main__":
    main()
