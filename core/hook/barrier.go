package hook

import "slices"

// The barriers that an Examination can say were enforced or not, and that a policy can require.
const (
	BarrierPrivileges   = "no-new-privs"      // no program gains privileges by being started
	BarrierCapabilities = "capabilities"      // none are left, and no supplementary group
	BarrierSeccomp      = "seccomp"           // no sockets, no tracing, no mounts, no namespaces
	BarrierLandlock     = "landlock"          // reads the source and the system, writes to its own folder
	BarrierMounts       = "mount-namespace"   // everything but its own folder is read-only, /run is empty
	BarrierProcesses    = "pid-namespace"     // sees and signals its own processes only
	BarrierNetwork      = "network-namespace" // has no interface but its own loopback
	BarrierIPC          = "ipc-namespace"     // shares no System V memory or queues
	BarrierGit          = "git-hidden"        // cannot read .git, where credentials lie
	BarrierHosts        = "granted-hosts"     // reaches the granted hosts and no others
)

// What else is said of every run.
const (
	enforcedEnvironment = "environment"
	enforcedTime        = "time-limit"
	enforcedOutput      = "output-limit"
	enforcedDisk        = "disk-limit"
	enforcedMemory      = "memory-limit"
	enforcedTasks       = "process-limit"
	enforcedTree        = "process-tree" // all its processes end with it
)

// Barriers returns the names of all barriers that every hook is to have, in the order in which they are shown.
func Barriers() []string {
	return []string{BarrierPrivileges, BarrierCapabilities, BarrierSeccomp, BarrierLandlock, BarrierMounts,
		BarrierProcesses, BarrierNetwork, BarrierIPC, BarrierGit}
}

// requirable reports whether a policy can require the barrier by that name.
func requirable(name string) bool {
	return name == BarrierHosts || slices.Contains(Barriers(), name)
}
