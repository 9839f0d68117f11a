/* SPDX-License-Identifier: Apache-2.0 */

#include "config/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

/* Reads at most one byte more than allowed. 0 or -errno. */
static int source_read(ConfigSource *source, int fd) {
        char *text = malloc(CONFIG_BYTES_MAX + 1);

        if (!text)
                return -ENOMEM;
        source->text = text;
        while (source->size <= CONFIG_BYTES_MAX) {
                ssize_t n = read(fd, text + source->size, CONFIG_BYTES_MAX + 1 - source->size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                source->size += (size_t)n;
        }
        if (source->size > CONFIG_BYTES_MAX)
                return -EFBIG;
        text = realloc(text, MAX(source->size, (size_t)1));
        source->text = text ?: source->text;
        return 0;
}

int source_add(ConfigErrors *errors, const char *path, bool follow, size_t *ret) {
        _cleanup_close_ int fd = -1;
        ConfigSource *sources, *source;
        struct stat st;

        sources = realloc(errors->sources, (errors->n_sources + 1) * sizeof(*sources));
        if (!sources)
                return -ENOMEM;
        errors->sources = sources;
        source = &sources[errors->n_sources];
        *source = (ConfigSource){ .name = strdup(path) };
        if (!source->name)
                return -ENOMEM;
        *ret = errors->n_sources++;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW));
        if (fd < 0 && errno == ELOOP && !follow)
                return -EMLINK;
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EISDIR;
        return source_read(source, fd);
}

const char *source_problem(int error) {
        switch (error) {
        case -EFBIG:
                return "it is larger than 1 MiB";
        case -EISDIR:
                return "it is not a regular file";
        case -EMLINK:
                return "it is a symbolic link; write the file itself here";
        default:
                return strerror(-error);
        }
}

/* Of the line breaks that YAML knows those that source_check() lets pass. */
static bool is_line_break(uint32_t c) {
        return c == '\n' || c == 0x2028 || c == 0x2029;
}

const char *source_line(const ConfigSource *source, int line, size_t *ret_size) {
        size_t start = 0, i, n;

        for (i = 0; i < source->size; i += n) {
                uint32_t c = 0;

                n = MAX(utf8_character(source->text + i, source->size - i, &c), (size_t)1);
                if (!is_line_break(c))
                        continue;
                if (line == 1)
                        break;
                line--;
                start = i + n;
        }
        *ret_size = i - start;
        return line == 1 ? source->text + start : NULL;
}

/* What is wrong with the character of n bytes (0: none) at p, or NULL. */
static const char *character_problem(const char *p, size_t n, uint32_t c) {
        size_t position;

        if (n == 0)
                return "this is not UTF-8; save the file as UTF-8";
        if (c == 0xfeff)
                return "a byte order mark is not allowed; save the file as UTF-8 without one";
        if (c == '\r')
                return "a carriage return is not allowed; save the file with Unix line ends";
        if (text_check(p, n, true, &position) != TEXT_OK)
                return "an invisible control character is not allowed; remove it";
        return NULL;
}

/* Notes an error of a file that is not about one of its keys. CONFIG_REFUSED. */
static _printf_(3, 4) int source_refuse(ConfigErrors *errors, ConfigPlace place, const char *format,
                                        ...) {
        va_list arguments;

        va_start(arguments, format);
        config_message_add(errors, &errors->errors, place, "", format, arguments);
        va_end(arguments);
        return CONFIG_REFUSED;
}

int source_check(ConfigErrors *errors, size_t file, bool tabs_allowed) {
        ConfigSource *source = &errors->sources[file];
        ConfigPlace place = { file, 1, 1 };
        int result = 0, tab_line = 0;

        for (size_t i = 0, n; i < source->size; i += n, place.column++) {
                const char *problem;
                uint32_t c = 0;

                n = utf8_character(source->text + i, source->size - i, &c);
                problem = character_problem(source->text + i, n, c);
                if (problem) {
                        source_refuse(errors, place, "%s", problem);
                        return -EBADMSG;
                }
                if (c == '\t' && !tabs_allowed) {
                        source->text[i] = ' ';
                        if (tab_line != place.line)
                                result = source_refuse(errors, place,
                                                       "a tab is not allowed; indent "
                                                       "and separate with spaces");
                        tab_line = place.line;
                }
                if (is_line_break(c)) {
                        place.line++;
                        place.column = 0;
                }
        }
        return result;
}

int sources_digest(const ConfigErrors *errors, uint8_t ret[static DIGEST_SIZE]) {
        _cleanup_free_ char *all = NULL;
        size_t size = 0, used = 0;
        Digest digest;

        for (size_t i = 0; i < errors->n_sources; i++)
                size += errors->sources[i].size + 1;
        all = malloc(MAX(size, (size_t)1));
        if (!all)
                return -ENOMEM;
        for (size_t i = 0; i < errors->n_sources; i++) {
                memcpy(all + used, errors->sources[i].text, errors->sources[i].size);
                used += errors->sources[i].size;
                if (i + 1 < errors->n_sources)
                        all[used++] = '\0';
        }
        digest_pieces(&digest, all, used, NULL, 0, NULL, 0);
        memcpy(ret, digest.bytes, sizeof(digest.bytes));
        return 0;
}
