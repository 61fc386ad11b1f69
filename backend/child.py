"""Starts a program that ends when the process that asked for it ends, and, where wanted, under another account.

Run as a script by `command()` below; standard library only, since it runs for every child before the program itself.
Knows nothing of Podium.

On Linux the kernel sends the death signal (PR_SET_PDEATHSIG), also when the parent was killed outright. Elsewhere this
process stays between the two and looks once a second.

PostgreSQL refuses to run as root. When root asks, the program therefore gets another account, and keeps the one right
of root it still needs: to pass through folders such as /root, in which the program and its data may lie.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def command(
    program: Sequence[str | os.PathLike[str]],
    *,
    death_signal: signal.Signals = signal.SIGTERM,
    account: tuple[int, int] | None = None,
) -> list[str]:
    """The command line that starts `program` as such a child of this process."""
    uid, gid = account or (-1, -1)
    head = [sys.executable, "-I", "-S", os.path.abspath(__file__)]
    return [*head, str(os.getpid()), str(int(death_signal)), str(uid), str(gid), *(os.fspath(part) for part in program)]


def main(arguments: Sequence[str]) -> None:
    """Become the program."""
    parent, death_signal, uid, gid = map(int, arguments[:4])
    program = list(arguments[4:])
    if uid >= 0:
        _change_account(uid, gid)
    if sys.platform != "linux":
        raise SystemExit(_stand_between(parent, death_signal, program))
    # After the change of account, which would clear it.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)  # it ended before the kernel knew whom to tell
    try:
        os.execvp(program[0], program)
    except OSError as error:
        raise SystemExit(f"{program[0]}: {error.strerror}") from None


def _change_account(uid: int, gid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux":
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if sys.platform == "linux":
        # Best effort: a container may have taken the right from root; then the folders must be passable by themselves.
        bit = 1 << CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)  # effective, permitted, inheritable; low and high words
        if libc.capset(ctypes.byref(header), ctypes.byref(sets)) == 0:
            libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def _stand_between(parent: int, death_signal: int, program: list[str]) -> int:
    child = subprocess.Popen(program)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda received, _frame: child.send_signal(received))
    told = False
    while True:
        try:
            return child.wait(1.0)
        except subprocess.TimeoutExpired:
            if os.getppid() != parent and not told:
                child.send_signal(death_signal)
                told = True


if __name__ == "__main__":
    main(sys.argv[1:])
