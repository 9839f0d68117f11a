/* SPDX-License-Identifier: Apache-2.0 */

/* Opening: by the daemon to write, by others to look, to try, to copy. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "store/internal.h"
#include "store/kv-gather.h"
#include "store/kv-overlay.h"

/* In database "meta": "aftersalesd" | version u32 | site u16. The rest of it: store/head.c. */
static const char schema_magic[] = "aftersalesd";
static const char schema_key[] = "schema";

static Slice slice_of_text(const char *text) {
        return (Slice){ text, strlen(text) };
}

/* ---- opening ---- */

static int put_schema(Kv *kv, uint32_t version, uint16_t site) {
        _cleanup_(buffer_done) Buffer buffer = {};

        buffer_put(&buffer, schema_magic, sizeof(schema_magic));
        buffer_put_u32(&buffer, version);
        buffer_put_u16(&buffer, site);
        return buffer.error < 0 ? buffer.error
                                : kv->ops->put(kv, DB_META, slice_of_text(schema_key),
                                               buffer_slice(&buffer));
}

int store_put_schema(Store *store, uint32_t version) {
        int r = put_schema(store->kv, version, store->site);

        if (r == 0)
                store->schema = version;
        return r;
}

static int create_schema(Kv *kv, void *userdata) {
        Store *store = userdata;
        int r = put_schema(kv, STORE_SCHEMA_VERSION, store->site);

        if (r < 0)
                return r;
        store->kv = kv;
        store->now.head = (StoreHead){ .first = 1 };
        for (unsigned i = 0; i < store->n_tables; i++)
                store->now.next[i] = 1;
        r = store_save_head(store, store->checkpoint);
        store->kv = NULL;
        return r;
}

static int check_schema(Kv *kv, void *userdata, Refusal *why) {
        Store *store = userdata;
        Slice value = {};
        Cursor cursor;
        const char *magic;
        uint32_t version;
        uint16_t site;
        int r = kv->ops->get(kv, DB_META, slice_of_text(schema_key), &value);

        if (r < 0 && r != -ENOENT)
                return r;
        cursor = cursor_over(value);
        magic = (const char *)cursor_take(&cursor, sizeof(schema_magic));
        version = cursor_u32(&cursor);
        site = cursor_u16(&cursor);
        if (cursor.failed || memcmp(magic, schema_magic, sizeof(schema_magic)) != 0) {
                refuse(why, REFUSED_INTERNAL,
                       "the database was not made by aftersalesd; point store.directory elsewhere");
                return -EBADMSG;
        }
        if (version > STORE_SCHEMA_VERSION) {
                refuse(why, REFUSED_INTERNAL,
                       "the database has schema version %u, written by a newer aftersalesd; this "
                       "one understands up to %u: install the newer program again",
                       version, STORE_SCHEMA_VERSION);
                return -EPROTONOSUPPORT;
        }
        if (version < STORE_SCHEMA_VERSION && !store->old) {
                refuse(why, REFUSED_INTERNAL,
                       "the database has schema %u: start aftersalesd once to bring it to %u",
                       version, STORE_SCHEMA_VERSION);
                return -EPROTONOSUPPORT;
        }
        store->schema = version;
        if (site != store->site) {
                refuse(why, REFUSED_INTERNAL,
                       "the database belongs to site %u, the configuration says site %u: mend "
                       "'site' or 'store.directory'",
                       site, store->site);
                return -EREMCHG;
        }
        return 0;
}

static void add_indices(Store *store, const Index *const *indices) {
        for (; indices && *indices; indices++) {
                bool known = false;

                for (unsigned i = 0; i < store->n_indices; i++)
                        known = known || store->indices[i] == *indices;
                assert(store->n_indices < STORE_INDICES_MAX);
                if (!known)
                        store->indices[store->n_indices++] = *indices;
        }
}

static void add_tables(Store *store, const Table *const *tables) {
        for (; *tables; tables++) {
                assert(store->n_tables < STORE_TABLES_MAX);
                assert(!table_by_number(store, (*tables)->number));
                store->tables[store->n_tables++] = *tables;
                add_indices(store, (*tables)->indices);
        }
}

static int open_trial(KvLmdbOptions lmdb, Kv **ret, Refusal *why) {
        Kv *below = NULL, *above = NULL;
        int r;

        lmdb.read_only = true;
        r = kv_lmdb_open(&lmdb, &below, why);
        lmdb.read_only = false;
        lmdb.scratch = true;
        lmdb.accept = NULL;
        if (r == 0)
                r = kv_lmdb_open(&lmdb, &above, why);
        if (r == 0)
                r = kv_overlay_new(below, above, lmdb.n_databases, ret);
        if (r < 0 && below)
                below->ops->free(below);
        if (r < 0 && above)
                above->ops->free(above);
        return r;
}

static int open_lmdb(Store *store, const StoreOptions *options, Kv **ret, Refusal *why) {
        const char *names[DB_FIRST_TABLE + STORE_TABLES_MAX + STORE_INDICES_MAX] = {
                [DB_META] = "meta",
                [DB_JOURNAL] = "journal",
                [DB_TALLY] = "tally",
        };
        unsigned n = DB_FIRST_TABLE;
        KvLmdbOptions lmdb = {
                .directory = options->directory,
                .file = options->file,
                .databases = names,
                .map_size = options->map_size,
                .read_only = options->read_only,
                .create = create_schema,
                .accept = check_schema,
                .userdata = store,
        };

        for (unsigned i = 0; i < store->n_tables; i++)
                names[n++] = store->tables[i]->name;
        for (unsigned i = 0; i < store->n_indices; i++)
                names[n++] = store->indices[i]->name;
        lmdb.n_databases = n;
        return options->trial ? open_trial(lmdb, ret, why) : kv_lmdb_open(&lmdb, ret, why);
}

/* A store on a given Kv: filled on first use, in one transaction. */
static int fill_given(Store *store, Kv *kv, Refusal *why) {
        Slice value;
        int r;

        r = kv->ops->begin(kv, true);
        if (r == 0)
                r = kv->ops->get(kv, DB_META, slice_of_text(schema_key), &value);
        if (r == -ENOENT) {
                r = create_schema(kv, store);
                if (r == 0)
                        r = kv->ops->commit(kv);
        } else if (r == 0)
                r = check_schema(kv, store, why);
        kv->ops->end(kv);
        return r;
}

static int open_base(Store *store, const StoreOptions *options, Kv **ret, Refusal *why) {
        if (!options->kv)
                return open_lmdb(store, options, ret, why);
        *ret = options->kv;
        return fill_given(store, options->kv, why);
}

static bool has_wal(const StoreOptions *options) {
        return options->wal ||
               (!options->kv && !options->file && !options->read_only && !options->trial);
}

static int open_all(Store *store, const StoreOptions *options, Refusal *why) {
        Kv *base = NULL;
        int r = open_base(store, options, &base, why);

        if (r == 0)
                r = kv_gather_new(base, DB_FIRST_TABLE + store->n_tables + store->n_indices,
                                  &store->kv);
        if (r < 0 && base)
                base->ops->free(base);
        if (r == 0)
                r = store_begin_view(store);
        if (r == 0)
                r = store_load_head(store);
        store_release(store);
        if (r == 0 && has_wal(options))
                return store_open_wal(store, options, why);
        if (options->wal)
                options->wal->ops->free(options->wal);
        return r;
}

static int refuse_open(Refusal *why, int r) {
        if (why->code == 0)
                refuse(why, REFUSED_INTERNAL, "cannot open the database: %s", strerror(-r));
        return r;
}

/* What a store that is not to be would have owned. */
static void free_given(const StoreOptions *options) {
        if (options->kv)
                options->kv->ops->free(options->kv);
        if (options->wal)
                options->wal->ops->free(options->wal);
}

static int open_once(const StoreOptions *options, Store **ret, Refusal *why) {
        Store *store = calloc(1, sizeof(*store));
        int r;

        why->code = 0;
        if (!store) {
                free_given(options);
                return refuse_open(why, -ENOMEM);
        }
        store->options = *options;
        store->site = options->site;
        store->schema = STORE_SCHEMA_VERSION;
        store->old = options->old;
        store->journal_keep = options->journal_keep;
        add_tables(store, options->tables);
        r = open_all(store, options, why);
        if (r < 0) {
                store_free(store);
                return refuse_open(why, r);
        }
        *ret = store;
        return 0;
}

/* Others than the daemon see the database as of its last checkpoint and, over it, what its log had
 * at this moment. The log is read first: what is taken into the database meanwhile is not missed.
 */
static int open_beside(const StoreOptions *options, Store **ret, Refusal *why) {
        StoreOptions looking = *options;
        int r = wal_file_freeze(options->directory, &looking.wal);

        why->code = 0;
        if (r < 0 && r != -ENOENT)
                return refuse_open(why, r);
        r = open_once(&looking, ret, why);
        if (r != -EBADMSG || !looking.wal || options->trial)
                return r;
        /* A check above all must go on, and will tell. */
        log_warning("%s; looking at the last checkpoint without it", why->text);
        r = open_once(options, ret, why);
        if (r == 0)
                (*ret)->without_log = true;
        return r;
}

int store_open(const StoreOptions *options, Store **ret, Refusal *why) {
        bool beside = (options->read_only || options->trial) && !options->file;

        return beside ? open_beside(options, ret, why) : open_once(options, ret, why);
}

Store *store_free(Store *store) {
        if (!store)
                return NULL;
        if (store->kv)
                store->kv->ops->free(store->kv);
        free(store->change.staged);
        buffer_done(&store->change.values);
        buffer_done(&store->effects);
        buffer_done(&store->journal);
        wal_free(store->wal); /* first: it may be writing the frame */
        buffer_done(&store->frame);
        buffer_done(&store->sealed.frame);
        free(store->plan.writes);
        free(store);
        return NULL;
}

/* ---- a file of its own ---- */

/* Of a database that nobody writes. The log becomes the store's. */
static int bring_into(StoreOptions options, const char *file, WalMedium *log, Refusal *why) {
        Store *store;
        int r;

        options.file = file;
        options.wal = log;
        options.read_only = options.trial = false;
        r = open_once(&options, &store, why);
        if (r < 0)
                return r;
        r = store_settle(store);
        store_free(store);
        return r;
}

int store_copy(Store *store, int fd) {
        bool beside = store->options.read_only && !store->options.file;
        const KvOps *ops = store->kv->ops;
        WalMedium *log = NULL;
        char path[32];
        Refusal why = {};
        int r = beside ? wal_file_freeze(store->options.directory, &log) : store_settle(store);

        if (r < 0 && r != -ENOENT)
                return r;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        r = ops->copy ? ops->copy(store->kv, fd) : -EOPNOTSUPP;
        if (r == 0 && log) {
                r = bring_into(store->options, path, log, &why);
                if (r < 0)
                        log_error("cannot bring the log into the copy: %s", why.text);
                return r;
        }
        if (log)
                log->ops->free(log);
        return r;
}

int store_retire(const StoreOptions *options, const char *file, uint32_t *ret_epoch, Refusal *why) {
        WalMedium *log = NULL;
        uint64_t newest = 0;
        int r = wal_file_freeze(options->directory, &log);

        why->code = 0;
        *ret_epoch = 0;
        if (r < 0)
                return r == -ENOENT ? 0 : refuse_open(why, r);
        if (wal_newest(log, &newest) == 0)
                *ret_epoch = sequence_epoch(newest);
        if (file)
                return bring_into(*options, file, log, why);
        log->ops->free(log);
        return 0;
}
