# SPDX-License-Identifier: MIT
# As `make debug` does: the first stop is the first C line of the machine-independent kernel, with symbols.
hbreak InitSystemStartup
continue
info symbol $pc
backtrace 1
print Boot->LoaderName
