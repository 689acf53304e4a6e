#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/trace/compare.py RAW JSON [PAGE]: do the Perfetto file, and the page as Chromium shows it, say what the records say?

The records are counted here in a way of their own: by words, with no timeline. Prints the figures; fails at the first difference.
"""
import collections
import html
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
sys.dont_write_bytecode = True
from tracing import Raw                                                                     # noqa: E402


def from_records(raw):
    """How many spans of each kind, and their sums in nanoseconds."""
    first, scale = raw.records[0][0], raw.cycles_per_second
    counts, sums = collections.Counter(), collections.Counter()
    readied, inside, running = {}, collections.defaultdict(list), {}
    idle = set()
    for cycles, processor, event, number, a, b in raw.records:
        now = (cycles - first) * 1_000_000_000 // scale
        counts["records"] += 1
        if event == "Switch":
            if number >> 8 & 255 == 255:
                idle.add(a)
            if number >> 16 & 255 == 255:
                idle.add(b)
            running.setdefault(processor, a)
            if running[processor] not in idle:
                counts["run"] += 1
            if b in readied:
                counts["wakes"] += 1
                sums["wakes"] += now - readied.pop(b)
            running[processor] = b
        elif event == "Ready":
            readied[a] = now
        elif event in ("InterruptBegin", "DpcBegin") and not (event == "DpcBegin" and number):
            inside[processor].append(now)
        elif event in ("InterruptEnd", "DpcEnd") and not (event == "DpcEnd" and number) and inside[processor]:
            counts["interrupt"] += 1
            sums["interrupt"] += now - inside[processor].pop()
        elif event == "Contention":
            counts["interrupt"] += 1
            sums["interrupt"] += b * 1_000_000_000 // scale
        elif event == "WaitBegin":
            counts["wait"] += 1
    counts["run"] += sum(thread not in idle for thread in running.values())
    return counts, sums


def from_json(path):
    with open(path) as file:
        events = json.load(file)["traceEvents"]
    counts, sums, starts = collections.Counter(), collections.Counter(), {}
    kinds = {"run": "run", "interrupt": "interrupt", "dpc": "interrupt", "spin": "interrupt", "wait": "wait", "call": "call",
             "fault": "call", "callback": "call"}
    for event in events:
        if event["ph"] == "X":
            kind = kinds[event["cat"]]
            counts[kind] += 1
            sums[kind] += round(event["dur"] * 1000)
        elif event["ph"] == "s":
            starts[event["id"]] = event["ts"]
        elif event["ph"] == "f":
            counts["wakes"] += 1
            sums["wakes"] += round((event["ts"] - starts.pop(event["id"])) * 1000)
    assert not starts, "arrows without an end"
    return counts, sums


def from_page(path):
    """As the page itself adds it up from what it draws."""
    with tempfile.TemporaryDirectory() as profile:
        out = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
                              "--virtual-time-budget=100000", "--dump-dom", f"file://{os.path.abspath(path)}#search=runs&zoom=3"],
                             capture_output=True, text=True, timeout=200)
    summary = json.loads(html.unescape(re.search(r'data-summary="([^"]*)"', out.stdout)[1]))
    rows = len(re.findall("<tr", re.search(r'<table id="waited".*?</table>', out.stdout, re.S)[0]))
    counts = collections.Counter(summary["spans"] | {"wakes": summary["wakes"], "records": summary["records"], "waited": rows - 1})
    assert summary["found"] == counts["ran"] > 0, f"the search for what runs finds {summary['found']} of {counts['ran']}"
    assert 0 < summary["to"] - summary["from"], "the zoom shows nothing"
    return counts, collections.Counter(summary["sums"] | {"wakes": summary["latency"]}), summary


def agree(what, one, two, kinds):
    for kind in kinds:
        if one[kind] != two[kind]:
            sys.exit(f"{what} of {kind}: {one[kind]} and {two[kind]}")


def main(raw_path, json_path, page=None):
    raw = Raw(raw_path)
    counts, sums = from_records(raw)
    json_counts, json_sums = from_json(json_path)
    agree("records and Perfetto: number", counts, json_counts, ("run", "wait", "interrupt", "wakes"))
    agree("records and Perfetto: sum", sums, json_sums, ("interrupt", "wakes"))
    if page:
        page_counts, page_sums, summary = from_page(page)
        agree("records and page: number", counts, page_counts, ("records", "run", "wait", "interrupt", "wakes"))
        agree("Perfetto and page: number", json_counts, page_counts, ("run", "wait", "interrupt", "call", "wakes"))
        agree("Perfetto and page: sum", json_sums, page_sums, ("run", "wait", "interrupt", "call", "wakes"))
        agree("page: times on processors and by thread", collections.Counter(run=page_sums["run"]), collections.Counter(run=page_sums["ran"]), ("run",))
        if page_counts["waited"] == 0:
            sys.exit("the table of waits is empty")
        print(f"the page opened in {summary['sinceNavigation'] / 1000:.2f} s")
    print(*(f"{kind} {json_counts[kind]} ({json_sums[kind]} ns)" for kind in json_counts), sep=", ")


if __name__ == "__main__":
    main(*sys.argv[1:])
