# SPDX-License-Identifier: MIT
"""Timers, DPCs, queues and work items on other numbers of processors than four, and the DPC watchdog."""
from kinds import Bugcheck, Kernel

CASES = [Kernel(f"kernel/{name}/{smp}", modules=(name,), smp=smp, random=True, alone=True)
         for name in ("timers", "dpcs", "queues", "workers") for smp in (1, 2, 8)]
# Threaded DPCs as ordinary ones.
CASES += [Kernel("kernel/dpcs/unthreaded", modules=("dpcs",), options="dpc.threaded=0", alone=True)]

# A DPC that runs too long, and DPCs without end; the twins take as long in pieces that are allowed.
WATCHED = {"one": "a DPC .* has run for .*\\n(.*\\n)*.*StayInDpc", "series": "DPCs have run without a pause"}
CASES += [Bugcheck(f"bug/dpc-{name}", modules=("dpcs",), options=f"dpcs.watch={name} dpc.limit=500", code=0x133,
                   symbol="DPC_WATCHDOG_VIOLATION", log=log) for name, log in WATCHED.items()]
CASES += [Kernel(f"bug/dpc-{name}-ok", modules=("dpcs",), options=f"dpcs.watch={name}-ok dpc.limit=500") for name in WATCHED]

# Threads for work items that are not needed end soon; an item that is queued twice.
CASES += [Kernel("kernel/workers/idle", modules=("workers",), options="work.idle=200", alone=True),
          Bugcheck("bug/work-twice", modules=("workers",), options="workers.break=twice", code=0xE4, symbol="WORKER_INVALID",
                   log="is queued already"),
          Kernel("bug/work-twice-ok", modules=("workers",), options="workers.break=twice-ok")]
