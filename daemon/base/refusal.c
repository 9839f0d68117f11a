/* SPDX-License-Identifier: Apache-2.0 */

#include "base/refusal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

int refuse(Refusal *refusal, int code, const char *format, ...) {
        va_list arguments;

        assert(code > 0 && code < _REFUSED_MAX);
        refusal->code = code;
        va_start(arguments, format);
        vsnprintf(refusal->text, sizeof(refusal->text), format, arguments);
        va_end(arguments);
        text_mend(refusal->text);
        return code;
}
