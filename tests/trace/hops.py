#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/trace/hops.py RAW TURNS: what a hop of tests/linux/hops.c costs, from the first to the last time that one of its two players wakes
the other one: at most one interrupt between processors, and two switches: one to the woken thread, one from the thread that waits.

That is an average over TURNS of each player and has no slack. What the hops have not caused is counted apart, and only that:
  - a switch to a thread that is no player, and the switch back;
  - a switch at a quantum's end, and the one with which the player comes back;
  - an interrupt between processors that such a thread sends, or that is sent in a DPC or in an interrupt, as for a timer's end.
But a thread that a player wakes is the hops' own: its switches and interrupts count as theirs.
"""
import collections
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
sys.dont_write_bytecode = True
from timeline import IDLE, STATES, WHY, Timeline                                            # noqa: E402
from tracing import Raw                                                                     # noqa: E402

WOKEN = STATES.index("woken")


class Half:
    """Two players' hops: what has been counted up to the last of them, and since. Other threads may have their addresses before and later."""

    def __init__(self, players):
        self.second = players[1].id
        self.players = {thread.address for thread in players}
        self.own, self.wakes = set(self.players), 0
        self.counted, self.since = collections.Counter(), collections.Counter()

    def hop(self):
        if self.wakes > 0:
            self.counted += self.since
        self.wakes += 1
        self.since.clear()


def read_halves(raw):
    """The threads of the program in the order of their start: main, two players, two more."""
    program = [thread for thread in Timeline(raw).build().all_threads if thread.process and "hops" in thread.process.name]
    if len(program) != 5:
        sys.exit(f"{len(program)} threads instead of 5")
    return [Half(program[1:3]), Half(program[3:5])]


def count(raw, half):
    running, inside, idle, begun = {}, collections.Counter(), {0}, False
    for _, processor, event, number, a, b in raw.records:
        current = running.get(processor, 0)
        direct = inside[processor] == 0
        if event in ("InterruptBegin", "DpcBegin") and not (event == "DpcBegin" and number):
            inside[processor] += 1
        elif event in ("InterruptEnd", "DpcEnd") and not (event == "DpcEnd" and number):
            inside[processor] -= inside[processor] > 0
        elif event == "ThreadCreate" and number == half.second:
            begun = True
        elif event == "ThreadExit" and begun and current in half.players:
            break
        elif event == "Switch":
            running[processor] = b
            idle.update(thread for thread, shift in ((a, 8), (b, 16)) if number >> shift & 255 == IDLE)
            apart = b not in half.own | idle or WHY[number & 255] == "quantum ends"
            half.since["apart" if apart else "switches"] += 1
        elif event == "IpiSend":
            own = direct and (current in half.own or current in idle)
            half.since["interrupts" if own else "interrupts apart"] += 1
        elif event == "Ready" and begun and direct and current in half.players and number >> 8 & 255 == WOKEN:
            if a in half.players:
                half.hop()
            else:
                half.own.add(a)


def main(path, turns):
    raw, hops = Raw(path), 2 * int(turns)
    if any(raw.lost):
        sys.exit("records are lost")
    failed = False
    for name, half in zip(("pipe", "futex"), read_halves(raw)):
        count(raw, half)
        counted = half.counted
        print(f"{name}: {hops} hops, {half.wakes} wake-ups, {counted['switches']} switches, {counted['interrupts']} interrupts; "
              f"apart: {counted['apart']} switches to others, {counted['interrupts apart']} interrupts")
        failed |= half.wakes < 2 or half.wakes > hops or counted["interrupts"] > hops
        failed |= counted["switches"] > 2 * hops + counted["apart"] # each to others has one back
    sys.exit(failed)


if __name__ == "__main__":
    main(*sys.argv[1:])
