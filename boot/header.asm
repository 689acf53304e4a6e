; SPDX-License-Identifier: MIT
;
; What boot loaders look for in the file: the multiboot2 header (multiboot2 specification, 3.1) for GRUB, and
; the Xen ELF note with the PVH entry point (Xen's x86/HVM direct boot ABI) for QEMU's -kernel.

extern PvhStart

MULTIBOOT2_MAGIC equ 0xe85250d6
TAG_END          equ 0
TAG_REQUEST      equ 1
TAG_FRAMEBUFFER  equ 5
TAG_ALIGN_MODULE equ 6
INFO_COMMAND     equ 1
INFO_MODULE      equ 3
INFO_MEMORY_MAP  equ 6
INFO_FRAMEBUFFER equ 8
INFO_ACPI_OLD    equ 14
INFO_ACPI_NEW    equ 15
OPTIONAL         equ 1

section .multiboot2 progbits alloc noexec nowrite align=8
global multiboot2_header
multiboot2_header:
    dd MULTIBOOT2_MAGIC
    dd 0                                ; architecture: i386, 32-bit protected mode
    dd .end - multiboot2_header
    dd -(MULTIBOOT2_MAGIC + (.end - multiboot2_header)) & 0xffffffff
    align 8
.memory_map:
    dw TAG_REQUEST, 0
    dd 12
    dd INFO_MEMORY_MAP
    align 8
.wishes:
    dw TAG_REQUEST, OPTIONAL
    dd 28
    dd INFO_COMMAND, INFO_MODULE, INFO_ACPI_OLD, INFO_ACPI_NEW, INFO_FRAMEBUFFER
    align 8
    dw TAG_FRAMEBUFFER, OPTIONAL        ; any mode: a screen that shows text is as good (boot/grub.cfg asks for one)
    dd 20
    dd 0, 0, 0
    align 8
    dw TAG_ALIGN_MODULE, 0              ; archives' pages are mapped in place
    dd 8
    align 8
    dw TAG_END, 0
    dd 8
.end:

section .note.pvh note alloc noexec nowrite align=4
    dd 4                                ; name's length
    dd 8                                ; description's length
    dd 18                               ; XEN_ELFNOTE_PHYS32_ENTRY
    db "Xen", 0
    dq PvhStart
