# SPDX-License-Identifier: MIT
"""Wrong solutions of lab 9."""
from mutant import Mutant

CASE = "lab 9"
MINI = "labs/9/mini/mini.c"

MUTANTS = [
    Mutant("futex-waits-for-the-kernel", MINI, "UserRequest, UserMode, TRUE, Timeout", "UserRequest, KernelMode, FALSE, Timeout", CASE,
           "personality.waiter-ended"),
    Mutant("futex-looks-before-the-lock", MINI,
           "    MiniLock();\n    NTSTATUS Status = Kernel.QueryWaitKey(Address, FALSE, &Waiter.Key);\n    if (NT_SUCCESS(Status)) {\n"
           "        Status = Kernel.ReadUser32((const volatile ULONG *)Address, &Value);\n    }\n",
           "    NTSTATUS Status = Kernel.QueryWaitKey(Address, FALSE, &Waiter.Key);\n    if (NT_SUCCESS(Status)) {\n"
           "        Status = Kernel.ReadUser32((const volatile ULONG *)Address, &Value);\n    }\n    MiniLock();\n", CASE, "personality.ping-pong"),
    Mutant("wakes-whoever-waits", MINI, "Waiter->Key.Object == Key.Object && Waiter->Key.Offset == Key.Offset", "TRUE", CASE, "personality.wakes"),
    Mutant("joiner-not-woken", MINI, "        MiniWake(Mini->ClearTid, 1);\n", "", CASE, "personality.joins"),
    Mutant("second-piece-forgets-the-first", MINI, "return Done != 0 ? (LONG64)Done : MiniError(Status);", "return MiniError(Status);", CASE,
           "personality.writes"),
    Mutant("removed-but-open", "ps/provider.c", "    PspCloseProvider(Provider);\n    RemoveEntryList(&Provider->Links);\n",
           "    RemoveEntryList(&Provider->Links);\n    if (Provider->Users == 0) {\n        PspCloseProvider(Provider);\n    }\n", CASE, "provider.remove"),
]
