/* SPDX-License-Identifier: Apache-2.0 */

/* The only file, with kv-lmdb-size.c, that knows LMDB. Default flags but MDB_NOTLS and
 * MDB_NOSUBDIR: every commit is two barriers and survives power loss; no DUPSORT, no WRITEMAP, no
 * integer keys, no custom order. */

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/macro.h"
#include "store/kv-lmdb-size.h"
#include "store/kv.h"

#define FILE_NAME      "state.mdb"
#define NEW_FILE_NAME  "state.mdb.new"
#define LOCK_NAME      "state.lock"
#define LMDB_LOCK_NAME FILE_NAME "-lock" /* LMDB's own, of those who have it open */
#define MAX_READERS    16
#define FIRST_ROOM     (256 * 1024) /* bytes free before a store is created */
/* Of the files in the state directory. */
#define STORE_PATH_MAX 4096
/* A disk on which the file cannot grow by so much is full. */
#define ROOM_LEAST (1024 * 1024)
/* So much is kept for changes to what is there: a share of the map and of the disk, at least what a
 * few commits take, on the disk no more than anybody would miss. */
#define RESERVE_SHARE 20
#define RESERVE_MIN   (UINT64_C(512) * 1024)
#define RESERVE_MAX   (UINT64_C(16) * 1024 * 1024)
#define ROOM_AGE_MAX  100000 /* microseconds after which room is measured anew */
/* After so many commits a reader that was killed is noticed: it would keep old pages for ever. */
#define READERS_EVERY 256

typedef struct LmdbKv {
        Kv kv;
        MDB_env *env;
        MDB_txn *txn;    /* the transaction that is open, else NULL */
        MDB_txn *reader; /* kept between reads, reset */
        bool one_state;  /* or it is never reset: all reads see the same */
        bool writing;
        int lock_fd;
        struct LmdbKv *of;            /* whose environment it writes beside; NULL: its own */
        atomic_uint_fast64_t commits; /* of the environment, counted in its own one */
        KvRoom room;                  /* as measured after so many commits, at that time */
        uint64_t room_commits;
        int64_t room_at;
        unsigned n_databases;
        MDB_dbi *dbis;
        MDB_cursor **cursors; /* of the open transaction, made when first used */
} LmdbKv;

static int lmdb_errno(int r) {
        switch (r) {
        case MDB_SUCCESS:
                return 0;
        case MDB_NOTFOUND:
                return -ENOENT;
        case MDB_MAP_FULL:
        case MDB_TXN_FULL:
        case EDQUOT:
        case EFBIG:
                return -ENOSPC;
        case MDB_READERS_FULL:
                return -EAGAIN;
        case MDB_BAD_VALSIZE:
                return -E2BIG;
        case MDB_INVALID:
        case MDB_VERSION_MISMATCH:
                return -EBADMSG;
        default:
                /* Positive: an errno of the system. Negative: MDB_PANIC, MDB_CORRUPTED, ... */
                return r > 0 ? -r : -EIO;
        }
}

static MDB_val to_val(Slice slice) {
        return (MDB_val){ .mv_size = slice.size, .mv_data = (void *)slice.data };
}

static Slice to_slice(MDB_val val) {
        return (Slice){ val.mv_data, val.mv_size };
}

static void close_cursors(LmdbKv *l) {
        for (unsigned i = 0; l->cursors && i < l->n_databases; i++)
                if (l->cursors[i]) {
                        mdb_cursor_close(l->cursors[i]);
                        l->cursors[i] = NULL;
                }
}

static int begin_read(LmdbKv *l) {
        int r;

        if (l->reader)
                r = l->one_state ? 0 : mdb_txn_renew(l->reader);
        else {
                r = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &l->reader);
                if (r == MDB_READERS_FULL && mdb_reader_check(l->env, NULL) == 0)
                        r = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &l->reader);
        }
        if (r == 0)
                l->txn = l->reader;
        return lmdb_errno(r);
}

static int lmdb_begin(Kv *kv, bool write) {
        LmdbKv *l = (LmdbKv *)kv;
        int r;

        assert(!l->txn);
        r = write ? lmdb_errno(mdb_txn_begin(l->env, NULL, 0, &l->txn)) : begin_read(l);
        if (r < 0) {
                l->txn = NULL;
                return r;
        }
        l->writing = write;
        return 0;
}

/* Tries it. */
static bool cannot_grow(LmdbKv *l) {
        struct stat st;
        int fd;

        return mdb_env_get_fd(l->env, &fd) == 0 && fstat(fd, &st) == 0 &&
               fallocate(fd, 0, st.st_size, ROOM_LEAST) < 0 &&
               (errno == ENOSPC || errno == EDQUOT || errno == EFBIG);
}

static int lmdb_commit(Kv *kv) {
        LmdbKv *l = (LmdbKv *)kv;
        MDB_txn *txn = TAKE_PTR(l->txn);
        int r;

        assert(txn && l->writing);
        close_cursors(l);
        if (++(l->of ? l->of : l)->commits % READERS_EVERY == 0)
                mdb_reader_check(l->env, NULL);
        r = lmdb_errno(mdb_txn_commit(txn));
        /* LMDB takes a write that a full disk cut short for a failure of the disk. */
        return r == -EIO && cannot_grow(l) ? -ENOSPC : r;
}

static void lmdb_end(Kv *kv) {
        LmdbKv *l = (LmdbKv *)kv;
        MDB_txn *txn = TAKE_PTR(l->txn);

        if (!txn)
                return;
        close_cursors(l);
        if (l->writing)
                mdb_txn_abort(txn);
        else if (!l->one_state)
                mdb_txn_reset(txn);
}

static int lmdb_get(Kv *kv, unsigned db, Slice key, Slice *ret) {
        LmdbKv *l = (LmdbKv *)kv;
        MDB_val k = to_val(key), v;
        int r = lmdb_errno(mdb_get(l->txn, l->dbis[db], &k, &v));

        if (r == 0)
                *ret = to_slice(v);
        return r;
}

/* The cursor of a database, which stays where it was last: what is near is found at once. */
static int get_cursor(LmdbKv *l, unsigned db, MDB_cursor **ret) {
        int r = l->cursors[db] ? 0 : mdb_cursor_open(l->txn, l->dbis[db], &l->cursors[db]);

        *ret = l->cursors[db];
        return lmdb_errno(r);
}

/* Whether a key comes after all that the database has. */
static bool is_behind_all(MDB_cursor *cursor, Slice key) {
        MDB_val last, v;

        return mdb_cursor_get(cursor, &last, &v, MDB_LAST) == 0 &&
               slice_compare(to_slice(last), key) < 0;
}

/* What is added at the end is told to LMDB, which would leave half of each page empty otherwise. */
static int lmdb_put(Kv *kv, unsigned db, Slice key, Slice value) {
        LmdbKv *l = (LmdbKv *)kv;
        MDB_val k = to_val(key), v = to_val(value);
        MDB_cursor *cursor;
        int r = get_cursor(l, db, &cursor);

        if (r < 0)
                return r;
        return lmdb_errno(
                mdb_cursor_put(cursor, &k, &v, is_behind_all(cursor, key) ? MDB_APPEND : 0));
}

static int lmdb_remove(Kv *kv, unsigned db, Slice key) {
        LmdbKv *l = (LmdbKv *)kv;
        MDB_val k = to_val(key);

        return lmdb_errno(mdb_del(l->txn, l->dbis[db], &k, NULL));
}

static int seek_before(MDB_cursor *cursor, MDB_val *k, MDB_val *v) {
        int r = mdb_cursor_get(cursor, k, v, MDB_SET_RANGE);

        if (r == 0)
                return mdb_cursor_get(cursor, k, v, MDB_PREV);
        return r == MDB_NOTFOUND ? mdb_cursor_get(cursor, k, v, MDB_LAST) : r;
}

static int seek_after(MDB_cursor *cursor, Slice key, MDB_val *k, MDB_val *v) {
        int r = mdb_cursor_get(cursor, k, v, MDB_SET_RANGE);

        if (r == 0 && k->mv_size == key.size && memcmp(k->mv_data, key.data, key.size) == 0)
                r = mdb_cursor_get(cursor, k, v, MDB_NEXT);
        return r;
}

/* Pages of a damaged file can lead in circles: every walk must get on. */
static bool is_ordered(KvSeek how, Slice key, MDB_val found) {
        if (found.mv_size == 0)
                return false;
        return how == KV_BEFORE  ? key.size == 0 || slice_compare(to_slice(found), key) < 0
               : how == KV_AFTER ? slice_compare(to_slice(found), key) > 0
                                 : slice_compare(to_slice(found), key) >= 0;
}

static int lmdb_seek(Kv *kv, unsigned db, KvSeek how, Slice key, Slice *ret_key, Slice *ret_value) {
        LmdbKv *l = (LmdbKv *)kv;
        MDB_val k = to_val(key), v;
        MDB_cursor *cursor;
        int r = get_cursor(l, db, &cursor);

        if (r < 0)
                return r;
        if (key.size == 0) /* LMDB takes no empty keys: from the very first, before the very last */
                r = how == KV_BEFORE ? MDB_NOTFOUND : mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
        else if (how == KV_BEFORE)
                r = seek_before(cursor, &k, &v);
        else if (how == KV_AFTER)
                r = seek_after(cursor, key, &k, &v);
        else
                r = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
        if (r != 0)
                return lmdb_errno(r);
        if (!is_ordered(how, key, k))
                return -EBADMSG;
        *ret_key = to_slice(k);
        *ret_value = to_slice(v);
        return 0;
}

static int lmdb_count(Kv *kv, unsigned db, uint64_t *ret) {
        LmdbKv *l = (LmdbKv *)kv;
        MDB_stat stat;
        int r = lmdb_errno(mdb_stat(l->txn, l->dbis[db], &stat));

        if (r == 0)
                *ret = stat.ms_entries;
        return r;
}

static int lmdb_stats(Kv *kv, KvStats *ret) {
        LmdbKv *l = (LmdbKv *)kv;
        MDB_envinfo info;
        MDB_stat stat;
        struct stat st;
        int fd;

        if (mdb_env_info(l->env, &info) != 0 || mdb_env_stat(l->env, &stat) != 0 ||
            mdb_env_get_fd(l->env, &fd) != 0 || fstat(fd, &st) < 0)
                return -EIO;
        *ret = (KvStats){
                .bytes_used = (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize,
                .bytes_max = info.me_mapsize,
                .bytes_file = (uint64_t)st.st_size,
        };
        return 0;
}

/* Compacting gives up on a store in which pages have got lost; as it is it can still be copied.
 * LMDB makes nothing durable here. */
static int lmdb_copy(Kv *kv, int fd) {
        LmdbKv *l = (LmdbKv *)kv;
        int r = mdb_env_copyfd2(l->env, fd, MDB_CP_COMPACT);

        if (r < 0) {
                if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                        return -errno;
                r = mdb_env_copyfd2(l->env, fd, 0);
        }
        if (r == 0 && fsync(fd) < 0)
                return -errno;
        return lmdb_errno(r);
}

/* ---- room ---- */

/* Bytes of pages that were in use and are free again. */
static uint64_t free_bytes(MDB_txn *txn, unsigned page_size) {
        MDB_cursor *cursor;
        uint64_t pages = 0;
        MDB_val k, v;

        if (mdb_cursor_open(txn, 0, &cursor) != 0) /* database 0 lists them */
                return 0;
        while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
                size_t n = 0;

                if (v.mv_size >= sizeof(n))
                        memcpy(&n, v.mv_data, sizeof(n));
                pages += n;
        }
        mdb_cursor_close(cursor);
        return pages * page_size;
}

static KvRoom judge_room(uint64_t left, uint64_t reserve) {
        return left < reserve       ? KV_ROOM_RESERVE
               : left < reserve * 4 ? KV_ROOM_SCARCE
                                    : KV_ROOM_ENOUGH;
}

/* As of the last commit, whatever is open now. */
static uint64_t count_free(LmdbKv *l, unsigned page_size) {
        MDB_txn *txn;
        uint64_t bytes;

        if (mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn) != 0)
                return 0;
        bytes = free_bytes(txn, page_size);
        mdb_txn_abort(txn);
        return bytes;
}

static KvRoom measure_room(LmdbKv *l) {
        uint64_t left, on_disk, reserve, disk_reserve, within;
        struct statvfs fs = {};
        KvStats stats;
        MDB_stat stat;
        KvRoom room;
        int fd;

        if (lmdb_stats(&l->kv, &stats) < 0 || mdb_env_stat(l->env, &stat) != 0 ||
            mdb_env_get_fd(l->env, &fd) != 0 || fstatvfs(fd, &fs) < 0)
                return KV_ROOM_ENOUGH;
        left = stats.bytes_max - MIN(stats.bytes_used, stats.bytes_max);
        on_disk = (uint64_t)fs.f_bavail * fs.f_frsize;
        reserve = MAX(stats.bytes_max / RESERVE_SHARE, RESERVE_MIN);
        disk_reserve = (uint64_t)fs.f_blocks * fs.f_frsize / RESERVE_SHARE;
        disk_reserve = MAX(disk_reserve, RESERVE_MIN);
        disk_reserve = MIN(disk_reserve, RESERVE_MAX);
        room = MAX(judge_room(left, reserve), judge_room(on_disk, disk_reserve));
        if (room == KV_ROOM_ENOUGH)
                return room;
        /* Counting what is free within takes a moment: only where it decides. */
        within = count_free(l, stat.ms_psize);
        return MAX(judge_room(left + within, reserve), judge_room(on_disk + within, disk_reserve));
}

static KvRoom lmdb_room(Kv *kv) {
        LmdbKv *l = (LmdbKv *)kv;
        int64_t now = boot_clock_now();

        if (l->room == KV_ROOM_RESERVE || l->room_commits != l->commits ||
            now - l->room_at > ROOM_AGE_MAX) {
                l->room = measure_room(l);
                l->room_commits = l->commits;
                l->room_at = now;
        }
        return l->room;
}

static Kv *lmdb_free(Kv *kv) {
        LmdbKv *l = (LmdbKv *)kv;

        if (!l)
                return NULL;
        lmdb_end(kv);
        if (l->of) {
                free(l->cursors);
                free(l);
                return NULL;
        }
        if (l->reader)
                mdb_txn_abort(l->reader);
        if (l->env)
                mdb_env_close(l->env);
        if (l->lock_fd >= 0)
                close(l->lock_fd);
        free(l->dbis);
        free(l->cursors);
        free(l);
        return NULL;
}

static int lmdb_writer(Kv *kv, Kv **ret);

static const KvOps lmdb_ops = {
        .begin = lmdb_begin,
        .commit = lmdb_commit,
        .end = lmdb_end,
        .get = lmdb_get,
        .put = lmdb_put,
        .remove = lmdb_remove,
        .seek = lmdb_seek,
        .count = lmdb_count,
        .stats = lmdb_stats,
        .copy = lmdb_copy,
        .writer = lmdb_writer,
        .room = lmdb_room,
        .free = lmdb_free,
};

/* LMDB itself sees to it that readers and a writer do not meet. */
static int lmdb_writer(Kv *kv, Kv **ret) {
        LmdbKv *l = (LmdbKv *)kv, *writer = calloc(1, sizeof(*writer));

        if (!writer)
                return -ENOMEM;
        *writer = (LmdbKv){ .kv.ops = &lmdb_ops,
                            .env = l->env,
                            .of = l,
                            .lock_fd = -1,
                            .n_databases = l->n_databases,
                            .dbis = l->dbis,
                            .cursors = calloc(l->n_databases, sizeof(MDB_cursor *)) };
        if (!writer->cursors) {
                free(writer);
                return -ENOMEM;
        }
        *ret = &writer->kv;
        return 0;
}

/* A truncated file would be a SIGBUS at the first touch of a missing page: compare before. */
static int check_size(LmdbKv *l, const char *path, Refusal *why) {
        KvStats stats;
        MDB_stat stat;
        int r = lmdb_stats(&l->kv, &stats);

        if (r < 0 || stats.bytes_file >= stats.bytes_used)
                return r;
        if (mdb_env_stat(l->env, &stat) == 0 &&
            kv_lmdb_misses_free_pages_only(path, stats.bytes_file / stat.ms_psize,
                                           stats.bytes_used / stat.ms_psize))
                return 0;
        refuse(why, REFUSED_INTERNAL,
               "%s is cut short: it has %llu bytes and should have %llu; restore a backup", path,
               (unsigned long long)stats.bytes_file, (unsigned long long)stats.bytes_used);
        return -EBADMSG;
}

/* Only -ENOENT says that it is not there: what cannot be looked at must not be begun anew. */
static int look_for(const char *path, struct stat *ret) {
        return stat(path, ret) < 0 ? -errno : 0;
}

static int open_environment(LmdbKv *l, const KvLmdbOptions *options, const char *path,
                            Refusal *why) {
        unsigned flags = MDB_NOTLS | MDB_NOSUBDIR | (options->read_only ? MDB_RDONLY : 0) |
                         (options->scratch ? MDB_NOSYNC | MDB_NOLOCK : 0) |
                         (options->file ? MDB_NOLOCK : 0);
        struct stat st;
        int r, fd, dead;

        r = look_for(path, &st);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r == 0 && st.st_size == 0) { /* LMDB would begin anew in it */
                refuse(why, REFUSED_INTERNAL,
                       "%s is empty: restore a backup, or remove it to begin without any data",
                       path);
                return -EBADMSG;
        }
        r = mdb_env_create(&l->env);
        if (r != 0)
                return lmdb_errno(r);
        mdb_env_set_mapsize(l->env, options->map_size);
        mdb_env_set_maxdbs(l->env, options->n_databases);
        mdb_env_set_maxreaders(l->env, MAX_READERS);
        r = mdb_env_open(l->env, path, flags, 0600);
        if (r != 0) {
                refuse(why, REFUSED_INTERNAL, "cannot open %s: %s%s", path, mdb_strerror(r),
                       r == MDB_INVALID ? "; it is not a database of aftersalesd" : "");
                return lmdb_errno(r);
        }
        /* LMDB closes all of its descriptors on exec but this one. */
        if (mdb_env_get_fd(l->env, &fd) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return -EIO;
        mdb_reader_check(l->env, &dead);
        if (!(flags & MDB_NOLOCK))
                file_give_to_owner(options->directory, LMDB_LOCK_NAME);
        return check_size(l, path, why);
}

static int open_databases(LmdbKv *l, const KvLmdbOptions *options, Refusal *why) {
        int r;

        l->n_databases = options->n_databases;
        l->dbis = calloc(options->n_databases, sizeof(*l->dbis));
        l->cursors = calloc(options->n_databases, sizeof(MDB_cursor *));
        if (!l->dbis || !l->cursors)
                return -ENOMEM;
        r = lmdb_errno(mdb_txn_begin(l->env, NULL, options->read_only ? MDB_RDONLY : 0, &l->txn));
        for (unsigned i = 0; r == 0 && i < options->n_databases; i++) {
                r = lmdb_errno(mdb_dbi_open(l->txn, options->databases[i],
                                            options->read_only ? 0 : MDB_CREATE, &l->dbis[i]));
                /* The first is enough to see whose it is; others an old one may not have. */
                if (r == 0 && i == 0 && options->accept)
                        r = options->accept(&l->kv, options->userdata, why);
        }
        if (r == 0)
                r = lmdb_errno(mdb_txn_commit(TAKE_PTR(l->txn)));
        else if (l->txn)
                mdb_txn_abort(TAKE_PTR(l->txn));
        return r;
}

/* Unless a better reason is there already. */
static int refuse_path(Refusal *why, const char *what, const char *path, int r) {
        if (why->code == 0)
                refuse(why, REFUSED_INTERNAL, "cannot %s %s: %s", what, path, strerror(-r));
        return r;
}

static int open_at(const KvLmdbOptions *options, const char *path, LmdbKv **ret, Refusal *why) {
        LmdbKv *l = calloc(1, sizeof(*l));
        int r;

        if (!l)
                return -ENOMEM;
        *l = (LmdbKv){ .kv.ops = &lmdb_ops, .lock_fd = -1, .one_state = options->read_only };
        r = open_environment(l, options, path, why);
        if (r == 0)
                r = open_databases(l, options, why);
        if (r < 0) {
                lmdb_free(&l->kv);
                return refuse_path(why, "open", path, r);
        }
        *ret = l;
        return 0;
}

/* LMDB writes to its lock file through a mapping: without room for it that would be a SIGBUS. */
static int check_room(const char *directory, Refusal *why) {
        struct statvfs fs;

        if (statvfs(directory, &fs) < 0)
                return -errno;
        if ((uint64_t)fs.f_bavail * fs.f_frsize >= FIRST_ROOM)
                return 0;
        refuse(why, REFUSED_INTERNAL,
               "cannot create a database in %s: %s; %d KiB are needed to begin with", directory,
               strerror(ENOSPC), FIRST_ROOM / 1024);
        return -ENOSPC;
}

/* LMDB's first commits are not atomic, so a new store is made under another name and appears whole.
 */
static int create_store(const KvLmdbOptions *options, const char *path, const char *new_path,
                        Refusal *why) {
        KvLmdbOptions fresh = *options;
        LmdbKv *l = NULL;
        char lock[STORE_PATH_MAX + 8];
        int r;

        fresh.accept = NULL;
        r = check_room(options->directory, why);
        if (r < 0)
                return r;
        snprintf(lock, sizeof(lock), "%s-lock", new_path);
        if ((unlink(new_path) < 0 && errno != ENOENT) || (unlink(lock) < 0 && errno != ENOENT))
                return -errno;
        r = open_at(&fresh, new_path, &l, why);
        if (r < 0)
                return r;
        r = lmdb_begin(&l->kv, true);
        if (r == 0)
                r = options->create(&l->kv, options->userdata);
        if (r == 0)
                r = lmdb_commit(&l->kv);
        if (r == 0)
                r = lmdb_errno(mdb_env_sync(l->env, 1));
        lmdb_free(&l->kv);
        if (r == 0 && rename(new_path, path) < 0)
                r = -errno;
        unlink(lock);
        return r < 0 ? r : file_sync_directory(options->directory);
}

int kv_lmdb_lock(const char *directory, int *ret, Refusal *why) {
        _cleanup_close_ int fd = -1;
        char path[STORE_PATH_MAX];

        snprintf(path, sizeof(path), "%s/" LOCK_NAME, directory);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
                int r = -errno;

                refuse(why, REFUSED_INTERNAL, "cannot create %s: %s", path, strerror(-r));
                return r;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                refuse(why, REFUSED_INTERNAL, "%s is in use by another aftersalesd", directory);
                return -EBUSY;
        }
        file_give_to_owner(directory, LOCK_NAME);
        *ret = TAKE_FD(fd);
        return 0;
}

int kv_lmdb_paths(const char *directory, char *ret, char *ret_new, size_t size) {
        bool fits = snprintf(ret, size, "%s/" FILE_NAME, directory) < (int)size &&
                    snprintf(ret_new, size, "%s/" NEW_FILE_NAME, directory) < (int)size;

        return fits ? 0 : -ENAMETOOLONG;
}

/* Those who still look at the old store keep its lock file and must not share one with the daemon
 * that will write the new: it is another database, with other numbers. */
int kv_lmdb_replace(const char *directory, const char *keep) {
        char path[STORE_PATH_MAX], new_path[STORE_PATH_MAX], lock[STORE_PATH_MAX];
        int r = kv_lmdb_paths(directory, path, new_path, sizeof(path));

        if (r == 0 &&
            snprintf(lock, sizeof(lock), "%s/" LMDB_LOCK_NAME, directory) >= (int)sizeof(lock))
                r = -ENAMETOOLONG;
        if (r < 0)
                return r;
        file_give_to_owner(directory, NEW_FILE_NAME);
        /* Whoever sees the new one must find the old one. */
        if (keep && (link(path, keep) < 0 || file_sync_directory(directory) < 0))
                return -errno;
        if (unlink(lock) < 0 && errno != ENOENT)
                return -errno;
        if (rename(new_path, path) < 0)
                return -errno;
        return file_sync_directory(directory);
}

/* Its name is taken away at once: whatever becomes of the process, nothing stays. */
static int open_scratch(const KvLmdbOptions *options, Kv **ret, Refusal *why) {
        char path[STORE_PATH_MAX];
        LmdbKv *l = NULL;
        int r;

        snprintf(path, sizeof(path), "%s/scratch-%ld.mdb", options->directory, (long)getpid());
        r = open_at(options, path, &l, why);
        unlink(path);
        if (r < 0)
                return r;
        *ret = &l->kv;
        return 0;
}

static int open_file(const KvLmdbOptions *options, Kv **ret, Refusal *why) {
        LmdbKv *l = NULL;
        int r = open_at(options, options->file, &l, why);

        if (r == 0)
                *ret = &l->kv;
        return r;
}

static int create_if_missing(const KvLmdbOptions *options, const char *path, const char *new_path,
                             Refusal *why) {
        struct stat st;
        int r = look_for(path, &st);

        if (r == 0)
                return 0;
        if (r != -ENOENT)
                return refuse_path(why, "look for", path, r);
        r = create_store(options, path, new_path, why);
        return r < 0 ? refuse_path(why, "create", path, r) : 0;
}

int kv_lmdb_open(const KvLmdbOptions *options, Kv **ret, Refusal *why) {
        _cleanup_close_ int lock_fd = -1;
        char path[STORE_PATH_MAX], new_path[STORE_PATH_MAX];
        LmdbKv *l = NULL;
        int r;

        if (options->file)
                return open_file(options, ret, why);
        if (strlen(options->directory) > sizeof(path) - 64)
                return -ENAMETOOLONG;
        snprintf(path, sizeof(path), "%s/" FILE_NAME, options->directory);
        snprintf(new_path, sizeof(new_path), "%s/" NEW_FILE_NAME, options->directory);
        if (options->scratch)
                return open_scratch(options, ret, why);
        if (!options->read_only) {
                r = kv_lmdb_lock(options->directory, &lock_fd, why);
                if (r < 0)
                        return r;
                r = create_if_missing(options, path, new_path, why);
                if (r < 0)
                        return r;
        }
        r = open_at(options, path, &l, why);
        if (r < 0)
                return r;
        l->lock_fd = TAKE_FD(lock_fd);
        *ret = &l->kv;
        return 0;
}
