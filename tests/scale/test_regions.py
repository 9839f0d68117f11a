# SPDX-License-Identifier: Apache-2.0
"""The whole country: a sub-centre a province, dealers for every prefecture and some counties, by the codes of
GB/T 2260 (AFTERSALES_DATA, ../shared/data unless set). 100,000 tickets come in over the bus and each must stand with
whom the codes say."""

import csv
import io
import os
import pathlib
import random
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "bus"))
from files import as_csv, import_file  # noqa: E402
from harness import Service, at, end_service  # noqa: E402
from test_export import export_file  # noqa: E402

REGIONS = pathlib.Path(os.environ.get("AFTERSALES_DATA", ROOT / ".." / "shared" / "data")) / "cn_regions"
TICKETS = 100_000
SECONDS = 60  # end to end, units included
SEED = 20261126


def codes(name):
    with (REGIONS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [row["code"] for row in csv.DictReader(file)]


def company():
    """Units; a dealer for each prefecture, one more for every fourth county, none in every ninth prefecture."""
    units = [{"code": "HQ", "kind": "headquarters", "name": "总部"}]
    units += [{"code": f"S{code}", "kind": "subcentre", "name": f"分中心 {code}", "parent": "HQ", "regions": code}
              for code in codes("provinces")]
    units += [{"code": f"D{code}", "kind": "dealer", "name": f"店 {code}", "parent": f"S{code[:2]}", "regions": code}
              for code in codes("cities") if int(code) % 9]
    units += [{"code": f"D{code}", "kind": "dealer", "name": f"店 {code}", "parent": f"S{code[:2]}", "regions": code}
              # A prefecture without counties stands there once more, padded: that is no county.
              for code in codes("areas")[::4] if not code.endswith("00")]
    return units


def expected(region, dealers):
    """(sub-centre, dealer) by the longest prefix, from the codes alone."""
    for digits in (6, 4):
        if region[:digits] in dealers:
            return f"S{region[:2]}", f"D{region[:digits]}"
    return f"S{region[:2]}", ""


@unittest.skipUnless(REGIONS.is_dir(), "no cn_regions data here")
class Regions(unittest.TestCase):
    def test_every_ticket_stands_where_its_code_says(self):
        service = Service(at("2026-03-02 09:00"))
        self.addCleanup(service.close)
        client = service.client()
        source = random.Random(SEED)
        counties = codes("areas")
        # Counties with streets behind their code, prefectures alone, and codes padded with zeros.
        forms = (lambda code: code, lambda code: code + "001", lambda code: code[:4],
                 lambda code: code[:4] + "00")
        rows = [{"reference": f"R-{i}", "type": "consultation",
                 "region": source.choice(forms)(source.choice(counties))} for i in range(TICKETS)]
        units = company()
        dealers = {unit["regions"] for unit in units if unit["kind"] == "dealer"}

        began = time.monotonic()
        job, problems, _ = import_file(client, "unit", as_csv(units))
        self.assertEqual((problems, job["created"]), ([], len(units)))
        job, problems, _ = import_file(client, "ticket", as_csv(rows))
        self.assertEqual((problems[:3], job["created"]), ([], TICKETS))
        took = time.monotonic() - began

        _, data = export_file(client, "ticket", columns="region,subcentre,dealer")
        wrong = []
        for row in csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")):
            wanted = expected(row["region"], dealers)
            if (row["subcentre"], row["dealer"]) != wanted:
                wrong.append((row, wanted))
        self.assertEqual(wrong[:5], [])
        print(f"figure: {TICKETS} tickets to {len(units)} units by their regions: {took:.1f} s, "
              f"{TICKETS / took:.0f} a second")
        self.assertLess(took, SECONDS)
        end_service(service)


if __name__ == "__main__":
    unittest.main()
