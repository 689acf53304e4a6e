# SPDX-License-Identifier: MIT
#
# Native programs: each folder user/NAME, tests/user/NAME and labs/N/tests/NAME (or hidden/NAME) makes build/B/native/NAME,
# linked with the system-call stubs and start-up code of user/libnt. Those of user/ go into the boot archive; tests bring theirs along.

# libnt takes the kernel's run-time library in. The subsystem whose module `init` loads, and whose programs the shell looks for
# when it finds no native one, is named here alone.
# A stack grows page by page: a function with much on it touches each of its pages.
NATIVE_FLAGS += -I . -fstack-clash-protection -DDEFAULT_SUBSYSTEM='"linux"'

LIBNT_OBJECTS := $(patsubst %,$(B)/user/%.o,$(wildcard user/libnt/*.c user/libnt/*.asm))
USER_FOLDERS  := $(filter-out user/libnt,$(patsubst %/,%,$(sort $(dir $(wildcard user/*/*.c tests/user/*/*.c labs/*/tests/*/*.c labs/*/hidden/*/*.c)))))

# Programs of subsystems, for a lab's tests: labs/N/programs/NAME.c makes build/B/programs/NAME, which no library is in.
FOREIGN := $(wildcard labs/*/programs/*.c)
tests: $(patsubst %.c,$(B)/programs/%,$(notdir $(FOREIGN)))
define foreign
$(B)/programs/$(basename $(notdir $(1))): $(B)/user/$(1).o
	$$(call say,LD,$$@)
	$(Q)$(LD) $(LINK_FLAGS) -static -e _start -o $$@ $$<
endef
$(foreach f,$(FOREIGN),$(eval $(call foreign,$(f))))

NATIVE_PROGRAMS := $(notdir $(filter user/%,$(USER_FOLDERS)))
programs: $(addprefix $(B)/native/,$(NATIVE_PROGRAMS))
tests: $(addprefix $(B)/native/,$(notdir $(USER_FOLDERS)))

# $(call native,FOLDER,OBJECTS)
define native
$(B)/native/$(notdir $(1)): $(2) $(LIBNT_OBJECTS)
	$$(call say,LD,$$@)
	$(Q)$(LD) $(LINK_FLAGS) -static -e _start -o $$@ $$(filter %.o,$$^)
endef
$(foreach d,$(USER_FOLDERS),$(eval $(call native,$(d),$(patsubst %,$(B)/user/%.o,$(wildcard $(d)/*.c $(d)/*.asm)))))

$(B)/user/%.c.o: %.c $(B)/flags
	$(call say,CC,$<)
	$(Q)$(CC) $(NATIVE_FLAGS) -I $(<D) $(STRICT) -MMD -MP -c -o $@ $<

$(B)/user/%.asm.o: %.asm
	$(call say,NASM,$<)
	$(Q)$(NASM) $(ASM_FLAGS) -MD $(@:.o=.d) -MP -MT $@ -o $@ $<
