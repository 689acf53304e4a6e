# SPDX-License-Identifier: MIT
"""The scheduler, with quanta of their usual length: tests/kernel/balance judges times and shares."""
from kinds import Kernel

CASES = [Kernel(f"kernel/balance/{smp}", modules=("balance",), smp=smp, alone=True) for smp in (1, 2, 4, 8)]
