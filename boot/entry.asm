; SPDX-License-Identifier: MIT
;
; From the boot loader to C: 32-bit protected mode, paging off, to 64-bit mode in the upper half.
;
; The first page tables map the low 4 GiB with 2 MiB pages three times: where they are (this code runs there),
; in the direct map, and (the first GiB) at KERNEL_BASE. Everything may be written and executed; the final
; tables, which C makes, are strict. Processors that are started later come through these tables too, then the
; tables are done with.

%include "asmoffsets.inc"

MULTIBOOT2_LOADER equ 0x36d76289        ; EAX at entry (multiboot2 specification, 3.3)
PVH_MAGIC         equ 0x336ec578        ; hvm_start_info.magic
KERNEL_BASE       equ 0xffffffff80000000
COM1              equ 0x3f8
DEBUG_CONSOLE     equ 0xe9
DEBUG_EXIT        equ 0xf4
EXIT_NOT_STARTED  equ 0x31              ; as after a bug check
STACK_SIZE        equ 16384

PRESENT_WRITABLE  equ 3
LARGE_PAGE        equ 0x80
MSR_EFER          equ 0xc0000080

%define PHYSICAL(Symbol) ((Symbol) - KERNEL_BASE)

extern ArchBootMain, ArchpProcessorEntry, ArchTrampolineProgress
global ArchpProcessorStart, BootGdt

section .boot.text progbits alloc exec nowrite align=16
bits 32

; Stack (the loader's is nothing to rely on), direction flag, the time of the first instruction. Clobbers EAX
; and EDX.
%macro SET_UP 0
    cld
    mov esp, PHYSICAL(BootStackTop)
    rdtsc
    mov [PHYSICAL(ArchpBootCycles)], eax
    mov [PHYSICAL(ArchpBootCycles) + 4], edx
%endmacro

; EAX the magic number, EBX the boot information. Interrupts are off by both protocols.
global _start
_start:
    mov edi, eax
    SET_UP
    mov esi, NoMultiboot
    cmp edi, MULTIBOOT2_LOADER
    jne Fail
    mov edi, BOOT_KIND_MULTIBOOT2
    jmp Enter

; EBX the hvm_start_info.
global PvhStart
PvhStart:
    SET_UP
    mov esi, NoPvh
    cmp dword [ebx], PVH_MAGIC
    jne Fail
    mov edi, BOOT_KIND_PVH

; EDI the kind of loader, EBX its information.
Enter:
    call RequireLongMode
    call BuildTables
    jmp EnterLongMode

; Another processor, from its trampoline: flat code segment, no stack.
ArchpProcessorStart:
    mov eax, 0x18
    mov ds, eax
    mov dword [PHYSICAL(ArchTrampolineProgress)], 1
    mov edi, BOOT_KIND_PROCESSOR

EnterLongMode:
    mov eax, cr4
    or eax, 0x20                        ; physical-address extension
    mov cr4, eax
    mov eax, PHYSICAL(ArchpBootRoot)
    mov cr3, eax
    mov ecx, MSR_EFER
    rdmsr
    or eax, [PHYSICAL(Efer)]
    wrmsr
    mov eax, cr0
    or eax, 0x80000000                  ; paging: long mode is active from here (SDM vol. 3, 10.8.5)
    mov cr0, eax
    lgdt [BootGdtPointer]
    jmp 0x10:LongMode

; CPUID exists when bit 21 of EFLAGS can be changed (SDM vol. 1, 3.4.3); long mode is bit 29 of 80000001h:EDX,
; no-execute bit 20. Leaves what both want in EFER.
RequireLongMode:
    push ebx
    mov esi, NoCpuid
    pushfd
    pop eax
    mov ecx, eax
    xor eax, 1 << 21
    push eax
    popfd
    pushfd
    pop eax
    xor eax, ecx
    jz Fail
    mov esi, NoLongMode
    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    jb Fail
    mov eax, 0x80000001
    cpuid
    bt edx, 29
    jnc Fail
    and edx, 1 << 20
    shr edx, 20 - 11                    ; no-execute enable: the kernel's tables rely on it
    or edx, 0x100                       ; long mode enable
    mov [PHYSICAL(Efer)], edx
    pop ebx
    ret

; The loader has cleared .bss, where the tables are.
BuildTables:
    push edi
    mov edi, PHYSICAL(ArchpBootRoot)
    mov eax, PHYSICAL(LowPointers) + PRESENT_WRITABLE
    mov [edi], eax                      ; the low 4 GiB where they are
    mov [edi + 256 * 8], eax            ; and in the direct map
    mov dword [edi + 511 * 8], PHYSICAL(HighPointers) + PRESENT_WRITABLE
    mov dword [PHYSICAL(HighPointers) + 510 * 8], PHYSICAL(Directories) + PRESENT_WRITABLE

    mov edi, PHYSICAL(LowPointers)
    mov eax, PHYSICAL(Directories) + PRESENT_WRITABLE
    mov ecx, 4
.pointer:
    mov [edi], eax
    add eax, 4096
    add edi, 8
    loop .pointer

    mov edi, PHYSICAL(Directories)
    mov eax, PRESENT_WRITABLE + LARGE_PAGE
    mov ecx, 4 * 512
.page:
    mov [edi], eax
    add eax, 2 * 1024 * 1024
    add edi, 8
    loop .page
    pop edi
    ret

; ESI: text. Says it on COM1 and on the debug console, then ends.
Fail:
    mov eax, esi
    mov esi, Prefix
    call Say
    mov esi, eax
    call Say
    mov al, EXIT_NOT_STARTED
    out DEBUG_EXIT, al                  ; under QEMU the end
.stop:
    cli
    hlt
    jmp .stop

Say:
    push eax
.next:
    lodsb
    test al, al
    jz .done
    out DEBUG_CONSOLE, al
    mov ah, al
    mov ecx, 100000                     ; an absent or stuck port must not hide the other's text
.wait:
    mov dx, COM1 + 5                    ; line status: bit 5, the transmitter takes a byte
    in al, dx
    test al, 0x20
    jnz .ready
    loop .wait
.ready:
    mov al, ah
    mov dx, COM1
    out dx, al
    jmp .next
.done:
    pop eax
    ret

bits 64
LongMode:
    mov eax, 0x18
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    cmp edi, BOOT_KIND_PROCESSOR
    mov rax, ArchpProcessorEntry
    je .enter
    mov rsp, BootStackTop
    push 0                              ; no way back; aligned as after a call
    xor ebp, ebp                        ; back-traces end here
    mov esi, ebx                        ; ArchBootMain(kind, information)
    mov rax, ArchBootMain
.enter:
    jmp rax

section .boot.data progbits alloc noexec write align=16
; The first selectors are those of the final table (archp.h).
BootGdt:
    dq 0, 0
    dq 0x00209b0000000000               ; 10h: 64-bit code
    dq 0x00cf93000000ffff               ; 18h: data
    dq 0x00cf9b000000ffff               ; 20h: 32-bit code, for started processors
BootGdtPointer:
    dw $ - BootGdt - 1
    dd BootGdt

Prefix:       db 13, 10, "Primer cannot start: ", 0
NoMultiboot:  db "the loader does not speak multiboot2 (in GRUB: multiboot2, not multiboot).", 13, 10, 0
NoPvh:        db "no PVH start information.", 13, 10, 0
NoCpuid:      db "the processor has no CPUID instruction.", 13, 10, 0
NoLongMode:   db "the processor has no 64-bit mode.", 13, 10, 0

section .bss
global ArchpBootCycles, ArchpBootRoot, ArchpBootStackGuard
alignb 4096
ArchpBootRoot: resb 4096
LowPointers:   resb 4096
HighPointers:  resb 4096
Directories:   resb 4 * 4096
; The final tables leave the guard page out: an overflow faults.
ArchpBootStackGuard: resb 4096
    resb STACK_SIZE
global BootStackTop
BootStackTop:
ArchpBootCycles: resb 8
Efer:            resb 4
