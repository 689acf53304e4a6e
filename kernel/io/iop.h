/* SPDX-License-Identifier: MIT */
/* Private to io. */
#ifndef PRIMER_IOP_H
#define PRIMER_IOP_H

#include "kernel/ex/ex.h"
#include "kernel/io/io.h"
#include "kernel/kd/kd.h"
#include "kernel/ldr/export.h"
#include "kernel/ob/ob.h"
#include "kernel/rtl/rtl.h"

#define IOP_TAG 'tsIO'

static inline void IopLock(PEX_PUSH_LOCK Lock)
{
    KeEnterCriticalRegion();
    ExAcquirePushLockExclusive(Lock);
}

static inline void IopUnlock(PEX_PUSH_LOCK Lock)
{
    ExReleasePushLockExclusive(Lock);
    KeLeaveCriticalRegion();
}

/* file.c */
void IopInitializeFiles(void);

#endif
