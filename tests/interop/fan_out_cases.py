"""The same fan-outs made by a genuine node and by clusterd on its behalf, over
the same servers. What came of each is the table in README.md: the run has to see
what stands there, and `--update` writes down what it sees."""
import json
from dataclasses import dataclass
from pathlib import Path

from world import BODY_MARK, World, WorldTest, call

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- what the run sees -->\n", "<!-- end -->\n"
HEAD = ("| call | at | genuine: data | results | failures | evicts "
        "| clusterd: data | results | failures | requests | compared |\n"
        + "|---" * 11 + "|\n")

EVICTS = "a node that answers 5xx is in neither list and evicted"
NO_SERVER = "a 2xx without `server` evicts at once"
# Where clusterd differs on purpose, as the design has it; the rest is equal.
DIFFERENCES = {
    "500": f"{EVICTS}; clusterd names and keeps it",
    "503": f"{EVICTS}; clusterd names and keeps it",
    "499": "a status that Node.js does not name counts as 500",
    "hang": "silence evicts and is told nobody; clusterd says that it may have "
            "been executed, and probes first",
    "reset": "as silence",
    "dead": "a dead node is in neither list; clusterd names it",
    "wrong-id": "dropped without a word; clusterd names it",
    "no-server": f"{NO_SERVER}; clusterd names it",
    "no-data": "null is appended; clusterd appends nothing",
    "text": f"{NO_SERVER}; to clusterd it is somebody else who answers",
    "bad-json": f"{NO_SERVER}; clusterd says what is wrong",
    "empty": f"{NO_SERVER}; to clusterd it is somebody else who answers",
    "redirect": "followed; clusterd follows none",
}


@dataclass
class Outcome:
    """What a caller gets to see."""
    data: list
    results: list
    failures: dict  # serverId -> what is said of it
    evicts: bool = False

    def comparable(self):
        return (sorted(json.dumps(item, sort_keys=True) for item in self.data),
                self.results, {server_id: status.split()[0] for server_id, status
                               in self.failures.items()})

    def cells(self):
        return (names(describe(item) for item in self.data), names(self.results),
                names(f"{server_id} {said}" for server_id, said
                      in self.failures.items()))


def names(items):
    return " ".join(sorted(items)) or "–"


def describe(item):
    """Of the items of /echo the sender; others as they are."""
    return item["from"] if isinstance(item, dict) else json.dumps(item)


def by_genuine(node, method, path, body):
    answer = node.fan_out(method, path, body, note="n")
    return Outcome(
        answer["data"],
        sorted(result["serverId"] for result in answer["results"]),
        {failure["serverId"]: str(failure["statusCode"])
         for failure in answer["failures"]})


def by_clusterd(clusterd, origin, method, path, body):
    options = [f"--origin={origin.id}", "--header=x-note: n"]
    if body is not None:
        options.append("--data=" + json.dumps(body, separators=(",", ":")))
    answer = call(clusterd, method, path, *options)
    failures = {}
    for failure in answer["failures"]:
        reason = failure["reason"].removeprefix("FAILURE_REASON_")
        certainty = failure["certainty"].removeprefix("CERTAINTY_")
        status = str(failure["httpStatus"]) if reason == "HTTP_STATUS" else reason
        failures[failure["serverId"]] = (
            status if certainty == "ANSWERED" else f"{status} {certainty}")
    return Outcome(json.loads(answer["dataJson"]),
                   [result["serverId"] for result in answer["results"]], failures)


class FanOutTest(WorldTest):
    """One world for all: a genuine caller g1, and g2, s1, s2 that are called."""
    update = False  # set by main
    rows = []

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.stop)
        cls.clusterd = cls.world.clusterd()
        cls.g1, cls.g2 = cls.world.registered_genuine("g1", "g2")
        cls.s1, cls.s2 = cls.world.service("s1"), cls.world.service("s2")
        for service in (cls.s1, cls.s2):
            cls.world.register(cls.clusterd, service)

    def rest(self):
        self.world.wait_for_rest(self.g1, self.g2, self.s1, self.s2)

    def compare(self, name, method, path, faulty, body=None):
        """Makes one call from both sides and records a row."""
        self.rest()
        before = requests_at(faulty, method, path)
        mark = self.world.mit.mark()
        genuine = by_genuine(self.g1, method, path, body)
        genuine.evicts = self.removals("node", mark) > 0
        between = requests_at(faulty, method, path)
        self.rest()
        clusterd = by_clusterd(self.clusterd, self.g1, method, path, body)
        after = requests_at(faulty, method, path)
        counts = f"{between - before} / {after - between}" if faulty else "–"
        self.record(name, f"{method} {path}", faulty, genuine, clusterd, counts)

    def removals(self, runtime, mark=0):
        """Removals asked for by servers of a runtime, as user-agents name it."""
        return sum(f"; {runtime}" in request["agent"] for request in
                   self.world.mit.requests("DELETE", since=mark))

    def record(self, name, title, faulty, genuine, clusterd, counts):
        equal = genuine.comparable() == clusterd.comparable()
        with self.subTest(title):
            self.assertEqual(equal, name not in DIFFERENCES,
                             (genuine, clusterd))
        self.rows.append(
            (title, faulty.id if faulty else "–", *genuine.cells(),
             "yes" if genuine.evicts else "–", *clusterd.cells(), counts,
             "equal" if equal else DIFFERENCES.get(name, "")))

    def test_every_fan_out_ends_as_the_table_says(self):
        body = {"mark": BODY_MARK}
        self.compare("echo", "GET", "/echo", None)
        self.compare("echo", "GET", "/echo?a=1&b=%C3%BC", None)
        self.compare("echo", "POST", "/echo", None, body)
        self.compare("echo", "PUT", "/echo", None, body)
        self.compare("list", "GET", "/list", None)
        for node in (self.g2, self.s1):
            for fault in ("403", "404", "429", "wrong-id", "no-data", "null-data",
                          "redirect", "500", "no-server"):
                self.compare(fault, "GET", f"/fault/{node.id}/{fault}", node)
        for fault in ("499", "503", "hang", "reset", "text", "bad-json", "empty"):
            self.compare(fault, "GET", f"/fault/g2/{fault}", self.g2)
        for fault in ("404", "429", "500", "hang"):
            self.compare(fault, "POST", f"/fault/s1/{fault}", self.s1, body)
        self.assertEqual(self.removals("clusterd"), 0)
        self.compare_with_a_dead_node()
        self.check_table()

    def compare_with_a_dead_node(self):
        outcomes, mark = [], self.world.mit.mark()
        for ask in (lambda: by_genuine(self.g1, "GET", "/echo", None),
                    lambda: by_clusterd(self.clusterd, self.g1, "GET", "/echo",
                                        None)):
            self.rest()
            self.g2.kill()
            self.world.forget(self.g2)
            outcomes.append(ask())
            self.world.wait_for_rest(self.g1, self.s1, self.s2)
            outcomes[0].evicts = self.removals("node", mark) > 0
            type(self).g2, = self.world.registered_genuine("g2")
        self.record("dead", "GET /echo", self.g2, *outcomes, "–")

    def check_table(self):
        table = HEAD + "".join(f"| {' | '.join(row)} |\n" for row in self.rows)
        text = README.read_text(encoding="utf-8")
        start = text.index(BEGIN) + len(BEGIN)
        end = text.index(END, start)
        if self.update:
            README.write_text(text[:start] + table + text[end:],
                              encoding="utf-8")
        else:
            self.assertEqual(text[start:end], table)


def requests_at(faulty, method, path):
    """Requests for the path that the misbehaving server has received."""
    if faulty is None:
        return 0
    return faulty.state()["seen"].get(f"{method} {path}", 0)
