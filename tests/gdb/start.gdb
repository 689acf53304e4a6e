# SPDX-License-Identifier: MIT
# Without --break the first stop is the first C line of the machine-independent kernel, with symbols.
info symbol $pc
backtrace 1
print Boot->LoaderName
