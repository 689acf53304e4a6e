# SPDX-License-Identifier: MIT
MODULE := linux
SOURCES := $(notdir $(wildcard $(DIR)/*.c)) vdsoimage.o

# The vDSO is a program's code: linked as a shared object, and put into the module as it is.
VDSO := $(B)/module/$(DIR)/vdso
$(VDSO)/vdso.o: subsystems/linux/vdso/vdso.c $(B)/flags
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu17 -O2 -fPIC -ffreestanding -nostdinc -fno-stack-protector -fcf-protection=none -mgeneral-regs-only \
	    -fasynchronous-unwind-tables $(filter --target%,$(COMMON)) -Wall -Wextra -Wno-unused-parameter -MMD -MP -c -o $@ $<

$(VDSO)/vdso.so: $(VDSO)/vdso.o subsystems/linux/vdso/vdso.lds
	$(call say,LD,$@)
	$(Q)$(LD) -m elf_x86_64 -shared -soname linux-vdso.so.1 --hash-style=both --build-id=none --eh-frame-hdr -Bsymbolic \
	    -z max-page-size=4096 -z noexecstack --no-undefined -T subsystems/linux/vdso/vdso.lds -o $@ $<

$(B)/module/$(DIR)/vdsoimage.o: subsystems/linux/vdso/image.asm $(VDSO)/vdso.so
	$(call say,NASM,$<)
	$(Q)$(NASM) $(ASM_FLAGS) -I $(VDSO)/ -o $@ $<
