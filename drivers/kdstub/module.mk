# SPDX-License-Identifier: MIT
MODULE  := kdstub
SOURCES := $(notdir $(wildcard $(DIR)/*.c))
