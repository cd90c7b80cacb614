"""A broker's stand-in on a fixed port: passes Kafka's frames on, and hurts them as told.

It rewrites the broker's address in what passes, so that clients keep talking to it; `upstream` may change meanwhile.
"""

import socket
import struct
import threading
import time

FETCH, METADATA, OFFSET_COMMIT, FIND_COORDINATOR = 1, 3, 8, 10
RECORDS_BYTES_MIN = 400  # a longer answer to a fetch holds records


class Proxy:
    def __init__(self, upstream):
        self.upstream = upstream
        self.refuse = self.black_hole = False
        self.delay_s = 0.0
        self.on_request = self.on_answer = None  # (api, version, bytearray) -> None, may change it in place
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.pairs, self.lock, self.seen = [], threading.Lock(), {}
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listening.accept()[0]
            except OSError:
                return
            host, _, port = self.upstream.rpartition(":")
            try:
                if self.refuse:
                    raise OSError
                broker = socket.create_connection((host, int(port)), timeout=5)
                broker.settimeout(None)
            except OSError:
                client.close()
                continue
            asked = {}
            with self.lock:
                self.pairs.append((client, broker))
            threading.Thread(target=self.carry, args=(client, broker, asked, True), daemon=True).start()
            threading.Thread(target=self.carry, args=(broker, client, asked, False), daemon=True).start()

    def carry(self, source, sink, asked, is_request):
        try:
            while True:
                frame = bytearray(self.read(source, struct.unpack(">i", self.read(source, 4))[0]))
                if is_request:
                    self.request(frame, asked)
                else:
                    self.answer(frame, asked)
                while self.black_hole:
                    time.sleep(0.02)
                if self.delay_s > 0:
                    time.sleep(self.delay_s)
                sink.sendall(struct.pack(">i", len(frame)) + frame)
        except (OSError, struct.error):
            for one in (source, sink):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    @staticmethod
    def read(source, count):
        got = b""
        while len(got) < count:
            part = source.recv(count - len(got))
            if not part:
                raise OSError("closed")
            got += part
        return got

    def request(self, frame, asked):
        api, version, correlation = struct.unpack(">hhi", frame[:8])
        asked[correlation] = (api, version)
        self.seen[api] = self.seen.get(api, 0) + 1
        if self.on_request is not None:
            self.on_request(api, version, frame)

    def answer(self, frame, asked):
        api, version = asked.pop(struct.unpack(">i", frame[:4])[0])
        if api in (METADATA, FIND_COORDINATOR):
            host, _, port = self.upstream.rpartition(":")
            real, ours = (host.encode() + struct.pack(">i", int(one)) for one in (port, self.port))
            frame[:] = frame.replace(real, ours)
        if self.on_answer is not None:
            self.on_answer(api, version, frame)

    def cut(self):
        """Closes every connection there is."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for one in (end for pair in pairs for end in pair):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def close(self):
        self.black_hole = False
        self.listening.close()
        self.cut()


def text(frame, at):
    """(text, place behind it) of a nullable string."""
    length = struct.unpack_from(">h", frame, at)[0]
    return (b"" if length < 0 else bytes(frame[at + 2:at + 2 + length])), at + 2 + max(length, 0)


def offsets_of_commit(version, frame):
    """(partition, offset, place of the offset) in an OffsetCommit request, version 2 to 7."""
    at = text(frame, 8)[1]
    at = text(frame, at)[1] + 4
    at = text(frame, at)[1]
    if version >= 7:
        at = text(frame, at)[1]
    if version <= 4:
        at += 8
    topics, at = struct.unpack_from(">i", frame, at)[0], at + 4
    for _ in range(topics):
        at = text(frame, at)[1]
        partitions, at = struct.unpack_from(">i", frame, at)[0], at + 4
        for _ in range(partitions):
            partition, offset = struct.unpack_from(">iq", frame, at)
            yield partition, offset, at + 4
            at = text(frame, at + 12 + (4 if version >= 6 else 0))[1]


def fail_commits(version, frame, error):
    """Puts an error into each partition of an answer to OffsetCommit."""
    at = 4 + (4 if version >= 3 else 0)
    topics, at = struct.unpack_from(">i", frame, at)[0], at + 4
    for _ in range(topics):
        at = text(frame, at)[1]
        partitions, at = struct.unpack_from(">i", frame, at)[0], at + 4
        for _ in range(partitions):
            struct.pack_into(">h", frame, at + 4, error)
            at += 6


def fail_fetch(version, frame, error):
    """Puts an error into each partition of an answer to Fetch, version 4 to 11, without its records being read."""
    at = 4 + 4 + (6 if version >= 7 else 0)
    topics, at = struct.unpack_from(">i", frame, at)[0], at + 4
    for _ in range(topics):
        at = text(frame, at)[1]
        partitions, at = struct.unpack_from(">i", frame, at)[0], at + 4
        for _ in range(partitions):
            struct.pack_into(">h", frame, at + 4, error)
            at += 4 + 2 + 8 + 8 + (8 if version >= 5 else 0)
            aborted, at = struct.unpack_from(">i", frame, at)[0], at + 4
            at += 16 * max(aborted, 0) + (4 if version >= 11 else 0)
            at += 4 + max(struct.unpack_from(">i", frame, at)[0], 0)
