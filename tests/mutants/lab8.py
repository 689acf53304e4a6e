# SPDX-License-Identifier: MIT
"""Wrong solutions of lab 8."""
from mutant import Mutant

CASE = "lab 8"

MUTANTS = [
    Mutant("numbers-compared-signed", "kernel/services/table.c", "(Number >= NT_SERVICE_COUNT, 0)", "((int)Number >= NT_SERVICE_COUNT, 0)", CASE,
           "calls.unknown-numbers"),
    Mutant("all-words-of-the-stack", "kernel/services/table.c", "SvcServices[Number].StackArguments * sizeof(ULONG64)", "sizeof(Extra)", CASE,
           "calls.stack-ends"),
    Mutant("probed-sum-wraps", "kernel/ex/probe.c", "Length > MM_USER_END - Address", "Address + Length > MM_USER_END", CASE, "probe.wraps"),
    Mutant("string-fetched-twice", "kernel/ex/capture.c", "    Status = ExCopyIn(Buffer, Given.Buffer, Given.Length, Mode);\n",
           "    Status = ExCopyIn(&Given, Source, sizeof(Given), Mode);\n    Status = ExCopyIn(Buffer, Given.Buffer, Given.Length, Mode);\n", CASE,
           "calls.double-fetch"),
    Mutant("unread-string-leaks", "kernel/ex/capture.c", "    if (!NT_SUCCESS(Status)) {\n        ExFreePoolWithTag(Buffer, EXP_STRING_TAG);\n",
           "    if (!NT_SUCCESS(Status)) {\n", CASE, "calls.string-pointers"),
    Mutant("programs-make-kernel-handles", "kernel/ex/capture.c", "OBJ_VALID_ATTRIBUTES & ~OBJ_KERNEL_HANDLE;", "OBJ_VALID_ATTRIBUTES;", CASE,
           "calls.attributes-flags"),
    Mutant("queried-object-stays", "kernel/services/sync.c", "    Fill(Data, Object);\n    ObDereferenceObject(Object);\n", "    Fill(Data, Object);\n",
           CASE, "calls.query-references"),
]
