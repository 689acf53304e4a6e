# SPDX-License-Identifier: MIT
"""Typical wrong solutions of lab 7: notify callbacks."""
from mutant import Mutant


def mutant(name, old, new, test):
    return Mutant(name, "ps/notify.c", old, new, "lab 7", "hears." + test)


MUTANTS = [
    mutant("registered-twice", "bool There = Table->Once && PspFindSlot(Table, Routine, Kind, Kind) != NULL;", "bool There = false;",
           "registration"),
    mutant("registered-whatever-the-kind", "PspFindSlot(Table, Routine, Kind, Kind)", "PspFindSlot(Table, Routine, 0, PspImage)",
           "registration"),
    mutant("closed-slot-entered", "    while (State & PSP_SLOT_OPEN) {\n", "    while (State != 0) {\n", "removal-waits"),
    mutant("own-call-keeps-slot", "            Call->Slot = NULL;\n", "", "self-removal"),
    mutant("own-calls-taken-for-others", "            Inside.Own++;\n            Call->Slot = NULL;\n", "            Inside.Foreign = true;\n",
           "self-removal"),
    mutant("removers-wait-for-each-other", "    if (InProgress && !Inside.Foreign) {\n", "    if (InProgress) {\n", "mutual-removal"),
    mutant("removal-waits-for-nobody", "    Slot->Drained = Inside.Foreign ? NULL : &Drained;\n", "    Inside.Foreign = true;\n",
           "removal-waits"),
    mutant("last-veto-counts", "    if (Event->Info != NULL && NT_SUCCESS(Event->Veto)) {\n", "    if (Event->Info != NULL) {\n", "first-veto"),
    mutant("everybody-hears-of-subsystems", "    if (Process->SubsystemProcess && Kind != PspProcessEx2) {\n", "    if (0) {\n",
           "subsystem"),
]
