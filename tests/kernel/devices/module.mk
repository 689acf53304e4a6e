# SPDX-License-Identifier: MIT
MODULE := devices
SOURCES := driver.c devices.c
