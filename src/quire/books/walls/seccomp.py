"""A filter of system calls for Linux: what no reader of books needs is refused by the kernel.

Numbers are those of the kernel's unistd_64.h (x86-64) and asm-generic/unistd.h (arm64), the program's form that of
linux/filter.h and linux/seccomp.h.  Refused calls fail with EPERM, so that a library that tries one goes on or says so.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

# name: (x86-64, arm64); -1 where the machine has none.
_NETWORK = {
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "sendto": (44, 206), "sendmsg": (46, 211), "sendmmsg": (307, 269),
    "recvfrom": (45, 207), "recvmsg": (47, 212), "recvmmsg": (299, 243),
}  # fmt: skip
_PROGRAMS = {"execve": (59, 221), "execveat": (322, 281), "fork": (57, -1), "vfork": (58, -1)}
_OTHER_PROCESSES = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "process_mrelease": (448, 448), "setsid": (112, 157), "setpgid": (109, 154), "setrlimit": (160, 164),
    "setpriority": (141, 140), "sched_setscheduler": (144, 119), "sched_setattr": (314, 274),
}  # fmt: skip
_FILES = {
    "creat": (85, -1), "truncate": (76, 45), "ftruncate": (77, 46), "fallocate": (285, 47), "rename": (82, -1),
    "renameat": (264, 38), "renameat2": (316, 276), "unlink": (87, -1), "unlinkat": (263, 35), "rmdir": (84, -1),
    "mkdir": (83, -1), "mkdirat": (258, 34), "mknod": (133, -1), "mknodat": (259, 33), "link": (86, -1),
    "linkat": (265, 37), "symlink": (88, -1), "symlinkat": (266, 36), "chmod": (90, -1), "fchmod": (91, 52),
    "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, -1), "fchown": (93, 55), "lchown": (94, -1),
    "fchownat": (260, 54), "utime": (132, -1), "utimes": (235, -1), "futimesat": (261, -1), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "inotify_init": (253, -1), "inotify_init1": (294, 26),
    "fanotify_init": (300, 262), "memfd_create": (319, 279), "memfd_secret": (447, 447),
}  # fmt: skip
_SYSTEM = {
    "io_setup": (206, 0), "io_submit": (209, 2), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "iopl": (172, -1),
    "ioperm": (173, -1), "swapon": (167, 224), "swapoff": (168, 225), "reboot": (169, 142), "acct": (163, 89),
    "syslog": (103, 116), "quotactl": (179, 60), "settimeofday": (164, 170), "adjtimex": (159, 171),
    "clock_settime": (227, 112), "clock_adjtime": (305, 266), "sethostname": (170, 161),
    "setdomainname": (171, 162), "personality": (135, 92), "setuid": (105, 146), "setgid": (106, 144),
    "setreuid": (113, 145), "setregid": (114, 143), "setresuid": (117, 147), "setresgid": (119, 149),
    "setfsuid": (122, 151), "setfsgid": (123, 152), "setgroups": (116, 159), "capset": (126, 91),
    "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "vhangup": (153, 58), "modify_ldt": (154, -1),
}  # fmt: skip
# Those whose arguments decide.
_OPEN, _OPENAT, _OPENAT2 = (2, -1), (257, 56), (437, 437)
_CLONE, _CLONE3 = (56, 220), (435, 435)
_KILLS = ((62, 129), (200, 130), (234, 131))  # kill, tkill, tgkill
_PRLIMIT, _IOCTL = (302, 261), (16, 29)

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CLONE_THREAD = 0x10000
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
_X32 = 0x40000000
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH_*

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCH = 0, 4  # offsets in struct seccomp_data
_NO_NEW_PRIVS, _GET_SECCOMP, _SET_SECCOMP, _MODE_FILTER = 38, 21, 22, 2

Step = tuple[int, int, int, int]
"""One instruction: code, jump if true, jump if false, constant."""


def is_supported() -> bool:
    """Whether this machine's system calls are known here, and its kernel filters them."""
    if sys.platform != "linux" or sys.byteorder != "little" or platform.machine() not in _MACHINES:
        return False
    return int(ctypes.CDLL(None, use_errno=True).prctl(_GET_SECCOMP, 0, 0, 0, 0)) >= 0


def program(machine: str, own: int, programs: bool) -> list[Step]:
    """The filter for a process of the id `own`; with `programs` it may start others and write files (for OCR)."""
    column, arch = _MACHINES[machine]
    steps = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, arch), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    if machine == "x86_64":
        steps += [(_AT_LEAST, 0, 1, _X32), _refuse(errno.EPERM)]
    refused = _NETWORK | _SYSTEM | _OTHER_PROCESSES
    if not programs:
        refused = refused | _PROGRAMS | _FILES
        # As if the kernel had none: libc then uses the call whose flags can be seen here.
        for call in (_OPENAT2, _CLONE3):
            steps += [(_EQUAL, 0, 1, call[column]), _refuse(errno.ENOSYS)]
        steps += _checked(_OPEN[column], 1, [(_ANY_BIT, 0, 1, _WRITES), _refuse(errno.EPERM)])
        steps += _checked(_OPENAT[column], 2, [(_ANY_BIT, 0, 1, _WRITES), _refuse(errno.EPERM)])
        steps += _checked(_CLONE[column], 0, [(_ANY_BIT, 1, 0, _CLONE_THREAD), _refuse(errno.EPERM)])
        for call in _KILLS:
            steps += _checked(call[column], 0, [(_EQUAL, 1, 0, own), _refuse(errno.EPERM)])
        steps += _checked(_PRLIMIT[column], 2, [(_EQUAL, 1, 0, 0), _refuse(errno.EPERM)])
    for command in _TERMINAL_INPUT:
        steps += _checked(_IOCTL[column], 1, [(_EQUAL, 0, 1, command), _refuse(errno.EPERM)])
    for numbers in refused.values():
        if numbers[column] >= 0:
            steps += [(_EQUAL, 0, 1, numbers[column]), _refuse(errno.EPERM)]
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def _refuse(error: int) -> Step:
    return (_RETURN, 0, 0, _ERRNO | error)


def _checked(number: int, argument: int, body: list[Step]) -> list[Step]:
    """`body` for one call, with the lower half of one of its arguments loaded; the number is loaded after it."""
    if number < 0:
        return []
    load: Step = (_LOAD, 0, 0, 16 + 8 * argument)
    return [(_EQUAL, 0, 2 + len(body), number), load, *body, (_LOAD, 0, 0, _NUMBER)]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def seal(programs: bool = False) -> bool:
    """Put the filter on this process for good.  False where the kernel or the machine knows none."""
    if not is_supported():
        return False
    steps = program(platform.machine(), os.getpid(), programs)
    packed = b"".join(struct.pack("<HBBI", *step) for step in steps)
    libc = ctypes.CDLL(None, use_errno=True)
    filter_ = _Program(len(steps), packed)
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_), 0, 0) == 0)
