"""The shared block list keeps its promises in every history that a seed makes up; and each mistake that is put in on purpose is found."""

import os
from collections.abc import Callable

import pytest

from m2mguard.blocklist import _shared_list, _valkey_list
from m2mguard.blocklist._index import BlockIndex
from m2mguard.blocklist._items import Item, changed, merge
from m2mguard.blocklist._shared_list import SharedList
from m2mguard.blocklist._valkey_list import ValkeyBlocklist
from m2mguard.blocklist._watched import Blocklist, Reading, Unreadable
from m2mguard.net._batches import NoAnswer
from tests.simulation.fleet import Fleet, PromiseBroken, Store

HISTORIES = int(os.environ.get("M2M_HISTORIES", "40"))
EVENTS = 150
Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize("first", range(0, HISTORIES, 10))
def test_no_history_breaks_a_promise(first):
    for seed in range(first, first + 10):
        try:
            Fleet(seed).run(EVENTS)
        except PromiseBroken as broken:
            raise AssertionError(f"seed {seed}: {broken}. To see it again: Fleet({seed}).run({EVENTS})") from None


def test_a_seed_is_always_the_same_history():
    first, second = Fleet(7), Fleet(7)
    for fleet in (first, second):
        fleet.run(EVENTS)
    assert first.now == second.now
    assert [one.items for one in first.processes] == [one.items for one in second.processes]
    assert first.store.held == second.store.held


read_shared = ValkeyBlocklist._read_shared


def only_messages_are_heard(plant):
    """A change whose message was lost at a reconnect is never seen."""
    looks = {}

    def told_once(self):
        looks[id(self)] = looks.get(id(self), 0) + 1
        return read_shared(self) if looks[id(self)] % 40 == 1 else Reading(None, [])

    plant.setattr(ValkeyBlocklist, "_read_shared", told_once)


def the_store_is_believed(plant):
    """Two looks land in the wrong order, or an old copy was restored, and its list is taken as it is."""
    plant.setattr(_valkey_list, "has_all", lambda *_: True)


def nobody_writes_back(plant):
    def report(self, known, found):
        raise Unreadable("blocklist_set_back", "it is older")

    plant.setattr(ValkeyBlocklist, "_write_back", report)


def what_is_written_back_lacks_what_was_there(plant):
    """A process writes its own list over what an operator has written meanwhile."""
    plant.setattr(_valkey_list, "merge", lambda known, _found, now: merge(known, {}, now))


def writers_do_not_look(plant):
    """Of two changes at once, one is lost: the second replaces the first without having read it."""
    answer, read, kept = Store.answer, SharedList.read, {}

    def carry_out(self, command, now):
        if command[0] == "EVAL":
            command = (*command[:5], self.held.get(b"sealed", b""), *command[6:])
        return answer(self, command, now)

    def read_some_time_ago(self):
        if self.server.fleet.chance.random() < 0.5:
            kept[id(self)] = read(self)
        return kept.get(id(self))

    plant.setattr(Store, "answer", carry_out)
    plant.setattr(SharedList, "read", read_some_time_ago)


def words_are_dated_by_the_operators_clock(plant):
    """A wall clock that steps back makes a word that counts less than the one before."""

    def by_clock(items, blocks, now):
        wanted = {block.identity: block for block in blocks}
        stamp = int(now * 1000)
        freed = {identity: Item(stamp, False, item.block) for identity, item in items.items() if identity not in wanted}
        return freed | {identity: Item(stamp, True, block) for identity, block in wanted.items()}

    plant.setattr(_shared_list, "changed", by_clock)


def what_is_freed_is_left_out(plant):
    """A freed thing leaves no word, so the first process that still has its entry blocks it again."""

    def without_freed(items, blocks, now):
        return {identity: item for identity, item in changed(items, blocks, now).items() if item.blocks}

    plant.setattr(_shared_list, "changed", without_freed)


def seals_are_not_checked(plant):
    plant.setattr(_shared_list, "unseal", lambda _key, _purpose, sealed: sealed.partition(b"\n")[2])


def a_failure_empties_the_list(plant):
    def fail(self, error):
        self._index = BlockIndex()

    plant.setattr(Blocklist, "_fail", fail)


def a_lost_answer_loses_the_reading(plant):
    """The list counts as known before it is in force. This one was in the code until a history found it."""

    def read(self):
        known = self._known
        reading = read_shared(self)
        if self._known is not known and self._shared.server.fleet.chance.random() < 0.1:
            raise NoAnswer("lost")
        return reading

    plant.setattr(ValkeyBlocklist, "_read_shared", read)


def the_hint_is_believed(plant):
    """A look counts as a reading: what the mark of the store was at that time is taken for what is known."""

    def read(self):
        reading = read_shared(self)
        if self._known is not None:
            self._known = self._known._replace(mark=self._shared.look(self._notice()))
        return reading

    plant.setattr(ValkeyBlocklist, "_read_shared", read)


def a_wiped_store_is_an_empty_list(plant):
    def read(self):
        if self._shared.read() is None:
            self._known = None
            return Reading([], [])
        return read_shared(self)

    plant.setattr(ValkeyBlocklist, "_read_shared", read)


PLANTED = (
    only_messages_are_heard, the_store_is_believed, nobody_writes_back, what_is_written_back_lacks_what_was_there, writers_do_not_look,
    words_are_dated_by_the_operators_clock, what_is_freed_is_left_out, seals_are_not_checked, a_failure_empties_the_list,
    a_lost_answer_loses_the_reading, the_hint_is_believed, a_wiped_store_is_an_empty_list,
)  # fmt: skip


@pytest.mark.parametrize("planted", PLANTED, ids=lambda one: one.__name__)
def test_a_planted_mistake_is_found(planted, monkeypatch):
    planted(monkeypatch)
    for seed in range(60):
        try:
            Fleet(seed).run(EVENTS)
        except PromiseBroken:
            return
    raise AssertionError("sixty histories did not find it")
