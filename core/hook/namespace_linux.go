package hook

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// prepareNamespaces makes of the namespaces that the shim was started in what a hook is to see, and says which barriers
// that gives. A step that the system refuses is a barrier less, not an error.
func prepareNamespaces(req *request, said *shimReport) error {
	missing := errors.New("there is no such namespace")
	want := func(there bool, prepare func() error) error {
		if !there {
			return missing
		}
		return prepare()
	}
	nothing := func() error { return nil }
	private := want(req.Namespaces.Mount, func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") })
	said.hold(BarrierProcesses, want(req.Namespaces.PID && private == nil, mountProc))
	bounded := req.Namespaces.PID && limitTasks(*req)
	req.Ask = !bounded && !req.Namespaces.Unasked
	said.hold(BarrierMounts, want(private == nil, func() error { return closeMounts(req) }))
	said.hold(BarrierIPC, want(req.Namespaces.IPC, nothing))
	said.hold(BarrierNetwork, want(req.Namespaces.Net, nothing))
	if req.TCP && req.Namespaces.Net {
		if err := openLoopback(req); err != nil {
			return fmt.Errorf("open the way to the granted hosts: %w", err)
		}
	}
	return nil
}

// mountProc shows the processes of the namespace only.
func mountProc() error {
	return unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
}

// leastTasks is the least that the kernel accepts for a namespace's greatest process number.
const leastTasks = 301

// limitTasks bounds how many processes and threads the namespace can have, by bounding their numbers, and reports whether
// it could. The setting is the namespace's own since Linux 6.14; before, it is the whole machine's, and left alone.
func limitTasks(req request) bool {
	return kernelAtLeast(6, 14) &&
		os.WriteFile("/proc/sys/kernel/pid_max", []byte(strconv.Itoa(max(req.Tasks, leastTasks))), 0) == nil
}

func kernelAtLeast(major, minor int) bool {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return false
	}
	var a, b int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &a, &b); err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}

// closeMounts makes everything read-only but the hook's own folder and a /dev/shm of its own, and hides what is to be
// hidden. /run holds the sockets of the machine's daemons, and secrets that are mounted into containers.
func closeMounts(req *request) error {
	if err := unix.Mount(req.Own, req.Own, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mount its own folder: %w", err)
	}
	for _, dir := range append(hideable(req), req.Hide...) {
		err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "size=4k,mode=0555")
		if err != nil {
			return fmt.Errorf("hide %s: %w", dir, err)
		}
	}
	readOnly := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(-1, "/", unix.AT_RECURSIVE, &readOnly); err != nil {
		return fmt.Errorf("make everything read-only: %w", err)
	}
	writable := unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY, Attr_set: unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOSUID}
	if err := unix.MountSetattr(-1, req.Own, 0, &writable); err != nil {
		return fmt.Errorf("make its own folder writable: %w", err)
	}
	if err := unix.Mount("tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "size=64m,mode=1777"); err == nil {
		req.Grants = append(req.Grants, grant{"/dev/shm", accessWrite})
	}
	return nil
}

// hideable are the folders of daemons' sockets, unless the hook needs something below them.
func hideable(req *request) []string {
	needed := []string{req.Own, req.Dir, req.Path}
	for _, g := range req.Grants {
		needed = append(needed, g.Path)
	}
	var dirs []string
	for _, dir := range []string{"/run", "/var/run"} {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil || slices.Contains(dirs, real) {
			continue
		}
		if !slices.ContainsFunc(needed, func(p string) bool { return strings.HasPrefix(p, real+"/") }) {
			dirs = append(dirs, real)
		}
	}
	return dirs
}
