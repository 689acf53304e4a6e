# SPDX-License-Identifier: MIT
"""Typical wrong solutions of lab 6: objects, handles, the end of processes."""
from mutant import Mutant


def mutant(name, file, old, new, test):
    return Mutant(name, file, old, new, "lab 6", test)


MUTANTS = [
    mutant("found-while-it-goes", "kernel/ob/table.c", "&& ObReferenceObjectSafe(Object);", "&& ObfReferenceObject(Object) != 0;",
           "lives.look-up-meets-deletion"),
    mutant("found-whatever-its-type", "kernel/ob/table.c", "(Type == NULL || ObpType(Object) == Type) && ObReference",
           "ObReference", "lives.found-by-id"),
    mutant("name-outlives-handles", "kernel/ob/handle.c", "if (Left == 0 && ObpHeader(Object)->Name != NULL) {", "if (0) {", "lives.name"),
    mutant("last-thread-leaves-early", "ps/process.c", "    if (OnItself && !Last && !Process->SystemProcess) {",
           "    if (OnItself && !Process->SystemProcess) {", "lives.exit-callback"),
    mutant("every-thread-is-the-last", "ps/process.c", "bool Last = Process->ActiveThreads == 1 && !Process->SystemProcess;",
           "bool Last = !Process->SystemProcess;", "lives.last-thread"),
    mutant("own-reference-kept", "ps/process.c", "    ObDereferenceObject(Process); /* the one of its own */\n", "",
           "lives.processes-are-freed"),
    mutant("handles-outlive-process", "ps/process.c", "    ObEndHandleTable(Process->Pcb.HandleTable);\n", "", "lives.handles-close"),
    mutant("last-terminator-counts", "ps/process.c", "    if (Process->State > PsProcessRunning) {\n        KeUnlockExclusive(&Process->Lock);\n"
           "        return STATUS_PROCESS_IS_TERMINATING;\n    }\n    bool Threadless",
           "    bool Threadless", "lives.first-terminator"),
    mutant("sleepers-sleep-on", "ps/thread.c", "    KeInterruptThread(&Thread->Tcb);\n", "", "lives.terminate-waiting"),
    mutant("unstarted-stay", "ps/thread.c", "    PspStartThread(Thread); /* one that was held back ends, too, by running */\n", "",
           "lives.terminate-unstarted"),
]
