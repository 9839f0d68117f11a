/* SPDX-License-Identifier: Apache-2.0 */

#include "parts/stock.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/text.h"
#include "base/zone.h"
#include "loop/engine.h"
#include "masters/part.h"

#define SORT(name) (1U << PLACE_##name)
#define UNITS      (SORT(HEADQUARTERS) | SORT(SUBCENTRE) | SORT(DEALER))

/* Between which places a reason moves; only some moves are made by hand. */
static const struct {
        unsigned from, to;
        bool by_hand, needs_note;
        const char *form; /* of one made by hand */
} rules[_MOVE_REASON_MAX] = {
        [MOVE_RECEIVED] = { SORT(SUPPLIER), UNITS, true, false, "from a supplier to a unit" },
        [MOVE_TRANSFERRED] = { UNITS, UNITS, true, false, "from a unit to another one" },
        [MOVE_GRADED] = { UNITS, UNITS, true, false, "within a unit, and becomes good or bad" },
        [MOVE_COUNTED] = { UNITS | SORT(COUNT), UNITS | SORT(COUNT), true, true,
                           "between a unit and count" },
        [MOVE_SCRAPPED] = { UNITS, SORT(SCRAP), true, false, "from a unit to scrap" },
        [MOVE_SENT_BACK] = { UNITS, SORT(SUPPLIER), true, false, "from a unit to a supplier" },
        [MOVE_USED] = { .from = UNITS, .to = SORT(CUSTOMER) },
        [MOVE_UNUSED] = { .from = SORT(CUSTOMER), .to = UNITS },
        [MOVE_TAKEN] = { .from = SORT(CUSTOMER), .to = UNITS },
        [MOVE_SHIPPED] = { .from = UNITS | SORT(SUPPLIER), .to = SORT(TRANSIT) },
        [MOVE_ARRIVED] = { .from = SORT(TRANSIT), .to = UNITS },
        [MOVE_REJECTED] = { .from = UNITS | SORT(TRANSIT), .to = UNITS },
        [MOVE_LOST] = { .from = UNITS | SORT(TRANSIT), .to = SORT(COUNT) },
        [MOVE_GIVEN_BACK] = { .from = UNITS, .to = SORT(CUSTOMER) },
};

static bool fits(const Move *move, PlaceSort from, PlaceSort to) {
        bool same = STREQ(move->from, move->to);

        if (!(rules[move->reason].from >> from & 1) || !(rules[move->reason].to >> to & 1))
                return false;
        if (move->reason == MOVE_GRADED)
                return same && move->condition != move->becomes;
        if (move->reason == MOVE_COUNTED && (from == PLACE_COUNT) == (to == PLACE_COUNT))
                return false;
        return !same && move->condition == move->becomes;
}

/* ---- what is there ---- */

static int refuse_short(const Move *move, int64_t has, Refusal *refusal) {
        return refuse(refusal, REFUSED_RULE,
                      "quantity: %s has %" PRId64 " of part %s (%s), not %" PRId64
                      ": receive or count in what is missing first",
                      move->from, has, move->part, enum_name(&condition_names, move->condition),
                      move->quantity);
}

/* Where one with a serial number is, the newest move of it tells. 0, refused, < 0. */
static int check_serial(Store *store, const Move *move, Refusal *refusal) {
        Key prefix = {}, position = {}, key;
        const char *code;
        Move last = {};
        bool there;
        int r;

        if (move->quantity != 1)
                return refuse(refusal, REFUSED_INVALID_VALUE,
                              "quantity: a serial number is that of one part; move each by itself");
        key_text(&prefix, move->part);
        key_text(&prefix, move->serial);
        r = store_index_next(store, &index_move_serial, &prefix, &position, &key);
        if (r == 0)
                r = store_get(store, &move_table, &key, &last);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        /* What becomes of it at a customer's nobody records. */
        there = last.to && STREQ(last.to, move->from) &&
                (last.becomes == move->condition || !place_is_bounded(place_split(last.to, &code)));
        if (!there)
                r = refuse(refusal, REFUSED_RULE, "serial: %s is at %s (%s), not at %s (%s)",
                           move->serial, last.to, enum_name(&condition_names, last.becomes),
                           move->from, enum_name(&condition_names, move->condition));
        move_done(&last);
        return r;
}

static const Field balance_fields[] = {
        TEXT(1, Balance, place, FIELD_FILTER, PLACE_MAX_BYTES, .doc = "where it is"),
        TEXT(2, Balance, part, FIELD_FILTER | FIELD_CODE, CODE_MAX_BYTES, .doc = "part number"),
        ENUM(3, Balance, condition, 0, &condition_names, .doc = "good or bad"),
        COUNT(4, Balance, quantity, 0,
              .doc = "how many; less than 0 of a place that stock came from: supplier, customer, "
                     "count"),
};

const RecordType balance_type = {
        .name = "balance",
        .size = sizeof(Balance),
        .fields = balance_fields,
        .n_fields = ELEMENTS(balance_fields),
};

/* A page of them while it is read. */
typedef struct Listing {
        Store *store;
        const StockQuery *query;
        bool by_part; /* the keys begin with the part */
} Listing;

static bool is_shown(const Listing *listing, const char *text) {
        const char *code;
        PlaceSort sort = place_split(text, &code);
        Place place;

        if (listing->query->actor->scope == SCOPE_HEADQUARTERS)
                return true;
        return sort && place_is_of_unit(sort) &&
               place_of_unit(listing->store, code, sort == PLACE_TRANSIT, &place) == 0 &&
               place_in_scope(listing->query->actor, &place);
}

static int hand_balance(void *userdata, const Key *key, int64_t amount) {
        const Listing *listing = userdata;
        const char *first = (const char *)key->bytes, *second = first + strlen(first) + 1;
        Balance balance = {
                .place = (char *)(listing->by_part ? second : first),
                .part = (char *)(listing->by_part ? first : second),
                .condition = key->bytes[key->size - 1],
                .quantity = amount,
        };

        if (!is_shown(listing, balance.place))
                return 0;
        return listing->query->row(listing->query->userdata, &balance);
}

/* Without place and part it is the actor's own unit. 0, refused, < 0. */
static int find_place(Store *store, const StockQuery *query, Place *ret, Refusal *refusal) {
        const char *text = query->filter->place ?: query->actor->unit;
        int r = place_find(store, "place", text, ret, refusal);

        if (r == 0 && !(query->actor->scope == SCOPE_HEADQUARTERS ||
                        (place_is_of_unit(ret->sort) && place_in_scope(query->actor, ret))))
                r = refuse(refusal, REFUSED_SCOPE, "place: it is outside of your scope (%s)",
                           query->actor->unit);
        return r;
}

int stock_list(Store *store, const StockQuery *query, char ret_cursor[static LIST_CURSOR_SIZE],
               Refusal *refusal) {
        const Balance *filter = query->filter;
        Listing listing = { .store = store, .query = query, .by_part = filter->part };
        TallyQuery tally = {
                .tally = filter->part ? &sum_part : &sum_place,
                .cursor = query->cursor,
                .limit = query->limit,
                .row = hand_balance,
                .userdata = &listing,
        };
        Place place;
        int r;

        if (filter->part)
                key_text(&tally.prefix, filter->part);
        if (filter->place || (!filter->part && query->actor->unit)) {
                r = find_place(store, query, &place, refusal);
                if (r != 0)
                        return r;
                key_text(&tally.prefix, place.text);
        }
        return store_list_tally(store, &tally, ret_cursor, refusal);
}

int stock_totals(Store *store, int (*row)(void *userdata, const void *balance), void *userdata) {
        Key position = {};
        int64_t amount = 0;
        int r;

        while ((r = store_tally_next(store, &sum_sort, &(const Key){}, &position, &amount)) == 0) {
                Balance balance = {
                        .place = (char *)enum_name(&place_sort_names, position.bytes[0]),
                        .condition = position.bytes[1],
                        .quantity = amount,
                };

                r = row(userdata, &balance);
                if (r < 0)
                        return r;
        }
        return r == -ENOENT ? 0 : r;
}

/* ---- by hand ---- */

static int find_places(const RegisterStep *step, Move *move, Place *from, Place *to) {
        const Actor *actor = step->call->actor;
        int r = place_find(step->store, "from", move->from, from, step->refusal);

        if (r == 0)
                r = place_find(step->store, "to", move->to, to, step->refusal);
        if (r != 0)
                return r;
        if ((place_is_of_unit(from->sort) && !place_in_scope(actor, from)) ||
            (place_is_of_unit(to->sort) && !place_in_scope(actor, to)))
                return refuse(step->refusal, REFUSED_SCOPE,
                              "a place of the move is outside of your scope (%s)",
                              actor->unit ? actor->unit : "none");
        r = text_set(&move->from, from->text);
        if (r == 0)
                r = text_set(&move->to, to->text);
        if (r == 0)
                r = text_set(&move->from_subcentre, from->subcentre);
        return r == 0 ? text_set(&move->to_subcentre, to->subcentre) : r;
}

static void complete(const Engine *engine, Move *move) {
        int32_t day, second;

        if (!move->condition)
                move->condition = CONDITION_GOOD;
        if (!move->becomes)
                move->becomes = move->condition;
        zone_local(engine_zone(engine), move->entry.at / USEC_PER_SEC, &day, &second);
        move->day = day;
}

static int check_reason(const Move *move, const Place *from, const Place *to, const Call *call,
                        Refusal *refusal) {
        if (!rules[move->reason].by_hand)
                return refuse(refusal, REFUSED_RULE,
                              "reason: such a move is made by a ticket, a core or an order, never "
                              "by itself");
        if (!fits(move, from->sort, to->sort))
                return refuse(refusal, REFUSED_RULE, "reason: such a move goes %s",
                              rules[move->reason].form);
        if (rules[move->reason].needs_note && !call->note)
                return refuse(refusal, REFUSED_MISSING_FIELD,
                              "a count difference needs a note that says why, for the record");
        return 0;
}

int stock_check_move(const RegisterStep *step) {
        Move *move = step->record;
        Place from, to;
        int64_t has = 0;
        Part part;
        Key key;
        int r;

        if (move->quantity == 0)
                return refuse(step->refusal, REFUSED_INVALID_VALUE, "quantity: must not be 0");
        r = part_require(step->store, "part", move->part, &part, step->refusal);
        if (r != 0)
                return r;
        part_done(&part);
        r = find_places(step, move, &from, &to);
        if (r != 0)
                return r;
        complete(step->engine, move);
        r = check_reason(move, &from, &to, step->call, step->refusal);
        if (r == 0 && move->serial)
                r = check_serial(step->store, move, step->refusal);
        if (r != 0 || !place_is_bounded(from.sort))
                return r;
        key = stock_key(move->from, move->part, (Condition)move->condition);
        r = store_tally(step->store, &sum_place, &key, &has);
        return r == 0 && has < move->quantity ? refuse_short(move, has, step->refusal) : r;
}

/* ---- by cases ---- */

/* Whose sub-centre it is. */
static int find_subcentre(Store *store, const char *place, char **ret, PlaceSort *ret_sort) {
        const char *code;
        Place found = {};
        int r = 0;

        *ret_sort = place_split(place, &code);
        if (place_is_of_unit(*ret_sort))
                r = place_of_unit(store, code, *ret_sort == PLACE_TRANSIT, &found);
        return r == 0 ? text_set(ret, found.subcentre) : r;
}

static int fill_move(const Step *step, Move *move, PlaceSort *ret_from, PlaceSort *ret_to) {
        Store *store = change_store(step->change);
        int r = find_subcentre(store, move->from, &move->from_subcentre, ret_from);

        if (r == 0)
                r = find_subcentre(store, move->to, &move->to_subcentre, ret_to);
        if (r == 0)
                r = text_set(&move->entry.actor, step->actor->name);
        if (r < 0)
                return r == -ENOENT ? -EBADMSG : r;
        move->entry.at = step->now;
        move->entry.cause = step->kind->number;
        move->entry.cause_id = step->item->id;
        complete(step->engine, move);
        return 0;
}

int stock_move(Step *step, const Move *given) {
        PlaceSort from = 0, to = 0;
        int64_t has = 0;
        Move move;
        Key key;
        int r = record_copy(move_table.type, &move, given);

        if (r == 0)
                r = fill_move(step, &move, &from, &to);
        if (r == 0) {
                assert(fits(&move, from, to));
                key = stock_key(move.from, move.part, (Condition)move.condition);
                r = change_tally(step->change, &sum_place, &key, &has);
        }
        if (r == 0 && place_is_bounded(from) && has < move.quantity)
                r = refuse_short(&move, has, step->refusal);
        if (r == 0 && move.serial)
                r = check_serial(change_store(step->change), &move, step->refusal);
        if (r == 0)
                r = register_enter(&move_register, step->change, &move);
        move_done(&move);
        return r;
}

int stock_used_on(Store *store, const char *part, const char *serial, int64_t *ret) {
        Key prefix = {}, position = {}, key;
        int r;

        key_text(&prefix, part);
        key_text(&prefix, serial);
        while ((r = store_index_next(store, &index_move_serial, &prefix, &position, &key)) == 0) {
                Move move;
                bool used;

                r = store_get(store, &move_table, &key, &move);
                if (r < 0)
                        return r;
                used = move.reason == MOVE_USED;
                *ret = move.day;
                move_done(&move);
                if (used)
                        return 0;
        }
        return r;
}
