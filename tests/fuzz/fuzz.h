/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What libFuzzer calls; see https://llvm.org/docs/LibFuzzer.html.
 *
 * Whatever decodes what others have written, and what covers it:
 *
 *      bus/ (calls: arguments, options, cursors, codes)    fuzz-bus
 *      config/ (the file, drop-ins, holiday files: calendars, ladders, targets, rules, access)
 *                                                          fuzz-config
 *      base/zone (time zone files), loop/calendar          fuzz-calendar
 *      transfer/row, line, csv-reader, json-reader         fuzz-rows
 *      transfer/import, value (the cells of rows)          fuzz-bus, ../test_rows.py
 *      transfer/dump, record-json (dumps)                  fuzz-dump, fuzz-records
 *      record/codec (stored records)                       fuzz-records
 *      store/journal (its records)                         fuzz-journal
 *      store/wal (the log)                                 fuzz-log, fuzz-journal
 *      store/ over LMDB (state.mdb and its log)            ../unit/test-flip.c
 *      store/backups (names of files)                      ../bus/test_backups.py
 *      ctl/ (answers, standard input)                      ../bus/test_clients.py
 *
 * LMDB, sd-bus, libyaml, json-c and libcsv are met only as far as they are in the way. Not fuzzed:
 * what the daemon's own helper processes and the service manager tell it. */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
