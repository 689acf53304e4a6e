# SPDX-License-Identifier: MIT
#
# Kernel modules. A folder with a module.mk is one:
#
#   MODULE  := name           builds name.sys, a relocatable ELF64 object
#   SOURCES := a.c b.asm      in that folder; $(DIR) names it, e.g. $(notdir $(wildcard $(DIR)/*.c))
#   CFLAGS  += -DX            optional
#
# Every module is linked against the driver library: of drivers/lib, what it uses.

# A library for each compiler, so that a module made with another one does not make the tree's anew. Its files come whole or not at all:
# two modules may be made at the same time.
LIB         := $(B)/lib.$(notdir $(lastword $(CC)))
LIB_OBJECTS := $(patsubst %,$(LIB)/%.o,$(wildcard drivers/lib/*.c $(addprefix kernel/rtl/,avl.c)))
LIBRARY     := $(if $(LIB_OBJECTS),$(LIB)/libdriver.a)
$(call remember,$(LIB)/flags)

$(LIB)/%.c.o: %.c $(LIB)/flags
	$(call say,CC,$<)
	$(Q)$(CC) $(MODULE_FLAGS) -I . -DPRIMER_MODULE=1 $(STRICT) -MMD -MP -MF $(@:.o=.d) -MT $@ -c -o $@.$$$$ $< && mv $@.$$$$ $@

# The table of its routines, for MmGetSystemRoutineAddress (drivers/lib/lookup.c).
$(LIB)/routines.s: $(filter $(LIB)/drivers/%,$(LIB_OBJECTS)) tools/mk/module.mk
	$(Q){ echo '.section .rodata'; echo '.globl RtlpLibraryRoutines'; echo 'RtlpLibraryRoutines:'; \
	    $(NM) --defined-only $(filter %.o,$^) | sed -n 's/.* T \(.*\)/.quad 1f, \1; .pushsection .rodata.names; 1: .asciz "\1"; .popsection/p'; \
	    echo '.quad 0, 0'; echo '.section .note.GNU-stack,"",@progbits'; } >$@.$$$$ && mv $@.$$$$ $@

$(LIB)/routines.o: $(LIB)/routines.s
	$(Q)$(CC) $(filter --target%,$(COMMON)) -c -o $@.$$$$ $< && mv $@.$$$$ $@

$(LIB)/libdriver.a: $(LIB_OBJECTS) $(LIB)/routines.o
	$(call say,AR,$@)
	$(Q)$(AR) rcsD $@.$$$$ $^ && mv $@.$$$$ $@

# $(call module,FOLDER,OBJECTS' FOLDER,FOLDER OF THE .SYS,FLAGS' STAMP): the rules for one module
define module
    DIR := $(1)
    MODULE :=
    SOURCES :=
    CFLAGS :=
    include $(1)/module.mk
    $$(if $$(and $$(MODULE),$$(SOURCES)),,$$(error $(1)/module.mk must set MODULE and SOURCES))
    MODULES += $$(MODULE)
    $$(eval $$(call module_rules,$(1),$(2),$(3),$(4),$$(addprefix $(2)/,$$(addsuffix .o,$$(basename $$(SOURCES))))))
endef

define module_rules
$(3)/$(MODULE).sys: $(5) $(LIBRARY)
	$$(call say,LD,$$@)
	$(Q)$(LD) $(COUNTERS) -m elf_x86_64 -r -o $$@ $(5) $(LIBRARY)
	$(CHECK_IMPORTS)

$(filter $(patsubst %.c,$(2)/%.o,$(filter %.c,$(SOURCES))),$(5)): $(2)/%.o: $(1)/%.c $(4)
	$$(call say,CC,$$<)
	$(Q)$(CC) $(MODULE_FLAGS) -DPRIMER_MODULE=1 -Wno-unknown-pragmas -I $(1) $(CFLAGS) $(STRICT) -MMD -MP -c -o $$@ $$<

$(filter $(patsubst %.asm,$(2)/%.o,$(filter %.asm,$(SOURCES))),$(5)): $(2)/%.o: $(1)/%.asm
	$$(call say,NASM,$$<)
	$(Q)$(NASM) $(ASM_FLAGS) -I $(1)/ -MD $$(@:.o=.d) -MP -MT $$@ -o $$@ $$<
endef

ifneq ($(M),)
    # Outside the tree: `make M=DIR`. Objects, dependencies and the module stay beside the sources. What the module imports must
    # be there, or the kernel would refuse it.
    CHECK_IMPORTS = $(Q)missing=$$$$($(NM) -u $$@ | sed 's/.* U //' | grep -vxFf include/exports.txt); \
        if test -n "$$$$missing"; then \
            for name in $$$$missing; do echo "$$@: the kernel does not export '$$$$name'" >&2; done; rm $$@; false; \
        fi
    M := $(patsubst %/,%,$(M))
    ifeq ($(wildcard $(M)/module.mk),)
        $(error $(M)/module.mk: no such file; it says MODULE := NAME and SOURCES := FILE.c...)
    endif
    $(call remember,$(M)/.flags)
    $(eval $(call module,$(M),$(M),$(M),$(M)/.flags))
    module: $(M)/$(MODULE).sys
    -include $(wildcard $(M)/*.d)
else
    BOOT_FOLDERS := $(patsubst %/module.mk,%,$(wildcard subsystems/*/module.mk drivers/*/module.mk))
    TEST_FOLDERS := $(patsubst %/module.mk,%,$(wildcard tests/kernel/*/module.mk))
    MODULES :=
    $(foreach d,$(BOOT_FOLDERS),$(eval $(call module,$(d),$(B)/module/$(d),$(B)/modules,$(B)/flags)))
    BOOT_MODULES := $(MODULES)
    $(foreach d,$(TEST_FOLDERS),$(eval $(call module,$(d),$(B)/module/$(d),$(B)/modules,$(B)/flags)))
    programs: $(patsubst %,$(B)/modules/%.sys,$(BOOT_MODULES))
    tests: $(patsubst %,$(B)/modules/%.sys,$(MODULES))
endif
.PHONY: module
