/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Random life in the company of a World: calls such as people make them, sensible ones mostly, and
 * now and then one that must be refused. */

#include "rng.h"
#include "world.h"

/* As world_create() and world_move(). */
int life_create(World *world, Rng *rng, uint64_t *ret_id);
/* Tries a transition, mostly one that the ticket's state allows, and tells which. */
int life_move(World *world, Rng *rng, uint64_t id, const Transition **ret);
/* Takes on an escalation, if there is one that nobody has: 0 and its id, or -ENOENT. */
int life_acknowledge(World *world, Rng *rng, uint64_t *ret_id);
/* Makes summaries ready, takes notifications and reports some delivered: how many escalations
 * those stood for is added. 0 or < 0. */
int life_deliver(World *world, Rng *rng, uint64_t *delivered);
/* Changes a unit, and stores an answer to a request id. 0 or < 0. */
int life_administer(World *world, Rng *rng);
