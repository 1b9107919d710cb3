package attest

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// forbidDumps keeps keys out of core dumps of this process and of all that it starts from now on. A limit of one byte
// forbids more than none would: with that, a program that the kernel hands dumps to would still get them.
//
// https://man7.org/linux/man-pages/man5/core.5.html
func forbidDumps() error {
	return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1})
}

// alone starts a program in a group of its own, and ends the whole group when it is stopped.
func alone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
