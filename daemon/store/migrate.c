/* SPDX-License-Identifier: Apache-2.0 */

#include "store/migrate.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "record/codec.h"
#include "store/internal.h"

/* In database "meta", while a step is under way: version u32 that it began at | position */
static const char migration_key[] = "migration";

static Slice key_of_progress(void) {
        return (Slice){ migration_key, sizeof(migration_key) - 1 };
}

bool store_is_migrating(Store *store) {
        Slice value;
        bool found = store_begin_view(store) == 0 &&
                     store->kv->ops->get(store->kv, DB_META, key_of_progress(), &value) == 0;

        store_release(store);
        return found;
}

/* Where a step that was cut short goes on. */
static int load_position(Store *store, const Migration *migration, Key *ret) {
        Slice value = {};
        Cursor cursor;
        int r = store_begin_view(store);

        *ret = (Key){};
        if (r == 0)
                r = store->kv->ops->get(store->kv, DB_META, key_of_progress(), &value);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        cursor = cursor_over(value);
        if (value.size > KEY_MAX + 4 || cursor_u32(&cursor) != migration->from || cursor.failed)
                return -EBADMSG;
        *ret = key_from((Slice){ (const uint8_t *)value.data + 4, value.size - 4 });
        return 0;
}

static int save_position(Store *store, const Migration *migration, const Key *position) {
        uint8_t bytes[4 + KEY_MAX];

        store_be32(bytes, migration->from);
        memcpy(bytes + 4, position->bytes, position->size);
        return store->kv->ops->put(store->kv, DB_META, key_of_progress(),
                                   (Slice){ bytes, 4 + position->size });
}

static int end_step(Store *store, const Migration *migration) {
        int r = store->kv->ops->remove(store->kv, DB_META, key_of_progress());

        return r == 0 || r == -ENOENT ? store_put_schema(store, migration->from + 1) : r;
}

int store_rederive(Change *change, const Table *table, const Index *index, Key *position) {
        Store *store = change_store(change);
        _cleanup_free_ void *record = calloc(1, table->type->size);
        int r = record ? 0 : -ENOMEM;

        for (unsigned n = 0; r == 0 && n < MIGRATION_PIECE; n++) {
                r = store_next(store, table, position, record);
                if (r < 0)
                        break;
                r = apply_rederived(store, table, index, position, record);
                record_done(table->type, record);
        }
        return r;
}

static int apply_piece(Change *change, const Migration *migration, int64_t now) {
        static const uint8_t no_policy[8];

        if (change_is_empty(change)) {
                change_drop(change);
                return 0;
        }
        return change_apply(change, &(Origin){ .time = now,
                                               .actor = "daemon",
                                               .verb = migration->name,
                                               .policy = no_policy });
}

static int run_piece(Store *store, const Migration *migration, int64_t now, Key *position,
                     bool *ret_last) {
        Change *change;
        int r = change_begin(store, &change);

        if (r < 0)
                return r;
        r = migration->piece(change, position);
        *ret_last = r == -ENOENT;
        if (r < 0 && r != -ENOENT) {
                change_drop(change);
                store_abort(store);
                return r;
        }
        r = apply_piece(change, migration, now);
        if (r == 0)
                r = *ret_last ? end_step(store, migration)
                              : save_position(store, migration, position);
        if (r < 0) {
                store_abort(store);
                return r;
        }
        store->batch.changes++; /* how far it has come is one too */
        return store_commit_whole(store);
}

static int run_step(Store *store, const Migration *migration, int64_t now,
                    void (*on_piece)(void *userdata, const Migration *migration), void *userdata) {
        Key position;
        bool last = false;
        int r = load_position(store, migration, &position);

        store_release(store);
        while (r == 0 && !last) {
                r = run_piece(store, migration, now, &position, &last);
                if (r == 0)
                        on_piece(userdata, migration);
        }
        return r;
}

int store_migrate(Store *store, const Migration *migrations, int64_t now,
                  void (*on_piece)(void *userdata, const Migration *migration), void *userdata) {
        int r = 0;

        /* The journal is in the order of time. */
        now = MAX(now, store->now.head.time);
        for (; r == 0 && migrations->piece; migrations++)
                if (migrations->from == store->schema) {
                        log_info("bringing the store from schema %" PRIu32 " to %" PRIu32 ": %s",
                                 migrations->from, migrations->from + 1, migrations->name);
                        r = run_step(store, migrations, now, on_piece, userdata);
                }
        assert(r < 0 || store->schema == STORE_SCHEMA_VERSION);
        return r;
}
