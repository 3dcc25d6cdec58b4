"""A fleet in virtual time: one store, operators, and processes that run the real code of the shared block list. One seed, one history.

What happens between them is chosen by chance: lost messages and answers, cut links, a store that is wiped, set back or written to by an
attacker, processes that start again, operators whose clocks step. After each event the promises are checked.
"""

import contextlib
import fnmatch
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from m2mguard.blocklist import Block, ValkeyBlocklist
from m2mguard.blocklist._items import Item, Items, blocks_of, has_all, merge
from m2mguard.blocklist._shared_list import SharedList, Unusable
from m2mguard.blocklist._valkey_list import PREFIX
from m2mguard.net._batches import NoAnswer

KEY, ISSUER = b"k" * 32, "https://issuer.example"
BEGIN_S, INTERVAL_S, LATEST_S = 1_800_000_000.0, 1.0, 2.0
LONG_S = 4 * LATEST_S  # on a link that loses one message in thirty, several looks in a row may fail


class PromiseBroken(AssertionError):
    """The fleet did what it must not do."""


@dataclass
class Store:
    """The Valkey server: what it holds, and who listens."""

    held: dict[bytes, bytes] = field(default_factory=dict)
    notices: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    changes: int = 0

    def answer(self, command: Sequence[Any], now: float) -> Any:
        """Carry one command out."""
        match command:
            case ("HGET", _, name):
                return self.held.get(name.encode())
            case ("SET", name, sealed, "EX", lifetime):
                self.notices[name] = (sealed, now + lifetime)
                return b"OK"
            case ("GET", name):
                found = self.notices.get(name.decode())
                return None if found is None or found[1] <= now else found[0]
            case ("PTTL", name):
                return round((self.notices[name.decode()][1] - now) * 1000)
            case ("EVAL", _, 2, _, _, held, mark, sealed):
                if self.held.get(b"sealed", b"") != held:
                    return 0
                self.held = {b"sealed": sealed, b"mark": mark}
                self.changes += 1
                return 1
        raise AssertionError(f"the simulator does not know {command[0]}")


class Link:
    """The way of one process or operator to the store: what `ValkeyServer` is in earnest."""

    shown = "valkey://simulated"

    def __init__(self, fleet: "Fleet") -> None:
        self.fleet = fleet
        self.up_since: float | None = fleet.now

    def send(self, commands: Sequence[Any]) -> list[Any]:
        if self.up_since is None:
            raise NoAnswer("cut off")
        chance = self.fleet.chance
        if self.fleet.is_shaky and chance.random() < 0.03:
            raise NoAnswer("lost on the way there")
        answers = [self.fleet.store.answer(command, self.fleet.now) for command in commands]
        if self.fleet.is_shaky and chance.random() < 0.03:
            raise NoAnswer("lost on the way back")
        return answers

    def scan(self, pattern: str) -> list[bytes]:
        self.send([])
        live = [name for name, (_, until) in self.fleet.store.notices.items() if until > self.fleet.now]
        return [name.encode() for name in fnmatch.filter(live, pattern)]


class Process:
    """A process of the fleet, whose thread looks when the simulator says so."""

    def __init__(self, fleet: "Fleet") -> None:
        self.link = Link(fleet)
        self.blocklist = ValkeyBlocklist("valkey://127.0.0.1:1", key=KEY)
        self.blocklist._shared = SharedList(self.link, KEY, PREFIX)  # type: ignore[arg-type]
        self.next_look = fleet.now + fleet.chance.random() * INTERVAL_S
        self.started = fleet.now
        self.marks: set[bytes | None] = set()

    @property
    def items(self) -> Items:
        return {} if self.blocklist._known is None else self.blocklist._known.items

    @property
    def blocked(self) -> set[str | None]:
        return {block.app_id for block in self.blocklist.index.blocks}


class Fleet:
    """All of it.

    Args:
        seed: of everything that happens by chance.
        size: how many processes there are.
    """

    def __init__(self, seed: int, size: int = 8) -> None:
        self.chance = random.Random(seed)
        self.now = BEGIN_S
        self.is_shaky = True
        self.store, self.dumps = Store(), [dict[bytes, bytes]()]
        self.operators = [SharedList(Link(self), KEY, PREFIX) for _ in range(2)]  # type: ignore[arg-type]
        self.operator_clocks = [0.0, 0.0]
        self.words: set[Item] = set()
        self.commands: list[tuple[bytes, str, bool]] = []
        self.saw_it = False
        self.to_look_after: dict[str, tuple[float, bool]] = {}
        self.there_since = (b"", self.now)
        self.committed: Items = {}
        self.checked_at = self.now
        self.calm_since = self.now
        self.events = 0
        self.processes = [Process(self) for _ in range(size)]
        self.seen: dict[int, Items] = {}

    def run(self, events: int) -> None:
        """Let so many things happen, and then let the fleet come to rest."""
        for _ in range(events):
            self.now += self.chance.expovariate(4)
            self._look()
            self.look_after()
            self.chance.choice(self._possible())()
            self.events += 1
            self.check()
        self.is_shaky, self.calm_since = False, self.now
        self.before_rest = [process.items for process in self.processes]
        if self._stored() is None:
            self.wipe()  # an operator who is told that the list is not sealed by our key removes it
        for process in self.processes:
            process.link.up_since = process.link.up_since or self.now
        for _ in range(80):
            self.now += 0.1
            self._look()
            self.look_after()
            self.check()
        self._check_rest()

    def _possible(self) -> list[Any]:
        often = [self.add, self.add, self.remove, self.pass_time, self.pass_time, self.pass_time]
        seldom = [
            self.cut,
            self.mend,
            self.mend,
            self.wipe,
            self.dump,
            self.set_back,
            self.attack,
            self.restart,
            self.step,
        ]
        return often * 2 + seldom

    def _look(self) -> None:
        """The looks that are due; a change is told to those who can hear it, most of the time."""
        changes = self.store.changes
        for process in sorted(self.processes, key=lambda one: one.next_look):
            if process.next_look <= self.now:
                process.blocklist._look()
                process.next_look = self.now + INTERVAL_S * (0.9 + 0.1 * self.chance.random())
        if self.store.changes != changes:
            self.tell()

    def tell(self) -> None:
        """A message that the list has changed."""
        for process in self.processes:
            if process.link.up_since is not None and self.chance.random() < 0.7:
                process.next_look = min(process.next_look, self.now + 0.01)

    def pass_time(self) -> None:
        """Nothing happens for a while."""
        for _ in range(self.chance.randrange(1, 30)):
            self.now += 0.1
            self._look()

    def _change(self, make: Any, name: str, *, blocks: bool) -> None:
        number = self.chance.randrange(2)
        clock = self.operator_clocks[number]
        before = self.store.held.get(b"sealed")
        with contextlib.suppress(NoAnswer, Unusable):  # the operator is told, and tries again some day
            self.operators[number].change(make, now=lambda: self.now + clock)
        sealed = self.store.held.get(b"sealed")
        if sealed is not None and sealed != before:
            self.committed = self.operators[number].opened(sealed).items
            self.words.update(self.committed.values())
            if blocks or self.saw_it:
                self.commands.append((self.store.held[b"mark"], name, blocks))
                self.to_look_after[name] = (
                    self.now + LATEST_S,
                    blocks,
                )  # else the operator is told that there is no entry
            self.tell()

    def add(self) -> None:
        """Block one more application."""
        self._command(f"app-{self.chance.randrange(20)}", blocks=True)

    def remove(self) -> None:
        """Free an application."""
        self._command(f"app-{self.chance.randrange(20)}", blocks=False)

    def _command(self, name: str, *, blocks: bool) -> None:
        block = Block(issuer=ISSUER, app_id=name, reason="simulated", expires_at=BEGIN_S + 1e9, added_at=self.now)

        def make(held: list[Block]) -> list[Block]:
            self.saw_it = any(one.app_id == name for one in held)
            others = [one for one in held if one.app_id != name]
            return [*others, block] if blocks else others

        self._change(make, name, blocks=blocks)

    def look_after(self) -> None:
        """As `m2mguard block` does: it looks whether what it has done is still there, and does it again if it is not."""
        for name, (due, blocks) in list(self.to_look_after.items()):
            stored = self._stored()
            if due <= self.now and stored is not None:
                del self.to_look_after[name]
                if any(one.app_id == name for one in blocks_of(stored)) is not blocks:
                    self._command(name, blocks=blocks)

    def cut(self) -> None:
        """Cut a process off."""
        self.chance.choice(self.processes).link.up_since = None

    def mend(self) -> None:
        """Connect a process again."""
        link = self.chance.choice(self.processes).link
        link.up_since = link.up_since or self.now

    def wipe(self) -> None:
        """The store forgets everything."""
        self.store.held, self.calm_since = {}, self.now
        self.store.notices = {}

    def dump(self) -> None:
        """Somebody keeps a copy of the store."""
        self.dumps.append(dict(self.store.held))

    def set_back(self) -> None:
        """An old copy is restored."""
        self.store.held, self.calm_since = dict(self.chance.choice(self.dumps)), self.now

    def attack(self) -> None:
        """Somebody without the key writes what they can."""
        sealed = self.store.held.get(b"sealed", b"0" * 64 + b'\n{"format":2,"version":1,"items":[]}')
        evil = b'{"issuer":"https://issuer.example","app_id":"app-evil","reason":"x","expires_at":9e9}'
        evil = b'{"stamp":9000000000000,"blocks":true,"block":' + evil + b"},"
        self.store.held = self.chance.choice(
            [
                {b"sealed": sealed.replace(b'"items":[', b'"items":[' + evil, 1), b"mark": b"1" * 64},
                {b"sealed": sealed[: self.chance.randrange(len(sealed) + 1)], b"mark": b"2" * 64},
                {**self.store.held, b"mark": str(self.chance.randrange(10**13)).encode()},
                {**self.store.held, b"mark": b""},
            ]
        )
        self.calm_since = self.now

    def restart(self) -> None:
        """A process ends, and another starts, which knows nothing yet."""
        place = self.chance.randrange(len(self.processes))
        self.seen.pop(id(self.processes[place]), None)
        self.processes[place] = Process(self)

    def step(self) -> None:
        """The clock of an operator is set."""
        self.operator_clocks[self.chance.randrange(2)] = self.chance.choice([0.0, -3600.0, 3600.0, -86_400.0])

    def check(self) -> None:
        """The promises that hold at every moment."""
        for process in self.processes:
            items = process.items
            if not has_all(items, self.seen.get(id(process), {}), self.now):
                raise PromiseBroken("a process has forgotten what it knew")
            self.seen[id(process)] = items
            if process.blocklist._known is not None:
                process.marks.add(process.blocklist._known.mark)
            if not self.words.issuperset(items.values()):
                raise PromiseBroken("a process believes what no operator has written")
            if process.blocked != {block.app_id for block in blocks_of(items)}:
                raise PromiseBroken("a process refuses something else than it knows")
        self._check_store()
        self._check_spread()

    def _stored(self) -> Items | None:
        """What the store holds, if it is a list of ours."""
        try:
            return self.operators[0].opened(self.store.held.get(b"sealed", b"")).items
        except Unusable:
            return None

    def _check_store(self) -> None:
        """What an operator has written stays, as long as nobody but operators and processes touches the store."""
        stored = self._stored()
        if self.calm_since < self.checked_at and self.committed and not has_all(stored or {}, self.committed, self.now):
            raise PromiseBroken("what an operator has written was replaced by something that lacks it")
        self.checked_at = self.now
        if self.calm_since >= self.checked_at:
            self.committed = {}

    def _check_spread(self) -> None:
        """What has been in the store for long enough is known to everybody who is connected."""
        limit_s = LONG_S if self.is_shaky else LATEST_S
        sealed, stored = self.store.held.get(b"sealed", b""), self._stored()
        if sealed != self.there_since[0]:
            self.there_since = sealed, self.now
        if stored is None or self.now - max(self.calm_since, self.there_since[1]) <= limit_s:
            return
        for process in self.processes:
            up_since = process.link.up_since
            if up_since is None or self.now - max(up_since, process.started) <= limit_s:
                continue
            if not has_all(process.items, stored, self.now):
                raise PromiseBroken(f"a process that is connected does not know after {limit_s} s what the store holds")

    def _check_rest(self) -> None:
        """At rest everybody knows what anybody has known, and the store holds it."""
        everything: Items = {}
        for known in self.before_rest:
            everything = merge(everything, known, self.now)
        for process in self.processes:
            if not has_all(process.items, everything, self.now):
                raise PromiseBroken("at rest, a process does not know what another one has known")
        marks = set[bytes | None]().union(*(process.marks for process in self.processes))
        for name, blocks in {name: blocks for mark, name, blocks in self.commands if mark in marks}.items():
            if self.commands and [one[0] in marks for one in self.commands if one[1] == name][-1]:
                for process in self.processes:
                    if (name in process.blocked) is not blocks:
                        raise PromiseBroken(f"the last command about {name} does not count")
        if everything and not has_all(self._stored() or {}, everything, self.now):
            raise PromiseBroken("at rest, the store lacks what processes know")
