/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The configuration file and its drop-ins, which are what ends in .yaml in the directory conf.d
 * beside it: read in the order of their names, and made one tree. */

#include "config/errors.h"
#include "config/tree.h"

/* Reads them all. What is refused is noted. 0; -EBADMSG (noted; *ret is what could be read, perhaps
 * NULL); -ENOMEM. */
int dropins_read(ConfigErrors *errors, const char *path, const char *directory,
                 Tree **ret) _warn_unused_;
