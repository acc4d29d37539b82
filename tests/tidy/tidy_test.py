"""Keeps the house in order: who may include whom, header guards, sizes, plain text, proto comments.

Prints one line for each violation, `path:line: what is wrong; what would be right`, and exits with
1 if there are any. The tables of exceptions are a ratchet: they hold what was larger when a limit
was drawn, and may only shrink.
"""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("kernels", "storage", "proto", "services", "client", "tests")
SUFFIXES = (".h", ".cc", ".cu", ".inc", ".proto")

# Which of our folders a room may include. "winnow/" is the client's public face, PROTO is the wire.
PROTO = "winnow/v1/"
BYTES = ("kernels/", "storage/")
NATIVE = BYTES + ("services/cluster/", "services/shard/", "services/coordinator/")
MAY_INCLUDE = {
    "kernels/": ("kernels/",),
    "storage/": BYTES,
    "services/cluster/": BYTES + ("services/cluster/",),
    "services/shard/": BYTES + ("services/shard/",),
    "services/coordinator/": NATIVE,
    "services/wire/": NATIVE + ("services/wire/", PROTO),
    "services/winnowd/": NATIVE + ("services/wire/", "services/winnowd/", PROTO),
    "client/include/": BYTES + ("winnow/",),
    # Client and server turn messages and statuses into values in the same way.
    "client/lib/": BYTES + ("client/lib/", "winnow/", PROTO, "services/wire/"),
    "client/winnowctl/": BYTES + ("client/winnowctl/", "winnow/"),
    "client/example/": BYTES + ("winnow/",),
}
OURS = ("kernels/", "storage/", "services/", "client/", "tests/", "winnow/")
# Libraries that only some rooms may see.
SPEAK_GRPC = ("services/wire/", "services/winnowd/", "client/lib/", "tests/")
LIBRARIES = {
    "grpc": SPEAK_GRPC,
    "google/protobuf/": SPEAK_GRPC,
    "rocksdb/": ("storage/", "tests/bench/", "tests/storage/", "tests/faults/"),
}

# Lines of a file of each kind, and of one function.
LIMITS = {"header": 150, "source": 300, "main": 120, "function": 50}
COLUMNS = 100

LARGER_FILES = {
    "services/wire/call_stream.h": 215,
    "tests/cluster/refusal_test.cc": 316,
}
LONGER_FUNCTIONS = {"services/coordinator/attend.cc": 52}
WIDER_LINES = {
    "proto/winnow/v1/contexts.proto": 101,
    "proto/winnow/v1/retrieval.proto": 101,
    "proto/winnow/v1/shard.proto": 102,
    "proto/winnow/v1/types.proto": 101,
    "services/cluster/metadata.h": 101,
    "services/cluster/placement.h": 101,
}
# How many fields have no comment, in messages without one.
UNCOMMENTED_FIELDS = {
    "proto/winnow/v1/admin.proto": 12,
    "proto/winnow/v1/contexts.proto": 24,
    "proto/winnow/v1/retrieval.proto": 27,
    "proto/winnow/v1/shard.proto": 43,
}

LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
INCLUDE = re.compile(r'\s*#\s*include\s*[<"]([^>"]+)[>"]')
FIELD = re.compile(r"\s*(repeated |optional )?(map<.*>|[\w.]+) (\w+) = \d+( \[.*\])?;")


def check_include(path, number, included):
    for library, rooms in LIBRARIES.items():
        if included.startswith(library) and not path.startswith(rooms):
            yield f"{path}:{number}: includes {included}; only {', '.join(rooms)} may"
    room = next((room for room in MAY_INCLUDE if path.startswith(room)), None)
    if room is None or not included.startswith(OURS):
        return
    allowed = MAY_INCLUDE[room]
    leaks = included.startswith(PROTO) and PROTO not in allowed
    if leaks or not included.startswith(allowed):
        yield f"{path}:{number}: includes {included}; {room} may include {', '.join(allowed)} only"


def check_includes(path, lines):
    for number, line in enumerate(lines, 1):
        if match := INCLUDE.match(line):
            yield from check_include(path, number, match[1])


def check_guard(path, lines):
    if not path.endswith(".h"):
        return
    guard = "WINNOW_" + re.sub(r"\W", "_", path).upper() + "_"
    code = [(n, line) for n, line in enumerate(lines, 1) if line.strip()]
    wanted = [(0, f"#ifndef {guard}"), (1, f"#define {guard}"), (-1, f"#endif  // {guard}")]
    for place, text in wanted:
        number, line = code[place] if len(code) > 2 else (1, "")
        if line != text:
            yield f"{path}:{number}: the guard reads '{line}'; it must be '{text}'"


def check_text(path, lines):
    for number, line in enumerate(lines, 1):
        if match := LEFTOVERS.search(line):
            yield f"{path}:{number}: {match[0]} was left behind; do it or delete it"
        if "\t" in line:
            yield f"{path}:{number}: holds a tab; indent with spaces"
        if len(line) > (allowed := WIDER_LINES.get(path, COLUMNS)):
            yield f"{path}:{number}: is {len(line)} columns wide; at most {allowed} are right"


def check_limit(path, number, what, size, limit, table):
    allowed = table.get(path, limit)
    if size > allowed:
        yield f"{path}:{number}: {what} has {size} lines; at most {allowed} are right"


def functions(lines):
    """(line number, lines) of each function, from its signature to the brace that closes it.

    Relies on clang-format: what is at the top level or in a class at the top level begins and ends
    at its indentation.
    """
    starts, in_class = {0: 0, 2: 0}, False
    for number, line in enumerate(lines, 1):
        indent = len(line) - len(line.lstrip())
        if indent not in starts or not line.strip() or line.lstrip().startswith(("#", "//")):
            continue
        if line in ("}", "  }"):
            if indent == 0 or in_class:
                yield starts[indent], number - starts[indent] + 1
            continue
        starts[indent] = number
        if indent == 0 and not line.startswith(("}", "template")):
            in_class = re.match(r"(class|struct) ", line) is not None


def check_sizes(path, lines):
    if path.endswith(".proto"):
        return
    name = os.path.basename(path)
    kind = "header" if name.endswith(".h") else "main" if name == "main.cc" else "source"
    yield from check_limit(path, 1, f"a {kind}", len(lines), LIMITS[kind], LARGER_FILES)
    for number, size in functions(lines):
        yield from check_limit(path, number, "a function", size, LIMITS["function"],
                               LONGER_FUNCTIONS)


def uncommented_fields(lines):
    """Numbers of the lines with a field that neither has a comment nor belongs to what has one."""
    commented = [False]  # whether each open block, or one around it, has a comment
    for number, line in enumerate(lines, 1):
        has_comment = "//" in line or (number > 1 and lines[number - 2].lstrip().startswith("//"))
        code = line.split("//")[0]
        if FIELD.match(code) and not has_comment and not commented[-1]:
            yield number
        for brace in re.findall(r"[{}]", code):
            if brace == "{":
                commented.append(commented[-1] or has_comment)
            else:
                commented.pop()


def check_proto(path, lines):
    if not path.endswith(".proto"):
        return
    numbers, allowed = list(uncommented_fields(lines)), UNCOMMENTED_FIELDS.get(path, 0)
    if len(numbers) > allowed:
        right = f"one of {len(numbers)}; at most {allowed} in this file are right"
        yield from (f"{path}:{number}: a field without a comment, {right}" for number in numbers)


CHECKS = (check_includes, check_guard, check_text, check_sizes, check_proto)


def violations(path, text):
    lines = text.splitlines()
    return [found for check in CHECKS for found in check(path, lines)]


def sources():
    for folder in FOLDERS:
        for parent, folders, names in os.walk(os.path.join(ROOT, folder)):
            folders.sort()
            for name in sorted(names):
                if name.endswith(SUFFIXES):
                    yield os.path.relpath(os.path.join(parent, name), ROOT)


# Each check must find what it is for: (path, text, part of the one violation).
BAD = (
    ("kernels/a.cc", '#include "storage/error.h"', "a.cc:1: includes storage/error.h"),
    ("storage/a.cc", '\n#include "services/shard/a.h"', "a.cc:2: includes services/shard/a.h"),
    ("services/shard/a.cc", '#include "services/wire/status.h"', "includes services/wire"),
    ("services/shard/a.cc", '#include "winnow/v1/shard.pb.h"', "includes winnow/v1/shard.pb.h"),
    ("services/coordinator/a.cc", "#include <google/protobuf/any.h>", "google/protobuf"),
    ("services/cluster/a.cc", '#include "grpcpp/server.h"', "includes grpcpp/server.h"),
    ("services/coordinator/a.cc", '#include "services/winnowd/log.h"', "services/winnowd/log.h"),
    ("services/winnowd/a.cc", '#include "rocksdb/db.h"', "includes rocksdb/db.h"),
    ("client/winnowctl/a.cc", '#include "services/shard/shard.h"', "includes services/shard"),
    ("client/winnowctl/a.cc", '#include "winnow/v1/types.pb.h"', "includes winnow/v1/types"),
    ("storage/a.h", "#ifndef WINNOW_STORAGE_A_H_\n#define WINNOW_STORAGE_A_H_\n#endif",
     "a.h:3: the guard reads '#endif'; it must be '#endif  // WINNOW_STORAGE_A_H_'"),
    ("tests/a.cc", "// TO" "DO: more", "a.cc:1: TO" "DO was left behind"),
    ("tests/a.cc", "int\ta;", "a.cc:1: holds a tab"),
    ("tests/a.cc", "\n" + 101 * "x", "a.cc:2: is 101 columns wide"),
    ("tests/a.cc", 301 * "\n", "a.cc:1: a source has 301 lines; at most 300"),
    ("client/b/main.cc", 121 * "\n", "main.cc:1: a main has 121 lines; at most 120"),
    ("tests/a.cc", "int F(int a,\n      int b) {\n" + 48 * "  a;\n" + "}", "1: a function has 51"),
    ("tests/a.cc", "class A {\n  int F() {\n" + 49 * "    a;\n" + "  }\n};", "a.cc:2: a function"),
    ("proto/a.proto", "message A {\n  string b = 1;\n}", "a.proto:2: a field without a comment"),
)
GOOD = (
    ("services/winnowd/a.cc", '#include "grpcpp/server.h"\n#include "services/wire/status.h"'),
    ("tests/a.cc", "int F(int a,\n      int b) {\n" + 47 * "  a;\n" + "}\nint G() { return 1; }"),
    ("proto/a.proto", "// Of b.\nmessage A {\n  string b = 1;\n  message B {\n    C d = 1;\n  }"),
    ("proto/a.proto", "message A {\n  // Of b.\n  string b = 1;\n  C d = 2;  // of d\n}"),
)


def check_checks():
    for path, text, expected in BAD:
        found = violations(path, text)
        if len(found) != 1 or expected not in found[0]:
            yield f"{__file__}:1: found {found}; it must find one with '{expected}'"
    for path, text in GOOD:
        for found in violations(path, text):
            yield f"{__file__}:1: found '{found}'; it must find nothing"


def main():
    found, paths = list(check_checks()), list(sources())
    for path in paths:
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            found += violations(path, file.read())
    for table in (LARGER_FILES, LONGER_FUNCTIONS, WIDER_LINES, UNCOMMENTED_FIELDS):
        found += [f"{path}:1: is not there; delete its exception" for path in table
                  if path not in paths]
    print("\n".join(found) if found else f"{len(paths)} files in order")
    return 1 if found or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
