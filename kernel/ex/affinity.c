/* SPDX-License-Identifier: MIT */
/*
 * Where the current thread runs, in the older forms and in those that name a processor group: forms of
 * KeSetSystemAffinityThreadEx and KeRevertToUserAffinityThreadEx. There is one group, number 0.
 */
#include "kernel/ke/ke.h"
#include "kernel/rtl/export.h"

#define EXP_GROUP 0

/* KeSetSystemAffinityThreadEx in the older form, which does not tell the affinity before. <= DISPATCH_LEVEL;
   may not return before the thread has moved. (WDK page of the name) */
VOID KeSetSystemAffinityThread(KAFFINITY Affinity)
{
    KeSetSystemAffinityThreadEx(Affinity);
}
EXPORT(KeSetSystemAffinityThread);

/* Back to the user affinity, whatever came before. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID KeRevertToUserAffinityThread(VOID)
{
    KeRevertToUserAffinityThreadEx(0);
}
EXPORT(KeRevertToUserAffinityThread);

static bool ExpIsReservedZero(const GROUP_AFFINITY *Affinity)
{
    return Affinity->Reserved[0] == 0 && Affinity->Reserved[1] == 0 && Affinity->Reserved[2] == 0;
}

/* The current thread runs on the given processors of the group only. PreviousAffinity, if not NULL, receives the system
   affinity before, with a Mask of 0 when there was none; all of it is 0, and nothing is changed, when the group does not
   exist, a reserved member is not 0, or Mask names no active processor. <= DISPATCH_LEVEL; at APC_LEVEL or below the thread
   has moved on return. (WDK page of the name) */
VOID KeSetSystemGroupAffinityThread(PGROUP_AFFINITY Affinity, PGROUP_AFFINITY PreviousAffinity)
{
    KAFFINITY Old = 0;
    if (Affinity->Group == EXP_GROUP && ExpIsReservedZero(Affinity) && (Affinity->Mask & KeActiveProcessors) != 0) {
        Old = KeSetSystemAffinityThreadEx(Affinity->Mask);
    }
    if (PreviousAffinity != NULL) {
        *PreviousAffinity = (GROUP_AFFINITY){.Mask = Old, .Group = EXP_GROUP};
    }
}
EXPORT(KeSetSystemGroupAffinityThread);

/* Back to PreviousAffinity, as KeSetSystemGroupAffinityThread has given it; with a Mask of 0 to the user affinity. Nothing
   happens when the group does not exist or a reserved member is not 0. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID KeRevertToUserGroupAffinityThread(PGROUP_AFFINITY PreviousAffinity)
{
    if (PreviousAffinity->Group == EXP_GROUP && ExpIsReservedZero(PreviousAffinity)) {
        KeRevertToUserAffinityThreadEx(PreviousAffinity->Mask);
    }
}
EXPORT(KeRevertToUserGroupAffinityThread);
