#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Turns service requests of the City of Boston (data.boston.gov) into an event script, and what the
city itself says about each into a list of verdicts.

    boston.py REQUESTS.csv SCRIPT VERDICTS

A request is a ticket: opened it is created, with the city's target as the promise; closed it is
dispatched, accepted, visited, resolved, followed up by another person as satisfied and closed, all
at that instant. The neighbourhood is the region with a sub-centre of its own, the queue a dealer
there. Times are taken as UTC.

A request that was closed before it was opened is reported as it is, with the option "at", and
voided after that has been refused; its verdict is "impossible"."""

import csv
import datetime
import sys

from script import USEC, Codes, write_event

OPERATOR = "operator"
TECHNICIAN = "technician"
CALLER = "caller"
CHANNELS = {
    "Constituent Call": "phone",
    "Citizens Connect App": "web",
    "Self Service": "web",
    "Twitter": "web",
    "City Worker App": "dealer",
    "Employee Generated": "import",
    "Maximo Integration": "import",
}
RESULTS = {"Resolved": "repaired", "Noted": "answered", "Invalid": "no_fault_found"}
DEPARTMENTS = (
    ("HQ", "headquarters", "City of Boston"),
    ("BIZ", "business", "Constituent services"),
    ("PRES", "president", "Mayor's office"),
)


def instant(text):
    if not text:
        return None
    moment = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)
    return int(moment.timestamp()) * USEC


class Request:
    def __init__(self, row, regions, dealers, faults):
        neighbourhood = row["neighborhood"].strip() or "no neighbourhood"
        self.reference = row["case_enquiry_id"]
        self.opened = instant(row["open_dt"])
        self.promised = instant(row["sla_target_dt"])
        self.closed = instant(row["closed_dt"])
        self.impossible = self.closed is not None and self.closed < self.opened
        self.verdict = "impossible" if self.impossible else row["on_time"]
        self.result = RESULTS.get(row["closure_category"], "other")
        self.dealer = dealers.of(neighbourhood, row["queue"])
        self.fields = {
            "reference": self.reference,
            "type": "consultation",
            "region": regions.of(neighbourhood),
            "channel": CHANNELS.get(row["source"], "import"),
            "description": row["case_title"],
            "fault_code": faults.of(row["type"]),
            "by": OPERATOR,
        }
        if self.promised is not None:
            self.fields["promised_at"] = self.promised

    def events(self):
        yield self.opened, "Create", self.fields
        if self.impossible:
            yield self.opened, "Resolve", {"result": self.result, "at": self.closed,
                                           "by": TECHNICIAN}
            yield self.opened, "Void", {"void_reason": "other", "by": OPERATOR,
                                        "note": "closed before it was opened"}
        elif self.closed is not None:
            yield self.closed, "Dispatch", {"dealer": self.dealer, "by": OPERATOR}
            yield self.closed, "Accept", {"by": TECHNICIAN}
            yield self.closed, "Visit", {"by": TECHNICIAN}
            yield self.closed, "Resolve", {"result": self.result, "by": TECHNICIAN}
            yield self.closed, "FollowUp", {"outcome": "satisfied", "by": CALLER}
            yield self.closed, "Close", {"by": CALLER}


def write_masters(output, start, regions, dealers, faults):
    def create(interface, **fields):
        write_event(output, start, None, f"{interface}.Create", fields)

    for code, kind, name in DEPARTMENTS:
        create("Units", code=code, kind=kind, name=name)
    for (neighbourhood,), region in regions.known.items():
        create("Units", code=f"S{region}", kind="subcentre", name=neighbourhood, parent="HQ",
               regions=region)
    for (neighbourhood, queue), code in dealers.known.items():
        create("Units", code=code, kind="dealer", name=queue or "no queue",
               parent=f"S{regions.of(neighbourhood)}")
    for (symptom,), code in faults.known.items():
        create("Faults", code=code, symptom=symptom)


def main(requests_path, script_path, verdicts_path):
    regions, dealers, faults = Codes("90{:02}"), Codes("D{:03}"), Codes("F{:02}")
    with open(requests_path, encoding="utf-8", newline="") as file:
        requests = [Request(row, regions, dealers, faults) for row in csv.DictReader(file)]
    # Of one instant, in the order of the requests, and each of them in its own.
    events = [(at, method, request.reference, fields)
              for request in requests for at, method, fields in request.events()]
    events.sort(key=lambda event: event[0])
    last_promise = max((r.promised for r in requests if r.promised is not None), default=0)
    with open(script_path, "w", encoding="utf-8") as output:
        write_masters(output, events[0][0], regions, dealers, faults)
        for at, method, reference, fields in events:
            write_event(output, at, reference, f"Tickets.{method}", fields)
        write_event(output, max(events[-1][0], last_promise) + USEC, None, None, {})
    with open(verdicts_path, "w", encoding="utf-8") as output:
        for request in requests:
            print(request.reference, request.verdict, sep="\t", file=output)
    impossible = sum(request.impossible for request in requests)
    print(f"{len(requests)} requests, {len(events)} events; "
          f"{impossible} were closed before they were opened")


if __name__ == "__main__":
    main(*sys.argv[1:])
