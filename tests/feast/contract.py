#!/usr/bin/env python3
"""contract.py HOLDFAST_PORT REFERENCE_PORT NOW [unittest options]: Feast's contract over plain HTTP.

What must be equal is asked of `holdfast serve` and of Feast's own feature server with the same rows (reference.py), and the
replies are compared member by member; the rest is held against values written down here. Numbers in names and comments: the
list of compatibility tests. REFERENCE_PORT 0: without a reference, those tests are skipped.
"""

import http.client
import json
import math
import re
import socket
import struct
import sys
import unittest

import rows

PATH = "/get-online-features"
EPOCH = "1970-01-01T00:00:00Z"
PATIENCE_S = 20
DRIVER = ["conv_rate", "trips", "active", "rating", "name", "seen", "embedding", "photo"]
HOLDFAST = REFERENCE = NOW = None


def stamp(before):
    return rows.utc(rows.event_time(NOW, before)) + "Z"


class Reply:
    def __init__(self, response):
        self.status, self.headers, self.text = response.status, response.headers, response.read().decode()

    def json(self):
        def refuse(word):
            raise AssertionError(f"{word} is no JSON: {self.text}")
        return json.loads(self.text, parse_constant=refuse)

    def columns(self):
        """{feature: (values, statuses, event_timestamps)}; the shape is checked on the way."""
        body = self.json()
        assert self.status == 200, f"{self.status} {self.text}"
        assert set(body) == {"results", "metadata"} and set(body["metadata"]) == {"feature_names"}, self.text
        names = body["metadata"]["feature_names"]
        assert len(names) == len(set(names)) == len(body["results"]), self.text
        columns = {}
        for name, result in zip(names, body["results"]):
            assert set(result) == {"values", "statuses", "event_timestamps"}, self.text
            assert len({len(column) for column in result.values()}) == 1, self.text
            columns[name] = (result["values"], result["statuses"], result["event_timestamps"])
        return columns


def post(port, body, path=PATH, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        text = body if isinstance(body, (str, bytes)) else json.dumps(body)
        connection.request("POST", path, text, {"Content-Type": "application/json"} if headers is None else headers)
        return Reply(connection.getresponse())
    finally:
        connection.close()


def question(entities, features, **more):
    return {"entities": entities, "features": features} | more


def of(view, features):
    return [f"{view}:{feature}" for feature in features]


def ask(entities, features, **more):
    return post(HOLDFAST, question(entities, features, **more))


class Shape(unittest.TestCase):
    def test_columns_by_feature_keys_first_then_features_as_asked(self):  # 1, 2
        reply = ask({"driver_id": [1001, 1002]}, of("driver_stats", ["trips", "conv_rate"]))
        self.assertEqual(reply.json(), {
            "results": [
                {"values": [1001, 1002], "statuses": ["PRESENT", "PRESENT"], "event_timestamps": [EPOCH, EPOCH]},
                {"values": [rows.BIG, -rows.BIG], "statuses": ["PRESENT", "PRESENT"], "event_timestamps": [stamp(60), stamp(61)]},
                {"values": [1.0, -0.5], "statuses": ["PRESENT", "PRESENT"], "event_timestamps": [stamp(60), stamp(61)]},
            ],
            "metadata": {"feature_names": ["driver_id", "trips", "conv_rate"]}})
        self.assertEqual(reply.headers["Content-Type"].split(";")[0], "application/json")

    def test_what_is_not_there(self):  # 3
        columns = ask({"driver_id": [9, 1001]}, ["driver_stats:trips"]).columns()
        self.assertEqual(columns["trips"], ([None, rows.BIG], ["NOT_FOUND", "PRESENT"], [EPOCH, stamp(60)]))
        self.assertEqual(columns["driver_id"], ([9, 1001], ["PRESENT", "PRESENT"], [EPOCH, EPOCH]))

    def test_a_feature_that_was_never_set_and_an_entity_that_was_deleted(self):
        columns = ask({"driver_id": [1005, 1006]}, of("driver_stats", ["trips", "conv_rate"])).columns()
        self.assertEqual(columns["trips"][:2], ([5, None], ["PRESENT", "NOT_FOUND"]))
        self.assertEqual(columns["conv_rate"][:2], ([None, None], ["NOT_FOUND", "NOT_FOUND"]))

    def test_a_stored_null(self):  # 4
        columns = ask({"zone": ["nowhere"]}, of("zones", ["city", "altitude"])).columns()
        self.assertEqual(columns["city"], ([None], ["NULL_VALUE"], [stamp(22)]))
        self.assertEqual(columns["altitude"], ([-3.5], ["PRESENT"], [stamp(22)]))

    def test_an_expired_value_is_kept_and_said_to_be(self):  # 5
        columns = ask({"driver_id": [1003]}, ["driver_stats:trips"]).columns()
        self.assertEqual(columns["trips"], ([3], ["OUTSIDE_MAX_AGE"], ["2025-01-01T00:00:00Z"]))

    def test_a_default_is_never_said_to_be_present(self):
        columns = ask({"card_id": ["c1", "half", "nobody", "old"]}, of("card_stats", ["txns", "country", "limit"])).columns()
        self.assertEqual(columns["txns"][:2], ([2, 0, 0, 0], ["PRESENT", "NOT_FOUND", "NOT_FOUND", "OUTSIDE_MAX_AGE"]))
        self.assertEqual(columns["country"][:2], (["DE", "??", "??", "??"], ["PRESENT", "NOT_FOUND", "NOT_FOUND", "OUTSIDE_MAX_AGE"]))
        self.assertEqual(columns["limit"][:2], ([100.0, 1.0, None, None], ["PRESENT", "PRESENT", "NOT_FOUND", "OUTSIDE_MAX_AGE"]))

    def test_full_names_are_for_features_and_not_for_keys(self):  # 6
        reply = ask({"driver_id": [1001]}, ["driver_stats:trips"], full_feature_names=True)
        self.assertEqual(list(reply.columns()), ["driver_id", "driver_stats__trips"])

    def test_one_feature_has_a_second_result_with_its_time(self):  # 7
        self.assertEqual(ask({"driver_id": [1001]}, ["driver_stats:trips"]).json()["results"][1]["event_timestamps"][0], stamp(60))

    def test_fractions_of_a_second_have_no_three_or_six_digits(self):  # 8
        columns = ask({"driver_id": [1001, 1004, 1005]}, ["driver_stats:seen"]).columns()
        minute_ago = rows.utc(NOW - 60)
        self.assertEqual(columns["seen"][2], [stamp(60), f"{minute_ago}.678Z", f"{minute_ago}.678901Z"])

    def test_integers_beyond_2_to_the_53rd(self):  # 9
        reply = ask({"driver_id": [1001, 1002, -7]}, ["driver_stats:trips"])
        self.assertEqual(reply.columns()["trips"][0], [9007199254740993, -9007199254740993, 9223372036854775807])
        self.assertRegex(reply.text, r"\[9007199254740993, ?-9007199254740993, ?9223372036854775807\]")

    def test_floats_look_like_floats(self):  # 10
        # Also whole ones, or a client takes them for integers and mixed lists for nonsense.
        reply = ask({"driver_id": [1001, 1002, -7]}, of("driver_stats", ["conv_rate", "embedding", "rating"]))
        columns = reply.columns()
        for name in ("conv_rate", "rating"):
            self.assertTrue(all(type(value) is float for value in columns[name][0]), reply.text)
        for vector in columns["embedding"][0]:
            self.assertTrue(all(type(value) is float for value in vector), reply.text)
        self.assertEqual(columns["embedding"][0], [[1.0, 2.5, -0.125], [0.0, 1e10, -1.0], [3.0, 2.0, 1.0]])

    def test_float32_comes_back_as_it_was(self):
        vector = ask({"driver_id": [1004]}, ["driver_stats:embedding"]).columns()["embedding"][0][0]
        self.assertEqual([struct.pack("f", value) for value in vector], [struct.pack("f", value) for value in (0.1, 0.2, 0.3)])

    def test_no_empty_lists_and_no_numbers_that_json_lacks(self):  # 11, 12
        reply = ask({"driver_id": [1001, 1005, 1006, 9]}, of("driver_stats", DRIVER))
        self.assertNotIn("[]", reply.text)
        reply.json()

    def test_a_timestamp_is_whole_seconds(self):
        columns = ask({"driver_id": [1004, 1005]}, ["driver_stats:seen"]).columns()
        self.assertEqual(columns["seen"][0], [1767323045, -2])  # the second it lies in, also before 1970

    def test_no_rows(self):  # 21
        columns = ask({"driver_id": []}, ["driver_stats:trips"]).columns()
        self.assertEqual(columns, {"driver_id": ([], [], []), "trips": ([], [], [])})

    def test_the_truth_about_lag_is_in_headers(self):
        headers = ask({"driver_id": [1001]}, ["driver_stats:trips"]).headers
        self.assertEqual(headers["Holdfast-Generation"], "g1")
        self.assertRegex(headers["Holdfast-As-Of"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        self.assertGreater(int(headers["Holdfast-Lag-Ms"]), 0)
        self.assertTrue(headers["Holdfast-Position"].startswith("features.v1:0:"))


class Asked(unittest.TestCase):
    wanted = question({"driver_id": [1001]}, ["driver_stats:trips"])

    def test_content_types_do_not_matter(self):  # 16
        for headers in ({}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "text/plain"},
                        {"Content-Type": "application/json; charset=utf-8"}):
            self.assertEqual(post(HOLDFAST, self.wanted, headers=headers).columns()["trips"][0], [rows.BIG], headers)

    def test_two_slashes(self):  # 17
        self.assertEqual(post(HOLDFAST, self.wanted, path="//get-online-features").columns()["trips"][0], [rows.BIG])

    def test_members_nobody_knows_and_entities_nobody_asked_for(self):  # 20
        reply = post(HOLDFAST, self.wanted | {"request_context": {"x": [1]}, "new": None, "include_feature_view_version_metadata": True,
                                              "entities": {"driver_id": [1001], "other": ["x"]}})
        self.assertEqual(list(reply.columns()), ["driver_id", "trips"])

    def test_a_service_wins_over_features(self):
        reply = post(HOLDFAST, {"feature_service": "fraud_v7", "features": ["zones:population"],
                                "entities": {"driver_id": [1001], "zone": ["a/b"]}})
        self.assertEqual(list(reply.columns()), ["driver_id", "zone", "conv_rate", "trips", "city"])

    def test_one_connection_many_requests(self):  # 24
        connection = http.client.HTTPConnection("127.0.0.1", HOLDFAST, timeout=PATIENCE_S)
        self.addCleanup(connection.close)
        connection.connect()
        first = connection.sock
        for number in range(1200):
            driver, trips = ((1001, rows.BIG), (1002, -rows.BIG), (9, None))[number % 3]
            connection.request("POST", PATH, json.dumps(question({"driver_id": [driver]}, ["driver_stats:trips"])),
                               {"Connection": "keep-alive"})
            self.assertEqual(Reply(connection.getresponse()).columns()["trips"][0], [trips])
            self.assertIs(connection.sock, first, f"closed after {number} requests")

    def test_a_body_in_chunks(self):  # 24
        text = json.dumps(self.wanted)
        connection = http.client.HTTPConnection("127.0.0.1", HOLDFAST, timeout=PATIENCE_S)
        self.addCleanup(connection.close)
        for _ in range(2):
            connection.request("POST", PATH, iter([text[:7].encode(), text[7:].encode()]), encode_chunked=True,
                               headers={"Transfer-Encoding": "chunked"})
            self.assertEqual(Reply(connection.getresponse()).columns()["trips"][0], [rows.BIG])

    def test_requests_sent_ahead(self):
        text = json.dumps(self.wanted).encode()
        request = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (PATH.encode(), len(text), text)
        with socket.create_connection(("127.0.0.1", HOLDFAST), timeout=PATIENCE_S) as ahead:
            ahead.sendall(request * 3)
            got = b""
            while got.count(b'"metadata"') < 3:
                more = ahead.recv(65536)
                self.assertTrue(more, f"closed after {got}")
                got += more
        self.assertEqual(got.count(b"HTTP/1.1 200"), 3)


class Composite(unittest.TestCase):  # 19
    features = ["session_item:clicks"]

    def test_both_keys(self):
        columns = ask({"customer": ["c1", "c1", "c2", "c2", "1"], "item": [1, 2, 1, 2, 1]}, self.features).columns()
        self.assertEqual(columns["clicks"][:2], ([7, 8, -2**63, None, 11], ["PRESENT"] * 3 + ["NOT_FOUND", "PRESENT"]))

    def test_keys_in_another_order(self):
        columns = ask({"item": [2], "customer": ["c1"]}, self.features).columns()
        self.assertEqual(columns["clicks"][0], [8])

    def test_a_part_of_the_key_is_refused(self):
        for entities in ({"customer": ["c1"]}, {"item": [1]}, {"customer": ["1"]}):
            reply = ask(entities, self.features)
            self.assertIn(reply.status, (400, 404, 422), reply.text)
            self.assertNotIn("results", reply.text)


class Refused(unittest.TestCase):
    def refused(self, reply, status=None):  # 14, 15
        self.assertTrue(400 <= reply.status < 500 and reply.status != 429, f"{reply.status} {reply.text}")
        if status:
            self.assertEqual(reply.status, status, reply.text)
        self.assertEqual(reply.headers["Content-Type"].split(";")[0], "application/json")
        return reply.json()

    def of_class(self, reply, status, name):
        detail = json.loads(self.refused(reply, status))
        self.assertEqual((detail["module"], detail["class"]), ("feast.errors", name))
        return detail["message"]

    def test_unknown_view(self):
        self.assertIn("nope", self.of_class(ask({"driver_id": [1]}, ["nope:x"]), 404, "FeatureViewNotFoundException"))

    def test_unknown_service(self):
        reply = post(HOLDFAST, {"entities": {"driver_id": [1]}, "feature_service": "nope"})
        self.assertIn("nope", self.of_class(reply, 404, "FeatureServiceNotFoundException"))

    def test_two_features_of_one_name(self):
        reply = ask({"driver_id": [1001]}, ["driver_stats:trips", "driver_stats:trips"])
        self.of_class(reply, 400, "FeatureNameCollisionError")

    def test_callers_mistakes(self):
        one, trips = {"driver_id": [1001]}, ["driver_stats:trips"]
        for body in (question(one, ["driver_stats:nope"]), question(one, ["driver_stats"]), question(one, []),
                     question({"driver_id": 1001}, trips), question({"driver_id": ["x"]}, trips),
                     question({"driver_id": [None]}, trips), question({"driver_id": [1.5]}, trips),
                     question({"driver_id": [True]}, trips), question({"driver_id": [[1]]}, trips),
                     question({"driver_id": [2**63]}, trips), question({"zone": ["a/b"]}, trips),
                     question({"zone": [1]}, ["zones:city"]), question({"zone": ["a\0b"]}, ["zones:city"]),
                     question({"customer": ["c1"], "item": [1, 2]}, ["session_item:clicks"]),
                     question(one, "driver_stats:trips"), question(one, [7]), question([], trips),
                     question({}, trips), {"features": trips}, {"entities": one}, {"entities": one, "feature_service": 7},
                     [], "null", '{"entities":', "", '{"entities":{"driver_id":[1001]},"features":["driver_stats:trips"]} x'):
            with self.subTest(body):
                self.refused(post(HOLDFAST, body))

    def test_refused_by_its_terms(self):
        self.assertIn("credit", json.dumps(self.refused(ask({"driver_id": [1001]}, ["credit:line"]), 412)))

    def test_searches_are_not_served(self):  # 25
        for path in ("/search", "/retrieve-online-documents", "/v1/vector_stores"):
            self.refused(post(HOLDFAST, {}, path=path), 404)

    def test_other_methods(self):
        connection = http.client.HTTPConnection("127.0.0.1", HOLDFAST, timeout=PATIENCE_S)
        self.addCleanup(connection.close)
        connection.request("GET", PATH)
        reply = Reply(connection.getresponse())
        self.refused(reply, 405)
        self.assertIn("POST", reply.headers["Allow"])


class AsFeast(unittest.TestCase):
    """The same question to both servers."""

    def setUp(self):
        if not REFERENCE:
            self.skipTest("there is no reference")

    def both(self, body, **kwargs):
        return post(HOLDFAST, body, **kwargs), post(REFERENCE, body, **kwargs)

    def one_answer(self, entities, features, differs=(), **more):
        """`differs`: {(feature, row)} where ours says more than PRESENT; the value and time are equal nevertheless."""
        body = question(entities, features, **more) if isinstance(features, list) else {"entities": entities, "feature_service": features} | more
        ours, theirs = (reply.columns() for reply in self.both(body))
        self.assertEqual(set(ours), set(theirs))
        for name in theirs:
            for row in range(len(theirs[name][0])):
                with self.subTest(feature=name, row=row):
                    value, status, time = (column[row] for column in ours[name])
                    expected = tuple(column[row] for column in theirs[name])
                    self.assertIs(type(value), type(expected[0]))
                    self.assertEqual(value, expected[0])
                    self.assertEqual(time, expected[2])
                    if (name, row) in differs:
                        self.assertEqual((status, expected[1]), (differs[name, row], "PRESENT"))
                    else:
                        self.assertEqual(status, expected[1])
        keys = list(entities)
        self.assertEqual(list(ours)[:len(keys)], list(theirs)[:len(keys)])

    def test_every_type(self):
        self.one_answer({"driver_id": [1001, -7, 9, 1002, 1001]}, of("driver_stats", DRIVER))

    def test_every_feature_by_itself(self):
        for feature in DRIVER:
            self.one_answer({"driver_id": [1002, 9, 1001]}, [f"driver_stats:{feature}"])

    def test_full_names(self):
        self.one_answer({"driver_id": [1001]}, of("driver_stats", DRIVER), full_feature_names=True)

    def test_composite_keys(self):
        for full in (False, True):
            self.one_answer({"customer": ["c1", "c1", "c2", "c2", "1"], "item": [1, 2, 1, 2, 1]},
                            of("session_item", ["score", "clicks"]), full_feature_names=full)

    def test_odd_keys(self):
        self.one_answer({"zone": ["a/b", rows.ODD_ZONE, "a", "", "A/B", "a/b "]}, of("zones", ["city", "population", "altitude"]))

    def test_several_views_and_entities_that_are_not_asked_for(self):
        self.one_answer({"zone": ["a/b", "x"], "driver_id": [1001, 1002]}, ["zones:city", "driver_stats:trips"])
        self.one_answer({"driver_id": [1001], "unknown": [1]}, ["driver_stats:trips"])
        self.one_answer({"driver_id": [1001, 1002], "zone": ["a/b", "x"]}, ["zones:city"])

    def test_a_service(self):
        self.one_answer({"driver_id": [1001, 9], "zone": ["a/b", "a/b"]}, "fraud_v7")
        self.one_answer({"driver_id": [1001, 9], "zone": ["a/b", "a/b"]}, "fraud_v7", full_feature_names=True)

    def test_nulls_but_for_their_status(self):
        self.one_answer({"zone": ["nowhere", "nobody"]}, of("zones", ["city", "population", "altitude"]),
                        {("city", 0): "NULL_VALUE", ("population", 0): "NULL_VALUE", ("population", 1): "NULL_VALUE",
                         ("altitude", 1): "NULL_VALUE"})

    def test_expired_values_but_for_their_status(self):
        self.one_answer({"driver_id": [1003]}, of("driver_stats", DRIVER), {(feature, 0): "OUTSIDE_MAX_AGE" for feature in DRIVER})

    def test_errors_that_have_a_class(self):
        one = {"driver_id": [1001]}
        for body in (question(one, ["nope:x"]), {"entities": one, "feature_service": "nope"}):
            ours, theirs = self.both(body)
            self.assertEqual(ours.status, theirs.status)
            ours, theirs = (json.loads(reply.json()) for reply in (ours, theirs))
            self.assertEqual((ours["module"], ours["class"]), (theirs["module"], theirs["class"]))
        ours, theirs = self.both(question(one, ["driver_stats:trips"] * 2))
        ours, theirs = (json.loads(reply.json()) for reply in (ours, theirs))
        self.assertEqual((ours["module"], ours["class"]), (theirs["module"], theirs["class"]))

    def test_what_feast_refuses_is_refused(self):
        one, trips = {"driver_id": [1001]}, ["driver_stats:trips"]
        for body in (question(one, ["driver_stats:nope"]), question(one, ["driver_stats"]), question(one, []),
                     question({"driver_id": 1001}, trips), question({"driver_id": [None]}, trips),
                     question({"customer": ["c1"], "item": [1, 2]}, ["session_item:clicks"]), {"features": trips},
                     '{"entities":'):
            ours, theirs = self.both(body)
            self.assertGreaterEqual(theirs.status, 400)
            self.assertTrue(400 <= ours.status < 500, ours.text)


def main():
    global HOLDFAST, REFERENCE, NOW
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    HOLDFAST, REFERENCE, NOW = map(int, sys.argv[1:4])
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])


if __name__ == "__main__":
    main()
