package hook

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The filter is written here, and assembled by x/net/bpf, because the libraries that load one do so for all threads of a
// Go program or know no arguments of calls; here one thread gets it and then becomes the hook.
//
// https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html

// Offsets in struct seccomp_data: int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6].
const (
	offsetCall = 0
	offsetArch = 4
	offsetArgs = 16
)

// x32Bit marks the calls of the x32 ABI, which have the architecture of x86_64.
const x32Bit = 0x40000000

// What socket calls may say. The type's upper bits are flags.
const socketTypeMask = 0xf

// allowances say what the filter lets a hook do, and how.
type allowances struct {
	tcp  bool // open TCP sockets, to be confined by a namespace and a proxy
	unix bool // open unix sockets of any name: a grant, because the filter cannot see which
	// pretend makes changes of modes, owners and times do nothing, successfully. Landlock does not cover them; where mounts
	// are not read-only, a hook could change files that its user owns. Programs set them for their own files, and go on.
	pretend bool
	// ask makes the start of processes and threads a question to the shim, which counts them.
	ask bool
}

// verdict is what the filter does with a call.
type verdict uint32

const (
	allowed   = verdict(unix.SECCOMP_RET_ALLOW)
	killed    = verdict(unix.SECCOMP_RET_KILL_PROCESS)
	pretended = verdict(unix.SECCOMP_RET_ERRNO) // without an error
	asked     = verdict(unix.SECCOMP_RET_USER_NOTIF)
)

func refusedWith(errno unix.Errno) verdict { return verdict(unix.SECCOMP_RET_ERRNO | uint32(errno)) }

// forbidden are calls that get the same answer.
type forbidden struct {
	verdict verdict
	calls   []uint32
}

// forbiddenCalls are refused whatever their arguments: they reach other processes, change the system, or are so wide that
// the filter would see nothing of what they do.
func forbiddenCalls() []forbidden {
	return []forbidden{
		{refusedWith(unix.EPERM), append([]uint32{
			// Other processes.
			unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_KCMP,
			unix.SYS_PIDFD_GETFD, unix.SYS_MOVE_PAGES, unix.SYS_MIGRATE_PAGES, unix.SYS_PERF_EVENT_OPEN,
			// Namespaces and mounts.
			unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT,
			unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_OPEN_TREE_ATTR, unix.SYS_FSOPEN, unix.SYS_FSCONFIG,
			unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
			// The kernel.
			unix.SYS_BPF, unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE,
			unix.SYS_DELETE_MODULE, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL,
			unix.SYS_QUOTACTL_FD, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
			unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_SYSLOG, unix.SYS_VHANGUP, unix.SYS_USERFAULTFD,
			unix.SYS_NFSSERVCTL, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_FANOTIFY_INIT,
			// Keys, and files by handle.
			unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT,
		}, machineCalls()...)},
		// Programs have another way where these do not exist. clone3 hides its flags behind a pointer.
		{refusedWith(unix.ENOSYS), []uint32{unix.SYS_CLONE3, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER,
			unix.SYS_IO_URING_REGISTER}},
	}
}

const namespaceFlags = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER |
	unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP

// seccompProgram returns the filter for the architecture that this program runs on.
func seccompProgram(may allowances) ([]bpf.Instruction, error) {
	arch := auditArch()
	if arch == 0 {
		return nil, fmt.Errorf("there is no filter for %s", runtime.GOARCH)
	}
	p := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offsetArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: arch, SkipTrue: 1},
		bpf.RetConstant{Val: uint32(killed)}, // a 32-bit program would have other numbers for its calls
		bpf.LoadAbsolute{Off: offsetCall, Size: 4},
	}
	p = append(p, when(bpf.JumpGreaterOrEqual, x32Bit, refusedWith(unix.ENOSYS))...)
	for _, f := range forbiddenCalls() {
		for _, call := range f.calls {
			p = append(p, when(bpf.JumpEqual, call, f.verdict)...)
		}
	}
	p = append(p, socketRules(may)...)
	starts := when(bpf.JumpBitsSet, namespaceFlags, refusedWith(unix.EPERM))
	if may.ask {
		starts = append(starts, bpf.RetConstant{Val: uint32(asked)})
		for _, call := range forkCalls() {
			p = append(p, when(bpf.JumpEqual, call, asked)...)
		}
	}
	p = append(p, forCall(unix.SYS_CLONE, argument(0, 0), starts)...)
	if may.pretend {
		for _, call := range append(metadataCalls(), unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2, unix.SYS_FCHOWN,
			unix.SYS_FCHOWNAT, unix.SYS_UTIMENSAT) {
			p = append(p, when(bpf.JumpEqual, call, pretended)...)
		}
		for _, call := range []uint32{unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR, unix.SYS_SETXATTRAT,
			unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR, unix.SYS_FREMOVEXATTR, unix.SYS_REMOVEXATTRAT, unix.SYS_FILE_SETATTR} {
			p = append(p, when(bpf.JumpEqual, call, refusedWith(unix.ENOTSUP))...)
		}
	}
	// A terminal's input is what the shell reads next.
	p = append(p, forCall(unix.SYS_IOCTL, argument(1, 0), append(when(bpf.JumpEqual, unix.TIOCSTI, refusedWith(unix.EPERM)),
		when(bpf.JumpEqual, tioclinux, refusedWith(unix.EPERM))...))...)
	return append(p, bpf.RetConstant{Val: uint32(allowed)}), nil
}

// tioclinux pastes into a console. https://man7.org/linux/man-pages/man2/TIOCLINUX.2const.html
const tioclinux = 0x541C

// socketRules let a hook make pairs of connected sockets, and of others what it was granted.
func socketRules(may allowances) []bpf.Instruction {
	refused := refusedWith(unix.EACCES)
	var p []bpf.Instruction
	// Datagrams of a pair can be sent elsewhere by name; the other types cannot.
	p = append(p, forCall(unix.SYS_SOCKETPAIR, argument(1, socketTypeMask), choose(allowed, refused, unix.SOCK_STREAM, unix.SOCK_SEQPACKET))...)
	if !may.tcp && !may.unix {
		for _, call := range []uint32{unix.SYS_SOCKET, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4} {
			p = append(p, when(bpf.JumpEqual, call, refused)...)
		}
		return p
	}
	var families []uint32
	if may.tcp {
		families = append(families, unix.AF_INET, unix.AF_INET6)
	}
	if may.unix {
		families = append(families, unix.AF_UNIX)
	}
	// Streams only: TCP, and the connections of unix sockets.
	socket := append(argument(1, socketTypeMask), bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SOCK_STREAM, SkipTrue: 1},
		bpf.RetConstant{Val: uint32(refused)})
	socket = append(socket, argument(0, 0)...)
	return append(p, forCall(unix.SYS_SOCKET, socket, choose(allowed, refused, families...))...)
}

// when returns v if the accumulator compares so, and goes on otherwise.
func when(cond bpf.JumpTest, value uint32, v verdict) []bpf.Instruction {
	return []bpf.Instruction{bpf.JumpIf{Cond: cond, Val: value, SkipFalse: 1}, bpf.RetConstant{Val: uint32(v)}}
}

// choose ends with one verdict for the values and another for all others.
func choose(those, others verdict, values ...uint32) []bpf.Instruction {
	var p []bpf.Instruction
	for _, value := range values {
		p = append(p, when(bpf.JumpEqual, value, those)...)
	}
	return append(p, bpf.RetConstant{Val: uint32(others)})
}

// argument loads the lower half of an argument, of which only some bits may count. Families, types, flags and requests
// are ints: the kernel looks at no more.
func argument(i int, mask uint32) []bpf.Instruction {
	p := []bpf.Instruction{bpf.LoadAbsolute{Off: uint32(offsetArgs + 8*i), Size: 4}}
	if mask != 0 {
		p = append(p, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: mask})
	}
	return p
}

// forCall runs the parts for one call and restores the accumulator after them.
func forCall(call uint32, parts ...[]bpf.Instruction) []bpf.Instruction {
	var body []bpf.Instruction
	for _, part := range parts {
		body = append(body, part...)
	}
	body = append(body, bpf.LoadAbsolute{Off: offsetCall, Size: 4})
	return append([]bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpEqual, Val: call, SkipFalse: uint8(len(body))}}, body...)
}

// installSeccomp sets the filter for the calling thread, which must have no_new_privs. With ask it returns the descriptor
// that the questions come from.
func installSeccomp(may allowances) (questions int, err error) {
	program, err := seccompProgram(may)
	if err != nil {
		return -1, err
	}
	raw, err := bpf.Assemble(program)
	if err != nil {
		return -1, fmt.Errorf("assemble the filter: %w", err)
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	flags := uintptr(0)
	if may.ask {
		flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}
