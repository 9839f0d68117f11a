/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The files of a load, the configuration file before those it names: read, found to be text, and
 * kept so that messages can show their lines. */

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "config/errors.h"

/* Adds a file to the sources and reads it. Opening does not wait for the other end of a pipe. 0
 * with its index, -ENOMEM, -EFBIG (larger than CONFIG_BYTES_MAX), -EISDIR (no regular file), other
 * -errno. */
int source_add(ConfigErrors *errors, const char *path, size_t *ret);

/* What such an error other than -ENOMEM means, for the end of a message. */
const char *source_problem(int error);

/* Refuses what is not text, and in the configuration file tabs. These become spaces, so that the
 * walk can go on behind them. 0, CONFIG_REFUSED, -EBADMSG (noted, and cannot be walked). */
int source_check(ConfigErrors *errors, size_t file);

/* The line of that number, not terminated; NULL if there is none. */
const char *source_line(const ConfigSource *source, int line, size_t *ret_size);

/* SHA-256 over all sources, one after the other. 0 or -errno. */
int sources_digest(const ConfigErrors *errors, uint8_t ret[static DIGEST_SIZE]);
