/* SPDX-License-Identifier: Apache-2.0 */

/* The store as files: opening, refusing to open, the first creation, no room. */

#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/macro.h"
#include "store/wal.h"

#include "kv-memory.c"
#include "shelf.c"

#define CHILD_OK 42

/* ---- files ---------------------------------------------------------------------------------- */

static void write_bytes(const Shelf *shelf, const char *name, const void *data, size_t size) {
        char path[128];
        FILE *file = fopen(shelf_path(shelf, name, path), "we");

        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
}

/* The digest of a file, zero when it is not there. */
static Digest digest_of(const Shelf *shelf, const char *name) {
        _cleanup_(buffer_done) Buffer buffer = {};
        char path[128], block[4096];
        FILE *file = fopen(shelf_path(shelf, name, path), "re");
        Digest digest = {};
        size_t n;

        if (!file)
                return digest;
        while ((n = fread(block, 1, sizeof(block), file)) > 0)
                buffer_put(&buffer, block, n);
        assert_int_equal(fclose(file), 0);
        digest_pieces(&digest, buffer.data, buffer.size, NULL, 0, NULL, 0);
        return digest;
}

static bool exists(const Shelf *shelf, const char *name) {
        char path[128];
        struct stat st;

        return stat(shelf_path(shelf, name, path), &st) == 0;
}

static off_t size_of(const Shelf *shelf) {
        char path[128];
        struct stat st;

        assert_int_equal(stat(shelf_path(shelf, "state.mdb", path), &st), 0);
        return st.st_size;
}

/* What a function finds in a process of its own. */
static void assert_in_child(Shelf *shelf, void (*function)(Shelf *shelf)) {
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0) {
                setenv("CMOCKA_TEST_ABORT", "1", true); /* a failure ends the child */
                function(shelf);
                _exit(CHILD_OK);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), CHILD_OK);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void put_row(MDB_txn *txn, unsigned dbi, const char *key, const void *data, size_t size) {
        MDB_val k = { strlen(key), (void *)key }, v = { size, (void *)data };

        assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
}

#define SCHEMA_AT 15 /* the last byte of its version */

static void raise_version(MDB_txn *txn, unsigned dbi) {
        char row[] = "aftersalesd\0\0\0\0\0\0\3";

        row[SCHEMA_AT] = STORE_SCHEMA_VERSION + 1;
        put_row(txn, dbi, "schema", row, sizeof(row) - 1);
}

static void change_magic(MDB_txn *txn, unsigned dbi) {
        put_row(txn, dbi, "schema", "beforesales\0\0\0\0\1\0\3", 18);
}

static void cut_schema(MDB_txn *txn, unsigned dbi) {
        put_row(txn, dbi, "schema", "aftersalesd\0\0\0\0\1\0", 17);
}

static void remove_head(MDB_txn *txn, unsigned dbi) {
        MDB_val k = { 4, (void *)"head" };

        assert_int_equal(mdb_del(txn, dbi, &k, NULL), 0);
}

static void flip_head(MDB_txn *txn, unsigned dbi) {
        MDB_val k = { 4, (void *)"head" }, v;
        uint8_t bytes[128];

        assert_int_equal(mdb_get(txn, dbi, &k, &v), 0);
        assert_true(v.mv_size <= sizeof(bytes));
        memcpy(bytes, v.mv_data, v.mv_size);
        bytes[7] ^= 1;
        put_row(txn, dbi, "head", bytes, v.mv_size);
}

/* As text. */
#define NUMBER(n)  NUMBER_(n)
#define NUMBER_(n) #n

static void edit_version(Shelf *shelf) {
        shelf_edit(shelf, "meta", raise_version);
}

static void edit_magic(Shelf *shelf) {
        shelf_edit(shelf, "meta", change_magic);
}

static void edit_cut_schema(Shelf *shelf) {
        shelf_edit(shelf, "meta", cut_schema);
}

static void edit_no_head(Shelf *shelf) {
        shelf_edit(shelf, "meta", remove_head);
}

static void edit_head(Shelf *shelf) {
        shelf_edit(shelf, "meta", flip_head);
}

static void other_site(Shelf *shelf) {
        shelf->options.site = SHELF_SITE + 1;
}

/* A good LMDB file, but somebody else's. */
static void make_foreign(Shelf *shelf) {
        char path[128];
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi dbi;

        assert_int_equal(unlink(shelf_path(shelf, "state.mdb", path)), 0);
        assert_int_equal(mdb_env_create(&env), 0);
        assert_int_equal(mdb_env_set_maxdbs(env, 1), 0);
        assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
        assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
        assert_int_equal(mdb_dbi_open(txn, "addresses", MDB_CREATE, &dbi), 0);
        put_row(txn, dbi, "k", "v", 1);
        assert_int_equal(mdb_txn_commit(txn), 0);
        mdb_env_close(env);
}

static void make_text(Shelf *shelf) {
        write_bytes(shelf, "state.mdb", "this is no database\n", 20);
}

static void make_noise(Shelf *shelf) {
        uint8_t bytes[3 * 4096];

        memset(bytes, 0xa5, sizeof(bytes));
        write_bytes(shelf, "state.mdb", bytes, sizeof(bytes));
}

static void make_empty(Shelf *shelf) {
        write_bytes(shelf, "state.mdb", "", 0);
}

static void cut_to(Shelf *shelf, off_t size) {
        char path[128];

        assert_int_equal(truncate(shelf_path(shelf, "state.mdb", path), size), 0);
}

static void cut_a_byte(Shelf *shelf) {
        cut_to(shelf, size_of(shelf) - 1);
}

static void cut_half(Shelf *shelf) {
        cut_to(shelf, size_of(shelf) / 2);
}

static void cut_to_two_pages(Shelf *shelf) {
        cut_to(shelf, 2 * 4096);
}

static void cut_within_meta(Shelf *shelf) {
        cut_to(shelf, 100);
}

static void remove_all(Shelf *shelf) {
        remove_directory(shelf->directory);
}

static void look_only(Shelf *shelf) {
        char path[128];

        assert_int_equal(unlink(shelf_path(shelf, "state.mdb", path)), 0);
        shelf->options.read_only = true;
}

static const struct {
        void (*prepare)(Shelf *shelf);
        int result;
        const char *text;
} refusals[] = {
        { edit_version, -EPROTONOSUPPORT,
          ", written by a newer aftersalesd; this one understands up to " NUMBER(
                  STORE_SCHEMA_VERSION) ": install the newer program again" },
        { other_site, -EREMCHG,
          "the database belongs to site 3, the configuration says site 4: mend 'site' or "
          "'store.directory'" },
        { edit_magic, -EBADMSG, "the database was not made by aftersalesd" },
        { edit_cut_schema, -EBADMSG, "the database was not made by aftersalesd" },
        { make_foreign, -EBADMSG, "the database was not made by aftersalesd" },
        { edit_no_head, -EBADMSG, "cannot open the database" },
        { edit_head, -EBADMSG, "cannot open the database" },
        { make_text, -EBADMSG, "it is not a database of aftersalesd" },
        { make_noise, -EBADMSG, "it is not a database of aftersalesd" },
        { make_empty, -EBADMSG, "is empty" },
        { cut_a_byte, -EBADMSG, "is cut short: it has " },
        { cut_half, -EBADMSG, "is cut short: it has " },
        { cut_to_two_pages, -EBADMSG, "is cut short: it has 8192 bytes and should have " },
        { cut_within_meta, -EBADMSG, "it is not a database of aftersalesd" },
        { remove_all, -ENOENT, "No such file or directory" },
        { look_only, -ENOENT, "No such file or directory" },
};

/* Refused with a word, and what is refused is not touched. */
static void test_refused(_unused_ void **state) {
        for (size_t i = 0; i < ELEMENTS(refusals); i++) {
                Digest before, after;
                Refusal why;
                Shelf *shelf;
                int r;

                assert_int_equal(shelf_setup((void **)&shelf), 0);
                for (unsigned k = 0; k < 200; k++)
                        shelf_add(shelf, "name", k % 10, "red");
                shelf_commit(shelf);
                shelf_close(shelf);
                refusals[i].prepare(shelf);
                before = digest_of(shelf, "state.mdb");
                r = shelf_try_open(shelf, &why);
                if (r != refusals[i].result || !strstr(why.text, refusals[i].text))
                        fail_msg("case %zu: %d, %s", i, r, why.text);
                assert_null(shelf->store);
                after = digest_of(shelf, "state.mdb");
                if (memcmp(&before, &after, sizeof(before)) != 0)
                        fail_msg("case %zu: the file was changed", i);
                if (refusals[i].prepare == remove_all)
                        assert_int_equal(mkdir(shelf->directory, 0700), 0);
                shelf_teardown((void **)&shelf);
        }
}

/* ---- two at once ---------------------------------------------------------------------------- */

static void assert_busy(Shelf *shelf) {
        Shelf other = { .options = shelf->options };
        Refusal why;

        assert_int_equal(shelf_try_open(&other, &why), -EBUSY);
        assert_non_null(strstr(why.text, "is in use by another aftersalesd"));
}

/* Another process may look, and sees what is in the database. */
static void look_beside(Shelf *shelf) {
        Shelf other = { .options = shelf->options };

        other.options.read_only = true;
        shelf_open(&other);
        if (shelf_group(&other, UINT64_C(3) << ID_SITE_SHIFT | 1) != 1 ||
            shelf_group(&other, UINT64_C(3) << ID_SITE_SHIFT | 2) != -1)
                _exit(1);
        shelf_close(&other);
}

static void test_one_at_a_time(void **state) {
        Shelf *shelf = *state;

        shelf_add(shelf, "durable", 1, NULL);
        shelf_commit(shelf);
        assert_int_equal(store_settle(shelf->store), 0);
        shelf_add(shelf, "not yet", 2, NULL);
        assert_busy(shelf);
        assert_in_child(shelf, assert_busy);
        assert_in_child(shelf, look_beside);
        shelf_commit(shelf);
        shelf_reopen(shelf);
        assert_busy(shelf);
}

typedef struct Turns {
        int here[2], there[2];
} Turns;

static void take_turn(const int out[static 2], const int in[static 2]) {
        char c = 0;

        assert_int_equal(write(out[1], &c, 1), 1);
        assert_int_equal(read(in[0], &c, 1), 1);
}

static void look_on(Shelf *shelf, const Turns *turns) {
        Shelf other = { .options = shelf->options };
        _cleanup_free_ char *faults = NULL;
        uint64_t count;

        other.options.read_only = true;
        shelf_open(&other);
        take_turn(turns->there, turns->here);
        faults = shelf_check(&other);
        if (*faults || store_count(other.store, &item_table, &count) < 0 || count != 2)
                _exit(1);
        store_free(other.store);
        _exit(CHILD_OK);
}

/* It sees one state, that in which it began, whatever is written meanwhile. */
static void test_one_state(void **state) {
        Shelf *shelf = *state;
        Turns turns;
        int status;
        pid_t pid;

        assert_int_equal(pipe2(turns.here, O_CLOEXEC) | pipe2(turns.there, O_CLOEXEC), 0);
        shelf_add(shelf, "in the database", 1, "red");
        shelf_commit(shelf);
        assert_int_equal(store_settle(shelf->store), 0);
        shelf_add(shelf, "in the log", 2, "red");
        shelf_commit(shelf);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                look_on(shelf, &turns);
        assert_int_equal(read(turns.there[0], &(char){ 0 }, 1), 1);
        shelf_add(shelf, "later", 3, "red");
        shelf_commit(shelf);
        assert_int_equal(store_settle(shelf->store), 0);
        assert_int_equal(write(turns.here[1], "", 1), 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), CHILD_OK);
        for (size_t i = 0; i < 2; i++) {
                close(turns.here[i]);
                close(turns.there[i]);
        }
}

static void test_nothing_for_children(void **state) {
        Shelf *shelf = *state;
        DIR *directory = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(directory);
        for (struct dirent *entry; (entry = readdir(directory));) {
                char path[512] = "";

                if (readlinkat(dirfd(directory), entry->d_name, path, sizeof(path) - 1) < 0 ||
                    !strstr(path, shelf->directory))
                        continue;
                n++;
                if (!(fcntl(atoi(entry->d_name), F_GETFD) & FD_CLOEXEC))
                        fail_msg("a child would get %s", path);
        }
        closedir(directory);
        assert_in_range(n, 4, 6); /* the data, the log, the locks */
}

/* ---- the first creation --------------------------------------------------------------------- */

static void clear(Shelf *shelf) {
        shelf_close(shelf);
        remove_directory(shelf->directory);
        assert_int_equal(mkdir(shelf->directory, 0700), 0);
}

static void test_left_over(void **state) {
        static const size_t sizes[] = { 0, 100, 4096, 8192, 65536 };
        Shelf *shelf = *state;

        for (size_t i = 0; i < ELEMENTS(sizes); i++) {
                _cleanup_free_ uint8_t *bytes = calloc(1, 65536);

                assert_non_null(bytes);
                memset(bytes, 0xff, sizes[i]);
                clear(shelf);
                write_bytes(shelf, "state.mdb.new", bytes, sizes[i]);
                write_bytes(shelf, "state.mdb.new-lock", bytes, sizes[i]);
                shelf_open(shelf);
                assert_false(exists(shelf, "state.mdb.new"));
                assert_false(exists(shelf, "state.mdb.new-lock"));
                shelf_add(shelf, "a", 1, NULL);
                shelf_commit(shelf);
        }
}

/* state.mdb is never written to before it has its name, so it appears whole or not at all. */
static void test_appears_whole(void **state) {
        Shelf *shelf = *state;
        _Alignas(struct inotify_event) char events[8192];
        bool written = false, appeared = false;
        ssize_t n;
        int fd;

        clear(shelf);
        fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        assert_true(fd >= 0);
        assert_true(inotify_add_watch(fd, shelf->directory,
                                      IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO) >= 0);
        shelf_open(shelf);
        n = read(fd, events, sizeof(events));
        assert_true(n > 0);
        for (ssize_t at = 0; at < n;) {
                const struct inotify_event *event = (const void *)(events + at);

                if (STREQ(event->name, "state.mdb.new") && event->mask & IN_CLOSE_WRITE)
                        written = true;
                if (STREQ(event->name, "state.mdb") && !appeared) {
                        assert_int_equal(event->mask, IN_MOVED_TO);
                        assert_true(written);
                        appeared = true;
                }
                at += (ssize_t)sizeof(*event) + event->len;
        }
        assert_true(appeared);
        close(fd);
}

static int die_in_creation(Kv *kv, void *userdata) {
        const int *result = userdata;

        if (kv->ops->put(kv, 0, (Slice){ "schema", 6 }, (Slice){ "half", 4 }) < 0)
                _exit(1);
        if (*result == 0)
                _exit(CHILD_OK);
        return *result;
}

static int create_with(Shelf *shelf, int result) {
        static const char *const databases[] = { "meta", "journal" };
        KvLmdbOptions options = {
                .directory = shelf->directory,
                .databases = databases,
                .n_databases = ELEMENTS(databases),
                .map_size = SHELF_MAP_SIZE,
                .create = die_in_creation,
                .userdata = &result,
        };
        Refusal why = {};
        Kv *kv;

        return kv_lmdb_open(&options, &kv, &why);
}

static void create_and_die(Shelf *shelf) {
        create_with(shelf, 0);
}

static void test_creation_fails(void **state) {
        Shelf *shelf = *state;

        clear(shelf);
        assert_in_child(shelf, create_and_die);
        assert_true(exists(shelf, "state.mdb.new"));
        assert_false(exists(shelf, "state.mdb"));
        assert_int_equal(create_with(shelf, -ENOSPC), -ENOSPC);
        assert_false(exists(shelf, "state.mdb"));
        assert_int_equal(create_with(shelf, -EIO), -EIO);
        shelf_open(shelf);
        assert_false(exists(shelf, "state.mdb.new"));
        assert_int_equal(store_head(shelf->store)->sequence, 0);
        shelf_add(shelf, "a", 1, NULL);
        shelf_commit(shelf);
}

/* ---- no room -------------------------------------------------------------------------------- */

static void assert_clean(Shelf *shelf) {
        _cleanup_free_ char *faults = shelf_check(shelf);

        assert_string_equal(faults, "");
}

/* Adds items of some size until there is no more room; gives how many are durable. */
static uint64_t fill(Shelf *shelf, size_t size, unsigned per_batch) {
        _cleanup_free_ char *name = malloc(size + 1);
        uint64_t n = 0, limit = 100000 / per_batch;
        int r = 0;

        assert_non_null(name);
        memset(name, 'x', size);
        name[size] = '\0';
        while (r == 0 && limit-- > 0) {
                for (unsigned i = 0; r == 0 && i < per_batch; i++) {
                        Change *change = shelf_begin(shelf);

                        shelf_put(change, 0, name, 1, "red", false);
                        r = shelf_try_apply(shelf, change);
                }
                if (r < 0) { /* a reader in the same batch hears why, not that the disk is broken */
                        uint64_t count;

                        assert_int_equal(r, -ENOSPC);
                        assert_int_equal(store_count(shelf->store, &item_table, &count), -ENOSPC);
                        assert_int_equal(store_commit(shelf->store), -ENOSPC);
                } else {
                        r = store_commit(shelf->store);
                        n += r == 0 ? per_batch : 0;
                }
        }
        assert_int_equal(r, -ENOSPC);
        return n;
}

static void assert_items(Shelf *shelf, uint64_t n) {
        uint64_t count;

        assert_int_equal(store_count(shelf->store, &item_table, &count), 0);
        assert_int_equal(count, n);
        assert_clean(shelf);
}

static void remove_items(Shelf *shelf, unsigned keep) {
        Key position = {};
        uint64_t count;
        Item item;

        assert_int_equal(store_count(shelf->store, &item_table, &count), 0);
        while (count > keep) {
                assert_int_equal(store_next(shelf->store, &item_table, &position, &item), 0);
                shelf_remove(shelf, item.id);
                shelf_commit(shelf);
                record_done(&item_type, &item);
                count--;
        }
}

static void test_map_full(void **state) {
        Shelf *shelf = *state;

        clear(shelf);
        shelf->options.map_size = 512 * 1024;
        shelf->options.journal_keep = 0; /* so that the journal gives its room back */
        shelf_open(shelf);
        for (unsigned round = 0; round < 10; round++) {
                uint64_t before, n, small;

                assert_int_equal(store_count(shelf->store, &item_table, &before), 0);
                n = fill(shelf, 2000, 40);
                assert_true(round > 0 || n > 0);
                assert_items(shelf, before + n);
                store_note_published(shelf->store, store_head(shelf->store)->sequence);
                small = shelf_add(shelf, "a small one", 2, NULL); /* still fits */
                shelf_commit(shelf);
                assert_int_equal(shelf_group(shelf, small), 2);
                remove_items(shelf, 10);
                assert_items(shelf, 10);
                if (round % 3 == 2)
                        shelf_reopen(shelf);
        }
}

/* The same on a disk that is full, or a quota: LMDB then writes half of what it wants to. */
static void fill_disk(Shelf *shelf) {
        struct rlimit limit = { 300 * 1024 + 1000, RLIM_INFINITY };
        char path[128];
        uint64_t n;

        assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        shelf_open(shelf); /* without room for a log */
        assert_int_equal(access(shelf_path(shelf, "state.wal", path), F_OK), -1);
        n = fill(shelf, 2000, 7);
        assert_true(n > 0);
        assert_items(shelf, n);
        assert_int_equal(fill(shelf, 2000, 7), 0);
        limit.rlim_cur = RLIM_INFINITY;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        shelf_add(shelf, "now it fits", 2, NULL); /* without a restart */
        shelf_commit(shelf);
        assert_items(shelf, n + 1);
        shelf_reopen(shelf);
        assert_items(shelf, n + 1);
        shelf_close(shelf);
}

static void test_disk_full(void **state) {
        Shelf *shelf = *state;

        clear(shelf);
        assert_in_child(shelf, fill_disk);
        shelf_open(shelf);
}

/* ---- a log that was cut short, on a full disk ----------------------------------------------- */

static void open_limited(Shelf *shelf, rlim_t size, int expected) {
        struct rlimit limit = { size, RLIM_INFINITY };
        Refusal why;
        int r;

        assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        r = shelf_try_open(shelf, &why);
        if (r != expected)
                fail_msg("%d: %s", r, why.text);
        limit.rlim_cur = RLIM_INFINITY;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        if (r < 0)
                assert_non_null(strstr(why.text, "free disk space"));
}

static void bring_without_room(Shelf *shelf) {
        uint64_t n;

        open_limited(shelf, 8200, -ENOSPC); /* for the database neither */
        open_limited(shelf, 1024 * 1024, 0);
        assert_int_equal(store_count(shelf->store, &item_table, &n), 0);
        assert_int_equal(n, 1);
        shelf_add(shelf, "another", 2, NULL);
        shelf_commit(shelf);
        shelf->store = store_free(shelf->store);
}

static void test_short_log(void **state) {
        Shelf *shelf = *state;
        char path[128];
        uint64_t n;

        shelf_add(shelf, "in the log", 2, NULL);
        shelf_commit(shelf);
        assert_false(store_is_settled(shelf->store));
        shelf->store = store_free(shelf->store);
        assert_int_equal(truncate(shelf_path(shelf, "state.wal", path), 8192), 0);
        assert_in_child(shelf, bring_without_room);
        shelf_open(shelf);
        assert_int_equal(store_count(shelf->store, &item_table, &n), 0);
        assert_int_equal(n, 2);
}

/* ---- the file of the log -------------------------------------------------------------------- */

static void (*between_areas)(
        void);          /* called once, when the first was read and the second was not */
static int write_error; /* of the next write; which is done all the same */

ssize_t pread(int fd, void *buffer, size_t size, off_t at) {
        if (at == WAL_AREA && between_areas) {
                void (*function)(void) = between_areas;

                between_areas = NULL;
                function();
        }
        if (at < WAL_AREA)
                size = MIN(size, (size_t)(WAL_AREA - at));
        return syscall(SYS_pread64, fd, buffer, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
        ssize_t n = syscall(SYS_pwrite64, fd, data, size, at);

        if (write_error == 0)
                return n;
        errno = write_error;
        write_error = 0;
        return -1;
}

static Wal *log_written;
static uint64_t frames_written;

static int append_frame(void) {
        _cleanup_(buffer_done) Buffer frame = {};

        wal_begin_frame(&frame);
        wal_add_record(&frame, (Slice){ "record", 6 });
        return wal_append(log_written, &frame, 1, 0, ++frames_written);
}

static void go_past_checkpoint(void) {
        assert_int_equal(append_frame(), 0);
        wal_restart(log_written, 3);
        assert_int_equal(append_frame(), 0);
}

static int see_next(void *userdata, const WalFrame *frame) {
        uint64_t *seen = userdata;

        assert_int_equal(frame->published, ++*seen);
        return 0;
}

/* Who looks at the log sees no frame without the one before it. */
static void test_look(void **state) {
        Shelf *shelf = *state;
        WalMedium *file, *frozen;
        uint64_t seen = 0;
        Wal *looked;

        assert_int_equal(wal_file_open(shelf->directory, &file), 0);
        assert_int_equal(wal_new(file, false, &log_written), 0);
        wal_restart(log_written, 2);
        assert_int_equal(append_frame(), 0);
        between_areas = go_past_checkpoint;
        assert_int_equal(wal_file_freeze(shelf->directory, &frozen), 0);
        assert_null(between_areas);
        assert_int_equal(wal_new(frozen, false, &looked), 0);
        assert_int_equal(wal_read(looked, 2, see_next, &seen), 0);
        assert_int_equal(seen, frames_written);
        wal_free(looked);
        write_error = ENOMEM; /* the frame is there: this is not as if nothing had begun */
        assert_int_equal(append_frame(), -EIO);
        write_error = EDQUOT;
        assert_int_equal(append_frame(), -ENOSPC);
        wal_free(log_written);
        write_bytes(shelf, "state.wal", "", 0); /* these were no changes */
}

#define ON_LMDB(test) cmocka_unit_test_setup_teardown(test, shelf_setup, shelf_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_refused),
                ON_LMDB(test_one_at_a_time),
                ON_LMDB(test_one_state),
                ON_LMDB(test_nothing_for_children),
                ON_LMDB(test_left_over),
                ON_LMDB(test_appears_whole),
                ON_LMDB(test_creation_fails),
                ON_LMDB(test_map_full),
                ON_LMDB(test_disk_full),
                ON_LMDB(test_short_log),
                ON_LMDB(test_look),
        };

        return cmocka_run_group_tests_name("store-files", tests, NULL, NULL);
}
