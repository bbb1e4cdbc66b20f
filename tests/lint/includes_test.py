#!/usr/bin/env python3
"""Fails on an include that the folders' rules forbid (ARCHITECTURE.md, Folders).

Says file:line and the rule that was broken.
"""
import re
import sys
import tempfile
import unittest
from pathlib import Path

from sources import ROOT, cxx_files, includes

# What each folder may include of this tree, besides itself. The files right in
# server/ put everything together; tests may do anything.
MAY_INCLUDE = {
    "common/": (),
    "server/core/": ("common/",),
    "server/http/": ("common/",),
    "server/fanout/": ("server/core/", "server/http/", "common/"),
    "server/registry/": ("server/core/", "server/http/", "common/"),
    "server/node/": ("server/core/", "server/fanout/", "server/registry/",
                     "server/http/", "common/"),
    "server/rpc/": ("server/core/", "server/fanout/", "server/registry/",
                    "server/node/", "server/http/", "common/"),
    "server/": ("server/", "common/"),
    "client/": ("common/",),
    "tests/": ("",),
}


# Which paths may use which library or kind of header.
MAY_USE = (
    ("gRPC", r"grpc/|grpc\+\+/|grpcpp/|.*\.grpc\.pb\.h$",
     ("common/grpc_status.", "server/rpc/", "client/")),
    ("Protobuf", r"google/protobuf/|.*\.pb\.h$",
     ("common/grpc_status.", "server/rpc/", "client/")),
    ("Asio or Beast", r"boost/(asio|beast)", ("server/http/",)),
    ("simdjson", r"simdjson", ("server/fanout/",)),
    ("SQLite", r"sqlite3", ("server/registry/", "server/node/")),
    ("prometheus-cpp", r"prometheus/", ()),
)
# Rules without input, output or a clock of their own.
PURE = "server/core/"
IMPURE = re.compile(r"(fstream|iostream|filesystem|thread|chrono|cstdio|"
                    r"unistd\.h|fcntl\.h|sys/.*|netinet/.*|boost/.*|"
                    r"openssl/.*)$")


def folder_of(path, folders=MAY_INCLUDE):
    """The longest of `folders` that `path` is in; None when in none."""
    return max((f for f in folders if path.startswith(f)), key=len,
               default=None)


def broken_rule(path, included, quoted, exists):
    """Why the file `path` must not include `included`; None when it may."""
    folder = folder_of(path)
    if exists(included):
        theirs = folder_of(included)
        if theirs == folder:
            return None
        if not any(included.startswith(f) for f in MAY_INCLUDE[folder]):
            allowed = ", ".join(MAY_INCLUDE[folder]) or "nothing else of ours"
            return f"{folder} may include {allowed}; not {theirs}"
        return None
    if quoted and exists(str(Path(path).parent / included)):
        return "an include is a path from the root, not from its file"
    if path.startswith(PURE) and IMPURE.match(included):
        return f"{PURE} is pure: no I/O, threads, clocks or network"
    if folder in ("server/", "tests/"):
        return None
    for library, pattern, users in MAY_USE:
        if re.match(pattern, included):
            if not path.startswith(users):
                users = ", ".join((*users, "server/*.{h,cc}"))
                return f"only {users} may use {library}"
            return None
    return None


def violations(root=ROOT):
    return [f"{path}:{line}: #include {included}: {rule}"
            for path in cxx_files(root)
            for line, included, quoted in includes(path, root)
            if (rule := broken_rule(path, included, quoted,
                                    lambda p: (root / p).is_file()))]


class IncludesTest(unittest.TestCase):

    def test_no_forbidden_include_in_this_tree(self):
        found = violations()
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_this_tree_was_read(self):
        self.assertIn("server/core/membership.h", cxx_files())

    def planted(self, files):
        """Violations in a tree of `files`: path → text."""
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            for path, text in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text, encoding="utf-8")
            return violations(root)

    def test_names_file_line_and_rule_of_a_forbidden_folder(self):
        found = self.planted({
            "server/http/client.h": "",
            "server/core/rule.cc":
                '#include <string>\n#include "server/http/client.h"\n',
        })
        self.assertEqual(found, [
            "server/core/rule.cc:2: #include server/http/client.h: "
            "server/core/ may include common/; not server/http/"])

    def test_finds_a_client_that_reaches_into_the_server(self):
        found = self.planted({
            "server/core/server.h": "",
            "client/cpp/a.h": '#  include "server/core/server.h"\n',
        })
        self.assertEqual(len(found), 1)
        self.assertIn("client/cpp/a.h:1:", found[0])

    def test_finds_grpc_below_the_rpc_folder(self):
        found = self.planted({
            "server/node/a.cc": "#include <grpcpp/grpcpp.h>\n",
            "server/fanout/a.cc":
                '#include "mimik/cluster/v1/resources.pb.h"\n',
            "common/ids.h": "#include <grpcpp/support/status.h>\n",
        })
        self.assertEqual([f.split(" ")[0] for f in found],
                         ["common/ids.h:1:", "server/fanout/a.cc:1:",
                          "server/node/a.cc:1:"])

    def test_finds_io_in_the_core_and_asio_outside_http(self):
        found = self.planted({
            "server/core/a.cc": "#include <thread>\n",
            "server/node/a.cc": "#include <boost/asio/post.hpp>\n",
        })
        self.assertEqual(len(found), 2)

    def test_finds_a_relative_include(self):
        found = self.planted({"common/a.h": "", "common/a.cc": '#include "a.h"\n'})
        self.assertEqual(len(found), 1)

    def test_accepts_what_the_table_allows(self):
        self.assertEqual(self.planted({
            "common/a.h": "#include <string>\n",
            "common/grpc_status.h": "#include <grpcpp/support/status.h>\n",
            "server/core/a.h": '#include "common/a.h"\n',
            "server/http/a.cc":
                '#include <boost/asio/post.hpp>\n#include "common/a.h"\n',
            "server/rpc/a.cc":
                '#include <grpcpp/grpcpp.h>\n#include "server/core/a.h"\n',
            "server/metrics.h":
                '#include <prometheus/counter.h>\n#include "server/core/a.h"\n',
            "tests/unit/core/a_test.cc": '#include "server/core/a.h"\n',
        }), [])


if __name__ == "__main__":
    sys.exit(unittest.main())
