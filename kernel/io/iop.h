/* SPDX-License-Identifier: MIT */
/* Private to io. */
#ifndef PRIMER_IOP_H
#define PRIMER_IOP_H

#include "kernel/ex/ex.h"
#include "kernel/io/io.h"
#include "kernel/kd/kd.h"
#include "sync/pushlock.h"
#include "kernel/rtl/export.h"
#include "kernel/ob/ob.h"
#include "kernel/rtl/rtl.h"

#define IOP_TAG 'tsIO'

/* file.c */
void IopInitializeFiles(void);

#endif
