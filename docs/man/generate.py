#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the manual pages from their prose (docs/man/*.in) and from what the programs say of themselves: commands,
options and exit codes of the client, options of the daemon, keys of the configuration, the interface on the bus. A line
"@name@" of the prose stands for one of these. `make man` runs it; the tests see to it that the pages are up to date.

    generate.py BUILD DIRECTORY
"""

import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent


def say(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def escape(text):
    """Prose as mdoc takes it, a sentence a line."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"([.!?]\)?) +(?=\S)", r"\1\n", text)
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def words(text):
    """Arguments of a macro: each a word of its own, none a macro by accident."""
    return " ".join(f"\\&{escape(word)}" if re.fullmatch(r"[A-Z][a-z]|%[A-Z]|[.,:;()?!\[\]|]", word) else escape(word)
                    for word in text.split())


def indented(lines):
    """Pairs of a line and the indented ones behind it."""
    pairs = []
    for line in lines:
        if line.startswith(" ") and pairs:
            pairs[-1][1].append(line.strip())
        elif line.strip():
            pairs.append((line.strip(), []))
    return [(line, " ".join(rest)) for line, rest in pairs]


def option_list(lines):
    """"  -x, --name=ARG   meaning", meanings over several lines."""
    items = []
    for line in lines:
        found = re.match(r"  (-\S+(?:, --\S+)*) *(.*)$", line)
        if found:
            items.append([found[1], found[2]])
        elif line.strip() and items:
            items[-1][1] += " " + line.strip()
    out = [".Bl -tag -width Ds"]
    for names, meaning in items:
        out += [f".It {words(names)}", escape(meaning or "what it says")]
    return out + [".El"]


def section(text, title):
    """The lines of a help text below a title, up to an empty line."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(title)) + 1
    last = next((i for i in range(first, len(lines)) if not lines[i].strip()), len(lines))
    return lines[first:last]


class Pages:
    def __init__(self, build):
        self.ctl, self.daemon = build / "aftersalesctl", build / "aftersalesd"
        self.help = say(self.ctl, "help")

    def nouns(self):
        lines = self.help.splitlines()[1:]
        return [line.split()[0] for line in lines[:lines.index("Options:")] if re.match(r"  \S", line)]

    def commands(self):
        out = []
        for noun in self.nouns():
            text = say(self.ctl, "help", noun)
            out.append(f".Ss {noun}")
            out.append(".Bl -tag -width Ds")
            for line, doc in indented(text[:text.index("\nOptions:")].splitlines()):
                out += [f".It {words(line.removeprefix('aftersalesctl '))}", escape(doc)]
            out.append(".El")
        return out

    def options(self):
        """Those of all commands, each once."""
        found = {}
        for noun in [None, *self.nouns()]:
            text = say(self.ctl, "help", *([noun] if noun else []))
            for line in section(text, "Options:"):
                found.setdefault(line.split()[0] + line.split("--")[1], line)
        return option_list(found.values())

    def exit_codes(self):
        out = [".Bl -tag -width Ds"]
        for line in section(self.help, "Exit codes:"):
            code, meaning = line.split(None, 1)
            out += [f".It {code}", escape(meaning)]
        return out + [".El"]

    def daemon_options(self):
        return option_list(say(self.daemon, "--help").splitlines()[2:])

    def keys(self):
        out = [".Bl -tag -width Ds"]
        for line, doc in indented(say(self.daemon, "--print-keys").splitlines()):
            key, _, form = line.partition(": ")
            out += [f".It {words(key)}", escape(doc), f"Write {escape(form)}."]
        return out + [".El"]

    def errors(self):
        text = say(self.daemon, "--introspect")
        out = [".Bl -tag -width Ds"]
        for name, meaning in re.findall(r"^       (\w+): (.*)$", text, re.M):
            out += [f".It {name}", escape(meaning)]
        return out + [".El"]

    def interfaces(self):
        text = say(self.daemon, "--introspect")
        # A comment belongs to the element behind it.
        parser = xml.etree.ElementTree.XMLParser(target=xml.etree.ElementTree.TreeBuilder(insert_comments=True))
        root = xml.etree.ElementTree.fromstring(text[text.index("<node"):], parser)
        out, comment = [], ""
        for interface in root:
            if interface.tag is xml.etree.ElementTree.Comment:
                comment = interface.text.strip()
                continue
            out += [f".Ss {interface.get('name')}", escape(comment), ".Bl -tag -width Ds"]
            comment = ""
            for member in interface:
                if member.tag is xml.etree.ElementTree.Comment:
                    comment = member.text.strip()
                    continue
                out += [f".It {words(self.signature(member))}", escape(comment)]
                comment = ""
            out.append(".El")
        return out

    @staticmethod
    def signature(member):
        def list_of(direction):
            return ", ".join(f"{arg.get('type')} {arg.get('name')}" for arg in member.findall("arg")
                             if arg.get("direction", "in") == direction)
        if member.tag == "signal":
            return f"signal {member.get('name')}({list_of('in')})"
        if member.tag == "property":
            return f"property {member.get('type')} {member.get('name')}"
        answer = list_of("out")
        return f"{member.get('name')}({list_of('in')})" + (f" \u2192 ({answer})" if answer else "")

    def write(self, source):
        out = []
        for line in source.read_text("utf-8").splitlines():
            found = re.fullmatch(r"@(\w+)@", line)
            out += getattr(self, found[1])() if found else [line]
        # mdoc wants no empty lines in running text.
        return "\n".join(line for line in out if line.strip()) + "\n"


def main():
    build, directory = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    pages = Pages(build)
    for source in sorted(HERE.glob("*.in")):
        (directory / source.stem).write_text(pages.write(source), "utf-8")


if __name__ == "__main__":
    main()
