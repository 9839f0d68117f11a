/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What can come next on a command line, for completion in a shell. */

#include <stdio.h>

/* Writes the words that the last one of the line can become, one a line; nothing when there are
 * none, or when the daemon would be needed and does not answer at once. */
void complete_write(FILE *f, const char *line);
