/* SPDX-License-Identifier: Apache-2.0 */

/* The documented introspection, written from the tables that the service itself is built from. */

#include <string.h>

#include "bus/areas.h"
#include "bus/vtable.h"

static void print_doc(FILE *file, const char *indent, const char *doc) {
        fprintf(file, "%s<!-- %s -->\n", indent, doc);
}

/* The length of the first complete type of a signature. */
static size_t type_length(const char *signature) {
        size_t depth = 0, i = 0;

        do {
                char c = signature[i++];

                if (c == '(' || c == '{')
                        depth++;
                else if (c == ')' || c == '}')
                        depth--;
                else if (c == 'a')
                        continue;
                if (depth == 0)
                        return i;
        } while (signature[i]);
        return i;
}

static void print_arguments(FILE *file, const char *signature, const char *names,
                            const char *direction) {
        while (signature && *signature) {
                size_t type = type_length(signature), name = strcspn(names, " ");

                fprintf(file, "      <arg name=\"%.*s\" type=\"%.*s\"%s%s%s/>\n", (int)name, names,
                        (int)type, signature, direction ? " direction=\"" : "",
                        direction ? direction : "", direction ? "\"" : "");
                signature += type;
                names += name + (names[name] == ' ');
        }
}

static void print_method(FILE *file, const char *member, const BusMethod *method, const char *doc) {
        fputc('\n', file);
        print_doc(file, "    ", doc);
        fprintf(file, "    <method name=\"%s\">\n", member);
        print_arguments(file, method->in, method->in_names, "in");
        print_arguments(file, method->out, method->out_names, "out");
        fprintf(file, "    </method>\n");
}

static void print_names(FILE *file, const char *label, const EnumNames *names, uint32_t set) {
        const char *separator = "";

        fprintf(file, "%s", label);
        for (int i = 1; i < names->n; i++)
                if (set & STATE(i)) {
                        fprintf(file, "%s%s", separator, names->names[i]);
                        separator = ", ";
                }
}

static void print_transition(FILE *file, const Kind *kind, const Transition *transition) {
        char member[MEMBER_SIZE];

        member_from_name(transition->name, member);
        fprintf(file, "\n    <!-- %s\n", transition->doc);
        print_names(file, "         From: ", kind->state_names, transition->from);
        fprintf(file, ". To: %s.\n",
                transition->to ? kind->state_names->names[transition->to] : "see above");
        fprintf(file, "         Takes: %s. Needs: %s%s. Permission: %s -->\n",
                transition->takes ? transition->takes : "no fields",
                transition->needs ? transition->needs : "no fields",
                transition->needs_note ? ", note" : "", permission_name(transition->permission));
        fprintf(file, "    <method name=\"%s\">\n", member);
        print_arguments(file, transition_method.in, transition_method.in_names, "in");
        print_arguments(file, transition_method.out, transition_method.out_names, "out");
        fprintf(file, "    </method>\n");
}

static void print_fields(FILE *file, const RecordType *type) {
        fprintf(file, "    <!-- Fields of a %s:\n", type->name);
        for (size_t i = 0; i < type->n_fields; i++) {
                const Field *field = &type->fields[i];

                if (!(field->marks & FIELD_HIDDEN))
                        fprintf(file, "           %s%s%s: %s\n", field->name,
                                field->marks & FIELD_REQUIRED   ? " (required)"
                                : field->marks & FIELD_SETTABLE ? " (settable)"
                                                                : "",
                                field->marks & FIELD_PERSONAL ? " (personal)" : "", field->doc);
        }
        fprintf(file, "    -->\n");
}

static void print_interface(FILE *file, const BusInterface *interface) {
        fputc('\n', file);
        print_doc(file, "  ", interface->doc);
        fprintf(file, "  <interface name=\"%s\">\n", interface->name);
        if (interface->kind)
                print_fields(file, interface->kind->table->type);
        if (interface->reg)
                print_fields(file, interface->reg->table->type);
        for (const BusMethod *method = interface->methods; method->member; method++)
                if (bus_offers(interface, method))
                        print_method(file, method->member, method, method->doc);
        for (size_t i = 0; interface->kind && i < interface->kind->n_transitions; i++)
                if (!interface->kind->transitions[i].internal)
                        print_transition(file, interface->kind, &interface->kind->transitions[i]);
        for (const BusSignal *signal = interface->signals; signal && signal->member; signal++) {
                fputc('\n', file);
                print_doc(file, "    ", signal->doc);
                fprintf(file, "    <signal name=\"%s\">\n", signal->member);
                print_arguments(file, signal->signature, signal->names, NULL);
                fprintf(file, "    </signal>\n");
        }
        fprintf(file, "  </interface>\n");
}

void bus_print_introspection(FILE *file) {
        fprintf(file,
                "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n"
                "          \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n\n"
                "<!-- The interface of aftersalesd, as its option introspect writes it.\n\n"
                "     Ids are t (the site in the upper 16 bits), times x in microseconds since 1970 UTC,\n"
                "     money x in fen, dates s (YYYY-MM-DD), enumerations s. What is not given is not in a\n"
                "     dictionary. The dictionary of a changing call also takes request_id (s: a repetition\n"
                "     gets the same answer), revision (t: refused if the record has changed since), note (s),\n"
                "     by (s: the person for whom a program acts) and at (x: when it happened, reported later).\n"
                "     Errors are org.aftersales1.Error.* with a text that says what would be right:\n");
#define X(code, name, exit_code, meaning) fprintf(file, "       %s: %s\n", name, meaning);
        AFTERSALES_ERRORS(X)
#undef X
        fprintf(file, "-->\n<node name=\"%s\">\n", AFTERSALES_PATH);
        for (size_t i = 0; bus_interfaces[i]; i++)
                print_interface(file, bus_interfaces[i]);
        fprintf(file, "</node>\n");
}
