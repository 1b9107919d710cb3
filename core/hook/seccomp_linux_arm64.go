package hook

import "golang.org/x/sys/unix"

func auditArch() uint32 { return unix.AUDIT_ARCH_AARCH64 }

// machineCalls are forbidden calls that only this architecture has.
func machineCalls() []uint32 { return nil }

// forkCalls start processes, besides clone.
func forkCalls() []uint32 { return nil }

// metadataCalls change modes, owners and times, besides those that every architecture has.
func metadataCalls() []uint32 { return nil }
