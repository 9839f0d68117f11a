/* SPDX-License-Identifier: Apache-2.0 */

/* Any lines as a dump that is loaded; the last line, which proves the others, is made for them.
 * What is refused is told with its line, in plain text. What is loaded and sound is dumped as text
 * that loads as the same. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/kv-memory.c"
#include "app.h"
#include "base/text.h"
#include "fuzz.h"
#include "store/check.h"
#include "transfer/dump.h"

static Store *open_store(MemoryDisk *disk) {
        StoreOptions options = { .journal_keep = INT64_MAX / 4, .tables = app_tables };
        Refusal why = {};
        Store *store;

        options.kv = memory_disk_open(disk);
        assert(options.kv && store_open(&options, &store, &why) == 0);
        return store;
}

/* ---- the last line ---- */

static void add_end(FILE *file, const char *text, size_t size) {
        Digest digest;
        unsigned long long lines = 0;

        for (size_t at = 0; at < size; lines++) {
                const char *end = memchr(text + at, '\n', size - at);
                size_t n = end ? (size_t)(end - (text + at)) + 1 : size - at;

                digest_pieces(&digest, digest.bytes, lines > 0 ? DIGEST_SIZE : 0, text + at, n,
                              NULL, 0);
                at += n;
        }
        fprintf(file, "{\"end\":%llu,\"digest\":\"", lines);
        for (size_t i = 0; i < DIGEST_SIZE && lines > 0; i++)
                fprintf(file, "%02x", digest.bytes[i]);
        fputs("\"}\n", file);
}

static int load(Store *store, const char *text, size_t size, bool ends) {
        FILE *file = tmpfile();
        DumpCounts counts;
        Refusal why = {};
        size_t position;
        int r;

        assert(file);
        fwrite(text, 1, size, file);
        if (!ends)
                add_end(file, text, size);
        rewind(file);
        r = dump_read(store, app_tables, file, &counts, &why);
        fclose(file);
        assert(r >= 0);
        if (r > 0) {
                assert(r == REFUSED_INVALID_VALUE && strncmp(why.text, "line ", 5) == 0);
                assert(text_check(why.text, strlen(why.text), false, &position) == TEXT_OK);
        }
        return r;
}

/* ---- what was loaded ---- */

static void pass_over(void *userdata, const char *line) {
        (void)userdata;
        (void)line;
}

static bool is_sound(Store *store) {
        uint64_t records, faults;

        assert(store_check(store, pass_over, NULL, &records, &faults) == 0);
        store_release(store);
        return faults == 0;
}

static char *dump(Store *store, size_t *ret_size) {
        char *text = NULL;
        FILE *file = open_memstream(&text, ret_size);
        DumpCounts counts;

        assert(file && dump_write(store, app_tables, file, &counts) == 0);
        assert(!counts.incomplete && fclose(file) == 0);
        return text;
}

static void check_again(Store *store) {
        MemoryDisk *disk = memory_disk_new();
        Store *again = open_store(disk);
        size_t size, size_again;
        char *text = dump(store, &size), *text_again;

        assert(load(again, text, size, true) == 0);
        assert(is_sound(again));
        text_again = dump(again, &size_again);
        assert(size == size_again && memcmp(text, text_again, size) == 0);
        free(text);
        free(text_again);
        store_free(again);
        memory_disk_free(disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        MemoryDisk *disk = memory_disk_new();
        Store *store = open_store(disk);

        assert(digest_init() == 0);
        if (load(store, (const char *)data, size, false) == 0 && is_sound(store))
                check_again(store);
        store_free(store);
        memory_disk_free(disk);
        return 0;
}
