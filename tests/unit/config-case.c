/* SPDX-License-Identifier: Apache-2.0 */

#include "config-case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/macro.h"

char shipped_path[PATH_MAX], data_directory[PATH_MAX], holiday_directory[PATH_MAX];

void write_file(const char *name, const void *data, size_t size) {
        FILE *file = fopen(name, "w");

        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
}

char *append_file(char *text, size_t *size, const char *name) {
        FILE *file = fopen(name, "r");
        struct stat st;

        assert_non_null(file);
        assert_int_equal(fstat(fileno(file), &st), 0);
        text = realloc(text, *size + (size_t)st.st_size + 1);
        assert_non_null(text);
        *size += fread(text + *size, 1, (size_t)st.st_size, file);
        text[*size] = '\0';
        fclose(file);
        return text;
}

char *data_path(const char *name, char buffer[static DATA_PATH_SIZE]) {
        snprintf(buffer, DATA_PATH_SIZE, "%s/%s", data_directory, name);
        return buffer;
}

char *join(const ConfigMessages *messages) {
        char *text = NULL;
        size_t size;
        FILE *stream = open_memstream(&text, &size);

        for (size_t i = 0; i < messages->n; i++)
                fprintf(stream, "%s\n", messages->list[i].text);
        fclose(stream);
        return text;
}

void refuse(const char *yaml, size_t size, ConfigErrors *errors) {
        Policy *policy = NULL;

        write_file("policy.yaml", yaml, size);
        assert_int_equal(config_load("policy.yaml", errors, &policy), CONFIG_REFUSED);
        assert_null(policy);
}

void assert_refused(const char *yaml, size_t size, const char *expected) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        _cleanup_free_ char *found = NULL;

        refuse(yaml, size, &errors);
        found = join(&errors.errors);
        if (!STREQ(found, expected))
                print_error("for this file:\n%.*s\n", (int)MIN(size, (size_t)400), yaml);
        assert_string_equal(found, expected);
}

Policy *load(const char *path) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        _cleanup_free_ char *found = NULL;
        Policy *policy = NULL;
        int r;

        r = config_load(path, &errors, &policy);
        found = join(&errors.errors);
        assert_string_equal(found, "");
        assert_int_equal(r, 0);
        assert_non_null(policy);
        return policy;
}

Policy *load_data(const char *name) {
        char path[DATA_PATH_SIZE];

        return load(data_path(name, path));
}

Policy *load_text(const char *yaml) {
        write_file("policy.yaml", yaml, strlen(yaml));
        return load("policy.yaml");
}

int enter_directory(_unused_ void **state) {
        char directory[] = "/tmp/test-config.XXXXXX";
        const char *data = getenv("AFTERSALES_DATA") ?: "../shared/data";
        char *known;

        if (!realpath("conf/aftersalesd.yaml", shipped_path) ||
            !realpath("tests/unit/config", data_directory))
                return -1;
        known = realpath(data, NULL);
        snprintf(holiday_directory, sizeof(holiday_directory), "%s/cn_holidays/holiday-cn",
                 known ?: data);
        free(known);
        if (digest_init() < 0 || !mkdtemp(directory) || chdir(directory) < 0)
                return -1;
        return 0;
}

int leave_directory(_unused_ void **state) {
        static const char *const names[] = { "policy.yaml", "pipe", "bad.json", "cut.json",
                                             "year.json" };
        char directory[PATH_MAX];

        for (size_t i = 0; i < ELEMENTS(names); i++)
                remove(names[i]);
        return getcwd(directory, sizeof(directory)) && chdir("/") == 0 ? rmdir(directory) : -1;
}
