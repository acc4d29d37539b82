#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

// Linked into winnowd_faulty: the system's calls as a sick disk answers them. WINNOW_DISK_TROUBLE
// names a file. While it is there, calls on files below the directory that it names fail; it reads
//   write|sync|read|open ERRNO DIRECTORY
// Faults: `write` refuses to write, extend, sync, rename, make and remove files; `sync` to sync
// alone; `read` refuses to read; `open` refuses to open anything. The service must say what is
// wrong, answer for what it holds, and be well again once the file is gone.
namespace {

struct Trouble {
  char call[8] = "";
  int error = 0;
  char directory[256] = "";
};

template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// By system calls, which are not hooked.
bool ReadTrouble(Trouble* trouble) {
  static const char* const path = getenv("WINNOW_DISK_TROUBLE");
  if (path == nullptr) return false;
  const long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[512] = "";
  const long size = syscall(SYS_read, fd, text, sizeof(text) - 1);
  syscall(SYS_close, fd);
  return size > 0 &&
         sscanf(text, "%7s %d %255s", trouble->call, &trouble->error, trouble->directory) == 3;
}

bool Refused(const char* call, const char* path) {
  const int kept = errno;
  Trouble trouble;
  const bool refused = ReadTrouble(&trouble) && strcmp(call, trouble.call) == 0 &&
                       strncmp(path, trouble.directory, strlen(trouble.directory)) == 0;
  errno = refused ? trouble.error : kept;
  return refused;
}

bool Refused(const char* call, int fd) {
  char link[64];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  char path[512] = "";
  const int kept = errno;
  const ssize_t size = readlink(link, path, sizeof(path) - 1);
  errno = kept;
  return size > 0 && Refused(call, path);
}

bool OpenRefused(const char* path, int flags) {
  return ((flags & O_CREAT) != 0 && Refused("write", path)) || Refused("open", path);
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  static auto* const real = Real<decltype(write)>("write");
  return Refused("write", fd) ? -1 : real(fd, data, size);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  static auto* const real = Real<decltype(pwrite)>("pwrite");
  return Refused("write", fd) ? -1 : real(fd, data, size, offset);
}

int fsync(int fd) {
  static auto* const real = Real<decltype(fsync)>("fsync");
  return Refused("write", fd) || Refused("sync", fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
  static auto* const real = Real<decltype(fdatasync)>("fdatasync");
  return Refused("write", fd) || Refused("sync", fd) ? -1 : real(fd);
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
  static auto* const real = Real<decltype(fallocate)>("fallocate");
  return Refused("write", fd) ? -1 : real(fd, mode, offset, size);
}

ssize_t pread(int fd, void* data, size_t size, off_t offset) {
  static auto* const real = Real<decltype(pread)>("pread");
  return Refused("read", fd) ? -1 : real(fd, data, size, offset);
}

int open(const char* path, int flags, ...) {
  static auto* const real = Real<decltype(open)>("open");
  va_list rest;
  va_start(rest, flags);
  const int mode = (flags & O_CREAT) != 0 ? va_arg(rest, int) : 0;
  va_end(rest);
  return OpenRefused(path, flags) ? -1 : real(path, flags, mode);
}

int rename(const char* from, const char* to) {
  static auto* const real = Real<decltype(rename)>("rename");
  return Refused("write", to) ? -1 : real(from, to);
}

int unlink(const char* path) {
  static auto* const real = Real<decltype(unlink)>("unlink");
  return Refused("write", path) ? -1 : real(path);
}

}  // extern "C"
