package hook

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// TestTheFilterAnswersEachCall runs the filter in a virtual machine, without a kernel: every call is asked for.
func TestTheFilterAnswersEachCall(t *testing.T) {
	refused, gone := refusedWith(unix.EPERM), refusedWith(unix.ENOSYS)
	denied := refusedWith(unix.EACCES)
	none, tcp, local := allowances{}, allowances{tcp: true}, allowances{unix: true}
	ask, pretend := allowances{ask: true}, allowances{pretend: true}
	for _, tc := range []struct {
		name string
		may  allowances
		arch uint32
		call uint32
		args []uint32
		want verdict
	}{
		{"read", none, auditArch(), unix.SYS_READ, nil, allowed},
		{"exec", none, auditArch(), unix.SYS_EXECVE, nil, allowed},
		{"another architecture", none, unix.AUDIT_ARCH_I386, unix.SYS_READ, nil, killed},
		{"x32", none, auditArch(), x32Bit | unix.SYS_READ, nil, gone},
		{"ptrace", none, auditArch(), unix.SYS_PTRACE, nil, refused},
		{"the last forbidden call", none, auditArch(), unix.SYS_OPEN_BY_HANDLE_AT, nil, refused},
		{"clone3", none, auditArch(), unix.SYS_CLONE3, nil, gone},
		{"io_uring", none, auditArch(), unix.SYS_IO_URING_SETUP, nil, gone},
		{"fork", none, auditArch(), unix.SYS_CLONE, []uint32{unix.CLONE_VM | unix.CLONE_VFORK}, allowed},
		{"a user namespace", none, auditArch(), unix.SYS_CLONE, []uint32{unix.CLONE_NEWUSER}, refused},
		{"a network namespace", none, auditArch(), unix.SYS_CLONE, []uint32{unix.CLONE_VM | unix.CLONE_NEWNET}, refused},
		{"a question", ask, auditArch(), unix.SYS_CLONE, []uint32{unix.CLONE_VM | unix.CLONE_VFORK}, asked},
		{"no question of a namespace", ask, auditArch(), unix.SYS_CLONE, []uint32{unix.CLONE_NEWUSER}, refused},
		{"a mode", none, auditArch(), unix.SYS_FCHMODAT, nil, allowed},
		{"a pretended mode", pretend, auditArch(), unix.SYS_FCHMODAT, nil, pretended},
		{"an attribute", pretend, auditArch(), unix.SYS_SETXATTR, nil, refusedWith(unix.ENOTSUP)},
		{"ioctl", none, auditArch(), unix.SYS_IOCTL, []uint32{0, unix.TCGETS}, allowed},
		{"pushing input", none, auditArch(), unix.SYS_IOCTL, []uint32{0, unix.TIOCSTI}, refused},
		{"tcp", none, auditArch(), unix.SYS_SOCKET, []uint32{unix.AF_INET, unix.SOCK_STREAM}, denied},
		{"unix", none, auditArch(), unix.SYS_SOCKET, []uint32{unix.AF_UNIX, unix.SOCK_STREAM}, denied},
		{"connect", none, auditArch(), unix.SYS_CONNECT, nil, denied},
		{"a pair", none, auditArch(), unix.SYS_SOCKETPAIR, []uint32{unix.AF_UNIX, unix.SOCK_STREAM | unix.SOCK_CLOEXEC}, allowed},
		{"a pair for datagrams", none, auditArch(), unix.SYS_SOCKETPAIR, []uint32{unix.AF_UNIX, unix.SOCK_DGRAM}, denied},
		{"granted tcp", tcp, auditArch(), unix.SYS_SOCKET, []uint32{unix.AF_INET6, unix.SOCK_STREAM | unix.SOCK_NONBLOCK}, allowed},
		{"granted tcp is not udp", tcp, auditArch(), unix.SYS_SOCKET, []uint32{unix.AF_INET, unix.SOCK_DGRAM}, denied},
		{"granted tcp is not netlink", tcp, auditArch(), unix.SYS_SOCKET, []uint32{unix.AF_NETLINK, unix.SOCK_RAW}, denied},
		{"granted tcp is not unix", tcp, auditArch(), unix.SYS_SOCKET, []uint32{unix.AF_UNIX, unix.SOCK_STREAM}, denied},
		{"granted tcp connects", tcp, auditArch(), unix.SYS_CONNECT, nil, allowed},
		{"granted unix", local, auditArch(), unix.SYS_SOCKET, []uint32{unix.AF_UNIX, unix.SOCK_STREAM}, allowed},
		{"granted unix is not tcp", local, auditArch(), unix.SYS_SOCKET, []uint32{unix.AF_INET, unix.SOCK_STREAM}, denied},
	} {
		program, err := seccompProgram(tc.may)
		if err != nil {
			t.Fatal(err)
		}
		// The machine reads as a network does, the kernel as the processor does: only the numbers' order differs.
		data := make([]byte, 64)
		binary.BigEndian.PutUint32(data[offsetCall:], tc.call)
		binary.BigEndian.PutUint32(data[offsetArch:], tc.arch)
		for i, a := range tc.args {
			binary.BigEndian.PutUint32(data[offsetArgs+8*i:], a)
		}
		vm, err := bpf.NewVM(program)
		if err != nil {
			t.Fatal(err)
		}
		got, err := vm.Run(data)
		if err != nil || verdict(uint32(got)) != tc.want {
			t.Errorf("%s: %#x, %v, want %#x", tc.name, uint32(got), err, tc.want)
		}
	}
}

func TestToolsAreGrantedTheirInstallationAndNotAHome(t *testing.T) {
	const home = "/home/u"
	for executable, want := range map[string]map[string]bool{
		"/home/u/go/bin/gosec":    {"/home/u/go": true, "/home/u": false},
		"/home/u/.local/bin/ruff": {"/home/u/.local/bin": true, "/home/u/.local/lib": true, "/home/u/.local": false},
		"/home/u/bin/x":           {"/home/u/bin": true, "/home/u": false},
		"/tmp/x":                  {"/tmp/x": true, "/tmp": false},
		"/usr/local/lib/node_modules/eslint/bin/eslint.js": {"/usr/local/lib/node_modules": true},
	} {
		got := map[string]bool{}
		for _, g := range toolGrants(executable, home) {
			got[g.Path] = true
		}
		for path, granted := range want {
			if got[path] != granted {
				t.Errorf("%s: granted %v, want %s = %v", executable, got, path, granted)
			}
		}
	}
}
