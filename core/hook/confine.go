package hook

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// access says what a hook may do with a path and what is below it.
type access string

const (
	accessList  access = "list"  // see the names in a directory and below
	accessRead  access = "read"  // and read and run what is there
	accessWrite access = "write" // and write, make and remove
	accessUse   access = "use"   // read and write what exists, make nothing
)

// grant lets a hook use one path, and what is below it.
type grant struct {
	Path   string `json:"path"`
	Access access `json:"access"`
}

// request is what one start of the shim is to do. It travels over a pipe to the shim, and from there to the second stage,
// which becomes the hook.
type request struct {
	Path string   `json:"path"` // of the program; empty for a trial, which ends where the hook would begin
	Argv []string `json:"argv"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"` // where it starts
	Own  string   `json:"own"` // the one folder that it can write to
	// Grants are for Landlock; Hide are directories that get an empty one mounted over them.
	Grants []grant  `json:"grants"`
	Hide   []string `json:"hide"`

	// Require are the barriers without which the program does not start; Held are those that the outer stage set up.
	Require []string `json:"require"`
	Held    []string `json:"held"`

	Namespaces namespaces `json:"namespaces"`
	// Ask makes each start of a process or thread a question to the outer stage, where no namespace bounds their number.
	Ask  bool `json:"ask"`
	TCP  bool `json:"tcp"`
	Unix bool `json:"unix"`
	// ProxyPort is where granted hosts are reached, on the loopback interface. With a namespace the shim chooses it.
	ProxyPort int `json:"proxyPort"`

	Memory int64         `json:"memory"` // bytes, of all processes together, and of each one's data
	Disk   int64         `json:"disk"`   // bytes, of one file
	Tasks  int           `json:"tasks"`  // processes
	Time   time.Duration `json:"time"`
}

// namespaces are those that the shim was started in.
type namespaces struct {
	User, Mount, PID, Net, IPC bool
	// Unasked is true where no questions can be asked, because a sandbox around us asks them already.
	Unasked bool
}

// shimReport is what the shim and its second stage say, one JSON object a line.
type shimReport struct {
	Enforced   []string `json:"enforced,omitempty"`
	Unenforced []string `json:"unenforced,omitempty"`
	// Began is true in the last line before the program starts.
	Began bool `json:"began,omitempty"`
	// Failed is why the program could not be started.
	Failed string `json:"failed,omitempty"`
	// Ended is set in the last line.
	Ended *ending `json:"ended,omitempty"`
}

// ending is how the program ended.
type ending struct {
	Exit   int    `json:"exit"`
	Signal int    `json:"signal,omitempty"`
	Limit  string `json:"limit,omitempty"` // the limit for which it was killed
	Left   int    `json:"left,omitempty"`  // processes that it left behind, which were killed
}

// hold records a barrier as enforced or not.
func (r *shimReport) hold(barrier string, err error) {
	if err == nil {
		r.Enforced = append(r.Enforced, barrier)
	} else {
		r.Unenforced = append(r.Unenforced, barrier)
	}
}

// derive adds the barriers that others together make.
func (r *shimReport) derive(req request) {
	held := slices.Concat(req.Held, r.Enforced)
	missing := errors.New("not held")
	either := func(barriers ...string) error {
		if slices.ContainsFunc(barriers, func(b string) bool { return slices.Contains(held, b) }) {
			return nil
		}
		return missing
	}
	r.hold(BarrierGit, either(BarrierLandlock, BarrierMounts))
	if req.TCP {
		r.hold(BarrierHosts, either(BarrierNetwork))
	}
}

// lacks returns the required barriers that do not hold.
func (r *shimReport) lacks(req request) []string {
	held := slices.Concat(req.Held, r.Enforced)
	return slices.DeleteFunc(slices.Clone(req.Require), func(b string) bool { return slices.Contains(held, b) })
}

// systemGrants are what programs need of a system to run: code, libraries, certificates, names of users and zones, and
// harmless devices. Of /etc only what is no secret.
func systemGrants() []grant {
	var g []grant
	for _, p := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store",
		"/etc/alternatives", "/etc/ca-certificates", "/etc/ca-certificates.conf", "/etc/crypto-policies", "/etc/fonts", "/etc/group",
		"/etc/host.conf", "/etc/hosts", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld-musl-x86_64.path",
		"/etc/ld-musl-aarch64.path", "/etc/locale.alias", "/etc/localtime", "/etc/magic", "/etc/mime.types", "/etc/nsswitch.conf",
		"/etc/os-release", "/etc/passwd", "/etc/php", "/etc/pki/ca-trust", "/etc/pki/tls/certs", "/etc/pki/java", "/etc/protocols",
		"/etc/python3", "/etc/resolv.conf", "/etc/services", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ssl/cert.pem",
		"/etc/timezone", "/etc/java-17-openjdk", "/etc/java-21-openjdk", "/proc", "/sys/devices/system/cpu", "/sys/fs/cgroup",
		"/sys/kernel/mm/transparent_hugepage"} {
		g = append(g, grant{p, accessRead})
	}
	for _, p := range []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"} {
		g = append(g, grant{p, accessUse})
	}
	return g
}

// toolGrants are what a program needs of its own installation: the folder of its executable and, where that is a "bin",
// what lies beside it; or the folder node_modules that it is in. Nothing is granted that holds more than a program: a
// home directory, or a hidden folder in it.
func toolGrants(executable, home string) []grant {
	dir := filepath.Dir(executable)
	if i := strings.LastIndex(executable, "/node_modules/"); i >= 0 {
		return []grant{{executable[:i+len("/node_modules")], accessRead}}
	}
	g := []grant{{executable, accessRead}}
	if !tooWide(dir, home) {
		g = append(g, grant{dir, accessRead})
	}
	if filepath.Base(dir) != "bin" {
		return g
	}
	prefix := filepath.Dir(dir)
	if !tooWide(prefix, home) {
		return append(g, grant{prefix, accessRead})
	}
	for _, beside := range []string{"lib", "lib64", "libexec", "share/" + filepath.Base(executable)} {
		g = append(g, grant{filepath.Join(prefix, beside), accessRead})
	}
	return g
}

// tooWide reports whether a folder holds more than programs. Temporary folders hold what others put there.
func tooWide(dir, home string) bool {
	if slices.Contains([]string{"/", "/home", "/root", "/tmp", "/var", "/var/tmp", "/var/lib", "/etc", "/run", "/proc", "/sys", "/dev", "/mnt",
		"/srv", "/workspace", "/builds"}, dir) {
		return true
	}
	if home == "" {
		return false
	}
	return dir == home || filepath.Dir(dir) == home && strings.HasPrefix(filepath.Base(dir), ".")
}

// scriptInterpreter returns the program that a script names in its first line, or nothing.
func scriptInterpreter(executable string) string {
	f, err := os.Open(executable)
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, 256)
	n, _ := f.Read(head)
	line, ok := strings.CutPrefix(string(head[:n]), "#!")
	if !ok {
		return ""
	}
	line, _, _ = strings.Cut(line, "\n")
	words := strings.Fields(line)
	if len(words) == 0 || !filepath.IsAbs(words[0]) {
		return ""
	}
	return words[0]
}
