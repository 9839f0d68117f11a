/* SPDX-License-Identifier: Apache-2.0 */

/* The accounts of contracts with suppliers. */

#include "parts/contract.h"

#include <errno.h>
#include <string.h>

#include "aftersales/limits.h"
#include "bus/areas.h"

static int read_contract(BusCall *call, const char **ret) {
        int r = sd_bus_message_read(call->m, "s", ret);

        if (r < 0)
                return r;
        if (!**ret || strlen(*ret) > CODE_MAX_BYTES)
                return refuse(&call->refusal, REFUSED_INVALID_VALUE,
                              "contract: 1 to %d bytes are allowed", CODE_MAX_BYTES);
        if (call->actor.scope != SCOPE_HEADQUARTERS)
                return refuse(&call->refusal, REFUSED_SCOPE,
                              "contracts are those of headquarters, outside of your scope (%s)",
                              call->actor.unit);
        return 0;
}

static int append_account_row(void *userdata, const AccountRow *row) {
        BusCall *call = userdata;

        return MIN(fields_append(call->reply, &account_row_type, row, true), 0);
}

static int show_account(BusCall *call) {
        const char *contract;
        int r = read_contract(call, &contract);

        if (r == 0)
                r = rows_open(call->reply);
        if (r == 0)
                r = contract_account(call->bus->options.store, contract, append_account_row, call);
        if (r == -ENOENT)
                return refuse(&call->refusal, REFUSED_NOT_FOUND, "there is no contract %s",
                              contract);
        return r == 0 ? rows_close(call->reply) : r;
}

static int claim(BusCall *call) {
        const Engine *engine = call->bus->options.engine;
        Origin origin = { .time = call->now,
                          .actor = call->actor_name,
                          .verb = "Accounts.Claim",
                          .policy = engine_policy(engine)->digest };
        const char *contract;
        int64_t claims = 0;
        Change *change;
        int r = read_contract(call, &contract);

        if (r == 0)
                r = change_begin(call->bus->options.store, &change);
        if (r != 0)
                return r;
        r = contract_claim(engine, change, contract, &call->actor, call->now, &claims,
                           &call->refusal);
        if (r == 0 && claims > 0)
                r = change_apply(change, &origin);
        else
                change_drop(change);
        return r == 0 ? MIN(sd_bus_message_append(call->reply, "t", (uint64_t)claims), 0) : r;
}

static const BusMethod accounts_methods[] = {
        { "Show", "s", "contract", "aa{sv}", "rows", PERMISSION_CONTRACT_READ, show_account,
          "The account of a contract: a row for each part that it declares, and one for the units (share): what the shipments "
          "oblige to, what has failed, verified and in warranty, what was claimed, and what has come. Line by line: "
          "Obligations.List with contract, Shipments.List with contract." },
        { "Claim", "s", "contract", "t", "claims", PERMISSION_CONTRACT_SHIP, claim,
          "Claims, free of charge, what has failed above what was declared and is not claimed yet: an obligation for each "
          "part. Answers with how many these are." },
        {},
};

const BusInterface accounts_interface = {
        .name = AFTERSALES_ACCOUNTS,
        .methods = accounts_methods,
        .doc = "Accounts of contracts with suppliers of finished goods.",
};
