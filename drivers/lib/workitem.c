/* SPDX-License-Identifier: MIT */
/* Work items of the pool's. */
#include <ntddk.h>

#define WORK_ITEM_TAG 'iWoI'

/* IoAllocateWorkItem: a new item for a device object, or NULL when there is no memory. <= DISPATCH_LEVEL.
   (WDK page of the name) */
PIO_WORKITEM IoAllocateWorkItem(PDEVICE_OBJECT DeviceObject)
{
    PIO_WORKITEM Item = ExAllocatePoolWithTag(NonPagedPoolNx, IoSizeofWorkItem(), WORK_ITEM_TAG);
    if (Item != NULL) {
        IoInitializeWorkItem(DeviceObject, Item);
    }
    return Item;
}

/* IoFreeWorkItem: frees an item of IoAllocateWorkItem that is not queued; its own routine may do so. <=
   DISPATCH_LEVEL. (WDK page of the name) */
VOID IoFreeWorkItem(PIO_WORKITEM IoWorkItem)
{
    IoUninitializeWorkItem(IoWorkItem);
    ExFreePoolWithTag(IoWorkItem, WORK_ITEM_TAG);
}
