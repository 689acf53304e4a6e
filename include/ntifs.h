/* SPDX-License-Identifier: MIT */
/* Driver source may name this header; the interface is one. The classes of ZwQueryInformationProcess and
   -Thread and their structures stand in <ntapi.h>, which <ntddk.h> includes. */
#include <ntddk.h>
