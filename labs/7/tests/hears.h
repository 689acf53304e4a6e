/* SPDX-License-Identifier: MIT */
/* Between the files of the test module. */
#ifndef PRIMER_LABS_HEARS_H
#define PRIMER_LABS_HEARS_H

#include "makers.h"

PCSTR TestRefusal(VOID);

#endif
