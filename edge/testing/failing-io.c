/*
 * A disk that fails, as a program sees one: while the file $FAILING_WHILE exists, every read, write and sync of a file
 * below $FAILING_BELOW is EIO. To be preloaded (LD_PRELOAD); the tests build it with cc.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int fails(int fd) {
  const char *below = getenv("FAILING_BELOW"), *during = getenv("FAILING_WHILE");
  char link[64], path[4096];
  int kept = errno;
  if (below == NULL || during == NULL || access(during, F_OK) != 0) {
    errno = kept;
    return 0;
  }
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = kept;
  if (length < 0) return 0;
  path[length] = 0;
  return strncmp(path, below, strlen(below)) == 0;
}

#define FAILING(type, name, parameters, ...)                  \
  type name parameters {                                      \
    static type(*real) parameters;                            \
    if (real == NULL) real = dlsym(RTLD_NEXT, #name);         \
    if (fails(fd)) {                                          \
      errno = EIO;                                            \
      return -1;                                              \
    }                                                         \
    return real(__VA_ARGS__);                                 \
  }

FAILING(ssize_t, read, (int fd, void *to, size_t count), fd, to, count)
FAILING(ssize_t, pread, (int fd, void *to, size_t count, off_t at), fd, to, count, at)
FAILING(ssize_t, pread64, (int fd, void *to, size_t count, off64_t at), fd, to, count, at)
FAILING(ssize_t, readv, (int fd, const struct iovec *to, int count), fd, to, count)
FAILING(ssize_t, preadv, (int fd, const struct iovec *to, int count, off_t at), fd, to, count, at)
FAILING(ssize_t, preadv64, (int fd, const struct iovec *to, int count, off64_t at), fd, to, count, at)
FAILING(ssize_t, write, (int fd, const void *from, size_t count), fd, from, count)
FAILING(ssize_t, pwrite, (int fd, const void *from, size_t count, off_t at), fd, from, count, at)
FAILING(ssize_t, pwrite64, (int fd, const void *from, size_t count, off64_t at), fd, from, count, at)
FAILING(ssize_t, writev, (int fd, const struct iovec *from, int count), fd, from, count)
FAILING(ssize_t, pwritev, (int fd, const struct iovec *from, int count, off_t at), fd, from, count, at)
FAILING(ssize_t, pwritev64, (int fd, const struct iovec *from, int count, off64_t at), fd, from, count, at)
FAILING(int, fsync, (int fd), fd)
FAILING(int, fdatasync, (int fd), fd)
FAILING(int, ftruncate, (int fd, off_t length), fd, length)
FAILING(int, ftruncate64, (int fd, off64_t length), fd, length)
