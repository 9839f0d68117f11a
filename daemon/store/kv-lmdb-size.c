/* SPDX-License-Identifier: Apache-2.0 */

#include "store/kv-lmdb-size.h"

#include <errno.h>
#include <lmdb.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/macro.h"

#define MISSING_MAX 65536 /* pages; a transaction does not give back more at the end */
#define FREE_PAGES  0     /* the database in which LMDB lists them */

/* Ticks off the free ones among the missing pages of one list: how many, then their numbers. */
static uint64_t count_missing(MDB_val list, uint64_t has, uint64_t says, bool *ticked) {
        uint64_t found = 0;
        size_t n = 0, page;

        if (list.mv_size >= sizeof(n))
                memcpy(&n, list.mv_data, sizeof(n));
        n = MIN(n, list.mv_size / sizeof(n) - 1);
        for (size_t i = 1; i <= n; i++) {
                memcpy(&page, (const char *)list.mv_data + i * sizeof(page), sizeof(page));
                if (page < has || page >= says || ticked[page - has])
                        continue;
                ticked[page - has] = true;
                found++;
        }
        return found;
}

static bool look(const char *path, uint64_t has, uint64_t says) {
        bool *ticked = calloc(says - has, sizeof(*ticked));
        MDB_env *env = NULL;
        MDB_txn *txn = NULL;
        MDB_cursor *cursor = NULL;
        uint64_t found = 0;
        MDB_val k, v;

        if (!ticked || mdb_env_create(&env) != 0 ||
            mdb_env_open(env, path, MDB_RDONLY | MDB_NOLOCK | MDB_NOSUBDIR, 0) != 0 ||
            mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0 ||
            mdb_cursor_open(txn, FREE_PAGES, &cursor) != 0)
                return false; /* the process ends */
        while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0)
                found += count_missing(v, has, says, ticked);
        return found == says - has;
}

bool kv_lmdb_misses_free_pages_only(const char *path, uint64_t has, uint64_t says) {
        static const struct rlimit no_core = {};
        int status = 0;
        pid_t child;

        if (says <= has || says - has > MISSING_MAX)
                return false;
        child = fork();
        if (child < 0)
                return false;
        if (child == 0) {
                setrlimit(RLIMIT_CORE, &no_core);
                signal(SIGBUS, SIG_DFL);
                signal(SIGABRT, SIG_DFL);
                _exit(look(path, has, says) ? EXIT_SUCCESS : EXIT_FAILURE);
        }
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return false;
        return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}
