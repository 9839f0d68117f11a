/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The configuration: YAML into a Policy, strictly. Beside the file may be drop-ins in conf.d, which
 * are laid over it in the order of their names: maps merge key by key, lists and values replace.
 * Whatever the table of keys (keys.c) does not foresee is an error, all are found at once, and each
 * says where it is, what is wrong and what would be right:
 *
 *         aftersalesd.yaml:12:18: ladders.service.repeat: '8' has no unit; write working time such
 *         as 90s, 30m, 36h or 1h30m
 *
 * Nothing here prints or logs. */

#include <stdio.h>

#include "base/macro.h"
#include "config/errors.h"
#include "config/policy.h"

/* Reads a configuration file, its drop-ins and the holiday files they name. Users and groups are
 * looked up, so this may ask the network, unless errors->identities has them. 0 with *ret;
 * CONFIG_REFUSED (the file cannot be used, and errors say why); -ENOMEM. */
int config_load(const char *path, ConfigErrors *errors, Policy **ret) _warn_unused_;

/* Writes every key the file can have with its type, default and meaning. */
void config_print_keys(FILE *file);
