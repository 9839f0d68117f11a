/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The files of a load, the configuration file first, then its drop-ins and the files it names:
 * read, found to be text, and kept so that messages can show their lines. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "config/errors.h"

/* Adds a file to the sources and reads it. Opening does not wait for the other end of a pipe, and
 * follows a symbolic link only if told. 0 with its index, -ENOMEM, -EFBIG (larger than
 * CONFIG_BYTES_MAX), -EISDIR (no regular file), -EMLINK (a link that is not followed), other
 * -errno. */
int source_add(ConfigErrors *errors, const char *path, bool follow, size_t *ret);

/* What such an error other than -ENOMEM means, for the end of a message. */
const char *source_problem(int error);

/* Refuses what is not text, and unless allowed (in JSON) tabs. These become spaces, so that the
 * rest can be read. 0, CONFIG_REFUSED, -EBADMSG (noted, and cannot be read). */
int source_check(ConfigErrors *errors, size_t file, bool tabs_allowed);

/* The line of that number, not terminated; NULL if there is none. */
const char *source_line(const ConfigSource *source, int line, size_t *ret_size);

/* SHA-256 over all sources, one after the other with a NUL, which is in none, between them. 0 or
 * -errno. */
int sources_digest(const ConfigErrors *errors, uint8_t ret[static DIGEST_SIZE]);
