/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Every way in which a well-meant call can be refused, once: the code that the daemon's inner
 * layers return (> 0), the name on the bus after AFTERSALES_ERROR_PREFIX, the exit code of
 * aftersalesctl, and what it means. A refused call has changed nothing. */

#define AFTERSALES_ERROR_PREFIX "org.aftersales1.Error."

/* X(code, bus name, exit code, meaning) */
#define AFTERSALES_ERRORS(X)                                                                       \
        X(REFUSED_UNKNOWN_FIELD, "UnknownField", 65, "a field or option this call does not take")  \
        X(REFUSED_INVALID_VALUE, "InvalidValue", 65, "a value of the wrong type, form or range")   \
        X(REFUSED_MISSING_FIELD, "MissingField", 65, "a field that this call needs is not given")  \
        X(REFUSED_INVALID_CURSOR, "InvalidCursor", 65, "a cursor that no page of this has given")  \
        X(REFUSED_NOT_FOUND, "NotFound", 4, "no such record")                                      \
        X(REFUSED_GONE, "ChangesGone", 1,                                                          \
          "changes after the given one are not kept any more, or were lost by a restore")          \
        X(REFUSED_EXISTS, "AlreadyExists", 5, "a record with this code exists already")            \
        X(REFUSED_STATE, "InvalidState", 5, "the case's state does not allow this transition")     \
        X(REFUSED_RULE, "RuleViolated", 5, "a rule of the business forbids this now")              \
        X(REFUSED_STALE, "StaleRevision", 5, "the record has changed since the revision given")    \
        X(REFUSED_REQUEST_ID, "RequestIdReused", 5, "the request id was used for another call")    \
        X(REFUSED_PERMISSION, "NotPermitted", 77,                                                  \
          "the caller's role does not have the permission")                                        \
        X(REFUSED_SCOPE, "OutOfScope", 77,                                                         \
          "the record belongs to a unit outside the caller's scope")                               \
        X(REFUSED_POLICY, "PolicyRejected", 78,                                                    \
          "the configuration cannot be used or contradicts open cases; the one in force stays")    \
        X(REFUSED_LIMIT, "LimitReached", 1, "a documented limit would be exceeded")                \
        X(REFUSED_STORAGE_FULL, "StorageFull", 75, "no room to store the change; nothing is lost") \
        X(REFUSED_TRY_AGAIN, "TryAgain", 75,                                                       \
          "not now (too many calls wait, or a commit failed); nothing was changed, call again")    \
        X(REFUSED_DAMAGED, "RecordDamaged", 1,                                                     \
          "what is stored about this record is damaged; others are not concerned")                 \
        X(REFUSED_INTERNAL, "Internal", 1, "a fault of the daemon, described in its log")

enum {
        _REFUSED_NOTHING = 0,
#define X(code, name, exit_code, meaning) code,
        AFTERSALES_ERRORS(X)
#undef X
                _REFUSED_MAX,
};

#define REFUSAL_TEXT_MAX 1000 /* bytes of an error message */
