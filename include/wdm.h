/* SPDX-License-Identifier: MIT */
/* Driver source may name this header; the interface is one. */
#include <ntddk.h>
