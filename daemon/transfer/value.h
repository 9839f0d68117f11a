/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Values of fields as texts in files. One form for CSV and JSON lines alike, in both directions:
 *
 *      id      17, or with a letter and site T17, T3.17 (read); the number of the bus (written)
 *      time    2026-11-23T18:05:00Z, with fraction where there is one; read also with an offset
 *              such as +08:00 instead of Z, and as microseconds since 1970
 *      date    2026-11-23
 *      money   fen, a whole number, as on the bus
 *      count   a whole number
 *      enum    the name
 *      flag    true or false
 *      text    itself
 *      list    items divided by semicolons, an item its fields divided by blanks, as name=value; a
 *              value with blanks, semicolons or quotation marks in quotation marks, its own
 * doubled: part=P-1 quantity=2; part=P-7 old_serial="7 A"
 */

#include "record/record.h"

#define VALUE_SIZE 48
/* What stands for personal data in the files of those who may not read it. */
#define VALUE_MASKED "***"

/* Sets a field of a record; personal data is never set to what masks it. 0, refused, -ENOMEM. */
int value_read(const Field *field, const char *text, void *record, Refusal *refusal);
/* The text of a field that is set; buffer is for those that are no texts. */
const char *value_text(const Field *field, const void *record, char buffer[static VALUE_SIZE]);
/* Appends that of a list. */
void value_append_list(const Field *field, const void *record, Buffer *buffer);
/* An instant, as above. 0 or -EINVAL. */
int value_read_time(const char *text, int64_t *ret);
/* The number of a case, as above. 0 or -EINVAL. */
int value_read_id(const char *text, uint64_t *ret);

/* ---- cells of CSV ----
 *
 * Programs that open CSV take a cell that begins with = + - @ (also full width), a tab or a
 * carriage return for a formula. Such a cell, and one that begins with an apostrophe, is written
 * with an apostrophe in front; reading takes exactly one away where one of these follows. */
const char *cell_unguard(const char *text);
/* Appends a cell, guarded and quoted where it must be. */
void cell_append(Buffer *buffer, const char *text);
