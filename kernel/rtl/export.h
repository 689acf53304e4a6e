/* SPDX-License-Identifier: MIT */
/*
 * EXPORT(Name) offers a routine or variable of the kernel to modules. It stands beside the definition. Each
 * has a section of its own, by whose names the linker sorts the table (linker.ld).
 */
#ifndef PRIMER_EXPORT_H
#define PRIMER_EXPORT_H

typedef struct _LDR_EXPORT {
    const char *Name;
    const void *Address;
} LDR_EXPORT;

#define EXPORT(Symbol)                                                                                       \
    __attribute__((used, section(".kexport." #Symbol),                                                       \
                   aligned(8))) static const LDR_EXPORT LdrExport_##Symbol = {#Symbol,                       \
                                                                              (const void *)&Symbol}

#endif
