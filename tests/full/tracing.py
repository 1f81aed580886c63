"""Kills a program before the n-th of the system calls by which it changes something outside itself.

A call is what ends a program's effects on files and sockets: killed anywhere between two of them it leaves the same behind. So a
kill before each of them is a kill at every moment, but for what others do meanwhile, and for `queue.db-shm`: SQLite writes that
index of its log as memory, without a call, and whoever opens the database behind a crash makes it anew. `strace` can inject a
signal too, but counts each thread's calls by themselves; here those of all threads are counted as one, in the order in which they
are made.
"""

import ctypes
import os
import platform
import signal
import struct
import subprocess
import sys

from full.part import Failed

# The calls, with their numbers; `openat` only where it may create a file.
NUMBERS = {
    "x86_64": {
        "write": 1, "pwrite64": 18, "writev": 20, "sendto": 44, "sendmsg": 46, "recvfrom": 45, "connect": 42, "shutdown": 48,
        "fsync": 74, "fdatasync": 75, "truncate": 76, "ftruncate": 77, "rename": 82, "mkdir": 83, "unlink": 87, "chmod": 90,
        "fchmod": 91, "openat": 257, "mkdirat": 258, "unlinkat": 263, "renameat": 264, "fallocate": 285, "pwritev": 296,
        "renameat2": 316,
    },
    "aarch64": {
        "write": 64, "pwrite64": 68, "writev": 66, "sendto": 206, "sendmsg": 211, "recvfrom": 207, "connect": 203,
        "shutdown": 210, "fsync": 82, "fdatasync": 83, "truncate": 45, "ftruncate": 46, "fchmod": 52, "openat": 56,
        "mkdirat": 34, "unlinkat": 35, "renameat": 38, "fallocate": 47, "pwritev": 70, "renameat2": 276,
    },
}  # fmt: skip
CREATE = os.O_CREAT

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.restype = ctypes.c_long
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

# Of <sys/ptrace.h>, <sys/prctl.h>, <linux/seccomp.h>, <linux/filter.h> and <sys/wait.h>.
TRACEME, CONT, SETOPTIONS, GETEVENTMSG = 0, 7, 0x4200, 0x4201
OPTION_FORK, OPTION_VFORK, OPTION_CLONE, OPTION_EXEC, OPTION_SECCOMP, OPTION_EXITKILL = 2, 4, 8, 16, 1 << 7, 1 << 20
OPTIONS = OPTION_FORK | OPTION_VFORK | OPTION_CLONE | OPTION_EXEC | OPTION_SECCOMP | OPTION_EXITKILL
EVENT_SECCOMP = 7
SET_NO_NEW_PRIVILEGES, SET_SECCOMP, FILTER = 38, 22, 2
LOAD, IF_EQUAL, IF_SET, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, TRACE = 0x7FFF0000, 0x7FF00000
NUMBER_AT, THIRD_ARGUMENT_AT = 0, 32
WALL = 0x40000000


class Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def run(words, at, **options):
    """Runs it, and kills it before its call number `at`, from 1; the name of that call, or None where it made fewer."""
    numbers = NUMBERS.get(platform.machine())
    if numbers is None or sys.byteorder != "little":
        raise Failed(f"the numbers of system calls of {platform.machine()} are not known here")
    names = {number: name for name, number in numbers.items()}
    child = subprocess.Popen(words, preexec_fn=prepared(numbers), **options)
    # It stops at its `exec`. Threads of it are of its group, and no other child is.
    _, status = os.waitpid(child.pid, WALL)
    if not os.WIFSTOPPED(status):
        raise Failed("a program cannot be traced here: is ptrace forbidden?")
    ptrace(SETOPTIONS, child.pid, OPTIONS)
    ptrace(CONT, child.pid, 0)
    killed, calls, code = None, 0, None
    while code is None:
        thread, status = os.waitpid(-child.pid, WALL)
        if not os.WIFSTOPPED(status):
            code = os.waitstatus_to_exitcode(status) if thread == child.pid else None
            continue
        passed = 0
        if status >> 16 == EVENT_SECCOMP:
            calls += 1
            if calls == at:
                killed = names[message(thread)]
                os.kill(child.pid, signal.SIGKILL)
                continue
        elif os.WSTOPSIG(status) not in (signal.SIGTRAP, signal.SIGSTOP):
            passed = os.WSTOPSIG(status)
        ptrace(CONT, thread, passed)
    child.returncode = code
    return killed, code


def prepared(numbers):
    """What the child does before it becomes the program."""
    code = bytearray()

    def step(what, value, yes=0, no=0):
        code.extend(struct.pack("=HBBI", what, yes, no, value))

    step(LOAD, NUMBER_AT)
    for name, number in numbers.items():
        if name == "openat":
            step(IF_EQUAL, number, no=4)
            step(LOAD, THIRD_ARGUMENT_AT)
            step(IF_SET, CREATE, no=1)
            step(RETURN, TRACE | number)
            step(RETURN, ALLOW)
        else:
            step(IF_EQUAL, number, no=1)
            step(RETURN, TRACE | number)
    step(RETURN, ALLOW)
    kept = ctypes.create_string_buffer(bytes(code), len(code))
    program = Program(len(code) // 8, ctypes.cast(kept, ctypes.c_void_p))

    def prepare():
        os.setpgid(0, 0)
        ptrace(TRACEME, 0, 0)
        prctl(SET_NO_NEW_PRIVILEGES, 1)
        # From here on each of the calls fails until somebody traces it; there is none before the `exec`.
        prctl(SET_SECCOMP, FILTER, ctypes.byref(program))
        _ = kept

    return prepare


def ptrace(request, thread, data):
    """A thread that has just been killed is traced no more."""
    if LIBC.ptrace(request, thread, None, data) < 0 and ctypes.get_errno() != 3:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")


def prctl(option, value, more=0):
    zero = ctypes.c_ulong(0)
    more = more if more else zero
    if LIBC.prctl(option, ctypes.c_ulong(value), more, zero, zero) < 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def message(thread):
    number = ctypes.c_ulong()
    ptrace(GETEVENTMSG, thread, ctypes.addressof(number))
    return number.value
