/* SPDX-License-Identifier: MIT */
/* What the driver and its tool have in common. */
#pragma once

#define MAILBOX_TYPE 40000

#define IOCTL_MAILBOX_PUT  CTL_CODE(MAILBOX_TYPE, 0x900, METHOD_BUFFERED, FILE_WRITE_ACCESS)
#define IOCTL_MAILBOX_TAKE CTL_CODE(MAILBOX_TYPE, 0x901, METHOD_BUFFERED, FILE_READ_ACCESS) /* waits for a message */

#define MAILBOX_MESSAGE 64
