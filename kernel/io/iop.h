/* SPDX-License-Identifier: MIT */
/*
 * Private to io. The documented structures of drivers, devices and files, each with what belongs to io alone
 * behind it.
 *
 * IopDeviceLock, a spin lock, guards which devices a driver has, how many files are open on each, and whether
 * more may be opened: (d) below. (c): constant once others can find the object.
 */
#ifndef PRIMER_IOP_H
#define PRIMER_IOP_H

#include "kernel/ex/ex.h"
#include "kernel/io/io.h"
#include "kernel/kd/kd.h"
#include "kernel/ob/ob.h"
#include "kernel/rtl/export.h"
#include "kernel/rtl/rtl.h"
#include "sync/pushlock.h"

#define IOP_TAG 'tsIO'

extern KLOCK IopDeviceLock;

typedef struct _IOP_DRIVER {
    DRIVER_OBJECT Public;       /* DeviceObject: (d) */
    DRIVER_EXTENSION Extension; /* (c) */
    ULONG Files;                /* (d) open on all of its devices */
    BOOLEAN Unloading;          /* (d) nothing is opened any more */
    KEVENT Idle;                /* signalled when it is unloading, and the last file has gone */
} IOP_DRIVER, *PIOP_DRIVER;

typedef struct _IOP_DEVICE {
    DEVICE_OBJECT Public; /* NextDevice, ReferenceCount: (d); Flags: the driver's; a reference to DriverObject */
    BOOLEAN Deleted;      /* (d) nothing is opened any more */
} IOP_DEVICE, *PIOP_DEVICE;

typedef struct _IOP_FILE {
    FILE_OBJECT Public;
    volatile LONG CleanedUp;  /* IRP_MJ_CLEANUP has been sent; exchanged */
    PIRP Irp;                 /* of CREATE, then CLEANUP, then CLOSE, which must not fail for lack of memory; NULL: the
                                 driver wants neither of these two */
} IOP_FILE, *PIOP_FILE;

/* file.c */
void IopInitializeFiles(void);
/* A file object on a device, which is counted as open. Name, in pool, becomes the object's, also on failure.
   STATUS_NO_SUCH_DEVICE (deleted, being started or unloaded), STATUS_ACCESS_DENIED (exclusive and open),
   STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS IopCreateFileObject(PDEVICE_OBJECT Device, PUNICODE_STRING Name, PIOP_FILE *File);
/* OB_TYPE_ROUTINES.Parse of devices. */
NTSTATUS IopParseDevice(PVOID Object, const OB_PARSE *Parse, PVOID *Found);

/* device.c */
void IopInitializeDevices(void);
NTSTATUS IopCountFile(PDEVICE_OBJECT Device);
void IopUncountFile(PDEVICE_OBJECT Device);
/* A driver of io's own, with one device of this name. Bug check when there is no memory. */
PDEVICE_OBJECT IopMakeBuiltIn(PCWSTR DriverName, PCWSTR DeviceName, DEVICE_TYPE DeviceType);

/* irp.c */
DRIVER_DISPATCH IopInvalidDeviceRequest;
/* Sends the IRP, whose next location is filled in, and waits for its completion. The caller still owns the
   IRP. When its RequestorMode is UserMode and the thread is to end, or is alerted and Alertable, the IRP is
   cancelled first. PASSIVE. */
NTSTATUS IopCallAndWait(PDEVICE_OBJECT Device, PIRP Irp, BOOLEAN Alertable);
/* The end of an IRP that nobody waits for, of a thread's list or of a driver: request.c. <= DISPATCH. */
void IopFinishRequest(PIRP Irp, KPRIORITY Increment);

/* bootfile.c, consolefile.c: the drivers of \Boot and \Console */
void IopInitializeBootDevice(void);
void IopInitializeConsoleDevice(void);

static inline SIZE_T IopLesser(SIZE_T First, SIZE_T Second)
{
    return First < Second ? First : Second;
}

static inline NTSTATUS IopComplete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IofCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

#endif
