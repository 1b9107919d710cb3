package hook

import "golang.org/x/sys/unix"

func auditArch() uint32 { return unix.AUDIT_ARCH_X86_64 }

// machineCalls are forbidden calls that only this architecture has.
func machineCalls() []uint32 { return []uint32{unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_MODIFY_LDT} }

// forkCalls start processes, besides clone.
func forkCalls() []uint32 { return []uint32{unix.SYS_FORK, unix.SYS_VFORK} }

// metadataCalls change modes, owners and times, besides those that every architecture has.
func metadataCalls() []uint32 {
	return []uint32{unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_LCHOWN, unix.SYS_UTIME, unix.SYS_UTIMES, unix.SYS_FUTIMESAT}
}
