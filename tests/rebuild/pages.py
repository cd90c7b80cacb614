"""What each byte of an SQLite database is: sqlite.org/fileformat.html, read without SQLite."""

import collections
import sqlite3

INTERIOR = {0x02, 0x05}
INDEX = {0x02, 0x0A}  # also of tables WITHOUT ROWID, whose interior cells are rows
SIZES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0]  # of serial types


def varint(data, at):
    value = 0
    for length in range(1, 9):
        value = value << 7 | data[at] & 0x7F
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    return value << 8 | data[at], at + 1


def size_of(serial):
    return SIZES[serial] if serial < 10 else (serial - 12) // 2


class Pages:
    """kinds[name] = [(start, end), …] of bytes in the file; leaves[table] = its leaf pages' numbers."""

    def __init__(self, path, name_column):
        self.data = path.read_bytes()
        self.size = int.from_bytes(self.data[16:18], "big")
        self.usable = self.size - self.data[20]
        self.name_column = name_column  # (table, column) -> kind
        self.kinds = collections.defaultdict(list)
        self.leaves = collections.defaultdict(list)
        self.kinds["file header"].append((0, 100))
        db = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
        roots = db.execute("SELECT name, rootpage, type FROM sqlite_schema WHERE rootpage > 0").fetchall()
        columns = {name: [row[1] for row in db.execute(f"PRAGMA table_info({name})")] for name, _, kind in roots if kind == "table"}
        db.close()
        self.walk(1, "sqlite_schema", [])
        for name, root, _ in roots:
            self.walk(root, name, columns.get(name, []))
        self.walk_free()

    def number(self, at, length):
        return int.from_bytes(self.data[at:at + length], "big")

    def put(self, kind, start, end):
        if end > start:
            self.kinds[kind].append((start, end))

    def walk(self, number, table, columns):
        page = (number - 1) * self.size
        head = page + (100 if number == 1 else 0)
        kind = self.data[head]
        inside = kind in INTERIOR
        pointers = head + (12 if inside else 8)
        count = self.number(head + 3, 2)
        self.put("interior page" if inside else "page header", head, pointers + 2 * count)
        content = self.number(head + 5, 2) or 65536
        self.put("slack", pointers + 2 * count, page + content)
        if not inside:
            self.leaves[table].append(number)
        for i in range(count):
            self.cell(page, page + self.number(pointers + 2 * i, 2), kind, table, columns)
        if inside:
            self.walk(self.number(head + 8, 4), table, columns)

    def cell(self, page, at, kind, table, columns):
        start = at
        if kind in INTERIOR:
            self.walk(self.number(at, 4), table, columns)
            at += 4
        if kind == 0x05:
            self.put("interior page", start, varint(self.data, at)[1])
            return
        length, at = varint(self.data, at)
        if kind == 0x0D:
            _, at = varint(self.data, at)
        self.put("interior page" if kind in INTERIOR else "cell header", start, at)
        self.record(at, self.local(length, kind), kind, table, columns)

    def local(self, length, kind):
        """How much of a payload is in the cell itself."""
        most = (self.usable - 12) * 64 // 255 - 23 if kind in INDEX else self.usable - 35
        if length <= most:
            return length
        least = (self.usable - 12) * 32 // 255 - 23
        kept = least + (length - least) % (self.usable - 4)
        return kept if kept <= most else least

    def record(self, at, length, kind, table, columns):
        end = at + length
        header, types = varint(self.data, at)
        body = at + header
        self.put("record header", at, min(body, end))
        i = 0
        while types < at + header <= end:
            serial, types = varint(self.data, types)
            name = self.name_column(table, columns[i] if i < len(columns) else "")
            if kind in INTERIOR and name in ("key", "value", "version", "checksum"):
                name = "interior key" if name == "key" else "interior row"
            self.put(name, body, min(body + size_of(serial), end))
            body += size_of(serial)
            i += 1

    def walk_free(self):
        trunk = self.number(32, 4)
        while trunk:
            at = (trunk - 1) * self.size
            for i in range(self.number(at + 4, 4)):
                leaf = self.number(at + 8 + 4 * i, 4)
                self.put("freelist", (leaf - 1) * self.size, leaf * self.size)
            self.put("freelist", at, at + self.size)
            trunk = self.number(at, 4)

    def page(self, number):
        return self.data[(number - 1) * self.size:number * self.size]
