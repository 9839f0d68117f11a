/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The stored form of a record.
 *
 *      byte  0        1        2 3       4 5 6 7      8 ...
 *          +--------+---------+--------+------------+----------------------+
 *          | number | version | length |   CRC-32C  | length bytes of body |
 *          +--------+---------+--------+------------+----------------------+
 *
 * number and version are those of the RecordType; the checksum covers the four bytes before it and
 * the body. The body is a sequence of elements with strictly ascending tags, one for each field
 * that is given:
 *
 *          +--------------+-----------------+-------------+
 *          | tag (varint) | length (varint) | length bytes |
 *          +--------------+-----------------+-------------+
 *
 *      id, enum               the number, big-endian, without leading zero bytes
 *      time, date, money,     the same after folding the sign into the lowest bit (0 -1 1 -2 ...
 *      count                  become 0 1 2 3 ...)
 *      text                   its bytes, UTF-8
 *      flag                   no bytes: it is there
 *      list                   for each item: length (varint), its body as above
 *
 * A reader keeps elements with tags it does not know and writes them back at their place, so that
 * an older program does not lose what a newer one stored. */

#include "record/record.h"

#define RECORD_HEADER_SIZE 8
#define RECORD_BODY_MAX    65535

/* Appends the stored form. 0, -ENOMEM, or -E2BIG when the body would exceed RECORD_BODY_MAX. */
int record_encode(const RecordType *type, const void *record, Buffer *buffer);

/* Reads a stored form into an empty record. 0, -ENOMEM, or -EBADMSG: not intact, of another number
 * or of a newer version, or not well formed; the record stays empty. */
int record_decode(const RecordType *type, Slice stored, void *record);

/* The same for a body without header, e.g. the changes that an event carries: only the fields in
 * mask, or all when mask is NULL. */
int record_encode_body(const RecordType *type, const void *record, const FieldMask *mask,
                       Buffer *buffer);
int record_decode_body(const RecordType *type, Slice body, void *record);
