/* SPDX-License-Identifier: MIT */
/* Whether program.c's answers are right. */
#include "labs/labtest.h"
#include "program.h"

static VOID Arguments(VOID)
{
    char Buffer[64];
    char *Three[] = {"tour", "one", "", "t w o", NULL};
    CHECK_EQUAL(FormatArguments(4, Three, Buffer, sizeof(Buffer)), 3);
    CHECK(strcmp(Buffer, "1: one\n2: \n3: t w o\n") == 0);
    CHECK_EQUAL(FormatArguments(1, Three, Buffer, sizeof(Buffer)), 0);
    CHECK(Buffer[0] == 0);
    CHECK_EQUAL(FormatArguments(4, Three, Buffer, 13), 3);
    CHECK(strcmp(Buffer, "1: one\n2: \n") == 0);
    return;
}

static HANDLE Over;

static VOID WaitsForTheEnd(PVOID Context)
{
    WaitFor(Over, 60000);
}

static VOID Threads(VOID)
{
    HANDLE Me = NtCurrentTeb()->ClientId.UniqueProcess, Thread[5];
    CHECK_SUCCESS(NtCreateEvent(&Over, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    CHECK_EQUAL(CountThreads(Me), 1);
    for (ULONG i = 0; i < RTL_NUMBER_OF(Thread); i++) {
        CHECK_SUCCESS(CreateThread(WaitsForTheEnd, NULL, &Thread[i]));
        CHECK_EQUAL(CountThreads(Me), i + 2);
    }
    NtSetEvent(Over, NULL);
    for (ULONG i = 0; i < RTL_NUMBER_OF(Thread); i++) {
        CHECK_SUCCESS(WaitFor(Thread[i], 60000));
        NtClose(Thread[i]);
    }
    CHECK_EQUAL(CountThreads((HANDLE)2), 0); /* ids are multiples of 4 */
}

static const TEST Tests[] = {
    {"tour.arguments", Arguments},
    {"tour.threads", Threads},
};

int main(int argc, char **argv)
{
    return LabRunTests(argc, argv, Tests, RTL_NUMBER_OF(Tests));
}
