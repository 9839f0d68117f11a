/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The configuration file: YAML into a Policy, strictly. Whatever the file's table (keys.c) does
 * not foresee is an error, all errors of a file are found at once, and each says where it is, what
 * is wrong and what would be right:
 *
 *         aftersalesd.yaml:12:18: ladders.service.repeat: '8' has no unit; write working time such
 *         as 90s, 30m, 36h or 1h30m
 *
 * Nothing here prints or logs. */

#include <stdio.h>

#include "base/macro.h"
#include "config/errors.h"
#include "config/policy.h"

/* Reads a configuration file and the holiday files it names. Users and groups are looked up, so
 * this may ask the network. 0 with *ret; CONFIG_REFUSED (the file cannot be used, and errors say
 * why); -ENOMEM. */
int config_load(const char *path, ConfigErrors *errors, Policy **ret) _warn_unused_;

/* Writes every key the file can have with its type, default and meaning. */
void config_print_keys(FILE *file);
