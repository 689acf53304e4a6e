# SPDX-License-Identifier: MIT
#
# Primer's build. `make help` lists what it can do.
#
#   build/B/            B is debug or release
#     kernel/ module/ user/   object files, in folders named like their sources
#     gen/                    generated sources: asmoffsets.inc (C structure offsets for NASM), the symbol table
#     lib.COMPILER/           the driver library, which modules are linked against
#     modules/ native/        kernel modules and native programs, with debug information
#     boot.cpio root.cpio     the archives GRUB hands to the kernel: native/ + modules/, and the Linux root
#     primer.elf primer.iso
#   build/primer.elf, build/primer.iso    links to what was built last; build/last names it
#   build/tests/        host programs of the tests

# ---- What can be set: make BUILD=release SMP=8 ... ------------------------------------------------------------------

BUILD  := debug
SMP    := 4
MEM    := 256M
UEFI   := 0
ACCEL  := tcg
APPEND :=
SCREEN := 0
WERROR := 0
CROSS  ?=
NASM   ?= nasm
GRUB   ?= $(shell command -v grub2-mkrescue >/dev/null && echo grub2 || echo grub)

ifeq ($(filter $(BUILD),debug release coverage),)
    $(error BUILD is debug or release, not '$(BUILD)')
endif

# Keep all processors busy; a -j of the caller's is the stronger.
ifeq ($(MAKELEVEL),0)
    MAKEFLAGS += -j$(shell getconf _NPROCESSORS_ONLN)
endif
MAKEFLAGS += --no-builtin-rules --no-print-directory

# ---- Tools ----------------------------------------------------------------------------------------------------------

ifeq ($(CROSS),)
    override CROSS := $(shell for p in x86_64-elf- x86_64-linux-gnu-; do command -v $${p}gcc && break; done | \
                              sed -n 's,.*/,,; s,gcc$$,,p')
endif
# LLVM=1: with clang, lld and LLVM's tools alone. So it is also where there is no GCC.
LLVM := $(if $(CROSS)$(shell command -v gcc),,1)
ifeq ($(LLVM),1)
    CC      := clang
    LD      := ld.lld
    AR      := llvm-ar
    NM      := llvm-nm
    OBJCOPY := llvm-objcopy
    HOSTCC  ?= clang
else
    ifneq ($(filter default undefined,$(origin CC)),)
        CC := $(if $(filter clang,$(COMPILER)),clang,$(CROSS)gcc)
    endif
    LD      := $(CROSS)ld
    AR      := $(CROSS)ar
    NM      := $(CROSS)nm
    OBJCOPY := $(CROSS)objcopy
    HOSTCC  ?= gcc
endif

# ---- Flags ----------------------------------------------------------------------------------------------------------

# Everything that runs in the guest. The second group switches off what distributions turn on.
COMMON := -std=gnu17 -g -ffreestanding -nostdinc -isystem $(shell $(CC) -print-file-name=include) -I include \
          -fshort-wchar -fms-extensions -fno-strict-aliasing -fno-common -fno-omit-frame-pointer \
          -fno-pic -fno-pie -fno-stack-protector -fcf-protection=none -fno-stack-clash-protection \
          -fno-asynchronous-unwind-tables -fno-unwind-tables \
          -Wall -Wextra -Wno-multichar -Wno-unused-parameter -Wno-missing-field-initializers \
          -Werror=implicit-function-declaration
ifneq ($(findstring clang,$(CC)),)
    COMMON += --target=x86_64-linux-gnu -Wno-microsoft -Wno-four-char-constants -Wno-address-of-packed-member
else
    # Or the loop in memcpy becomes a call of memcpy.
    COMMON += -fno-tree-loop-distribute-patterns
    # Alignment of loops and jumps would put no-operations on hot ways.
    DENSE  := -fno-align-loops -fno-align-jumps -fno-align-labels
endif

debug   := -O1 -DDBG=1
# The debug build with counters, which tools/run reads out of the machine's memory: nothing in the kernel knows of them.
coverage := $(debug) --coverage -fprofile-info-section -fprofile-update=atomic
release := -O2 $(DENSE) -DDBG=0

MODULE_FLAGS := $(COMMON) $($(BUILD)) -mcmodel=kernel -mno-red-zone -mgeneral-regs-only
KERNEL_FLAGS := $(MODULE_FLAGS) -I . -DPRIMER_KERNEL=1
NATIVE_FLAGS := $(COMMON) -O2 -I user/libnt
STRICT       := $(if $(filter 1,$(WERROR)),-Werror)
ASM_FLAGS    := -f elf64 -I include/ -I ./
# What the compiler's tables of counters refer to, and nobody calls.
COUNTERS     := $(if $(filter coverage,$(BUILD)),--defsym=__gcov_merge_add=0)
LINK_FLAGS   := $(COUNTERS) -m elf_x86_64 -nostdlib --build-id=none -z max-page-size=4096 -z noexecstack

# ---- What is built --------------------------------------------------------------------------------------------------

B := build/$(BUILD)

KERNEL_SOURCES := $(sort $(shell find boot arch/x86_64 kernel ps sync -name '*.c' -o -name '*.asm' 2>/dev/null))
KERNEL_OBJECTS := $(patsubst %,$(B)/kernel/%.o,$(filter-out %/asmoffsets.c,$(KERNEL_SOURCES)))

.PHONY: all iso programs tests run trace coverage test debug gdb record replay why bench soak lint layers lines root book doctor compdb clean help FORCE
.SECONDARY:
.DELETE_ON_ERROR:

ifneq ($(M),)
    all: module
else
    all: iso programs
endif
iso: build/last

# `make` is quiet about commands unless V=1.
Q := $(if $(filter 1,$(V)),,@)
say = @printf '  %-6s %s\n' '$(1)' '$(2)'; mkdir -p $(@D)

# A change of compiler or flags rebuilds all. This is done while the Makefile is read, so that it costs no command.
FLAGS := $(CC) $(MODULE_FLAGS) $(NATIVE_FLAGS)
remember = $(if $(filter-out $(subst $() ,~,$(file <$(1))),$(subst $() ,~,$(FLAGS))), \
                $(shell mkdir -p $(dir $(1)))$(file >$(1),$(FLAGS)))

ifneq ($(M),)
    include tools/mk/module.mk
else
    $(call remember,$(B)/flags)
    include tools/mk/module.mk tools/mk/native.mk tools/mk/tests.mk
endif

# ---- The kernel -----------------------------------------------------------------------------------------------------

$(B)/kernel/%.c.o: %.c $(B)/flags
	$(call say,CC,$<)
	$(Q)$(CC) $(KERNEL_FLAGS) $(STRICT) -MMD -MP -c -o $@ $<

$(B)/kernel/%.asm.o: %.asm $(B)/gen/asmoffsets.inc
	$(call say,NASM,$<)
	$(Q)$(NASM) $(ASM_FLAGS) $(if $(filter arch/%,$<),-g -F dwarf) -I $(B)/gen/ -MD $(@:.o=.d) -MP -MT $@ -o $@ $<

# asmoffsets.c is compiled to assembler text only; its DEFINE macro leaves lines such as `"->KTHREAD_STACK $24"`.
$(B)/gen/asmoffsets.inc: arch/x86_64/asmoffsets.c $(B)/flags
	$(call say,GEN,$@)
	$(Q)$(CC) $(KERNEL_FLAGS) -MMD -MP -MF $(@:.inc=.d) -MT $@ -S -o $(@:.inc=.s) $<
	$(Q)sed -n 's/.*->\([A-Za-z0-9_]*\) *[$$]*\(-*[0-9][0-9a-fx]*\).*/%define \1 \2/p' $(@:.inc=.s) >$@

# Linked three times: with an empty symbol table; with the one made from that, which moves the data; with the one made from
# that, which has the same size (see tools/ksyms.py).
$(B)/gen/ksyms0.s: tools/ksyms.py
	$(call say,GEN,$@)
	$(Q)tools/ksyms.py </dev/null >$@

$(B)/gen/ksyms1.s: $(B)/gen/primer0.elf tools/ksyms.py
	$(Q)$(NM) -n $< | tools/ksyms.py >$@

$(B)/gen/ksyms.s: $(B)/gen/primer1.elf tools/ksyms.py
	$(call say,GEN,$@)
	$(Q)$(NM) -n $< | tools/ksyms.py >$@

$(B)/gen/%.o: $(B)/gen/%.s
	$(Q)$(CC) $(filter --target%,$(COMMON)) -c -o $@ $<

$(B)/gen/primer%.elf: $(KERNEL_OBJECTS) $(B)/gen/ksyms%.o linker.ld
	$(Q)$(LD) $(LINK_FLAGS) -T linker.ld -o $@ $(filter %.o,$^)

$(B)/primer.elf: $(KERNEL_OBJECTS) $(B)/gen/ksyms.o linker.ld
	$(call say,LD,$@)
	$(Q)$(LD) $(LINK_FLAGS) -T linker.ld -o $@ $(filter %.o,$^)
	$(Q)! command -v $(GRUB)-file >/dev/null || $(GRUB)-file --is-x86-multiboot2 $@ || \
	    { echo "$@: no multiboot2 header that GRUB accepts" >&2; false; }

# ---- The archives and the ISO ---------------------------------------------------------------------------------------

# What goes into memory goes without debug information.
$(B)/stripped/%: $(B)/%
	$(Q)mkdir -p $(@D) && $(OBJCOPY) --strip-debug $< $@

BOOT_FILES := $(addprefix native/,$(NATIVE_PROGRAMS)) $(patsubst %,modules/%.sys,$(BOOT_MODULES))

$(B)/boot.cpio: $(addprefix $(B)/stripped/,$(BOOT_FILES)) tools/mkarchive.py Makefile
	$(call say,CPIO,$@)
	$(Q)tools/mkarchive.py $@ native/ modules/ $(foreach f,$(BOOT_FILES),$(f)=$(B)/stripped/$(f))

# The Linux root: the few files of tools/root, and static busybox and bash, from Debian's packages (make root) or the host.
HOST_BIN := $(if $(filter Linux-x86_64,$(shell uname -ms | tr ' ' -)),/bin/ /usr/bin/ /usr/sbin/)
ROOT_BIN := build/root/bin/ build/root/usr/bin/ $(HOST_BIN)
BUSYBOX  := $(firstword $(wildcard $(addsuffix busybox,$(ROOT_BIN))))
BASH     := $(firstword $(wildcard $(addsuffix bash-static,$(ROOT_BIN))))
FOLDERS := bin dev proc tmp usr usr/bin

$(B)/root.cpio: $(BUSYBOX) $(BASH) $(shell find tools/root 2>/dev/null) tools/mkarchive.py Makefile
	$(call say,CPIO,$@)
	$(if $(BUSYBOX),,@echo "note: no busybox: the Linux root holds no programs (make doctor; make root DEBS=DIR)")
	$(Q)tools/mkarchive.py $@ root=tools/root $(patsubst %,root/%/,$(FOLDERS)) $(if $(BASH),root/bin/bash=$(BASH)) \
	    $(if $(BUSYBOX),root/bin/busybox=$(BUSYBOX) \
	        $$(tools/applets $(BUSYBOX) | grep -vx -e busybox $(if $(BASH),-e bash) | sed 's,.*,root/bin/&@busybox,'))

# DEBS=DIR: Debian packages (DIR/*.deb), unpacked into build/root on any host; `make` then takes busybox and bash from there.
root:
	@tools/undeb build/root $(DEBS)/*.deb

$(B)/primer.iso: $(B)/stripped/primer.elf $(B)/boot.cpio $(B)/root.cpio boot/grub.cfg
	$(call say,ISO,$@)
	$(Q)rm -rf $(B)/iso && mkdir -p $(B)/iso/boot/grub && cp boot/grub.cfg $(B)/iso/boot/grub && \
	    cp $(B)/stripped/primer.elf $(B)/boot.cpio $(B)/root.cpio $(B)/iso/boot
	$(Q)$(GRUB)-mkrescue -o $@ --fonts= --themes= --locales= $(B)/iso >$(B)/iso.log 2>&1 || { cat $(B)/iso.log; false; }

ifneq ($(file <build/last),$(BUILD))
    build/last: FORCE
endif
# Without GRUB's tools there is no ISO, and tools/run lets QEMU itself boot the kernel.
MISSING := $(shell for name in $(GRUB)-mkrescue xorriso mformat; do command -v $$name >/dev/null || echo $$name; done)
build/last: $(B)/primer.elf $(B)/stripped/primer.elf $(B)/boot.cpio $(B)/root.cpio $(if $(MISSING),,$(B)/primer.iso)
	$(if $(MISSING),@echo "note: no ISO without $(MISSING) (make doctor)"; rm -f $(B)/primer.iso build/primer.iso)
	$(Q)ln -sfn $(BUILD)/primer.elf build/primer.elf
	$(if $(MISSING),,$(Q)ln -sfn $(BUILD)/primer.iso build/primer.iso)
	$(Q)printf %s $(BUILD) >$@

# ---- Running and testing --------------------------------------------------------------------------------------------

RUN_FLAGS := --build $(BUILD) --smp $(SMP) --mem $(MEM) --accel $(ACCEL) $(if $(filter 1,$(UEFI)),--uefi) $(if $(filter-out 0,$(SCREEN)),--screen $(filter-out 1,$(SCREEN))) \
             $(if $(APPEND),--append '$(APPEND)') $(if $(LINUX_ROOT),--add '$(LINUX_ROOT):/')

run: all
	@tools/run $(RUN_FLAGS) --timeout inf -- $(if $(BASH),/bin/bash,/bin/sh)

# T="name..." chooses tests by name. NOSKIP=1: a test that is skipped is a failure.
test: all tests
	@tests/run.py --build $(BUILD) $(if $(filter 1,$(NOSKIP)),--no-skips) $(T)

bench:
	@$(MAKE) BUILD=release all tests
	@tests/run.py --build release --bench $(T)
	@$(if $(T),,$(MAKE) BUILD=debug all tests && tools/lockcounts)

# S=NAME runs tests/soak/NAME.py instead of the boots.
soak: all tests
	@$(if $(S),HOURS=$(HOURS) tests/soak/$(S).py $(T),tests/run.py --build $(BUILD) --soak $(or $(COUNT),200))

# M=DIR: with that module loaded, stopped in its DriverEntry. ARGS: more of tools/debug's, -- COMMAND included.
debug: all
	@$(if $(M),$(MAKE) M= all)
	@tools/debug $(if $(STUB),--stub $(STUB)) $(RUN_FLAGS) $(if $(M),--module '$(M)/$(MODULE).sys' --break DriverEntry) $(ARGS)

gdb:
	@tools/debug --attach $(ARGS)

# The run of ARGS, kept in build/recorded; then GDB on it, as often as one likes.
record: all
	@rm -rf build/recorded
	@tools/run --build $(BUILD) --record build/recorded $(ARGS)

replay:
	@tools/debug --replay build/recorded $(ARGS)

why:
	@tools/why $(ARGS)

# T='OPTION... -- COMMAND': for tools/run.
trace: all
	@tools/run $(RUN_FLAGS) --trace build/trace.raw $(T)
	@for kind in html json txt; do tools/trace convert build/trace.raw build/trace.$$kind; done
	@tools/trace stats build/trace.raw | head -40
	@ls -l build/trace.*

# T="name..." chooses the tests.
coverage:
	@$(MAKE) BUILD=coverage all tests
	@rm -f build/coverage/counters
	@tests/run.py --build coverage $(T) || true
	@tools/coverage

C_SOURCES = $(shell find boot arch kernel ps sync subsystems drivers user include tests labs -name '*.[ch]' 2>/dev/null | \
            grep -v '^tests/bench/')
lint: layers
	@tools/lint '$(KERNEL_FLAGS)' $(C_SOURCES)

layers: $(KERNEL_OBJECTS) $(patsubst %,$(B)/modules/%.sys,$(BOOT_MODULES))
	@NM=$(NM) tools/layers $(B)

lines:
	@tools/lines

book:
	@tools/book build

doctor:
	@tools/doctor

# For clangd and editors: how each file is compiled.
compdb:
	@$(MAKE) -nB V=1 CC=$(CC) all tests | tools/compdb >compile_commands.json

clean:
	rm -rf build compile_commands.json

help:
	@sed -n 's/^#: //p' $(firstword $(MAKEFILE_LIST))

#: make             kernel, modules, programs, archives, build/primer.iso
#: make run         boot it: bash on this terminal
#: make test        all tests; T="name..." chooses
#: make debug       boot it under GDB, stopped at the first C line; M=DIR: with that module, stopped in its DriverEntry;
#:                  ARGS="--break KeSetEvent -- ls": options of tools/debug
#: make gdb         attach GDB to the machine that runs
#: make record      ARGS="--module x.sys -- COMMAND": records that run, on one processor; make replay: GDB on it, forwards and backwards
#: make why         why the last machine ended: its bug check or hang explained
#: make trace T='-- COMMAND'   its timeline: build/trace.html, .json, .txt (docs/tracing.md)
#: make coverage    which lines of kernel and modules the tests execute; T="name..." chooses tests; build/coverage/html (with gcovr)
#: make bench       measures against their limits (release build); then how often locks are taken and waited for (debug build)
#: make soak        COUNT (200) boots each at 1, 2, 4 and 8 processors
#: make soak S=sync    stress of all objects, wake-ups counted; HOURS=N
#: make soak S=native  wild system calls, ten million at 4 and 8 processors; HOURS=N
#: make soak S=linux   wild calls of Linux programs, ten million at 4 and 8 processors; HOURS=N
#: make soak S=debug   the kernel's own GDB stub on 4 busy processors, 200 cycles of stop, step, continue and break-in a boot; HOURS=N
#: make soak S=labs    all that the labs claim, each hole alone included; HOURS=N
#: make soak S=coverage  make coverage over a few tests, and whether its figures are plausible
#: make soak S=mutants wrong kernels, each of which a test must notice; T="name..." chooses
#: make lint        make layers, clang-format, clang-tidy, cppcheck
#: make layers      do all arrows between the kernel's components point downwards?
#: make lines       the length of the spine, the base and each folder, against its aim
#: make book        docs/book as one page, build/book/primer.html (with pandoc), and for a printer, build/book/primer.pdf (with chromium)
#: make doctor      what this machine lacks to build, run and test Primer, and how to mend it
#: make root DEBS=DIR   busybox, bash and more from Debian packages, for a host that has none: build/root
#: make compdb      compile_commands.json, for editors
#: make clean       remove build/
#: make M=DIR       build the kernel module in DIR (see docs/)
#:
#: Variables: BUILD=debug|release SMP=4 MEM=256M UEFI=0|1 SCREEN=0|1|gtk|curses|... (docs/screen.md) ACCEL=tcg APPEND="kernel options" CROSS=prefix-
#:            CC=clang LLVM=1 (clang, lld and LLVM's tools alone) WERROR=1 V=1

-include $(shell find $(B) -name '*.d' 2>/dev/null)
