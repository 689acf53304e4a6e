; SPDX-License-Identifier: MIT
;
; Where another processor begins: real mode, at the start of a page below 640 KiB (the startup interrupt's
; vector is the page's number; SDM vol. 3, 9.4.4). This text is copied there; what depends on the place is
; found through CS or is in the three words that ArchpTrampolineFixups lists, to which the copy adds its
; address.
;
;   Progress: 1 real mode   2 protected mode   3 long mode   4 C   5 in the kernel

%include "asmoffsets.inc"

KERNEL_BASE equ 0xffffffff80000000
MSR_EFER    equ 0xc0000080
CODE32      equ 0x20                    ; of the table below; 10h and 18h are as everywhere
DATA        equ 0x18
CODE64      equ 0x10

%define AT(Label) ((Label) - ArchpTrampoline)

section .rodata
global ArchpTrampoline, ArchpTrampolineSize, ArchpTrampolineFixups, ArchpTrampolineParameters

align 16
ArchpTrampoline:
bits 16
    cli
    cld
    mov ax, cs
    mov ds, ax
    xor ebx, ebx
    mov bx, ax
    shl ebx, 4                          ; EBX: the page's address, until the end
    mov dword [AT(Parameters) + TRAMPOLINE_PROGRESS], 1
    o32 lgdt [AT(GdtPointer)]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword far [AT(ToProtected)]

bits 32
Protected:
    mov eax, DATA
    mov ds, eax
    mov ss, eax
    mov dword [ebx + AT(Parameters) + TRAMPOLINE_PROGRESS], 2
    mov eax, cr4
    or eax, 0x20                        ; physical-address extension
    mov cr4, eax
    mov eax, [ebx + AT(Parameters) + TRAMPOLINE_BOOT_ROOT]
    mov cr3, eax
    mov ecx, MSR_EFER
    rdmsr
    or eax, [ebx + AT(Parameters) + TRAMPOLINE_EFER]
    wrmsr
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    jmp far [ebx + AT(ToLong)]

bits 64
Long64:
    mov ebx, ebx                        ; the upper half is undefined after the change of mode
    mov dword [rbx + AT(Parameters) + TRAMPOLINE_PROGRESS], 3
    mov rax, [rbx + AT(Parameters) + TRAMPOLINE_ROOT]
    mov rdx, [rbx + AT(Parameters) + TRAMPOLINE_STACK]
    mov rdi, [rbx + AT(Parameters) + TRAMPOLINE_PRCB]
    jmp [rbx + AT(Parameters) + TRAMPOLINE_ENTRY]

align 8
Gdt:
    dq 0, 0
    dq 0x00209b0000000000               ; 10h: 64-bit code
    dq 0x00cf93000000ffff               ; 18h: data
    dq 0x00cf9b000000ffff               ; 20h: 32-bit code
GdtPointer:
    dw $ - Gdt - 1
GdtBase:
    dd AT(Gdt)
ToProtected:
    dd AT(Protected)
    dw CODE32
ToLong:
    dd AT(Long64)
    dw CODE64
align 8
Parameters:
    times TRAMPOLINE_SIZE db 0
End:

align 4
ArchpTrampolineSize:       dd AT(End)
ArchpTrampolineParameters: dd AT(Parameters)
ArchpTrampolineFixups:     dd AT(GdtBase), AT(ToProtected), AT(ToLong)

extern ArchpProcessorMain
section .text
bits 64

; In the upper half, still on the boot tables: RAX the kernel's tables, RDX the stack (mapped only there), RDI
; the PRCB.
global ArchpProcessorEntry
ArchpProcessorEntry:
    mov cr3, rax
    mov rsp, rdx
    xor ebp, ebp
    call ArchpProcessorMain
    ud2
