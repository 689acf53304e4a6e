# SPDX-License-Identifier: MIT
python import time; start = time.monotonic()
python text = gdb.execute("threads", to_string=True)
python print(f"threads took {time.monotonic() - start:.1f} s")
python print("in the crowd:", text.count("StandInCrowd"))
