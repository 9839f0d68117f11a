/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* All of a store as text, the way out of the database and into another one. JSON lines, UTF-8:
 *
 *      {"dump":1,"schema":2,"site":0,"epoch":0,"sequence":9,"first":1,"hash":"1f..","time":"..",
 *       "time_seen":"..","published":9,"next":{"ticket":4,"report":1}}
 *      {"table":"unit","record":{"code":"BJ","kind":"subcentre",...}}       each record of each
 * table
 *      {"journal":1,"time":"..","actor":"uid:0","verb":"unit.create","stored":"01.."}
 *      {"end":1234,"digest":"9c.."}
 *
 * Fields have the names and forms that they have everywhere (transfer/value.h), numbers and flags
 * bare, lists as arrays; fields that are not given are left out. An enumeration's value that this
 * program has no name for is its number, as is an instant that no calendar has, and what a newer
 * one stored beside is "_unknown", in hexadecimal as are digests and journal records, whose bytes
 * are chained. Of a journal record only "stored" is read. The last line tells how many came before
 * it and the SHA-256 over the digest of the line before (nothing before the first) and the line
 * with its end. */

#include <stdio.h>

#include "store/store.h"

#define DUMP_FORMAT   1
#define DUMP_LINE_MAX (1024 * 1024) /* bytes; a journal record in hexadecimal fits */

typedef struct DumpCounts {
        uint64_t records, journal;
        uint64_t lines;
        bool incomplete; /* the order of a table's keys is damaged: there was no way on */
} DumpCounts;

/* Writes it as of one moment. What is damaged is left out (store_damaged() counts it). 0 or
 * negative errno. */
int dump_write(Store *store, const Table *const *tables, FILE *file, DumpCounts *ret);

/* Reads it into a new store. On failure the text says in which line, what, and what would be right,
 * without personal data. 0, REFUSED_INVALID_VALUE, negative errno. */
int dump_read(Store *store, const Table *const *tables, FILE *file, DumpCounts *ret, Refusal *why);
