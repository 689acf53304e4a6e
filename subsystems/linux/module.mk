# SPDX-License-Identifier: MIT
MODULE := linux
SOURCES := $(notdir $(wildcard $(DIR)/*.c))
