#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Turns the log of an Italian software company's help desk (Polato 2017) into an event script.

    helpdesk.py LOG.csv SCRIPT EVENTS

A case is a ticket, the responsible section a sub-centre, the work group in it a dealer, the resource
the person who acts. Times have no zone and are taken as UTC. The severities are masked, so that nobody
can say which is the urgent one: they stay words.

    Activity                          transition      why
    (first)                           create          then what the line says
    Insert ticket                     comment         unless it is the first
    Assign seriousness                comment         likewise: we have no triage of its own
    Take in charge ticket             dispatch,       somebody works on it; once more when it is another
                                      accept          person than before
    Wait                              wait_customer   they wait for the customer's word
    Require upgrade,                  wait_part       something is to come from the developers; accept
    Create SW anomaly                                 before it when nobody has it in charge
    Resolve SW anomaly                resume          that has come; a comment when nothing was waited for
    Schedule intervention             comment         the log does not say for when
    Resolve ticket, RESOLVED          resolve         also straight from receipt: it was answered at once
    VERIFIED                          follow_up       of a resolved ticket: the customer has confirmed
    Closed                            follow_up,      refused when the same person has resolved it: it is
                                      close           somebody else who asks the customer
    INVALID, DUPLICATE                void            a comment once it is resolved; which ticket it
                                                      repeats, the log does not say

Before it come resume, when the ticket waits, and reopen, when it was resolved or closed and somebody
works or waits again. A line that says what is so already is a comment: of the 15 cases of the example
that go on after they were closed, 14 are closed once more and one is verified, which is no new work."""

import collections
import csv
import datetime

import eventlog
from script import USEC

NOT_TOLD = {"Insert ticket", "Assign seriousness", "Schedule intervention"}


class HelpDesk(eventlog.Log):
    def read(self, path):
        cases = collections.defaultdict(list)
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                cases[row["Case ID"]].append(row)
        for number, rows in cases.items():
            self.add_case(number, rows)

    @staticmethod
    def instant(row):
        moment = datetime.datetime.strptime(row["Complete Timestamp"], "%Y/%m/%d %H:%M:%S.%f")
        return int(moment.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000) * 1000

    @staticmethod
    def by(row):
        return row["Resource"]

    @staticmethod
    def words(row):
        return f"{row['Activity']}, severity {row['seriousness_2']}"

    def group(self, row):
        return self.unit(f"section {row['responsible_section']}", f"group {row['workgroup']}")

    def create(self, desk, row):
        group = self.group(row)
        desk.create(group.subcentre, type="technical_question", region=group.subcentre[1:],
                    product=self.products.of(f"product {row['product']}"), channel="web",
                    by=row["Resource"])

    def tell(self, desk, row):
        activity, by, group = row["Activity"], row["Resource"], self.group(row)
        if activity in NOT_TOLD or desk.state == eventlog.VOIDED:
            return
        if activity == "Take in charge ticket":
            desk.take(group, by, by)
        elif activity == "Wait":
            self.wait(desk, by)
        elif activity in ("Require upgrade", "Create SW anomaly"):
            self.wait_for_developers(desk, group, by, activity)
        elif activity == "Resolve SW anomaly":
            if desk.state == eventlog.WAIT_PART:
                desk.wake(by)
        else:
            self.finish(desk, activity, by)

    @staticmethod
    def wait(desk, by):
        if desk.state != eventlog.WAIT_CUSTOMER:
            desk.wake(by)
            desk.wait("WaitCustomer", by, "Wait")

    @staticmethod
    def wait_for_developers(desk, group, by, activity):
        if desk.state != eventlog.WAIT_PART:
            desk.wake(by)
            if desk.state != eventlog.ACCEPTED:
                desk.take(group, by, by)
            desk.wait("WaitPart", by, activity)

    @staticmethod
    def finish(desk, activity, by):
        done = desk.state in eventlog.DONE
        if activity in ("INVALID", "DUPLICATE") and not done:
            desk.void(by, activity)
        elif activity in ("Resolve ticket", "RESOLVED") and not done:
            desk.wake(by)
            desk.resolve(by, "answered")
        elif activity == "VERIFIED" and desk.state == eventlog.RESOLVED:
            desk.follow_up(by)
        elif activity == "Closed" and desk.state != eventlog.CLOSED:
            if not done:
                desk.wake(by)
                desk.resolve(desk.technician or by, "other")
            desk.close(by)


if __name__ == "__main__":
    eventlog.run(HelpDesk)
