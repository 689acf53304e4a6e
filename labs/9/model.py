# SPDX-License-Identifier: MIT
"""What labs/9/programs/trial.c must tell in the role `mixture`: the result of each call."""
EBADF, EAGAIN, EFAULT, EINVAL, ENOSYS, ETIMEDOUT = 9, 11, 14, 22, 38, 110


def values(seed):
    return {"mixture.results": " ".join(str(result) for result in run(seed))}


def run(seed):
    random = seed

    def pick(limit):
        nonlocal random
        random = (random * 1103515245 + 12345) & 0x7FFFFFFF
        return (random >> 16) % limit

    for _ in range(80):
        value, what = pick(3), pick(6)
        if what == 0:
            pick(1000)
            yield -ENOSYS
        elif what == 1:
            yield 0 if pick(6) in (1, 2) else -EBADF
        elif what == 2:
            pick(2), pick(4096), pick(1000)
            yield -EFAULT
        elif what == 3:
            yield -ETIMEDOUT if pick(3) == value else -EAGAIN
        elif what == 4:
            wrong = pick(2)
            yield -EFAULT if pick(4) == 0 else -EINVAL if wrong else 0
        else:
            pick(28)
            yield -EINVAL
