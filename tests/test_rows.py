# SPDX-License-Identifier: Apache-2.0
"""The readers and writers of rows against Python's own, against csv-spectrum (AFTERSALES_DATA,
../shared/data unless set), and against what must be refused."""

import csv
import io
import json
import os
import pathlib
import random
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
ROWS = ROOT / os.environ.get("BUILD", "build/release") / "tests" / "rows"
SPECTRUM = pathlib.Path(os.environ.get("AFTERSALES_DATA", ROOT / ".." / "shared" / "data")) / "csv_spectrum"
BROKEN = {"location_coordinates"}  # its expectation differs from its own text
TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
SEED = 20261126


def run(data, *arguments):
    return subprocess.run([ROWS, *arguments], input=data, capture_output=True, timeout=60, check=True).stdout


def read(data, form="csv", encoding="utf-8"):
    return [json.loads(line) for line in run(data, form, encoding).decode("utf-8").splitlines()]


def unguarded(text):
    """As reading takes it."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(TRIGGERS + ("'",)) else text


class Spectrum(unittest.TestCase):
    @unittest.skipUnless(SPECTRUM.is_dir(), "no csv_spectrum data here")
    def test_all_of_it(self):
        names = sorted(path.stem for path in (SPECTRUM / "csvs").glob("*.csv"))
        self.assertGreater(len(names), 10)
        for name in names:
            if name in BROKEN:
                continue
            with self.subTest(name):
                expected = json.loads((SPECTRUM / "json" / f"{name}.json").read_text("utf-8"))
                rows = [found["row"] for found in read((SPECTRUM / "csvs" / f"{name}.csv").read_bytes())]
                # A cell that is not given is an empty one.
                self.assertEqual(rows, [{key: value for key, value in row.items() if value}
                                        for row in expected])


class Random(unittest.TestCase):
    ALPHABET = ["a", "B", " ", "\"", "'", ",", "\n", "\r\n", ";", "中", "é", "\U00020000", *TRIGGERS]

    def texts(self, source, n):
        return ["".join(source.choices(self.ALPHABET, k=source.randrange(0, 7))) for _ in range(n)]

    def test_reading_is_what_python_wrote(self):
        source = random.Random(SEED)
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
            for end in ("\r\n", "\n"):
                rows = [self.texts(source, 3) for _ in range(2000)]
                if quoting == csv.QUOTE_MINIMAL:  # Python leaves a lone CR bare
                    rows = [[text.replace("\r", "") for text in row] for row in rows]
                out = io.StringIO(newline="")
                writer = csv.writer(out, quoting=quoting, lineterminator=end)
                writer.writerow(("x", "y", "z"))
                writer.writerows(rows)
                data = out.getvalue()
                found = read(data.encode("utf-8"))
                wanted = [{key: unguarded(text) for key, text in zip("xyz", row) if text} for row in rows]
                self.assertEqual([item.get("row") for item in found], wanted)

    def test_lines_are_where_rows_begin(self):
        source = random.Random(SEED + 1)
        data, lines, line = "x,y\r\n", [], 2
        for _ in range(500):
            text = "".join(source.choices(["a", "\n", "\r\n", "b"], k=source.randrange(0, 5)))
            lines.append(line)
            row = f"\"{text}\",k\r\n"
            data += row
            line += len(row.replace("\r\n", "\n").splitlines())
        self.assertEqual([item["line"] for item in read(data.encode("utf-8"))], lines)

    def test_there_and_back_loses_nothing(self):
        source = random.Random(SEED + 2)
        rows = [dict(zip("xyz", self.texts(source, 3))) for _ in range(20000)]
        lines = "".join(json.dumps({"k": "1"} | row, ensure_ascii=False) + "\n" for row in rows)
        written = run(lines.encode("utf-8"), "json", "utf-8", "csv")
        for row in csv.reader(io.StringIO(written.decode("utf-8"), newline="")):
            for cell in row:
                self.assertFalse(cell.startswith(TRIGGERS), cell)
        found = [item["row"] for item in read(written)]
        self.assertEqual(found, [{"k": "1"} | {key: text for key, text in row.items() if text} for row in rows])

    def test_gb18030(self):
        source = random.Random(SEED + 3)
        characters = [chr(c) for c in source.sample(range(0x4e00, 0x9fff), 2000)] + ["\U00020000", "€", "ä"]
        rows = [["".join(source.choices(characters, k=20)) for _ in range(2)] for _ in range(5000)]
        data = "a,b\r\n" + "".join(f"{x},{y}\r\n" for x, y in rows)
        found = [list(item["row"].values()) for item in read(data.encode("gb18030"), encoding="gb18030")]
        self.assertEqual(found, rows)


class Refused(unittest.TestCase):
    def fault(self, data, line, words, form="csv", encoding="utf-8"):
        found = read(data, form, encoding)
        self.assertEqual(found[-1].get("line"), line, found)
        self.assertIn(words, found[-1].get("fault", ""), found)

    def test_csv(self):
        self.fault(b"", 1, "empty")
        self.fault(b"a,a\n", 1, "twice")
        self.fault(b"a,b\n1,2\n3\n", 3, "1 cells")
        self.fault(b"a\n\"x\ny\n", 2, "quotation mark")
        self.fault(b"a\nx\"y\n", 2, "quotation mark")
        self.fault(b"a\n\"x\"y\n", 2, "quotation mark")
        self.fault(b"a\nx\0y\n", 2, "zero byte")
        self.fault(b"a\n" + b"x" * 70000, 2, "64 KiB")
        self.fault(b"a\n\"" + b"x\n" * 40000, 2, "64 KiB")
        self.fault(b"a\n" + "中".encode("gb18030") + b"\xff\n", 1, "encoding", encoding="gb18030")
        self.fault(",".join(f"c{i}" for i in range(300)).encode() + b"\n", 1, "columns")

    def test_json(self):
        for data, words in ((b"{", "ends within"), (b"[1]", "object"), (b"nonsense", "JSON"),
                            (b"{\"a\":1.5}", "whole number"), (b"{\"a\":[1]}", "whole number"),
                            (b"{\"a\":\"x\\u0000y\"}", "zero"), (b"{\"a\\u0000b\":1}", "zero"),
                            (b"{\"a\":1}\0{\"b\":2}", "zero"), (b"{\"a\":1}\0{\"b\":2,\"c\":3}", "zero"),
                            (b"{'a':1}", "double"), (b"{'a':1,\"a\":2}", "double"), (b"{'a\"':1}", "double"), (b"{\"a\":\"\xff\"}", "JSON"),
                            (b"{\"a\":1}}", "JSON")):
            with self.subTest(data):
                self.fault(b"{\"ok\":true}\n" + data + b"\n", 2, words, "json")
        self.assertEqual(read(b"{\"it's\":\"'\"}\n", "json"), [{"line": 1, "row": {"it's": "'"}}])
        self.assertEqual(read(b"{\"a\":null,\"b\":7,\"c\":false,\"d\":\"\"}\n", "json"),
                         [{"line": 1, "row": {"b": "7", "c": "false"}}])

    def test_json_names_that_come_twice(self):
        for data, name in ((b'{"a":1,"b":2,"a":3}', "a"), (b'{"a":1,"a":1}', "a"),
                           (b'{"a":1,"\\u0061":2}', "a"), (b'{"\\u4e2d":1,"\xe4\xb8\xad":2}', "中"),
                           (b'{"":1,"":2}', ""), (b'{"a\\"":"b","a\\u0022":"c"}', 'a"'),
                           (b'{"a\\\\":"a\\\\","a\\u005c":1}', "a\\"),
                           (b'{"x":"{\\"y\\":1,","y":"}","x":null}', "x"),
                           (b'{"\\ud83d\\ude00":1,"\xf0\x9f\x98\x80":2}', "😀")):
            with self.subTest(data):
                self.fault(b'{"ok":true}\n' + data + b"\n", 2, f"{name}: the object has this name twice",
                           "json")
        for data in (b'{"a":"a","A":"a"}', b'{"a":"\\",\\"a\\":1","b":"a"}', b'{"a":"\\\\","b":1}'):
            with self.subTest(data):
                self.assertIn("row", read(data + b"\n", "json")[0])

    def test_json_names_as_python_reads_them(self):
        source = random.Random(SEED + 5)
        pieces = ['a', 'b', '\\u0061', '\\"', '\\u0022', '\\\\', '\\u005C', '{', '}', ':', ',', '[', '中', '\\/',
                  '\\u002f', '/', '\\t', '\\u0009', ' ']
        twice = 0
        for _ in range(400):
            names = ["".join(source.choices(pieces, k=source.randrange(0, 3))) for _ in range(5)]
            line = "{" + " , ".join(f'"{name}" : "{source.choice(names)}"' for name in names) + "}"
            known = [name for name, _ in json.loads(line, object_pairs_hook=list)]
            found, = read(line.encode("utf-8") + b"\n", "json")
            with self.subTest(line):
                if len(set(known)) == len(known):
                    self.assertIn("row", found)
                    continue
                twice += 1
                again = next(i for i, name in enumerate(known) if name in known[:i])
                self.assertIn("twice", found["fault"])
                self.assertEqual(found["column"], again + 1)
        self.assertTrue(50 < twice < 350, twice)

    def test_any_bytes_end_well(self):
        source = random.Random(SEED + 4)
        for _ in range(150):
            data = bytes(source.choices(b"a,\"\n\r\t{}[]:1\xe4\xb8\xad\x00\xff\\u", k=source.randrange(0, 400)))
            for form in ("csv", "json"):
                for encoding in ("utf-8", "gb18030"):
                    run(data, form, encoding)


if __name__ == "__main__":
    unittest.main()
