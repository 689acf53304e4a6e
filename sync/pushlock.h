/* SPDX-License-Identifier: MIT */
/*
 * Push locks as the kernel's own components take them: in a critical region, so that no normal kernel APC
 * runs, and nobody is suspended, with the lock held. <= APC.
 */
#ifndef PRIMER_PUSHLOCK_H
#define PRIMER_PUSHLOCK_H

#include <ntddk.h>

static inline void KeLockExclusive(PEX_PUSH_LOCK Lock)
{
    KeEnterCriticalRegion();
    ExAcquirePushLockExclusive(Lock);
}

static inline void KeUnlockExclusive(PEX_PUSH_LOCK Lock)
{
    ExReleasePushLockExclusive(Lock);
    KeLeaveCriticalRegion();
}

static inline void KeLockShared(PEX_PUSH_LOCK Lock)
{
    KeEnterCriticalRegion();
    ExAcquirePushLockShared(Lock);
}

static inline void KeUnlockShared(PEX_PUSH_LOCK Lock)
{
    ExReleasePushLockShared(Lock);
    KeLeaveCriticalRegion();
}

#endif
