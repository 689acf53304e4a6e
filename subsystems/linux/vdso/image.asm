; SPDX-License-Identifier: MIT
; The vDSO as the build has linked it, for vdso.c to map: at the start of a page, so that no byte of anything else is shown.
section .rodata
global vdso_image, vdso_image_end
align 4096
vdso_image:
    incbin "vdso.so"
vdso_image_end:
section .note.GNU-stack noalloc noexec nowrite progbits
