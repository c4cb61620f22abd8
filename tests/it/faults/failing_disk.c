/* Makes the disk of a program fail for its database files: preloaded, it stands between the program and the C library.
 *
 * The file named by MEDCREDIT_TEST_DISK says how the disk fails now: `full` (ENOSPC) or `readonly` (EROFS) for every write,
 * `sync` (EIO) for every fsync, anything else not at all. Other files, such as the checkpoint file and the log, are left
 * alone. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whether a file descriptor belongs to a database file or its log. */
static int is_database(int fd) {
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    char *name = strrchr(path, '/');
    return name && (!strncmp(name, "/core.db", 8) || !strncmp(name, "/bulk.db", 8));
}

/* The error of an operation, or 0. */
static int failure(int fd, int is_sync) {
    const char *control = getenv("MEDCREDIT_TEST_DISK");
    if (!control || !is_database(fd)) return 0;
    int file = (int)syscall(SYS_openat, AT_FDCWD, control, O_RDONLY);
    if (file < 0) return 0;
    char word[16] = {0};
    syscall(SYS_read, file, word, sizeof word - 1);
    syscall(SYS_close, file);
    if (is_sync) return strncmp(word, "sync", 4) ? 0 : EIO;
    if (!strncmp(word, "full", 4)) return ENOSPC;
    return strncmp(word, "readonly", 8) ? 0 : EROFS;
}

static long fail(int error) {
    errno = error;
    return -1;
}

ssize_t write(int fd, const void *from, size_t count) {
    int error = failure(fd, 0);
    return error ? fail(error) : syscall(SYS_write, fd, from, count);
}

ssize_t pwrite(int fd, const void *from, size_t count, off_t at) {
    int error = failure(fd, 0);
    return error ? fail(error) : syscall(SYS_pwrite64, fd, from, count, at);
}

ssize_t pwrite64(int fd, const void *from, size_t count, off64_t at) {
    int error = failure(fd, 0);
    return error ? fail(error) : syscall(SYS_pwrite64, fd, from, count, at);
}

int ftruncate(int fd, off_t length) {
    int error = failure(fd, 0);
    return (int)(error ? fail(error) : syscall(SYS_ftruncate, fd, length));
}

int fsync(int fd) {
    int error = failure(fd, 1);
    return (int)(error ? fail(error) : syscall(SYS_fsync, fd));
}

int fdatasync(int fd) {
    int error = failure(fd, 1);
    return (int)(error ? fail(error) : syscall(SYS_fdatasync, fd));
}
