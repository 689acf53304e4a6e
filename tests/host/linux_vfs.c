// sources: subsystems/linux/vfs.c subsystems/linux/namei.c subsystems/linux/archive.c subsystems/linux/util.c
/* SPDX-License-Identifier: MIT */
/*
 * The file tree of the Linux subsystem over a small archive: walking along paths, dots, slashes and links,
 * reading folders, finding an inode's path, making, removing and renaming. The address sanitizer finds what
 * is lost when the tree goes.
 */
#define _POSIX_C_SOURCE 200809L /* keeps the host's own structures out, which abi.h defines */
#undef _DEFAULT_SOURCE

#include "tests/host/host.h"
#include "subsystems/linux/linux.h"

/* ---- What the kernel would give ---- */

PVOID ExAllocatePool2(POOL_FLAGS Flags, SIZE_T Size, ULONG Tag)
{
    return calloc(1, Size);
}

VOID ExFreePoolWithTag(PVOID Block, ULONG Tag)
{
    free(Block);
}

PETHREAD PsGetCurrentThread(VOID)
{
    return NULL;
}

BOOLEAN PsIsThreadTerminating(PETHREAD Thread)
{
    return FALSE;
}

#define FILE_ENTRY(Name, Bytes)                                                                              \
    {                                                                                                        \
        Name, (const UCHAR *)(Bytes), sizeof(Bytes) - 1, S_IFREG | 0644, 7, 0                                \
    }
#define LINK_ENTRY(Name, Target)                                                                             \
    {                                                                                                        \
        Name, (const UCHAR *)(Target), sizeof(Target) - 1, S_IFLNK | 0777, 7, 0                              \
    }
#define FOLDER_ENTRY(Name)                                                                                   \
    {                                                                                                        \
        Name, NULL, 0, S_IFDIR | 0700, 9, 0                                                                  \
    }

static const IO_ARCHIVE_FILE Archive[] = {
    FOLDER_ENTRY("root/"),
    FILE_ENTRY("root/etc/passwd", "root:x:0"), /* its folder is named later */
    FOLDER_ENTRY("root/etc"),
    FOLDER_ENTRY("root/empty"),
    FILE_ENTRY("root/usr/share//doc/text", "text"),
    LINK_ENTRY("root/link", "etc/passwd"),
    LINK_ENTRY("root/absolute", "/usr/share"),
    LINK_ENTRY("root/usr/up", "../etc"),
    LINK_ENTRY("root/chain", "usr/up/../absolute/doc"),
    LINK_ENTRY("root/loop", "loop2"),
    LINK_ENTRY("root/loop2", "/loop"),
    LINK_ENTRY("root/dangling", "nowhere"),
    LINK_ENTRY("root/nothing", ""),
    FILE_ENTRY("root/etc/passwd/below", "a file cannot be a folder"),
};

static struct _IO_ARCHIVE_FILE const *First(const char *Prefix)
{
    return strcmp(Prefix, "root/") == 0 ? &Archive[0] : NULL;
}

static struct _IO_ARCHIVE_FILE const *Next(struct _IO_ARCHIVE_FILE const *File, const char *Prefix)
{
    return File + 1 < Archive + ARRAYSIZE(Archive) ? File + 1 : NULL;
}

static PVOID NoThread(VOID)
{
    return NULL;
}

VOID KeQuerySystemTime(PLARGE_INTEGER Time)
{
    Time->QuadPart = 116444736000000000 + 30000000; /* three seconds after 1970 */
}

/* One thread: a lock that is taken twice is a mistake. */
static int Held;

VOID KeEnterCriticalRegion(VOID)
{
}

VOID KeLeaveCriticalRegion(VOID)
{
}

VOID ExInitializePushLock(PEX_PUSH_LOCK Lock)
{
}

VOID ExAcquirePushLockExclusive(PEX_PUSH_LOCK Lock)
{
    CHECK_EQUAL(0, Held++);
}

VOID ExReleasePushLockExclusive(PEX_PUSH_LOCK Lock)
{
    Held--;
}

VOID ExAcquirePushLockShared(PEX_PUSH_LOCK Lock)
{
    CHECK_EQUAL(0, Held++);
}

VOID ExReleasePushLockShared(PEX_PUSH_LOCK Lock)
{
    Held--;
}

static NTSTATUS MakeSection(struct inode *Inode, PMM_SECTION_HANDLE *Section)
{
    *Section = malloc(1);
    return STATUS_SUCCESS;
}

static VOID RetireSection(PMM_SECTION_HANDLE Section, VOID (*Gone)(PVOID Context), PVOID Context)
{
    free(Section);
    Gone(Context);
}

static const struct inode_operations FileOperations = {.make_section = MakeSection};

static long StartFiles(void)
{
    return type_register(S_IFREG, 0, &FileOperations, NULL);
}

static struct inode *Magic; /* where /magic leads */

static long MagicFollow(struct inode *Link, struct inode **Out)
{
    *Out = inode_get(Magic);
    return 0;
}

static const struct inode_operations MagicOperations = {.follow = MagicFollow};

/* Kinds of files: the archive, one with a link that follows by itself, and one that refuses to start on
   demand. */
static char Events[16]; /* what start and stop were called for */
static long Refusal;

static void Note(char Event)
{
    Events[strlen(Events)] = Event;
}

static long StartMagic(void)
{
    struct inode *Link = dir_link(root_inode, "magic", "never read");
    Link->ops = &MagicOperations;
    Note('M');
    return 0;
}

static void StopMagic(void)
{
    Note('m');
}

static long StartLast(void)
{
    Note('L');
    return Refusal;
}

static void StopLast(void)
{
    Note('l');
}

static const struct file_kind MagicKind = {.start = StartMagic, .stop = StopMagic};
static const struct file_kind LastKind = {.start = StartLast, .stop = StopLast};
static const struct file_kind FilesKind = {.start = StartFiles};
static const struct file_kind *const Kinds[] = {&FilesKind, &archive_kind, &MagicKind, &LastKind};
static const struct file_kind *const Refused[] = {&archive_kind, &LastKind, &MagicKind};

/* ---- Tools ---- */

static struct inode *Walk(struct inode *Base, const char *Path, u32 Flags, long *Error)
{
    static char Copy[PATH_MAX];
    struct inode *Found = NULL;

    strncpy(Copy, Path, sizeof(Copy) - 1);
    *Error = path_walk(Base, Copy, Flags, &Found);
    return *Error == 0 ? Found : NULL;
}

/* The path of what Path leads to, or "error N". */
static const char *Leads(const char *Path, u32 Flags)
{
    static char Text[PATH_MAX];
    long Error;
    struct inode *Found = Walk(root_inode, Path, Flags, &Error);

    if (Found == NULL || path_of(Found, Text, sizeof(Text)) < 0) {
        snprintf(Text, sizeof(Text), "error %ld", Error);
    }
    inode_put(Found);
    return Text;
}

#define ERROR_TEXT_(Number) "error -" #Number
#define ERROR_TEXT(Number)  ERROR_TEXT_(Number)

/* ---- Behaviours ---- */

static void PathsLeadWhereTheyShould(void)
{
    CHECK_TEXT("/", Leads("/", 0));
    CHECK_TEXT("/", Leads("///..//./..", 0));
    CHECK_TEXT("/etc/passwd", Leads("/etc/passwd", 0));
    CHECK_TEXT("/etc/passwd", Leads("etc//./../etc/passwd", 0));
    CHECK_TEXT("/empty", Leads("/empty/", 0));
    CHECK_TEXT("/usr/share/doc/text", Leads("/usr/share/doc/text", 0));
    CHECK_TEXT(ERROR_TEXT(ENOENT), Leads("/none", 0));
    CHECK_TEXT(ERROR_TEXT(ENOENT), Leads("/none/../etc", 0));
    CHECK_TEXT(ERROR_TEXT(ENOTDIR), Leads("/etc/passwd/", 0));
    CHECK_TEXT(ERROR_TEXT(ENOTDIR), Leads("/etc/passwd/..", 0));
    CHECK_TEXT(ERROR_TEXT(ENOTDIR), Leads("/etc/passwd/below", 0));
}

static void LinksAreFollowed(void)
{
    CHECK_TEXT("/etc/passwd", Leads("/link", 0));
    CHECK_TEXT("/link", Leads("/link", WALK_NOFOLLOW));
    CHECK_TEXT(ERROR_TEXT(ENOTDIR), Leads("/link/", WALK_NOFOLLOW));
    CHECK_TEXT("/usr/share", Leads("/absolute", 0));
    CHECK_TEXT("/usr/share", Leads("/absolute/", WALK_NOFOLLOW));
    CHECK_TEXT("/usr/share/doc/text", Leads("/absolute/doc/text", WALK_NOFOLLOW));
    CHECK_TEXT("/etc", Leads("/usr/up", 0));
    CHECK_TEXT("/", Leads("/usr/up/..", 0));
    CHECK_TEXT("/usr/share/doc/text", Leads("/chain/text", 0));
    CHECK_TEXT(ERROR_TEXT(ELOOP), Leads("/loop", 0));
    CHECK_TEXT(ERROR_TEXT(ELOOP), Leads("/loop/x", 0));
    CHECK_TEXT("/loop", Leads("/loop", WALK_NOFOLLOW));
    CHECK_TEXT(ERROR_TEXT(ENOENT), Leads("/dangling", 0));
    CHECK_TEXT("/dangling", Leads("/dangling", WALK_NOFOLLOW));
    CHECK_TEXT(ERROR_TEXT(ENOENT), Leads("/nothing", 0));
}

static void MagicLinksLeadWithoutAName(void)
{
    long Error;
    Magic = Walk(root_inode, "/etc", 0, &Error);
    inode_put(Magic); /* the tree has it */
    CHECK_TEXT("/etc", Leads("/magic", 0));
    CHECK_TEXT("/etc/passwd", Leads("/magic/passwd", 0));
    CHECK_TEXT("/", Leads("/magic/../", 0));
    CHECK_TEXT("/magic", Leads("/magic", WALK_NOFOLLOW));
}

static void WhatIsTooLongIsRefused(void)
{
    char Path[PATH_MAX];

    memset(Path, 'n', sizeof(Path));
    Path[NAME_MAX] = 0;
    CHECK_TEXT(ERROR_TEXT(ENOENT), Leads(Path, 0));
    Path[NAME_MAX] = 'n', Path[NAME_MAX + 1] = 0;
    CHECK_TEXT(ERROR_TEXT(ENAMETOOLONG), Leads(Path, 0));

    /* The longest path; and one that a link makes too long. */
    memset(Path, '/', sizeof(Path));
    memcpy(Path + sizeof(Path) - 5, "link", 5);
    CHECK_TEXT("/etc/passwd", Leads(Path, 0));
    memcpy(Path, "/absolute/", 10);
    for (size_t i = 10; i < sizeof(Path); i += 2) {
        memcpy(Path + i, "./", 2);
    }
    Path[sizeof(Path) - 1] = 0;
    CHECK_TEXT(ERROR_TEXT(ENAMETOOLONG), Leads(Path, 0));
}

static void ParentsAreFound(void)
{
    char Path[PATH_MAX] = "/usr/up/new/";
    struct leaf Leaf;

    CHECK_EQUAL(0, path_walk_parent(root_inode, Path, &Leaf));
    CHECK(Leaf.length == 3 && memcmp(Leaf.text, "new", 3) == 0 && Leaf.slash && !Leaf.dots);
    CHECK(Leaf.dir == dir_find(root_inode, "etc", 3));
    inode_put(Leaf.dir);
    CHECK_EQUAL(0, path_walk_parent(root_inode, strcpy(Path, "/"), &Leaf));
    CHECK(Leaf.length == 0 && Leaf.dir == root_inode);
    inode_put(Leaf.dir);
    CHECK_EQUAL(0, path_walk_parent(root_inode, strcpy(Path, "/usr/.."), &Leaf));
    CHECK(Leaf.dots);
    inode_put(Leaf.dir);
    CHECK_EQUAL(-ENOENT, path_walk_parent(root_inode, strcpy(Path, "/none/x"), &Leaf));
    CHECK_EQUAL(-ENOTDIR, path_walk_parent(root_inode, strcpy(Path, "/etc/passwd/x"), &Leaf));
}

/* ---- Folders ---- */

struct Listing {
    struct dir_context Context;
    int Room; /* entries that it takes */
    u64 Position;
    char Names[300];
};

static bool Emit(struct dir_context *Context, const char *Name, size_t Length, u64 Ino, u32 Mode, u64 Off)
{
    struct Listing *Listing = CONTAINING_RECORD(Context, struct Listing, Context);
    if (Listing->Room-- == 0) {
        return false;
    }
    strncat(Listing->Names, Name, Length);
    strcat(Listing->Names, " ");
    Listing->Position = Off;
    return true;
}

static void FoldersAreReadInPieces(void)
{
    struct Listing Whole = {.Context.emit = Emit, .Room = 100}, Pieces = {.Context.emit = Emit};

    CHECK_EQUAL(0, dir_read(root_inode, 0, &Whole.Context));
    CHECK_TEXT(". .. etc empty usr link absolute chain loop loop2 dangling nothing magic ", Whole.Names);
    for (int i = 0; i < 20; i++) {
        Pieces.Room = 1 + i % 2;
        dir_read(root_inode, Pieces.Position, &Pieces.Context);
    }
    CHECK_TEXT(Whole.Names, Pieces.Names);
}

static void FilesAreWhatTheArchiveSays(void)
{
    struct inode *Etc = dir_find(root_inode, "etc", 3);
    struct inode *File = dir_find(Etc, "passwd", 6);

    CHECK_EQUAL(S_IFDIR | 0700, Etc->mode); /* implied first, named later */
    CHECK_EQUAL(9000000000, Etc->mtime);
    CHECK_EQUAL(S_IFREG | 0644, File->mode);
    CHECK_EQUAL(8, File->size);
    CHECK(inode_section(File) != NULL && inode_section(File) == inode_section(File));
    CHECK_EQUAL(4, root_inode->nlink - 1); /* itself and three folders */
}

static void PathsNeedRoom(void)
{
    char Text[12];
    struct inode *File = dir_find(dir_find(root_inode, "etc", 3), "passwd", 6);
    CHECK_EQUAL(12, path_of(File, Text, sizeof(Text)));
    CHECK_TEXT("/etc/passwd", Text);
    CHECK_EQUAL(-ENAMETOOLONG, path_of(File, Text, sizeof(Text) - 1));
    CHECK_EQUAL(2, path_of(root_inode, Text, 2));
}

static void NumbersArePrinted(void)
{
    char Line[80];
    struct text Text = {.data = Line, .size = sizeof(Line) - 1, .fixed = true};

    print(&Text, "%d|%5d|%-5d|%05u|%lx|%o|%s|%-4s|%c%%", -7, 42, 42, 42U, 0xfedcba9876543210UL, 8U, "s", "ab",
          'c');
    Line[Text.used] = 0;
    CHECK_TEXT("-7|   42|42   |00042|fedcba9876543210|10|s|ab  |c%", Line);
}

static struct leaf Parent(const char *Path)
{
    static char Copies[2][PATH_MAX];
    static int Turn;
    char *Copy = strcpy(Copies[Turn++ % 2], Path);
    struct leaf Leaf = {0};

    CHECK_EQUAL(0, path_walk_parent(root_inode, Copy, &Leaf));
    return Leaf;
}

static long Make(const char *Path, u32 Mode)
{
    struct leaf Leaf = Parent(Path);
    struct inode *Inode = tree_new(Leaf.dir, Mode, 0);
    long Error = name_create(&Leaf, Inode);

    inode_put(Inode);
    inode_put(Leaf.dir);
    return Error;
}

static long Remove(const char *Path, long (*How)(const struct leaf *Leaf))
{
    struct leaf Leaf = Parent(Path);
    long Error = How(&Leaf);
    inode_put(Leaf.dir);
    return Error;
}

static long Rename(const char *From, const char *To, u32 Flags)
{
    struct leaf Source = Parent(From), Target = Parent(To);
    long Error = name_rename(&Source, &Target, Flags);
    inode_put(Source.dir);
    inode_put(Target.dir);
    return Error;
}

/* Thousands of names in one folder, some of them gone, are all found and each is read once; a name keeps its
   position. */
static void FoldersGrow(void)
{
    static struct Listing All;
    char Path[40];
    enum { MANY = 5000 };

    CHECK_EQUAL(0, Make("/many", S_IFDIR | 0755));
    for (int i = 0; i < MANY; i++) {
        snprintf(Path, sizeof(Path), "/many/%d", i);
        CHECK_EQUAL(0, Make(Path, S_IFREG | 0644));
    }
    CHECK_EQUAL(-EEXIST, Make("/many/17", S_IFREG | 0644));
    for (int i = 0; i < MANY; i++) {
        snprintf(Path, sizeof(Path), "/many/%d", i);
        CHECK_TEXT(Path, Leads(Path, 0));
        if (i % 100 != 0) {
            CHECK_EQUAL(0, Remove(Path, name_unlink));
        }
    }
    CHECK_EQUAL(-ENOTEMPTY, Remove("/many", name_rmdir));
    All = (struct Listing){.Context.emit = Emit, .Room = 6};
    long Error;
    struct inode *Many = Walk(root_inode, "/many", 0, &Error);
    dir_read(Many, 0, &All.Context);
    CHECK_TEXT(". .. 0 100 200 300 ", All.Names);
    CHECK_EQUAL(0, Make("/many/new", S_IFREG | 0644)); /* in a free place, perhaps before, perhaps behind */
    CHECK_EQUAL(0, Rename("/many/400", "/many/x", 0));
    All.Names[0] = 0, All.Room = 1;
    dir_read(Many, All.Position, &All.Context);
    CHECK(strcmp(All.Names, "x ") == 0 || strcmp(All.Names, "new ") == 0);
    inode_put(Many);
}

static void NamesMove(void)
{
    CHECK_EQUAL(0, Make("/a", S_IFDIR | 0755));
    CHECK_EQUAL(0, Make("/a/b", S_IFDIR | 0755));
    CHECK_EQUAL(0, Make("/a/file", S_IFREG | 0644));
    CHECK_EQUAL(-EINVAL, Rename("/a", "/a/b/c", 0));
    CHECK_EQUAL(-ENOTEMPTY, Rename("/empty", "/a", 0));
    CHECK_EQUAL(-EISDIR, Rename("/a/file", "/empty", 0));
    CHECK_EQUAL(-ENOTDIR, Rename("/empty", "/a/file", 0));
    CHECK_EQUAL(-EEXIST, Rename("/a/file", "/empty", RENAME_NOREPLACE));
    CHECK_EQUAL(0, Rename("/a/b", "/empty/deeper", 0));
    CHECK_TEXT("/empty/deeper", Leads("/empty/deeper/.", 0));
    CHECK_TEXT("/empty", Leads("/empty/deeper/..", 0));
    CHECK_EQUAL(2, dir_find(root_inode, "a", 1)->nlink);
    CHECK_EQUAL(0, Rename("/a/file", "/empty", RENAME_EXCHANGE));
    CHECK_TEXT("/a/file/deeper", Leads("/a/file/deeper", 0));
    CHECK_EQUAL(3, dir_find(root_inode, "a", 1)->nlink);
    CHECK_EQUAL(-EBUSY, Rename("/a/.", "/b", 0));
}

/* Who stands in a folder that is removed, with all above it, can still ask what it was. */
static void WhatIsRemovedStaysForItsUsers(void)
{
    char Text[PATH_MAX];
    long Error;
    struct inode *Deep = Walk(root_inode, "/a/file/deeper", 0, &Error);

    CHECK_EQUAL(0, Remove("/a/file/deeper", name_rmdir));
    CHECK_EQUAL(0, Remove("/a/file", name_rmdir));
    CHECK_EQUAL(0, Remove("/a", name_rmdir));
    CHECK_EQUAL(0, Deep->nlink);
    path_of(Deep, Text, sizeof(Text));
    CHECK_TEXT("/a/file/deeper (deleted)", Text);
    CHECK(Walk(Deep, "x", 0, &Error) == NULL && Error == -ENOENT);
    struct leaf Leaf = {.dir = Deep, .text = "x", .length = 1};
    struct inode *New = tree_new(Deep, S_IFREG | 0644, 0);
    CHECK_EQUAL(-ENOENT, name_create(&Leaf, New));
    inode_put(New);
    inode_put(Deep);
}

/* In the list's order; back in the other one. (The tree of the tests before is taken back here.) */
static void KindsStartInOrderAndStopInReverse(void)
{
    CHECK_TEXT("ML", Events);
    CHECK(tree_ready);
    tree_destroy();
    CHECK_TEXT("MLlm", Events);
}

/* A start that fails is stopped as well; what would come after it is not started. */
static void AKindThatFailsEndsTheStart(void)
{
    memset(Events, 0, sizeof(Events));
    tree_ready = FALSE;
    Refusal = -ENOMEM;
    CHECK_EQUAL(-ENOMEM, tree_create(Refused, ARRAYSIZE(Refused)));
    CHECK(!tree_ready);
    tree_destroy();
    CHECK_TEXT("Ll", Events);
}

int main(void)
{
    kernel.FirstFile = First;
    kernel.NextFile = Next;
    kernel.RetireSection = RetireSection;
    kernel.CurrentThreadContext = NoThread;
    if (tree_create(Kinds, ARRAYSIZE(Kinds)) < 0) {
        return 1;
    }
    RUN(PathsLeadWhereTheyShould);
    RUN(LinksAreFollowed);
    RUN(MagicLinksLeadWithoutAName);
    RUN(WhatIsTooLongIsRefused);
    RUN(ParentsAreFound);
    RUN(FoldersAreReadInPieces);
    RUN(FilesAreWhatTheArchiveSays);
    RUN(PathsNeedRoom);
    RUN(FoldersGrow);
    RUN(NamesMove);
    RUN(WhatIsRemovedStaysForItsUsers);
    RUN(NumbersArePrinted);
    RUN(KindsStartInOrderAndStopInReverse);
    RUN(AKindThatFailsEndsTheStart);
    return HostEnd();
}
