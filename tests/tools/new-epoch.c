/* SPDX-License-Identifier: Apache-2.0 */

/* Begins a new epoch in the store of a daemon that is not running, as a restore does:
 *
 *      new-epoch STATE-DIRECTORY */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "base/digest.h"
#include "store/store.h"

int main(int argc, char **argv) {
        StoreOptions options = { .map_size = UINT64_C(1) << 30, .tables = app_tables };
        Refusal why = {};
        Store *store;
        int r;

        if (argc != 2)
                return EXIT_FAILURE;
        options.directory = argv[1];
        r = digest_init();
        if (r == 0)
                r = store_open(&options, &store, &why);
        if (r < 0) {
                fprintf(stderr, "%s\n", why.text);
                return EXIT_FAILURE;
        }
        r = store_begin_epoch(store, 0);
        if (r < 0)
                fprintf(stderr, "%s\n", strerror(-r));
        store_free(store);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
