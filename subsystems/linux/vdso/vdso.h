/* SPDX-License-Identifier: MIT */
/* The page that lies below the vDSO in every program: what its clocks are made of. The module writes it when
   it starts: nobody sets the clock. */
#ifndef LINUX_VDSO_H
#define LINUX_VDSO_H

struct vdso_data {
    unsigned scale;
    unsigned long start_cycles, units_per_cycle; /* 100 ns a cycle, scaled by 2^scale */
    unsigned long realtime;                      /* since 1970, in the same units, when the monotonic clock began */
};

/* The monotonic clock, exactly as the kernel reads it. */
static inline unsigned long vdso_units(const struct vdso_data *data, unsigned long cycles)
{
    return (unsigned long)(((unsigned __int128)(cycles - data->start_cycles) * data->units_per_cycle) >> data->scale);
}

#endif
