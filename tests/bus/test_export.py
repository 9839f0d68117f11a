# SPDX-License-Identifier: Apache-2.0
"""Files out, and in again."""

import csv
import io
import json
import os
import stat
import subprocess
import unittest

from files import as_csv, import_file
from stuck_file import stuck_file
from harness import BUILD, REGION, BusError, FreshServiceTest, needs_root, variants, wait_for

# In an order in which each finds what it names.
REGISTERS = {"unit": "Units", "product": "Products", "serial": "Serials", "fault": "Faults",
             "supplier": "Suppliers", "part": "Parts", "contract": "Contracts", "move": "Moves"}
MORE = (("Suppliers", {"code": "S1", "name": "电机厂"}),
        ("Parts", {"code": "P-1", "name": "电机", "line": "AC", "models": "AC-1 WM-1", "supplier": "S1",
                   "returnable": True, "price": 12050}),
        ("Contracts", {"code": "K-1", "supplier": "S1", "product": "MO-1", "parts": "P-1", "rate": 9,
                       "until": "2027-01-01"}),
        ("Moves", {"part": "P-1", "quantity": 7, "from": "supplier:S1", "to": "HQ", "reference": "R",
                   "reason": "received"}))
TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def export_file(client, what, filters=None, **options):
    """The job, and the bytes of the file."""
    fd = os.memfd_create("test", os.MFD_CLOEXEC)
    try:
        job = client.call("Transfer", "Export", "sa{sv}ha{sv}", what,
                          {name: ("s", value) for name, value in (filters or {}).items()}, fd,
                          {name: ("b", value) if isinstance(value, bool) else ("s", value)
                           for name, value in options.items()})
        result = client.call("Jobs", "Wait", "t", job)
        return result, os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)


def rows_of(data):
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


class Export(FreshServiceTest):
    def setUp(self):
        super().setUp()
        for interface, fields in MORE:
            self.client.call(interface, "Create", "a{sv}", variants(fields))

    def test_every_register_there_and_back(self):
        for form in ("csv", "json"):
            for what in REGISTERS:
                with self.subTest(what, form=form):
                    job, data = export_file(self.client, what, format=form)
                    self.assertEqual(job["state"], "done", job)
                    self.assertGreater(job["rows"], 0)
                    result, problems, _ = import_file(self.client, what, data, format=form)
                    self.assertEqual(problems, [])
                    self.assertEqual(result["unchanged"], job["rows"])

    def test_into_an_empty_store(self):
        files = {what: export_file(self.client, what, format="csv")[1] for what in REGISTERS}
        told = [self.client.list_all(name) for name in REGISTERS.values()]
        self.service.stop()
        for name in os.listdir(self.service.state):
            os.unlink(self.service.state / name)
        self.service.start(self.CLOCK)
        # A dealer may stand before its sub-centre in the file: what was refused is tried again.
        for what in ("unit", *REGISTERS):
            _, problems, _ = import_file(self.client, what, files[what])
            self.assertTrue(what == "unit" or not problems, problems)
        again = [self.client.list_all(name) for name in REGISTERS.values()]

        def without_times(records):
            return [{key: value for key, value in record.items()
                     if key not in ("revision", "created_at", "changed_at")} for record in records]
        self.assertEqual([without_times(records) for records in again],
                         [without_times(records) for records in told])

    def test_formulas_are_guarded_without_loss(self):
        texts = [trigger + "1+1" for trigger in TRIGGERS if trigger not in "\t\r"]
        texts += ["'" + text for text in texts] + ["''x", "'", "\"q\",\n", " blanks ", "x=1"]
        rows = [{"code": f"T-{i}", "symptom": text.replace("\n", " ")}
                for i, text in enumerate(texts)]
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        _, problems, _ = import_file(self.client, "fault", lines.encode("utf-8"), format="json")
        self.assertEqual(problems, [])
        _, data = export_file(self.client, "fault", columns="code,symptom")
        cells = {row["code"]: row["symptom"] for row in rows_of(data)}
        for row in rows:
            self.assertFalse(cells[row["code"]].startswith(TRIGGERS), row)
        result, problems, _ = import_file(self.client, "fault", data)
        self.assertEqual((problems, result["unchanged"]), ([], result["rows"]))
        for row in rows:
            self.assertEqual(self.client.call("Faults", "Get", "s", row["code"])["symptom"],
                             row["symptom"])

    def test_tickets_as_json_have_all_that_get_tells(self):
        number = self.ticket(reference="R-1", customer_name="用户一", phone="000-1")
        self.client.move("Dispatch", number)
        _, data = export_file(self.client, "ticket", format="json")
        told, got = json.loads(data), self.client.get(number)
        self.assertEqual(set(told), set(got))
        self.assertEqual([clock["clock"] for clock in told["clocks"]],
                         [clock["clock"] for clock in got["clocks"]])
        self.assertEqual((told["id"], told["phone"]), (number, "000-1"))

    def test_filters_columns_and_encodings(self):
        for i, region in enumerate((REGION, "310104", REGION)):
            self.ticket(reference=f"R-{i}", region=region, customer_name="用户")
        job, data = export_file(self.client, "ticket", {"subcentre": "SH"},
                                columns="reference,subcentre,customer_name", mark=True)
        self.assertEqual(job["rows"], 1)
        self.assertEqual(data.decode("utf-8"),
                         "\ufeffreference,subcentre,customer_name\r\nR-1,SH,用户\r\n")
        _, data = export_file(self.client, "ticket", columns="customer_name", encoding="gb18030")
        self.assertEqual(data.decode("gb18030").splitlines(), ["customer_name"] + ["用户"] * 3)
        job, _ = export_file(self.client, "ticket", columns="reference,colour")
        self.assertEqual(job["state"], "failed")
        self.assertIn("colour", job["error"])
        with self.assertRaises(BusError) as caught:
            export_file(self.client, "ticket", {"description": "x"})
        self.assertEqual(caught.exception.name, "UnknownField")

    @needs_root
    def test_scope_and_personal_data(self):
        for region in (REGION, "310104"):
            self.ticket(reference=region, region=region, phone="000-77",
                        description="call 000-78")
        clerk, auditor = self.service.client("games"), self.service.client("news")
        job, data = export_file(clerk, "ticket", columns="reference,phone")
        self.assertEqual(rows_of(data), [{"reference": REGION, "phone": "000-77"}])
        with self.assertRaises(BusError) as caught:
            export_file(auditor, "ticket")
        self.assertEqual(caught.exception.name, "NotPermitted")
        portal = self.service.client("daemon")
        job, data = export_file(portal, "ticket", {"phone": "000-77"}, columns="reference")
        self.assertEqual(len(rows_of(data)), 2)
        job, data = export_file(portal, "ticket", columns="reference,phone,description")
        told = {cell for row in rows_of(data) for cell in (row["phone"], row["description"])}
        self.assertEqual(told, {"000-77", "call 000-78"})
        log = self.service.log_path.read_text("utf-8")
        for number in ("000-77", "000-78"):
            self.assertNotIn(number, log)

    def test_a_reader_who_goes_ends_the_job(self):
        rows = [{"code": f"X-{i}", "symptom": "x" * 150} for i in range(3000)]
        self.assertEqual(import_file(self.client, "fault", as_csv(rows))[1], [])
        reading, writing = os.pipe()
        job = self.client.call("Transfer", "Export", "sa{sv}ha{sv}", "fault", {}, writing, {})
        os.close(writing)
        self.assertEqual(len(os.read(reading, 100)), 100)
        self.assertEqual(self.client.call("Jobs", "Get", "t", job)["state"], "running")
        os.close(reading)
        result = self.client.call("Jobs", "Wait", "t", job)
        self.assertEqual(result["state"], "failed")
        self.assertIn("reader", result["error"])

    def test_a_stuck_export_can_be_cancelled(self):
        rows = [{"code": f"X-{i}", "symptom": "x" * 150} for i in range(3000)]
        self.assertEqual(import_file(self.client, "fault", as_csv(rows))[1], [])
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        job = self.client.call("Transfer", "Export", "sa{sv}ha{sv}", "fault", {}, writing, {})
        os.read(reading, 100)
        self.client.call("Jobs", "Cancel", "t", job)
        self.assertEqual(self.client.call("Jobs", "Wait", "t", job)["state"], "cancelled")


    @needs_root
    def test_a_file_that_never_answers(self):
        """Not even SIGKILL ends who waits for it: then that must not have the store open, and the
        daemon must not wait for its end."""
        path = self.service.directory / "file"
        path.write_bytes(b"")
        with stuck_file(path) as server:
            if not server:
                self.skipTest("needs FUSE")
            fd = os.open(path, os.O_WRONLY)
            try:
                self.client.call("Transfer", "Export", "sa{sv}ha{sv}", "unit", {}, fd, {})
            finally:
                os.close(fd)
            self.assertEqual(server.stdout.readline(), "stuck\n")
            stuck = [pid for pid in self.helpers() if self.state(pid) in "DS" and
                     os.path.exists(f"/proc/{pid}/fd/3") and
                     os.readlink(f"/proc/{pid}/fd/3") == str(path)]
            self.assertEqual(len(stuck), 1)
            with open(f"/proc/{stuck[0]}/maps", encoding="utf-8") as maps:
                self.assertFalse("state.mdb" in maps.read())
            self.client.status()
            self.service.stop()
            wait_for(lambda: self.state(stuck[0]) in "DZ", "it to wait still")

    def helpers(self):
        tasks = f"/proc/{self.service.daemon.pid}/task/{self.service.daemon.pid}/children"
        with open(tasks, encoding="ascii") as children:
            return children.read().split()

    @staticmethod
    def state(pid):
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0]


class Client(FreshServiceTest):
    """aftersalesctl import and export."""

    def ctl(self, *arguments, stdin=b""):
        return subprocess.run([BUILD / "aftersalesctl", *arguments], input=stdin,
                              capture_output=True, env=self.service.environment(), timeout=30,
                              check=False)

    def test_through_a_pipe_and_back(self):
        done = self.ctl("export", "unit", "kind=dealer")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(len(rows_of(done.stdout)), 4)
        done = self.ctl("import", "unit", "-", stdin=done.stdout)
        self.assertEqual((done.returncode, done.stdout), (0, b"4 rows: 4 unchanged\n"))

    def test_files_appear_whole(self):
        path = self.service.directory / "units.json"
        self.assertEqual(self.ctl("export", "unit", "--output", path).returncode, 0)
        self.assertEqual(len(path.read_text("utf-8").splitlines()), 12)
        bad = self.service.directory / "bad.csv"
        done = self.ctl("export", "unit", "--columns=nothing", "--output", bad)
        self.assertEqual(done.returncode, 1)
        self.assertFalse(bad.exists())
        self.assertEqual(list(self.service.directory.glob("bad.csv*")), [])

    def test_what_stands_there_already(self):
        path, link, pipe = (self.service.directory / name for name in ("kept.csv", "link.csv", "pipe"))
        path.write_text("old", "utf-8")
        path.chmod(0o640)
        link.symlink_to(path)
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        for output in (link, pipe):
            self.assertEqual(self.ctl("export", "unit", "--output", output).returncode, 0, output)
        self.assertTrue(link.is_symlink())
        self.assertEqual(len(rows_of(path.read_bytes())), 12)
        self.assertEqual(path.stat().st_mode & 0o777, 0o640)
        self.assertTrue(stat.S_ISFIFO(pipe.stat().st_mode))
        self.assertEqual(len(rows_of(os.read(reader, 65536))), 12)

    def test_a_name_with_an_equals_sign(self):
        path = self.service.directory / "data=1.csv"
        self.assertEqual(self.ctl("export", "unit", "--output", path).returncode, 0)
        self.assertEqual(self.ctl("import", "unit", path).stdout, b"12 rows: 12 unchanged\n")

    def test_problems_and_rejects(self):
        path, rejects = self.service.directory / "f.csv", self.service.directory / "rejects.csv"
        path.write_text("code,symptom\nA 1,x\nA-2,y\n", "utf-8")
        done = self.ctl("import", "fault", path, "--rejects", rejects)
        self.assertEqual((done.returncode, done.stdout), (65, b"2 rows: 1 created, 1 refused\n"))
        self.assertIn(f"{path}:2:1: code: ".encode(), done.stderr)
        self.assertEqual(rows_of(rejects.read_bytes())[0]["code"], "A 1")
        done = self.ctl("import", "fault", path, "--atomic", "--json")
        self.assertEqual(done.returncode, 65)
        self.assertEqual(json.loads(done.stdout)["rows"][0]["state"], "failed")

    def test_words_that_are_wrong(self):
        for arguments, status, word in ((("import", "unit"), 64, b"FILE"),
                                        (("import", "unit", "/nowhere"), 66, b"/nowhere"),
                                        (("export", "colours"), 64, b"colours"),
                                        (("import", "unit", "-", "--format=xls"), 65, b"csv")):
            with self.subTest(arguments):
                done = self.ctl(*arguments)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(word, done.stderr)


if __name__ == "__main__":
    unittest.main()
