# SPDX-License-Identifier: MIT
#
# Programs of the tests that the host's own compiler builds, in build/tests.
#
# tests/host/NAME.c      a unit test that runs on the host, with the kernel sources that its first lines name:
#                            // sources: kernel/rtl/tree.c kernel/rtl/format.c
# tests/linux/NAME.c     a Linux program for the guest (and the host, to compare), built in the ways that it names:
#                            // build: glibc musl pie nolibc
#                        as build/tests/linux/NAME.KIND, with the flags of an optional line `// flags: -O2 ...`
# tests/tiny/NAME.c      likewise (build: nolibc), for the subsystem tiny
# tests/bench/lbench.c   the benchmark that runs on Linux, too, built as its first lines say

HOST_FLAGS := -std=gnu17 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer \
              -fshort-wchar -fms-extensions -DPRIMER_HOST=1 -DDBG=1 -I include -I . \
              -Wall -Wextra -Wno-multichar -Wno-unused-parameter -Wno-missing-field-initializers

HOST_TESTS := $(wildcard tests/host/*.c)
tests: $(patsubst tests/%.c,build/tests/%,$(HOST_TESTS))

# $(call words_after,KEY,FILES): a word FILE|WORD for each word behind `// KEY:`
words_after = $(if $(2),$(shell awk '/^\/\/ $(1):/ { for (i = 3; i <= NF; i++) print FILENAME "|" $$i }' $(2)))
first  = $(firstword $(subst |, ,$(1)))
second = $(lastword $(subst |, ,$(1)))

# Each kernel source is compiled once for all tests, to an object that has its own dependency file.
$(foreach p,$(call words_after,sources,$(HOST_TESTS)),\
    $(eval $(patsubst tests/%.c,build/tests/%,$(call first,$(p))): build/tests/host.o/$(call second,$(p)).o)\
    $(eval HOST_OBJECTS += build/tests/host.o/$(call second,$(p)).o))

build/tests/host/%: tests/host/%.c tools/mk/tests.mk
	$(call say,HOSTCC,$<)
	$(Q)$(HOSTCC) $(HOST_FLAGS) -MMD -MP -MF $@.d -o $@ $< $(filter %.o,$^) -lm

build/tests/host.o/%.c.o: %.c tools/mk/tests.mk
	$(call say,HOSTCC,$<)
	$(Q)$(HOSTCC) $(HOST_FLAGS) -MMD -MP -c -o $@ $<

-include $(sort $(HOST_OBJECTS:.o=.d))

# ---- Linux programs -------------------------------------------------------------------------------------------------

LINUX_FLAGS := -g -O1 -Wall -pthread
glibc  := $(HOSTCC) -static
pie    := $(HOSTCC) -static-pie -fPIE
musl   := $(if $(shell command -v musl-gcc),musl-gcc -static)
nolibc := $(HOSTCC) -static -nostdlib -ffreestanding -fno-stack-protector

LINUX_PROGRAMS := $(call words_after,build,$(wildcard tests/linux/*.c tests/tiny/*.c))
$(foreach p,$(LINUX_PROGRAMS),$(if $(filter glibc pie musl nolibc,$(call second,$(p))),,\
    $(error $(call first,$(p)): no such kind of program: $(call second,$(p)))))

define linux_program
build/$(basename $(1)).$(2): $(1) tools/mk/tests.mk
	$$(call say,HOSTCC,$$@)
	$(Q)$($(2)) $(LINUX_FLAGS) $$(shell sed -n 's,^// flags:,,p' $(1)) -MMD -MP -MF $$@.d -o $$@ $(1)
tests: build/$(basename $(1)).$(2)
endef
# A kind whose compiler is missing is left out, and its tests are skipped.
$(foreach p,$(LINUX_PROGRAMS),$(if $($(call second,$(p))),\
    $(eval $(call linux_program,$(call first,$(p)),$(call second,$(p))))))

build/tests/bench/lbench: tests/bench/lbench.c tools/mk/tests.mk
	$(call say,HOSTCC,$<)
	$(Q)$(HOSTCC) -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-pic -no-pie -o $@ $<
tests: build/tests/bench/lbench

-include $(wildcard build/tests/*/*.d)
