#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Turns the incidents of a car maker's service desk (BPI Challenge 2013) into an event script.

    bpi2013.py INCIDENTS.csv SCRIPT EVENTS

A case is a ticket, an organisation line a sub-centre, a support team in it a dealer, the impact High
or Major an urgent priority. The log names no persons: a team works under its own name, and customers
are asked by the service desk.

    Status     Sub status             transition     why
    (first)    any                    create         then what the line says
    Queued     Awaiting Assignment    dispatch       it is in the queue of that team; transfer before it
                                                     when the team is of another line
    Accepted   In Progress, Assigned  accept         that team works on it
    Accepted   Wait - User, Customer  wait_customer  the person who reported it is to say or do something
    Accepted   Wait, Wait - Vendor,   wait_part      something is to come from elsewhere
               Wait - Implementation
    Completed  Resolved               resolve        the user is still to confirm
    Completed  Closed, In Call        follow_up,     confirmed; of a call that settles it at once, with
                                      close          resolve before it
    Completed  Cancelled              void           it was no incident
    Unmatched  Unmatched              comment        says nothing about the incident itself

Before it come resume, when the ticket waits, and reopen, when it was resolved or closed: 357 cases of
the example leave Completed again. A line that says what is so already is a comment."""

import collections
import csv
import datetime

import eventlog
from script import USEC

SERVICE_DESK = "service desk"
WAITS = {
    "Wait": "WaitPart",
    "Wait - Vendor": "WaitPart",
    "Wait - Implementation": "WaitPart",
    "Wait - User": "WaitCustomer",
    "Wait - Customer": "WaitCustomer",
}


class Incidents(eventlog.Log):
    def read(self, path):
        cases = collections.defaultdict(list)
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                cases[row["SR Number"]].append(row)
        for number, rows in cases.items():
            self.add_case(number, rows)

    @staticmethod
    def instant(row):
        return int(datetime.datetime.fromisoformat(row["Change Date+Time"]).timestamp()) * USEC

    @staticmethod
    def by(row):
        return f"team {row['Involved ST']}"

    @staticmethod
    def words(row):
        return f"{row['Status']} / {row['Sub Status']}"

    def team(self, row):
        return self.unit(row["Involved Org line 3"], row["Involved ST"])

    def create(self, desk, row):
        team = self.team(row)
        desk.create(team.subcentre, type="technical_question", region=team.subcentre[1:],
                    priority="urgent" if row["SR Latest Impact"] in ("High", "Major") else "normal",
                    product=self.products.of(row["Product"]), channel="phone", by=SERVICE_DESK)

    def tell(self, desk, row):
        status, sub_status = row["Status"], row["Sub Status"]
        team, by = self.team(row), self.by(row)
        if status == "Queued":
            desk.queue(team, by)
        elif sub_status in WAITS:
            self.wait(desk, team, by, sub_status)
        elif status == "Accepted":
            desk.take(team, by)
        elif status == "Completed":
            self.complete(desk, team, by, sub_status)

    @staticmethod
    def wait(desk, team, by, sub_status):
        method = WAITS[sub_status]
        if desk.state == eventlog.WAITING[method] and desk.dealer == team.dealer:
            return
        desk.take(team, by)
        desk.wait(method, by, sub_status)

    @staticmethod
    def complete(desk, team, by, sub_status):
        if desk.state in eventlog.ENDED - {eventlog.RESOLVED}:
            return
        if sub_status == "Cancelled":
            if desk.state != eventlog.RESOLVED:
                desk.void(by, sub_status)
            return
        if desk.state != eventlog.RESOLVED:
            desk.bring(team, by)
            desk.resolve(by, "answered")
        if sub_status != "Resolved":
            desk.close(SERVICE_DESK)


if __name__ == "__main__":
    eventlog.run(Incidents)
