/* SPDX-License-Identifier: MIT */
/*
 * What programs see of Linux on x86-64: numbers and structures of its user interface, as the manual pages and
 * the public uapi headers document them. Only what the module uses stands here.
 */
#ifndef LINUX_ABI_H
#define LINUX_ABI_H

#include <ntdef.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

/* ---- errno ---- */

#define EPERM        1
#define ENOENT       2
#define ESRCH        3
#define EINTR        4
#define EIO          5
#define ENXIO        6
#define E2BIG        7
#define ENOEXEC      8
#define EBADF        9
#define ECHILD       10
#define EAGAIN       11
#define ENOMEM       12
#define EACCES       13
#define EFAULT       14
#define EBUSY        16
#define EEXIST       17
#define EXDEV        18
#define ENODEV       19
#define ENOTDIR      20
#define EISDIR       21
#define EINVAL       22
#define ENFILE       23
#define EMFILE       24
#define ENOTTY       25
#define ETXTBSY      26
#define EFBIG        27
#define ENOSPC       28
#define ESPIPE       29
#define EROFS        30
#define EMLINK       31
#define EPIPE        32
#define EDOM         33
#define ERANGE       34
#define EDEADLK      35
#define ENAMETOOLONG 36
#define ENOLCK       37
#define ENOSYS       38
#define ENOTEMPTY    39
#define ELOOP        40
#define ENODATA      61
#define EOVERFLOW    75
#define ELIBBAD      80
#define ENOTSOCK     88
#define EMSGSIZE        90
#define EPROTOTYPE      91
#define ENOPROTOOPT     92
#define EPROTONOSUPPORT 93
#define ESOCKTNOSUPPORT 94
#define EADDRINUSE      98
#define ECONNRESET      104
#define ENOBUFS         105
#define EISCONN         106
#define ENOTCONN        107
#define ETOOMANYREFS    109
#define ECONNREFUSED    111
#define EOPNOTSUPP   95
#define EAFNOSUPPORT 97
#define ETIMEDOUT    110

/* Never seen by a program: the call starts again, ... */
#define ERESTARTSYS           512 /* ... unless a handler without SA_RESTART runs first */
#define ERESTARTNOHAND        514 /* ... unless any handler runs first */
#define ERESTART_RESTARTBLOCK 516 /* the same, where task->restart says (for the rest of a sleep, say) */

/* ---- Files ---- */

#define PATH_MAX     4096 /* with the NUL */
#define NAME_MAX     255
#define IOV_MAX      1024
#define MAX_RW_COUNT 0x7ffff000L /* no call moves more at once */

#define O_ACCMODE   00000003
#define O_RDONLY    00000000
#define O_WRONLY    00000001
#define O_RDWR      00000002
#define O_CREAT     00000100
#define O_EXCL      00000200
#define O_NOCTTY    00000400
#define O_TRUNC     00001000
#define O_APPEND    00002000
#define O_NONBLOCK  00004000
#define O_DSYNC     00010000
#define O_DIRECT    00040000
#define O_LARGEFILE 00100000
#define O_DIRECTORY 00200000
#define O_NOFOLLOW  00400000
#define O_NOATIME   01000000
#define O_CLOEXEC   02000000
#define O_PATH      010000000
#define __O_TMPFILE 020000000
#define O_KNOWN     037777703 /* all of them: others are dropped */

#define AT_FDCWD            (-100)
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_EACCESS          0x200
#define AT_REMOVEDIR        0x200
#define AT_SYMLINK_FOLLOW   0x400
#define AT_NO_AUTOMOUNT     0x800
#define AT_EMPTY_PATH       0x1000
#define AT_STATX_SYNC_TYPE  0x6000

#define S_IFMT        0170000
#define S_IFIFO       0010000
#define S_IFSOCK      0140000
#define S_IFBLK       0060000
#define S_ISUID       0004000
#define S_ISGID       0002000
#define S_ISVTX       0001000
#define S_IALLUGO     0007777
#define S_IFCHR       0020000
#define S_IFDIR       0040000
#define S_IFREG       0100000
#define S_IFLNK       0120000
#define S_ISDIR(mode) (((mode)&S_IFMT) == S_IFDIR)
#define S_ISFIFO(mode) (((mode)&S_IFMT) == S_IFIFO)
#define S_ISREG(mode) (((mode)&S_IFMT) == S_IFREG)
#define S_ISLNK(mode) (((mode)&S_IFMT) == S_IFLNK)
#define S_ISCHR(mode) (((mode)&S_IFMT) == S_IFCHR)

#define X_OK 1
#define W_OK 2
#define R_OK 4

#define SEEK_SET  0
#define SEEK_CUR  1
#define SEEK_END  2
#define SEEK_DATA 3
#define SEEK_HOLE 4

#define F_DUPFD         0
#define F_GETFD         1
#define F_SETFD         2
#define F_GETFL         3
#define F_SETFL         4
#define F_GETLK         5
#define F_SETLK         6
#define F_SETLKW        7
#define F_SETOWN        8
#define F_GETOWN        9
#define F_SETOWN_EX     15
#define F_GETOWN_EX     16
#define F_DUPFD_CLOEXEC 1030
#define F_SETPIPE_SZ    1031
#define F_GETPIPE_SZ    1032
#define FD_CLOEXEC      1
#define F_GETLEASE      1025
#define F_GETSIG        11
#define F_SETSIG        10
#define F_ADD_SEALS     1033
#define F_GET_SEALS     1034
#define F_OFD_GETLK     36
#define F_OFD_SETLK     37
#define F_OFD_SETLKW    38
#define F_SEAL_SEAL     1
#define F_SEAL_SHRINK   2
#define F_SEAL_GROW     4
#define F_SEAL_WRITE    8
#define F_SEAL_FUTURE_WRITE 16
#define F_RDLCK         0
#define F_WRLCK         1
#define F_UNLCK         2

struct flock {
    s16 l_type, l_whence;
    s64 l_start, l_len;
    s32 l_pid;
};
C_ASSERT(sizeof(struct flock) == 32);

#define makedev(major, minor) ((u64)((((major)&0xfffU) << 8) | ((minor)&0xffU) | (((minor)&0xfff00U) << 12)))
#define dev_major(dev)        ((u32)(((dev) >> 8) & 0xfff))
#define dev_minor(dev)        ((u32)(((dev)&0xff) | (((dev) >> 12) & 0xfff00)))

struct iovec {
    u64 iov_base;
    u64 iov_len;
};

struct timespec {
    s64 tv_sec;
    s64 tv_nsec;
};

struct itimerspec {
    struct timespec it_interval, it_value;
};

#define ITIMER_REAL    0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF    2

struct sigevent {
    u64 sigev_value;
    s32 sigev_signo, sigev_notify, sigev_tid;
    s32 __rest[11];
};
C_ASSERT(sizeof(struct sigevent) == 64);
#define SIGEV_SIGNAL    0
#define SIGEV_NONE      1
#define SIGEV_THREAD_ID 4

struct timeval {
    s64 tv_sec;
    s64 tv_usec;
};

struct itimerval {
    struct timeval it_interval, it_value;
};

struct stat {
    u64 st_dev, st_ino, st_nlink;
    u32 st_mode, st_uid, st_gid, __pad0;
    u64 st_rdev;
    s64 st_size, st_blksize, st_blocks;
    struct timespec st_atim, st_mtim, st_ctim;
    s64 __unused[3];
};
C_ASSERT(sizeof(struct stat) == 144 && offsetof(struct stat, st_rdev) == 40);

#define UTIME_NOW  0x3fffffffL
#define UTIME_OMIT 0x3ffffffeL

struct utimbuf {
    s64 actime, modtime;
};

struct statx_timestamp {
    s64 tv_sec;
    u32 tv_nsec;
    s32 __reserved;
};

struct statx {
    u32 stx_mask, stx_blksize;
    u64 stx_attributes;
    u32 stx_nlink, stx_uid, stx_gid;
    u16 stx_mode, __spare0;
    u64 stx_ino, stx_size, stx_blocks, stx_attributes_mask;
    struct statx_timestamp stx_atime, stx_btime, stx_ctime, stx_mtime;
    u32 stx_rdev_major, stx_rdev_minor, stx_dev_major, stx_dev_minor;
    u64 __spare2[14];
};
C_ASSERT(sizeof(struct statx) == 256 && offsetof(struct statx, stx_rdev_major) == 128);
#define STATX_BASIC_STATS 0x7ffU
#define STATX__RESERVED   0x80000000U

struct statfs {
    s64 f_type, f_bsize;
    u64 f_blocks, f_bfree, f_bavail, f_files, f_ffree;
    s32 f_fsid[2];
    s64 f_namelen, f_frsize, f_flags, f_spare[4];
};
C_ASSERT(sizeof(struct statfs) == 120);
#define TMPFS_MAGIC      0x01021994
#define PROC_SUPER_MAGIC 0x9fa0
#define PIPEFS_MAGIC     0x50495045
#define ST_VALID         0x20
#define ST_RELATIME      0x1000

#define DT_TYPE(mode) (((mode)&S_IFMT) >> 12)

struct pollfd {
    s32 fd;
    u16 events, revents;
};
#define POLLIN     0x001
#define POLLPRI    0x002
#define POLLOUT    0x004
#define POLLERR    0x008
#define POLLHUP    0x010
#define POLLNVAL   0x020
#define POLLRDNORM 0x040
#define POLLRDBAND 0x080
#define POLLWRNORM 0x100
#define POLLWRBAND 0x200
#define POLLRDHUP  0x2000
#define FD_SETSIZE 1024

/* ---- Sockets ---- */

#define AF_UNSPEC      0
#define AF_UNIX        1
#define SOCK_TYPE      0xf /* the part of socket's argument that is no flag */
#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3
#define SOCK_SEQPACKET 5
#define SHUT_RD        0
#define SHUT_WR        1
#define SHUT_RDWR      2

struct sockaddr_un {
    u16 sun_family;
    char sun_path[108];
};
struct sockaddr_storage {
    u8 bytes[128];
};
struct msghdr {
    void *msg_name;
    s32 msg_namelen, __pad;
    struct iovec *msg_iov;
    u64 msg_iovlen;
    void *msg_control;
    u64 msg_controllen;
    u32 msg_flags, __pad2;
};
struct mmsghdr {
    struct msghdr msg_hdr;
    u32 msg_len, __pad;
};
struct cmsghdr {
    u64 cmsg_len;
    s32 cmsg_level, cmsg_type;
};
struct ucred {
    s32 pid;
    u32 uid, gid;
};
#define SCM_RIGHTS       1
#define SCM_CREDENTIALS  2
#define SCM_MAX_FD       253
#define MSG_OOB          0x1
#define MSG_PEEK         0x2
#define MSG_CTRUNC       0x8
#define MSG_TRUNC        0x20
#define MSG_DONTWAIT     0x40
#define MSG_WAITALL      0x100
#define MSG_NOSIGNAL     0x4000
#define MSG_WAITFORONE   0x10000
#define MSG_CMSG_CLOEXEC 0x40000000
#define SOL_SOCKET       1
#define SO_REUSEADDR     2
#define SO_TYPE          3
#define SO_ERROR         4
#define SO_BROADCAST     6
#define SO_SNDBUF        7
#define SO_RCVBUF        8
#define SO_KEEPALIVE     9
#define SO_PASSCRED      16
#define SO_PEERCRED      17
#define SO_RCVTIMEO      20
#define SO_SNDTIMEO      21
#define SO_ACCEPTCONN    30
#define SO_PROTOCOL      38
#define SO_DOMAIN        39

struct epoll_event {
    u32 events;
    u64 data;
} __attribute__((packed));
#define EPOLL_CTL_ADD  1
#define EPOLL_CTL_DEL  2
#define EPOLL_CTL_MOD  3
#define EPOLLEXCLUSIVE (1U << 28)
#define EPOLLWAKEUP    (1U << 29)
#define EPOLLONESHOT   (1U << 30)
#define EPOLLET        (1U << 31)

#define EFD_SEMAPHORE 1

/* ---- Terminals ---- */

#define TCGETS      0x5401
#define TCSETS      0x5402
#define TCSETSW     0x5403
#define TCSETSF     0x5404
#define TCSBRK      0x5409
#define TCXONC      0x540a
#define TCFLSH      0x540b
#define TIOCEXCL    0x540c
#define TIOCNXCL    0x540d
#define TIOCSCTTY   0x540e
#define TIOCGPGRP   0x540f
#define TIOCSPGRP   0x5410
#define TIOCOUTQ    0x5411
#define TIOCSTI     0x5412
#define TIOCGWINSZ  0x5413
#define TIOCSWINSZ  0x5414
#define FIONREAD    0x541b
#define FIONBIO     0x5421
#define TIOCNOTTY   0x5422
#define TIOCSETD    0x5423
#define TIOCGETD    0x5424
#define TCSBRKP     0x5425
#define TIOCSBRK    0x5427
#define TIOCCBRK    0x5428
#define TIOCGSID    0x5429
#define FIONCLEX    0x5450
#define FIOCLEX     0x5451
#define TCGETS2     0x802c542aU
#define TCSETS2     0x402c542bU
#define TCSETSW2    0x402c542cU
#define TCSETSF2    0x402c542dU
#define TIOCGEXCL   0x80045440U

#define TCIFLUSH  0
#define TCOFLUSH  1
#define TCIOFLUSH 2
#define TCOOFF    0
#define TCOON     1
#define TCIOFF    2
#define TCION     3
#define N_TTY     0

struct termios {
    u32 c_iflag, c_oflag, c_cflag, c_lflag;
    u8 c_line;
    u8 c_cc[19];
};
C_ASSERT(sizeof(struct termios) == 36);

struct termios2 {
    struct termios termios;
    u32 c_ispeed, c_ospeed;
};
C_ASSERT(sizeof(struct termios2) == 44);

struct winsize {
    u16 ws_row, ws_col, ws_xpixel, ws_ypixel;
};

#define PARMRK  0000010 /* c_iflag */
#define ISTRIP  0000040
#define INLCR   0000100
#define IGNCR   0000200
#define ICRNL   0000400
#define IUCLC   0001000
#define IXON    0002000
#define IXANY   0004000
#define IMAXBEL 0020000
#define IUTF8   0040000
#define OPOST   0000001 /* c_oflag */
#define OLCUC   0000002
#define ONLCR   0000004
#define OCRNL   0000010
#define ONOCR   0000020
#define ONLRET  0000040
#define TABDLY  0014000
#define XTABS   0014000
#define B38400  0000017 /* c_cflag */
#define CS8     0000060
#define CREAD   0000200
#define ISIG    0000001 /* c_lflag */
#define ICANON  0000002
#define ECHO    0000010
#define ECHOE   0000020
#define ECHOK   0000040
#define ECHONL  0000100
#define NOFLSH  0000200
#define TOSTOP  0000400
#define ECHOCTL 0001000
#define ECHOKE  0004000
#define IEXTEN  0100000

#define VINTR    0 /* c_cc */
#define VQUIT    1
#define VERASE   2
#define VKILL    3
#define VEOF     4
#define VTIME    5
#define VMIN     6
#define VSTART   8
#define VSTOP    9
#define VSUSP    10
#define VEOL     11
#define VREPRINT 12
#define VWERASE  14
#define VLNEXT   15
#define VEOL2    16

/* ---- Memory ---- */

#define TASK_SIZE 0x00007ffffffff000UL /* user addresses lie below */

#define PROT_READ      1
#define PROT_WRITE     2
#define PROT_EXEC      4
#define PROT_SEM       8
#define PROT_GROWSDOWN 0x01000000
#define PROT_GROWSUP   0x02000000

#define MAP_SHARED          0x01
#define MAP_PRIVATE         0x02
#define MAP_SHARED_VALIDATE 0x03
#define MAP_TYPE            0x0f
#define MAP_FIXED           0x10
#define MAP_ANONYMOUS       0x20
#define MAP_32BIT           0x40
#define MAP_GROWSDOWN       0x0100
#define MAP_DENYWRITE       0x0800
#define MAP_EXECUTABLE      0x1000
#define MAP_LOCKED          0x2000
#define MAP_NORESERVE       0x4000
#define MAP_POPULATE        0x8000
#define MAP_NONBLOCK        0x10000
#define MAP_STACK           0x20000
#define MAP_HUGETLB         0x40000
#define MAP_FIXED_NOREPLACE 0x100000

#define MREMAP_MAYMOVE   1
#define MREMAP_FIXED     2
#define MREMAP_DONTUNMAP 4

#define MADV_NORMAL          0
#define MADV_DONTNEED        4
#define MADV_FREE            8
#define MADV_REMOVE          9
#define MADV_DONTFORK        10
#define MADV_DOFORK          11
#define MADV_WIPEONFORK      18
#define MADV_KEEPONFORK      19
#define MADV_COLD            20
#define MADV_PAGEOUT         21
#define MADV_POPULATE_READ   22
#define MADV_POPULATE_WRITE  23
#define MADV_DONTNEED_LOCKED 24
#define MADV_COLLAPSE        25

#define MLOCK_ONFAULT 1
#define MCL_CURRENT   1
#define MCL_FUTURE    2
#define MCL_ONFAULT   4

#define MS_ASYNC      1
#define MS_INVALIDATE 2
#define MS_SYNC       4

/* ---- Signals ---- */

#define SIGHUP    1
#define SIGINT    2
#define SIGQUIT   3
#define SIGILL    4
#define SIGTRAP   5
#define SIGABRT   6
#define SIGBUS    7
#define SIGFPE    8
#define SIGKILL   9
#define SIGUSR1   10
#define SIGSEGV   11
#define SIGUSR2   12
#define SIGPIPE   13
#define SIGALRM   14
#define SIGTERM   15
#define SIGSTKFLT 16
#define SIGCHLD   17
#define SIGCONT   18
#define SIGSTOP   19
#define SIGTSTP   20
#define SIGTTIN   21
#define SIGTTOU   22
#define SIGURG    23
#define SIGXCPU   24
#define SIGXFSZ   25
#define SIGVTALRM 26
#define SIGPROF   27
#define SIGWINCH  28
#define SIGIO     29
#define SIGPWR    30
#define SIGSYS    31
#define SIGRTMIN  32
#define _NSIG     64

typedef u64 sigset_t;
#define sigmask(sig) (1UL << ((sig)-1))

#define SIG_DFL 0UL
#define SIG_IGN 1UL

#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SA_NOCLDSTOP 0x00000001U
#define SA_NOCLDWAIT 0x00000002U
#define SA_SIGINFO   0x00000004U
#define SA_RESTORER  0x04000000U
#define SA_ONSTACK   0x08000000U
#define SA_RESTART   0x10000000U
#define SA_NODEFER   0x40000000U
#define SA_RESETHAND 0x80000000U
#define SA_KNOWN     0xdc000807U /* others are dropped, as are those of other machines */

#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM (1U << 31)
#define MINSIGSTKSZ   2048

struct sigaction {
    u64 sa_handler;
    u64 sa_flags;
    u64 sa_restorer;
    sigset_t sa_mask;
};

typedef struct sigaltstack {
    u64 ss_sp;
    s32 ss_flags;
    s32 __pad;
    u64 ss_size;
} stack_t;

#define SI_USER   0
#define SI_KERNEL 0x80
#define SI_QUEUE  (-1)
#define SI_TIMER  (-2)
#define SI_TKILL  (-6)

#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_DUMPED    3
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

#define ILL_ILLOPN  2
#define FPE_INTDIV  1
#define FPE_FLTDIV  3
#define FPE_FLTOVF  4
#define FPE_FLTUND  5
#define FPE_FLTRES  6
#define FPE_FLTINV  7
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define BUS_ADRALN  1
#define BUS_ADRERR  2
#define TRAP_TRACE  2

/* What is known of a signal. Programs see SI_MAX_SIZE bytes, zeros behind these. */
typedef struct siginfo {
    s32 si_signo, si_errno, si_code, __pad;
    union { /* each member as large as the others, so that an initialiser clears all */
        struct {
            union {
                s32 si_pid;
                s32 si_timerid;
            };
            union {
                u32 si_uid;
                s32 si_overrun;
            };
            union {
                u64 si_value;
                s32 si_status;
            };
            s64 si_utime, si_stime; /* SIGCHLD */
        };
        struct {
            u64 si_addr;
            u64 __rest[3];
        };
    };
} siginfo_t;
#define SI_MAX_SIZE 128
C_ASSERT(sizeof(siginfo_t) == 48);

struct signalfd_siginfo {
    u32 ssi_signo;
    s32 ssi_errno, ssi_code;
    u32 ssi_pid, ssi_uid;
    s32 ssi_fd;
    u32 ssi_tid, ssi_band, ssi_overrun, ssi_trapno;
    s32 ssi_status, ssi_int;
    u64 ssi_ptr, ssi_utime, ssi_stime, ssi_addr;
    u8 __pad[48];
};
C_ASSERT(sizeof(struct signalfd_siginfo) == 128);

struct sigcontext {
    u64 r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
    u16 cs, gs, fs, ss;
    u64 err, trapno, oldmask, cr2;
    u64 fpstate;
    u64 reserved1[8];
};
C_ASSERT(sizeof(struct sigcontext) == 256);

struct ucontext {
    u64 uc_flags;
    u64 uc_link;
    stack_t uc_stack;
    struct sigcontext uc_mcontext;
    sigset_t uc_sigmask;
};
#define UC_FP_XSTATE         1
#define UC_SIGCONTEXT_SS     2
#define UC_STRICT_RESTORE_SS 4

struct rt_sigframe {
    u64 pretcode;
    struct ucontext uc;
    siginfo_t info;
    u8 info_rest[SI_MAX_SIZE - sizeof(siginfo_t)];
};
C_ASSERT(sizeof(struct rt_sigframe) == 440);

/* Of sigcontext.trapno: an absent segment, a bad stack, a page fault. */
#define X86_TRAP_NP 11
#define X86_TRAP_SS 12
#define X86_TRAP_PF 14

/* In the bytes of an FXSAVE image that the processor leaves to software: says that an XSAVE image follows. */
struct fpx_sw_bytes {
    u32 magic1;
    u32 extended_size;
    u64 xfeatures;
    u32 xstate_size;
    u32 padding[7];
};
#define FXSAVE_SIZE      512
#define FPX_SW_OFFSET    464
#define FP_XSTATE_MAGIC1 0x46505853U
#define FP_XSTATE_MAGIC2 0x46505845U

/* ---- Processes, time, system ---- */

#define AT_NULL        0
#define AT_PHDR        3
#define AT_PHENT       4
#define AT_PHNUM       5
#define AT_PAGESZ      6
#define AT_BASE        7
#define AT_FLAGS       8
#define AT_ENTRY       9
#define AT_UID         11
#define AT_EUID        12
#define AT_GID         13
#define AT_EGID        14
#define AT_PLATFORM    15
#define AT_HWCAP       16
#define AT_CLKTCK      17
#define AT_SECURE      23
#define AT_RANDOM      25
#define AT_HWCAP2      26
#define AT_SYSINFO_EHDR 33
#define AT_EXECFN      31
#define AT_MINSIGSTKSZ 51

#define CLOCKS_PER_SEC 100 /* of times() and AT_CLKTCK */

#define CLOCK_REALTIME           0
#define CLOCK_MONOTONIC          1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID  3
#define CLOCK_MONOTONIC_RAW      4
#define CLOCK_REALTIME_COARSE    5
#define CLOCK_MONOTONIC_COARSE   6
#define CLOCK_BOOTTIME           7
#define CLOCK_TAI                11
#define CLOCK_REALTIME_ALARM     8
#define CLOCK_BOOTTIME_ALARM     9
#define TIMER_ABSTIME            1
#define TFD_TIMER_ABSTIME        1
#define TFD_TIMER_CANCEL_ON_SET  2

#define PER_LINUX         0 /* of personality */
#define PER_LINUX32       8
#define PER_MASK          0xff
#define ADDR_NO_RANDOMIZE 0x0040000U

#define ARCH_GET_CPUID 0x1011
#define ARCH_SET_CPUID 0x1012

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

#define PR_SET_PDEATHSIG    1
#define PR_GET_PDEATHSIG    2
#define PR_GET_DUMPABLE     3
#define PR_SET_DUMPABLE     4
#define PR_GET_KEEPCAPS     7
#define PR_SET_KEEPCAPS     8
#define PR_SET_NAME         15
#define PR_GET_NAME         16
#define PR_GET_SECCOMP      21
#define PR_CAPBSET_READ     23
#define PR_CAPBSET_DROP     24
#define PR_GET_TSC          25
#define PR_SET_TSC          26
#define PR_TSC_ENABLE       1
#define PR_GET_SECUREBITS   27
#define PR_SET_TIMERSLACK   29
#define PR_GET_TIMERSLACK   30
#define PR_SET_CHILD_SUBREAPER 36
#define PR_GET_CHILD_SUBREAPER 37
#define PR_SET_NO_NEW_PRIVS 38
#define PR_GET_NO_NEW_PRIVS 39
#define PR_SET_THP_DISABLE  41
#define PR_GET_THP_DISABLE  42
#define PR_CAP_AMBIENT      47
#define PR_CAP_AMBIENT_RAISE     2
#define PR_CAP_AMBIENT_CLEAR_ALL 4

#define CAP_KILL         5
#define CAP_SETGID       6
#define CAP_SETUID       7
#define CAP_SETPCAP      8
#define CAP_SYS_ADMIN    21
#define CAP_SYS_NICE     23
#define CAP_SYS_RESOURCE 24
#define CAP_LAST_CAP     40
#define ALL_CAPABILITIES ((2UL << CAP_LAST_CAP) - 1)

#define NGROUPS_MAX 65536
#define NGROUPS     32 /* that are kept */

#define RLIM_INFINITY   (~0UL)
#define RLIMIT_FSIZE    1
#define RLIMIT_DATA     2
#define RLIMIT_STACK    3
#define RLIMIT_CORE     4
#define RLIMIT_NPROC    6
#define RLIMIT_NOFILE   7
#define RLIMIT_MEMLOCK  8
#define RLIMIT_AS       9
#define RLIMIT_SIGPENDING 11
#define RLIMIT_MSGQUEUE 12
#define RLIMIT_NICE     13
#define RLIMIT_RTPRIO   14
#define RLIM_NLIMITS    16

struct rlimit {
    u64 rlim_cur;
    u64 rlim_max;
};

struct rusage {
    struct timeval ru_utime, ru_stime;
    s64 ru_maxrss, ru_unused[13];
};
C_ASSERT(sizeof(struct rusage) == 144);
#define RUSAGE_SELF     0
#define RUSAGE_CHILDREN (-1)
#define RUSAGE_THREAD   1

struct tms {
    s64 tms_utime, tms_stime, tms_cutime, tms_cstime;
};

struct utsname {
    char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

struct sysinfo {
    s64 uptime;
    u64 loads[3];
    u64 totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    u16 procs, pad;
    u64 totalhigh, freehigh;
    u32 mem_unit;
};
C_ASSERT(sizeof(struct sysinfo) == 112);

#define CSIGNAL              0xff /* of clone's flags: the signal that tells of the child's end */
#define CLONE_NEWTIME        0x00000080
#define CLONE_VM             0x00000100
#define CLONE_FS             0x00000200
#define CLONE_FILES          0x00000400
#define CLONE_SIGHAND        0x00000800
#define CLONE_PIDFD          0x00001000
#define CLONE_VFORK          0x00004000
#define CLONE_PARENT         0x00008000
#define CLONE_THREAD         0x00010000
#define CLONE_NEWNS          0x00020000
#define CLONE_SETTLS         0x00080000
#define CLONE_PARENT_SETTID  0x00100000
#define CLONE_CHILD_CLEARTID 0x00200000
#define CLONE_DETACHED       0x00400000
#define CLONE_CHILD_SETTID   0x01000000
#define CLONE_NEWCGROUP      0x02000000
#define CLONE_NEWUTS         0x04000000
#define CLONE_NEWIPC         0x08000000
#define CLONE_NEWUSER        0x10000000
#define CLONE_NEWPID         0x20000000
#define CLONE_NEWNET         0x40000000
#define CLONE_CLEAR_SIGHAND  0x100000000UL
#define CLONE_INTO_CGROUP    0x200000000UL

struct clone_args {
    u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
        cgroup;
};
#define CLONE_ARGS_SIZE_VER0 64

#define FUTEX_WAIT           0
#define FUTEX_WAKE           1
#define FUTEX_REQUEUE        3
#define FUTEX_CMP_REQUEUE    4
#define FUTEX_WAKE_OP        5
#define FUTEX_WAIT_BITSET    9
#define FUTEX_WAKE_BITSET    10
#define FUTEX_PRIVATE_FLAG   128
#define FUTEX_CLOCK_REALTIME 256

#define FUTEX_OP_SET         0
#define FUTEX_OP_ADD         1
#define FUTEX_OP_OR          2
#define FUTEX_OP_ANDN        3
#define FUTEX_OP_XOR         4
#define FUTEX_OP_OPARG_SHIFT 8
#define FUTEX_OP_CMP_EQ      0
#define FUTEX_OP_CMP_NE      1
#define FUTEX_OP_CMP_LT      2
#define FUTEX_OP_CMP_LE      3
#define FUTEX_OP_CMP_GT      4
#define FUTEX_OP_CMP_GE      5

#define FUTEX_WAITERS     0x80000000U
#define FUTEX_OWNER_DIED  0x40000000U
#define FUTEX_TID_MASK    0x3fffffffU
#define ROBUST_LIST_LIMIT 2048

struct robust_list_head {
    u64 list;
    s64 futex_offset;
    u64 list_op_pending;
};

#define WNOHANG     1
#define WUNTRACED   2 /* also WSTOPPED */
#define WEXITED     4
#define WCONTINUED  8
#define WNOWAIT     0x01000000
#define __WNOTHREAD 0x20000000
#define __WALL      0x40000000
#define __WCLONE    0x80000000

#define P_ALL   0
#define P_PID   1
#define P_PGID  2
#define P_PIDFD 3

#define SCHED_OTHER    0
#define SCHED_FIFO     1
#define SCHED_RR       2
#define SCHED_BATCH    3
#define SCHED_IDLE     5
#define SCHED_DEADLINE 6
#define SCHED_RESET_ON_FORK 0x40000000U

#define PRIO_PROCESS 0
#define PRIO_PGRP    1
#define PRIO_USER    2

#define GRND_NONBLOCK 1
#define GRND_RANDOM   2
#define GRND_INSECURE 4

#define TASK_COMM_LEN 16

#define ARG_MAX         (2UL << 20) /* all strings of argv and envp together */
#define MAX_ARG_STRLEN  (128UL << 10)
#define BINPRM_BUF_SIZE 256 /* how far the first line of a script is looked at */

#endif
