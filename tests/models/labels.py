#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The models and the C code name each other: each @FUNCTION.STEP of a model is a comment with @STEP inside that
function of kernel/ or sync/, and each such comment belongs to a step of some model. Prints what is missing, or
`N steps`."""
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FUNCTION = re.compile(r"^[A-Za-z_][^;={}]*?\b(\w+)\([^;{}]*\)\n\{\n(.*?)^\}", re.M | re.S)
STEP = re.compile(r"/\* @([a-z-]+)\b")


def read(path):
    with open(path) as source:
        return source.read()


def code_steps():
    found = set()
    for path in sorted(glob.glob(f"{ROOT}/sync/*.[ch]") + glob.glob(f"{ROOT}/kernel/ke/*.[ch]")):
        for name, body in FUNCTION.findall(read(path)):
            found |= {f"{name}.{step}" for step in STEP.findall(body)}
    return found


def model_steps():
    return {step for path in glob.glob(f"{ROOT}/tests/models/*.pml")
            for step in re.findall(r"@(\w+\.[a-z-]+)", read(path))}


code, model = code_steps(), model_steps()
for step in sorted(model - code):
    print(f"tests/models: step {step} has no /* @{step.split('.')[1]} */ in that function")
for step in sorted(code - model):
    print(f"{step}: no model has this step")
if code == model:
    print(f"{len(code)} steps")
sys.exit(code != model)
