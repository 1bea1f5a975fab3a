/* Stands between a process and its C library (LD_PRELOAD), to make happen what no test can wait for.
 *
 *   CLOCK_OFFSET_FILE   a file of 8 bytes: so many nanoseconds is the clock of the wall ahead, at once and for whoever
 *                       has it open; clocks that only go forward are left alone, as when an operator sets a clock
 *   die_before(n)       SIGKILL to itself before its n-th step on a file from now on, 0 for never: a step is a write,
 *                       a flush, a cut or a removal
 *   steps_taken()       how many steps were taken since die_before was last called
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *ahead_ns;
static atomic_long steps, last;

__attribute__((constructor)) static void open_offset(void) {
    const char *path = getenv("CLOCK_OFFSET_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *found = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED) ahead_ns = found;
    close(file);
}

int clock_gettime(clockid_t id, struct timespec *told) {
    int failed = (int)syscall(SYS_clock_gettime, id, told);
    if (!failed && ahead_ns && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        int64_t ns = told->tv_nsec + *ahead_ns % 1000000000;
        told->tv_sec += *ahead_ns / 1000000000 + (ns >= 1000000000) - (ns < 0);
        told->tv_nsec = ns < 0 ? ns + 1000000000 : ns % 1000000000;
    }
    return failed;
}

int gettimeofday(struct timeval *restrict told, void *restrict zone) {
    (void)zone;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    told->tv_sec = now.tv_sec;
    told->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *told) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    if (told) *told = now.tv_sec;
    return now.tv_sec;
}

void die_before(long n) {
    atomic_store(&steps, 0);
    atomic_store(&last, n);
}

long steps_taken(void) { return atomic_load(&steps); }

static void step(void) {
    if (atomic_fetch_add(&steps, 1) + 1 == atomic_load(&last)) kill(getpid(), SIGKILL);
}

ssize_t write(int file, const void *bytes, size_t n) {
    step();
    return syscall(SYS_write, file, bytes, n);
}

ssize_t pwrite64(int file, const void *bytes, size_t n, off64_t at) {
    step();
    return syscall(SYS_pwrite64, file, bytes, n, at);
}

ssize_t pwrite(int file, const void *bytes, size_t n, off_t at) {
    step();
    return syscall(SYS_pwrite64, file, bytes, n, at);
}

int fsync(int file) {
    step();
    return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    step();
    return (int)syscall(SYS_fdatasync, file);
}

int ftruncate64(int file, off64_t n) {
    step();
    return (int)syscall(SYS_ftruncate, file, n);
}

int ftruncate(int file, off_t n) {
    step();
    return (int)syscall(SYS_ftruncate, file, n);
}

int unlink(const char *path) {
    step();
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
