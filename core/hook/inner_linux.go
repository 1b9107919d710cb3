package hook

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// inner gives up what a hook must not have and becomes the hook. All of it is done by one thread, which alone survives
// the exec.
func inner(req request, report *json.Encoder) error {
	runtime.LockOSThread()
	// The outer stage ends everything that is left when it ends; this is for the case that it is killed.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("end with the shim: %w", err)
	}
	if err := setLimits(req); err != nil {
		return err
	}
	if err := os.Chdir(req.Dir); err != nil {
		return fmt.Errorf("start in the source: %w", err)
	}
	unix.Umask(0o077)
	var said shimReport
	if err := dropGroups(); err != nil {
		said.Unenforced = append(said.Unenforced, "supplementary-groups")
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	said.hold(BarrierPrivileges, nil)
	said.hold(BarrierCapabilities, dropCapabilities())
	landlock := restrictPaths(req.Grants, req.ProxyPort)
	if landlock != nil && landlockABI() > 0 {
		return fmt.Errorf("restrict it with Landlock: %w", landlock)
	}
	said.hold(BarrierLandlock, landlock)
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close what was inherited: %w", err)
	}
	seccomp := filterCalls(req, &said)
	if seccomp != nil && !absent(seccomp) {
		return fmt.Errorf("install the seccomp filter: %w", seccomp)
	}
	said.hold(BarrierSeccomp, seccomp)
	said.derive(req)
	if lacking := said.lacks(req); len(lacking) > 0 {
		return fmt.Errorf("it was not started: it must have barriers that do not hold here: %s", strings.Join(lacking, ", "))
	}
	said.Began = true
	if err := report.Encode(said); err != nil {
		return err
	}
	if req.Path == "" {
		return nil
	}
	env := req.Env
	if req.ProxyPort != 0 {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
			env = append(env, fmt.Sprintf("%s=http://127.0.0.1:%d", name, req.ProxyPort))
		}
	}
	return fmt.Errorf("start %s: %w", req.Path, unix.Exec(req.Path, req.Argv, env))
}

// filterCalls installs the filter. Where no namespace bounds the number of the hook's processes, their start becomes a
// question to the outer stage; where a sandbox around us asks such questions already, there can be no second.
func filterCalls(req request, said *shimReport) error {
	may := allowances{tcp: req.TCP, unix: req.Unix, pretend: !slices.Contains(req.Held, BarrierMounts), ask: req.Ask}
	questions, err := installSeccomp(may)
	if may.ask && err == nil {
		if err = unix.Sendmsg(fdQuestions, []byte{0}, unix.UnixRights(questions), nil, 0); err != nil {
			return err // nobody would answer, and nothing could start
		}
	} else if may.ask {
		may.ask = false
		_, err = installSeccomp(may)
	}
	// In a namespace the outer stage ends all of them at once when it counts too many. Otherwise it has to find each.
	var counted error
	if !may.ask && !req.Namespaces.PID {
		counted = errors.New("their start is no question")
	}
	said.hold(enforcedTasks, counted)
	if !req.Namespaces.PID {
		said.hold(enforcedTree, counted)
	}
	return err
}

// absent reports whether an error says that the kernel has no such thing, or that a sandbox around us forbids it.
func absent(err error) bool {
	return errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
}

// setLimits sets what the kernel counts for each process.
func setLimits(req request) error {
	seconds := uint64(req.Time.Seconds())*uint64(runtime.NumCPU()) + 1
	for _, l := range []struct {
		resource int
		most     uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_CPU, seconds},
		// Address space would be the wrong measure: Go, Node and Java reserve far more of it than they use.
		{unix.RLIMIT_DATA, uint64(req.Memory)},
		{unix.RLIMIT_FSIZE, uint64(req.Disk)},
		{unix.RLIMIT_NOFILE, 4096},
		{unix.RLIMIT_MEMLOCK, 64 << 10},
		{unix.RLIMIT_NPROC, mostTasks(req)},
		{unix.RLIMIT_MSGQUEUE, 0},
	} {
		var now unix.Rlimit
		if err := unix.Getrlimit(l.resource, &now); err != nil {
			return fmt.Errorf("read a limit: %w", err)
		}
		most := min(l.most, now.Max)
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return fmt.Errorf("set a limit: %w", err)
		}
	}
	return nil
}

// mostTasks is a last bound on processes and threads, should nothing else hold: it counts all of the user's, those of other
// hooks too, and the kernel does not apply it to root.
func mostTasks(req request) uint64 {
	const hooks = 8 // that may run beside each other
	most := hooks * uint64(req.Tasks)
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || !ownedBy(info, os.Geteuid()) {
			continue
		}
		tasks, _ := os.ReadDir(filepath.Join(name, "task"))
		most += uint64(len(tasks))
	}
	return most
}

func ownedBy(info os.FileInfo, uid int) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == uid
}

// dropGroups gives up supplementary groups, such as that of a daemon's socket.
func dropGroups() error {
	groups, err := unix.Getgroups()
	if err != nil {
		return err
	}
	if len(groups) == 0 || len(groups) == 1 && groups[0] == os.Getegid() {
		return nil
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// securebits forbid that root gets capabilities by being root, and that this is undone.
//
// https://man7.org/linux/man-pages/man7/capabilities.7.html
const securebits = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<5 | 1<<6 | 1<<7

// dropCapabilities gives up all capabilities, for good.
func dropCapabilities() error {
	for c := uintptr(0); c <= 63; c++ {
		// It fails for those that the kernel does not know, and for all where CAP_SETPCAP is missing.
		_ = unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
	}
	_ = unix.Prctl(unix.PR_SET_SECUREBITS, securebits, 0, 0, 0)
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("drop the capabilities: %w", err)
	}
	return nil
}
