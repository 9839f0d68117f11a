/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <iconv.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "transfer/reader.h"

#define CHUNK (64 * 1024)

struct LineSource {
        ReadBytes read;
        void *userdata;
        bool converts;
        iconv_t convert; /* if it does; else it is UTF-8 already */
        Buffer text;     /* UTF-8; what lies before `at` has been given */
        size_t at;
        uint8_t pending[16]; /* the beginning of a character whose end has not come yet */
        size_t n_pending;
        uint64_t line, bytes;
        bool started, ended;
};

void row_fault(RowFault *fault, uint64_t line, const char *format, ...) {
        va_list arguments;

        *fault = (RowFault){ .line = line };
        va_start(arguments, format);
        vsnprintf(fault->text, sizeof(fault->text), format, arguments);
        va_end(arguments);
}

/* Appends the bytes as UTF-8. 0, -EILSEQ, -ENOMEM. */
static int append_converted(LineSource *source, char *data, size_t size) {
        while (size > 0) {
                char out[4096], *to = out;
                size_t room = sizeof(out);
                size_t n = iconv(source->convert, &data, &size, &to, &room);
                int error = n == (size_t)-1 ? errno : 0;

                buffer_put(&source->text, out, sizeof(out) - room);
                if (error == EINVAL) { /* the rest is the beginning of a character */
                        if (size > sizeof(source->pending))
                                return -EILSEQ;
                        memcpy(source->pending, data, size);
                        source->n_pending = size;
                        break;
                }
                if (error && error != E2BIG)
                        return -EILSEQ;
        }
        return source->text.error;
}

static void skip_mark(LineSource *source) {
        static const char mark[] = "\xef\xbb\xbf";

        if (source->started || (source->text.size < 3 && !source->ended))
                return;
        source->started = true;
        if (slice_begins(buffer_slice(&source->text), (Slice){ mark, 3 }))
                source->at = 3;
}

/* Reads more; what has been given already makes room. 0 or negative errno. */
static int fill(LineSource *source) {
        char chunk[CHUNK + sizeof(source->pending)];
        size_t kept = source->n_pending;
        int64_t n;
        int r;

        if (source->at > 0) {
                memmove(source->text.data, source->text.data + source->at,
                        source->text.size - source->at);
                source->text.size -= source->at;
                source->at = 0;
        }
        memcpy(chunk, source->pending, kept);
        n = source->read(source->userdata, chunk + kept, CHUNK);
        if (n < 0)
                return (int)n;
        source->bytes += (uint64_t)n;
        source->ended = n == 0;
        source->n_pending = 0;
        if (source->ended)
                r = kept > 0 ? -EILSEQ : 0;
        else if (source->converts)
                r = append_converted(source, chunk, kept + (size_t)n);
        else {
                buffer_put(&source->text, chunk, (size_t)n);
                r = source->text.error;
        }
        skip_mark(source);
        return r;
}

/* The length of the first line in the text with its end; 0: more must be read to tell. */
static size_t line_length(const LineSource *source) {
        size_t size = source->text.size - source->at, i = 0;
        const uint8_t *from;

        if (size == 0)
                return 0;
        from = source->text.data + source->at;
        while (i < size && from[i] != '\n' && from[i] != '\r')
                i++;
        if (i == size)
                return source->ended ? size : 0;
        if (from[i] == '\n')
                return i + 1;
        if (i + 1 == size && !source->ended)
                return 0;
        return i + 1 < size && from[i + 1] == '\n' ? i + 2 : i + 1;
}

int line_source_next(LineSource *source, Slice *ret, RowFault *fault) {
        size_t n;

        while ((n = line_length(source)) == 0 && !source->ended) {
                int r;

                if (source->text.size - source->at > ROW_BYTES_MAX) {
                        row_fault(fault, source->line + 1, "the line is longer than %d KiB",
                                  ROW_BYTES_MAX / 1024);
                        return -EBADMSG;
                }
                r = fill(source);
                if (r == -EILSEQ) {
                        row_fault(fault, source->line + 1,
                                  "at or soon after this line: no valid text in the encoding that "
                                  "was named");
                        return -EBADMSG;
                }
                if (r < 0)
                        return r;
        }
        if (n == 0)
                return 0;
        *ret = (Slice){ source->text.data + source->at, n };
        source->at += n;
        source->line++;
        return 1;
}

uint64_t line_source_number(const LineSource *source) {
        return source->line;
}

uint64_t line_source_bytes(const LineSource *source) {
        return source->bytes;
}

int line_source_new(RowEncoding encoding, ReadBytes read, void *userdata, LineSource **ret) {
        LineSource *source = calloc(1, sizeof(*source));

        if (!source)
                return -ENOMEM;
        *source = (LineSource){ .read = read, .userdata = userdata };
        if (encoding == ROW_GB18030) {
                source->convert = iconv_open("UTF-8", "GB18030");
                source->converts = (intptr_t)source->convert != -1;
                if (!source->converts) {
                        free(source);
                        return -EOPNOTSUPP;
                }
        }
        *ret = source;
        return 0;
}

LineSource *line_source_free(LineSource *source) {
        if (!source)
                return NULL;
        if (source->converts)
                iconv_close(source->convert);
        buffer_done(&source->text);
        free(source);
        return NULL;
}
