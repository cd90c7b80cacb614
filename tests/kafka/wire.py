"""Kafka's protocol by hand: what the tests ask a broker, and tell it, within milliseconds and without librdkafka.

Layouts: kafka.apache.org/protocol, in versions that every broker since 2.1 and up to 4 speaks.
"""

import socket
import struct
import time

LIST_OFFSETS, METADATA, OFFSET_FETCH = (2, 2), (3, 1), (9, 1)  # (API, version)
CREATE_TOPICS, DELETE_TOPICS, DELETE_RECORDS, CREATE_PARTITIONS = (19, 2), (20, 1), (21, 0), (37, 0)
UNKNOWN_TOPIC = 3
LATEST = -1
TIMEOUT_MS = 20000


class WireError(Exception):
    pass


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


class Answer:
    def __init__(self, content):
        self.content, self.at = content, 0

    def take(self, layout):
        values = struct.unpack_from(">" + layout, self.content, self.at)
        self.at += struct.calcsize(">" + layout)
        return values

    def text(self):
        length, = self.take("h")
        self.at += max(length, 0)
        return None if length < 0 else self.content[self.at - length:self.at].decode()


class Wire:
    """A broker that leads all there is, at HOST:PORT."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.address = host, int(port)

    def ask(self, api, body):
        request = struct.pack(">hhi", *api, 1) + text("test") + body
        with socket.create_connection(self.address, TIMEOUT_MS / 1000) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as stream:
                size, _ = struct.unpack(">ii", stream.read(8))
                return Answer(stream.read(size - 4))

    def one_result(self, api, body, may=()):
        """The error code of an answer about one topic: none, but those of `may`."""
        answer = self.ask(api, body)
        answer.take("ii")
        name, (error,) = answer.text(), answer.take("h")
        if error != 0 and error not in may:
            raise WireError(f"{api} for {name}: error {error}")
        return error

    def delete(self, topic):
        self.one_result(DELETE_TOPICS, array([text(topic)]) + struct.pack(">i", TIMEOUT_MS), (UNKNOWN_TOPIC,))

    def create(self, topic, partitions):
        of = text(topic) + struct.pack(">ih", partitions, 1) + array([]) + array([])
        self.one_result(CREATE_TOPICS, array([of]) + struct.pack(">i?", TIMEOUT_MS, False))
        self.await_led(topic, partitions)

    def grow(self, topic, partitions):
        of = text(topic) + struct.pack(">ii", partitions, -1)
        self.one_result(CREATE_PARTITIONS, array([of]) + struct.pack(">i?", TIMEOUT_MS, False))
        self.await_led(topic, partitions)

    def forget(self, topic, partition, offset):
        """Deletes the records before `offset`."""
        of = text(topic) + array([struct.pack(">iq", partition, offset)])
        answer = self.ask(DELETE_RECORDS, array([of]) + struct.pack(">i", TIMEOUT_MS))
        answer.take("ii")
        answer.text()
        _, _, _, error = answer.take("iiqh")
        if error != 0:
            raise WireError(f"deleting records of {topic}:{partition}: error {error}")

    @staticmethod
    def patiently(asks):
        """What it returns, once it does: a broker that just came up, or was just told, needs a moment."""
        deadline = time.monotonic() + TIMEOUT_MS / 1000
        while True:
            try:
                return asks()
            except (WireError, OSError):
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def await_led(self, topic, partitions):
        def led():
            if len(self.ends(topic)) != partitions:
                raise WireError(f"{topic} has not {partitions} partitions yet")
        self.patiently(led)

    def partitions(self, topic):
        """Their numbers."""
        answer = self.ask(METADATA, array([text(topic)]))
        for _ in range(answer.take("i")[0]):
            answer.take("i"), answer.text(), answer.take("i"), answer.text()
        answer.take("ii")
        error, = answer.take("h")
        if error != 0:
            raise WireError(f"{topic}: error {error}")
        answer.text(), answer.take("?")
        numbers = []
        for _ in range(answer.take("i")[0]):
            _, number, _ = answer.take("hii")
            for _ in range(2):  # replicas, and those in sync
                answer.take(f"{answer.take('i')[0]}i")
            numbers.append(number)
        return sorted(numbers)

    def ends(self, topic, committed_only=False):
        """The log's end by partition; the stable one, below open transactions."""
        asked = [struct.pack(">iq", number, LATEST) for number in self.partitions(topic)]
        answer = self.ask(LIST_OFFSETS, struct.pack(">ib", -1, committed_only) + array([text(topic) + array(asked)]))
        answer.take("ii")
        answer.text()
        ends = {}
        for _ in range(answer.take("i")[0]):
            number, error, _, ends[number] = answer.take("ihqq")
            if error != 0:
                raise WireError(f"{topic}:{number}: error {error}")
        return ends

    def committed(self, group, topic):
        """What the group committed, by partition; those without are left out."""
        asked = [struct.pack(">i", number) for number in self.partitions(topic)]
        answer = self.ask(OFFSET_FETCH, text(group) + array([text(topic) + array(asked)]))
        answer.take("i")
        answer.text()
        offsets = {}
        for _ in range(answer.take("i")[0]):
            number, offset = answer.take("iq")
            answer.text()
            error, = answer.take("h")
            if error != 0:
                raise WireError(f"committed of {topic}:{number}: error {error}")
            if offset >= 0:
                offsets[number] = offset
        return offsets
