/* SPDX-License-Identifier: Apache-2.0 */

/* What was found damaged while the store was in use. Damage is passed over wherever the rest makes
 * sense without it, so it must at least be said: each piece once, and counted for the status. */

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "store/internal.h"

/* Numbers as people know them, codes as they are, the rest in hexadecimal. */
static const char *key_for_people(Slice key, char buffer[static 2 * KEY_MAX + 1]) {
        const uint8_t *bytes = key.data;
        bool printable = key.size > 0;

        for (size_t i = 0; i < key.size; i++)
                printable = printable && isgraph(bytes[i]);
        if (printable)
                snprintf(buffer, 2 * KEY_MAX + 1, "%.*s", (int)MIN(key.size, (size_t)KEY_MAX),
                         (const char *)bytes);
        else if (key.size == 8)
                snprintf(buffer, 2 * KEY_MAX + 1, "%" PRIu64, id_number(load_be64(bytes)));
        else
                for (size_t i = 0; i < key.size && i < KEY_MAX; i++)
                        snprintf(buffer + 2 * i, 3, "%02x", bytes[i]);
        return buffer;
}

static uint64_t identity(const char *where, Slice key) {
        uint32_t a = crc32c(0, where, strlen(where)), b = crc32c(~a, key.data, key.size);

        return (uint64_t)crc32c(a, key.data, key.size) << 32 | b;
}

void store_note_damage(Store *store, const char *where, Slice key, const char *what) {
        uint64_t id = identity(where, key);
        char text[2 * KEY_MAX + 1] = "";

        for (size_t i = 0; i < MIN(store->n_damaged, (uint64_t)ELEMENTS(store->damaged)); i++)
                if (store->damaged[i] == id)
                        return;
        if (store->n_damaged < ELEMENTS(store->damaged))
                store->damaged[store->n_damaged] = id;
        else if (store->n_damaged > ELEMENTS(store->damaged))
                return; /* too many to tell one from the other: the check counts them */
        store->n_damaged++;
        log_error("%s %s is damaged (%s); it is passed over: run 'aftersalesctl check' and restore "
                  "a backup",
                  where, key_for_people(key, text), what);
}

uint64_t store_damaged(const Store *store) {
        return store->n_damaged + store->without_log;
}
