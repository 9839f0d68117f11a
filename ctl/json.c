/* SPDX-License-Identifier: Apache-2.0 */

#include "json.h"

#include <errno.h>
#include <string.h>

#include "text.h"

int json_put(json_object *object, const char *key, json_object *value) {
        if (!value)
                return -ENOMEM;
        if (json_object_object_add(object, key, value) < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

int json_append(json_object *array, json_object *value) {
        if (!value)
                return -ENOMEM;
        if (json_object_array_add(array, value) < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

/* ---- from the bus: a value never nests deeper than the bus allows (64) ---- */

static int read_value(sd_bus_message *m, json_object **ret);

static int read_basic(sd_bus_message *m, char type, json_object **ret) {
        union {
                uint8_t y;
                int b;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                double d;
                const char *s;
        } v;
        int r;

        if (!strchr("bynqiuxtdsog", type))
                return -EBADMSG; /* a file descriptor */
        r = sd_bus_message_read_basic(m, type, &v);
        if (r < 0)
                return r;
        if (type == 'b')
                *ret = json_object_new_boolean(v.b);
        else if (type == 'd')
                *ret = json_object_new_double(v.d);
        else if (type == 's' || type == 'o' || type == 'g')
                *ret = json_object_new_string(v.s);
        else if (type == 't')
                *ret = json_object_new_uint64(v.t);
        else
                *ret = json_object_new_int64(type == 'y'   ? v.y
                                             : type == 'n' ? v.n
                                             : type == 'q' ? v.q
                                             : type == 'i' ? v.i
                                             : type == 'u' ? (int64_t)v.u
                                                           : v.x);
        return *ret ? 0 : -ENOMEM;
}

/* The elements up to the end of the container entered. */
static int read_array(sd_bus_message *m, json_object **ret) {
        _cleanup_json_ json_object *array = json_object_new_array();
        int r;

        if (!array)
                return -ENOMEM;
        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                json_object *element;

                r = read_value(m, &element);
                if (r == 0)
                        r = json_append(array, element);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(array);
        return 0;
}

static int read_object(sd_bus_message *m, const char *entry, json_object **ret) {
        _cleanup_json_ json_object *object = json_object_new_object();
        int r;

        if (!object)
                return -ENOMEM;
        while ((r = sd_bus_message_enter_container(m, 'e', entry)) > 0) {
                json_object *value;
                const char *key;

                r = sd_bus_message_read_basic(m, 's', &key);
                if (r >= 0)
                        r = read_value(m, &value);
                if (r >= 0)
                        r = json_put(object, key, value);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(object);
        return 0;
}

#define SIGNATURE_MAX 255

static int read_container(sd_bus_message *m, char type, const char *contents, json_object **ret) {
        _cleanup_json_ json_object *value = NULL;
        char entry[SIGNATURE_MAX + 1] = "";
        int r;

        /* Of a dictionary's "{sv}", the "sv". */
        if (type == 'a' && contents[0] == '{')
                snprintf(entry, sizeof(entry), "%.*s", (int)strlen(contents) - 2, contents + 1);
        r = sd_bus_message_enter_container(m, type, contents);
        if (r < 0)
                return r;
        if (type == 'v')
                r = read_value(m, &value);
        else if (*entry)
                r = read_object(m, entry, &value);
        else
                r = read_array(m, &value);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(value);
        return 0;
}

static int read_value(sd_bus_message *m, json_object **ret) {
        const char *contents;
        char type;
        int r = sd_bus_message_peek_type(m, &type, &contents);

        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        if (type == 'a' || type == 'v' || type == 'r')
                return read_container(m, type, contents, ret);
        return read_basic(m, type, ret);
}

int json_from_message(sd_bus_message *m, json_object **ret) {
        return read_array(m, ret);
}

/* ---- to the bus ---- */

static int append_value(sd_bus_message *m, json_object *value) {
        switch (json_object_get_type(value)) {
        case json_type_boolean:
                return sd_bus_message_append(m, "v", "b", json_object_get_boolean(value));
        case json_type_int:
                if (json_object_get_uint64(value) > INT64_MAX)
                        return sd_bus_message_append(m, "v", "t", json_object_get_uint64(value));
                return sd_bus_message_append(m, "v", "x", json_object_get_int64(value));
        case json_type_string:
                return sd_bus_message_append(m, "v", "s", json_object_get_string(value));
        default:
                return -EINVAL;
        }
}

int json_to_message(sd_bus_message *m, json_object *fields) {
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        if (r < 0)
                return r;
        json_object_object_foreach(fields, key, value) {
                r = sd_bus_message_open_container(m, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append_basic(m, 's', key);
                if (r >= 0)
                        r = append_value(m, value);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(m);
        return r < 0 ? r : 0;
}

/* ---- to people ---- */

int json_print(FILE *f, json_object *value, bool pretty, const char *indent) {
        int flags =
                pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN;
        const char *p =
                json_object_to_json_string_ext(value, flags | JSON_C_TO_STRING_NOSLASHESCAPE);

        if (!p)
                return -ENOMEM;
        fputs(indent, f);
        while (*p) {
                unsigned c;
                size_t n = text_unsafe(p, &c);

                /* Line breaks are those between values: in texts they are escaped already. */
                if (*p == '\n')
                        fprintf(f, "\n%s", indent);
                else if (n > 0)
                        fprintf(f, "\\u%04x", c);
                else
                        fputc(*p, f);
                p += n > 0 ? n : 1;
        }
        return 0;
}
