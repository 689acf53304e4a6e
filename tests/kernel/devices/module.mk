# SPDX-License-Identifier: MIT
MODULE := devices
SOURCES := mdl.c csq.c driver.c devices.c
