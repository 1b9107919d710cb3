package hook_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/hook"
)

// stage is a source tree, and a runner whose PATH has the guest.
type stage struct {
	t      *testing.T
	source string
	bin    string
	env    map[string]string
	runner *hook.Runner
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, source: t.TempDir(), bin: t.TempDir()}
	self, err := os.Executable()
	check(t, err)
	check(t, os.Symlink(self, filepath.Join(s.bin, guestName)))
	s.write("main.go", "package main\n")
	s.write(".git/config", "[http]\n\textraheader = AUTHORIZATION: basic c2VjcmV0\n")
	s.write("vendored/.git/config", "token")
	s.env = map[string]string{"PATH": s.bin + ":/usr/bin:/bin", "HOME": t.TempDir()}
	s.runner = &hook.Runner{Getenv: func(name string) string { return s.env[name] }, Dir: t.TempDir()}
	return s
}

func (s *stage) write(name, text string) string {
	s.t.Helper()
	file := filepath.Join(s.source, filepath.FromSlash(name))
	check(s.t, os.MkdirAll(filepath.Dir(file), 0o755))
	check(s.t, os.WriteFile(file, []byte(text), 0o644))
	return file
}

// guest is a hook that tries something.
func (s *stage) guest(args ...string) hook.Hook {
	return hook.Hook{Name: guestName, Argv: append([]string{guestName}, args...), Languages: []string{"go"}, Over: hook.OverSource,
		From: hook.FromStdout, Format: "govulncheck", Exits: []int{0}, Class: hook.ClassStatic, Asked: true,
		Limits: hook.Limits{Time: time.Minute, Memory: 1 << 30, Output: 1 << 20, Disk: 64 << 20, Tasks: 200}}
}

func (s *stage) run(h hook.Hook) core.Examination {
	s.t.Helper()
	return s.runIn(s.t.Context(), h)
}

func (s *stage) runIn(ctx context.Context, h hook.Hook) core.Examination {
	s.t.Helper()
	survey, err := hook.Look(ctx, s.source, 10_000)
	check(s.t, err)
	results := s.runner.Run(ctx, hook.Target{Survey: survey}, []hook.Hook{h})
	if len(results) != 1 {
		s.t.Fatalf("%d results", len(results))
	}
	left, err := os.ReadDir(s.runner.Dir)
	check(s.t, err)
	if len(left) > 0 {
		s.t.Errorf("the run left %v behind", left)
	}
	return results[0].Examination
}

// needs skips a test that a barrier makes, where the kernel has it not; the Examination has said so by then.
func needs(t *testing.T, x core.Examination, anyOf ...string) {
	t.Helper()
	for _, b := range anyOf {
		if slices.Contains(x.Enforced, b) {
			return
		}
	}
	for _, b := range anyOf {
		if !slices.Contains(x.Unenforced, b) {
			t.Fatalf("neither enforced nor said to be unenforced: %s in %+v", b, x)
		}
	}
	t.Skipf("this kernel gives none of %v, and the examination says so", anyOf)
}

func says(t *testing.T, x core.Examination, status core.Completeness, words ...string) {
	t.Helper()
	if x.Status != status {
		t.Errorf("it is %s, want %s: %+v", x.Status, status, x)
	}
	why := strings.Join(x.Why, "\n")
	for _, w := range words {
		if !strings.Contains(why, w) {
			t.Errorf("%q is missing in: %s", w, why)
		}
	}
}

func TestAQuietHookIsExamined(t *testing.T) {
	s := newStage(t)
	x := s.run(s.guest("report"))
	says(t, x, core.Complete)
	if x.Name != guestName || x.Version != "v1.9.0" {
		t.Errorf("%+v", x)
	}
	for _, want := range []string{"environment", "time-limit", "output-limit", "memory-limit", "disk-limit", "process-tree"} {
		if !slices.Contains(x.Enforced, want) {
			t.Errorf("%s is not enforced: %v", want, x.Enforced)
		}
	}
	t.Logf("enforced %v, unenforced %v", x.Enforced, x.Unenforced)
	for _, b := range hook.Barriers() {
		if slices.Contains(x.Enforced, b) == slices.Contains(x.Unenforced, b) {
			t.Errorf("%s is both or neither: %+v", b, x)
		}
	}
}

func TestAHookThatHangsEndsAtItsLimit(t *testing.T) {
	s := newStage(t)
	h := s.guest("hang")
	h.Limits.Time = time.Second
	began := time.Now()
	says(t, s.run(h), core.Failed, "time limit of 1s")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestAHookEndsWithTheRun(t *testing.T) {
	s := newStage(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(time.Second, func() { cancel(errors.New("interrupted by the user")) })
	says(t, s.runIn(ctx, s.guest("hang")), core.Failed, "interrupted by the user")
}

func TestAHookThatFloodsIsKilledAndIncomplete(t *testing.T) {
	s := newStage(t)
	says(t, s.run(s.guest("flood")), core.Failed, "output limit of 1048576 bytes")
}

func TestExitCodesAreNamed(t *testing.T) {
	s := newStage(t)
	for code, want := range map[string]string{"137": "exit code 137", "3": "exit code 3; accepted are 0", "127": "not found", "143": "SIGTERM"} {
		says(t, s.run(s.guest("exit", code)), core.Failed, want)
	}
	says(t, s.run(s.guest("die")), core.Failed, "ended by SIGKILL")
	h := s.guest("exit", "3")
	h.Exits = []int{0, 3}
	says(t, s.run(h), core.Failed, "read its report") // accepted, but it printed none
}

func TestPlatformCommandsNeverPassRaw(t *testing.T) {
	s := newStage(t)
	x := s.run(s.guest("exit", "1", "::set-output name=x::y\n##[error]z\n\x1b[0Ksection_start:1:a[collapsed=true]\r\x1b[0K"))
	says(t, x, core.Failed, "exit code 1")
	why := strings.Join(x.Why, "")
	if strings.ContainsAny(why, "\n\r\x1b") || strings.HasPrefix(why, "::") || strings.Contains(why, "##[") {
		t.Errorf("raw: %q", why)
	}
}

func TestMemoryIsLimited(t *testing.T) {
	if testing.Short() {
		t.Skip("it uses the machine to its limits")
	}
	s := newStage(t)
	h := s.guest("memory")
	h.Limits.Memory = 200 << 20
	says(t, s.run(h), core.Failed, "out of memory")
	h = s.guest("together")
	h.Limits.Memory = 700 << 20
	says(t, s.run(h), core.Failed, "memory limit of 734003200 bytes")
}

func TestTheHooksFolderIsLimited(t *testing.T) {
	s := newStage(t)
	says(t, s.run(s.guest("fill")), core.Failed, "disk limit")
}

func TestAForkBombIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("it uses the machine to its limits")
	}
	s := newStage(t)
	h := s.guest("fork")
	h.Limits.Time, h.Limits.Tasks = 20*time.Second, 12 // few, for the bomb ends by itself, also on a busy machine
	ended, most := make(chan struct{}), make(chan int)
	go func() {
		top := 0
		for {
			select {
			case <-ended:
				most <- top
				return
			case <-time.After(50 * time.Millisecond):
				top = max(top, guests(t))
			}
		}
	}()
	x := s.run(h)
	close(ended)
	says(t, x, core.Failed)
	// The kernel asks before each of them is started, or a namespace bounds their numbers, to no fewer than some hundreds, and
	// what counts them ends it. On a fast machine it may have ended before they are seen once.
	asked := slices.Contains(x.Enforced, "process-limit") && !slices.Contains(x.Enforced, hook.BarrierProcesses)
	if top := <-most; asked && top > 2*h.Limits.Tasks {
		t.Errorf("there were %d processes at a time", top)
	}
	if n := guests(t); n > 0 {
		t.Errorf("%d of its processes are left", n)
	}
}

func TestNothingOutlivesAHook(t *testing.T) {
	s := newStage(t)
	says(t, s.run(s.guest("orphan")), core.Complete)
	if n := guests(t); n > 0 {
		t.Errorf("%d of its processes are left", n)
	}
}

// guests counts the processes of guests on this machine.
func guests(t *testing.T) int {
	t.Helper()
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	n := 0
	for _, name := range names {
		if raw, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(raw), guestName+"\x00") {
			n++
		}
	}
	return n
}

func TestNoSockets(t *testing.T) {
	s := newStage(t)
	x := s.run(s.guest("socket"))
	needs(t, x, hook.BarrierSeccomp)
	says(t, x, core.Complete)
}

func TestTheDockerSocketIsOutOfReach(t *testing.T) {
	s := newStage(t)
	for _, dir := range []string{t.TempDir(), "/run", s.source} {
		socket := filepath.Join(dir, "docker.sock-"+strconv.Itoa(os.Getpid()))
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Logf("no socket in %s: %v", dir, err)
			continue
		}
		defer l.Close()
		x := s.run(s.guest("docker", socket))
		needs(t, x, hook.BarrierSeccomp)
		says(t, x, core.Complete)
	}
}

func TestTheDockerSocketIsOutOfReachOfAHookWithUnixSockets(t *testing.T) {
	s := newStage(t)
	socket := "/run/docker.sock-" + strconv.Itoa(os.Getpid())
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Skipf("no socket in /run: %v", err)
	}
	defer l.Close()
	h := s.guest("docker", socket)
	h.UnixSockets = true
	x := s.run(h)
	needs(t, x, hook.BarrierMounts)
	says(t, x, core.Complete)
	if !slices.Contains(x.Granted, "unix sockets") {
		t.Errorf("the grant is not recorded: %v", x.Granted)
	}
}

func TestTheParentCannotBeLookedInto(t *testing.T) {
	s := newStage(t)
	pid := strconv.Itoa(os.Getpid())
	x := s.run(s.guest("read", "/proc/"+pid+"/environ", "/proc/"+pid+"/mem", "/proc/1/environ", "/proc/"+strconv.Itoa(os.Getppid())+"/environ"))
	needs(t, x, hook.BarrierLandlock, hook.BarrierProcesses)
	says(t, x, core.Complete)
	x = s.run(s.guest("trace", pid, strconv.Itoa(os.Getppid()), "1"))
	needs(t, x, hook.BarrierSeccomp)
	says(t, x, core.Complete)
	x = s.run(s.guest("kill", pid))
	needs(t, x, hook.BarrierProcesses)
	says(t, x, core.Complete)
}

func TestCredentialsOfGitAreHidden(t *testing.T) {
	s := newStage(t)
	x := s.run(s.guest("read", ".git/config", "vendored/.git/config", filepath.Join(s.source, ".git", "config")))
	needs(t, x, hook.BarrierGit)
	says(t, x, core.Complete)
	// The rest is still there.
	if x := s.run(s.guest("read", "main.go")); !strings.Contains(strings.Join(x.Why, ""), "read main.go") {
		t.Errorf("the source cannot be read: %+v", x)
	}
}

func TestSecretsOfTheMachineCannotBeRead(t *testing.T) {
	s := newStage(t)
	home := s.env["HOME"]
	check(t, os.WriteFile(filepath.Join(home, ".netrc"), []byte("password"), 0o600))
	x := s.run(s.guest("read", filepath.Join(home, ".netrc"), "/etc/shadow", "/etc/gshadow"))
	needs(t, x, hook.BarrierLandlock)
	says(t, x, core.Complete)
}

func TestNothingOutsideItsFolderCanBeWritten(t *testing.T) {
	s := newStage(t)
	elsewhere := t.TempDir()
	var files []string
	for _, name := range []string{"github_env", "github_output", "tekton/results/VERDICT", "image/index.json"} {
		file := filepath.Join(elsewhere, filepath.FromSlash(name))
		check(t, os.MkdirAll(filepath.Dir(file), 0o777))
		check(t, os.WriteFile(file, []byte("before"), 0o666))
		files = append(files, file)
	}
	files = append(files, "main.go", "new.go", filepath.Join(s.source, "main.go"), "/etc/passwd", "/tmp/cleanbill-test-"+strconv.Itoa(os.Getpid()))
	x := s.run(s.guest(append([]string{"write"}, files...)...))
	needs(t, x, hook.BarrierLandlock, hook.BarrierMounts)
	says(t, x, core.Complete)
	for _, file := range files[:4] {
		if text, err := os.ReadFile(file); err != nil || string(text) != "before" {
			t.Errorf("%s: %q, %v", file, text, err)
		}
	}
}

func TestNoNewNamespaces(t *testing.T) {
	s := newStage(t)
	x := s.run(s.guest("namespace"))
	needs(t, x, hook.BarrierSeccomp)
	says(t, x, core.Complete)
}

func TestCapabilitiesAndDescriptorsAreGone(t *testing.T) {
	s := newStage(t)
	h := s.guest("status")
	h.Exits = []int{9} // so that what it says is shown
	x := s.run(h)
	needs(t, x, hook.BarrierCapabilities, hook.BarrierSeccomp)
	says(t, x, core.Failed, "CapPrm:0000000000000000", "CapEff:0000000000000000", "NoNewPrivs:1", "Seccomp:2", "0=/dev/null")
	if n := strings.Count(strings.Join(x.Why, ""), "pipe:"); n != 2 {
		t.Errorf("%d pipes, want those of standard output and error: %v", n, x.Why)
	}
}

func TestTheEnvironmentIsAllowed(t *testing.T) {
	s := newStage(t)
	t.Setenv("GITHUB_TOKEN", "ghs_leak")
	t.Setenv("CLEANBILL_TEST_SECRET", "leak")
	x := s.run(s.guest("env"))
	says(t, x, core.Failed, "exit code 42")
	why := strings.Join(x.Why, "")
	if strings.Contains(why, "leak") || !strings.Contains(why, "HOME="+s.runner.Dir) {
		t.Errorf("%s", why)
	}
}

func TestGrantedSecretsAreHandedOverAndNeverShown(t *testing.T) {
	s := newStage(t)
	h := s.guest("env")
	h.Secrets = []string{"SCANNER_TOKEN"}
	says(t, s.run(h), core.Failed, "SCANNER_TOKEN", "is not set")
	s.env["SCANNER_TOKEN"] = "v3ry-s3cret"
	x := s.run(h)
	says(t, x, core.Failed, "SCANNER_TOKEN=***")
	if strings.Contains(strings.Join(x.Why, ""), "v3ry") || !slices.Contains(x.Granted, "secret: SCANNER_TOKEN") {
		t.Errorf("%+v", x)
	}
}

func TestOnlyGrantedHostsAreReached(t *testing.T) {
	s := newStage(t)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	defer server.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	check(t, err)

	h := s.guest("get", "https://localhost:"+port)
	h.Network = []string{"localhost:" + port}
	x := s.run(h)
	needs(t, x, hook.BarrierNetwork)
	says(t, x, core.Failed, "got hello")
	if !slices.Contains(x.Enforced, hook.BarrierHosts) || !slices.Contains(x.Granted, "network: localhost:"+port) {
		t.Errorf("%+v", x)
	}
	h.Argv[2] = "https://" + other.Listener.Addr().String()
	h.Exits = []int{9} // so that what it says is shown
	says(t, s.run(h), core.Failed, "Forbidden", "hosts that it is not granted", other.Listener.Addr().String())
	h.Argv = []string{guestName, "docker", "/nowhere"}
	says(t, s.run(h), core.Failed, "prevented")
	h = s.guest("get", "https://localhost:"+port)
	says(t, s.run(h), core.Complete) // without the grant there is no way at all
}

// TestSeccompAndLandlockContainAlone plays the worst on a system without namespaces, as containers of CI services are.
func TestSeccompAndLandlockContainAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("it uses the machine to its limits")
	}
	s := newStage(t)
	s.runner.WithoutNamespaces()
	x := s.run(s.guest("report"))
	says(t, x, core.Complete)
	for _, b := range []string{hook.BarrierMounts, hook.BarrierProcesses, hook.BarrierNetwork, hook.BarrierIPC} {
		if !slices.Contains(x.Unenforced, b) {
			t.Errorf("%s is not said to be unenforced: %v", b, x.Unenforced)
		}
	}
	needs(t, x, hook.BarrierLandlock)
	needs(t, x, hook.BarrierSeccomp)
	needs(t, x, "process-limit")
	pid, file := strconv.Itoa(os.Getpid()), filepath.Join(t.TempDir(), "github_env")
	check(t, os.WriteFile(file, []byte("before"), 0o666))
	for _, try := range [][]string{{"socket"}, {"namespace"}, {"orphan"}, {"trace", pid, strconv.Itoa(os.Getppid())},
		{"read", "/proc/" + pid + "/environ", "/proc/" + pid + "/mem", ".git/config", "/etc/shadow"}, {"write", file, "main.go", "/etc/passwd"}} {
		if x := s.run(s.guest(try...)); x.Status != core.Complete {
			t.Errorf("%v: %v", try, x.Why)
		}
	}
	h := s.guest("fork")
	h.Limits.Time, h.Limits.Tasks = 30*time.Second, 12
	says(t, s.run(h), core.Failed, "limit of 12 processes")
	h = s.guest("hang")
	h.Limits.Time = time.Second
	says(t, s.run(h), core.Failed, "time limit")
	if n := guests(t); n > 0 {
		t.Errorf("%d processes are left", n)
	}
	h = s.guest("report")
	h.Network = []string{"example.com"}
	if x := s.run(h); !slices.Contains(x.Unenforced, hook.BarrierHosts) {
		t.Errorf("without a namespace the granted hosts are said to be enforced: %+v", x)
	}
	h.Network, h.Class = nil, hook.ClassExecutes
	s.env["COSIGN_PASSWORD"] = "x"
	says(t, s.run(h), core.Failed, "credentials to sign or push", "$COSIGN_PASSWORD")
	s.env["COSIGN_PASSWORD"], s.runner.Require = "", []string{hook.BarrierMounts}
	says(t, s.run(h), core.Failed, "barriers that do not hold here: mount-namespace")
}

// TestAllProcessesAreFoundWhereTheyDoNotAsk bounds a bomb that is bounded by itself on a system that gives neither a
// namespace nor questions: the walk of /proc is all that there is, and the examination says so.
func TestAllProcessesAreFoundWhereTheyDoNotAsk(t *testing.T) {
	s := newStage(t)
	s.runner.WithoutQuestions()
	h := s.guest("fork")
	h.Limits.Tasks = 12
	x := s.run(h)
	says(t, x, core.Failed, "limit of 12 processes")
	for _, b := range []string{"process-limit", "process-tree"} {
		if slices.Contains(x.Enforced, b) || !slices.Contains(x.Unenforced, b) {
			t.Errorf("%s is said to be enforced: %+v", b, x)
		}
	}
	says(t, s.run(s.guest("orphan")), core.Complete)
	if n := guests(t); n > 0 {
		t.Errorf("%d of its processes are left", n)
	}
}

func TestARequiredBarrierThatDoesNotHoldKeepsAHookFromRunning(t *testing.T) {
	s := newStage(t)
	s.runner.Require = hook.Barriers()
	x := s.run(s.guest("report"))
	all := len(x.Unenforced) == 0
	if (x.Status == core.Complete) != all {
		t.Errorf("unenforced %v and %s", x.Unenforced, x.Status)
	}
}

func TestProjectCodeDoesNotRunBesideCredentialsWithoutAllBarriers(t *testing.T) {
	s := newStage(t)
	s.env["COSIGN_PASSWORD"] = "x"
	h := s.guest("report")
	h.Class = hook.ClassExecutes
	x := s.run(h)
	held := !slices.ContainsFunc(hook.Barriers(), func(b string) bool { return !slices.Contains(x.Enforced, b) })
	if (x.Status == core.Complete) != held {
		t.Errorf("%+v", x)
	}
}

func TestAMissingProgramIsAGapOnlyIfItWasAskedFor(t *testing.T) {
	s := newStage(t)
	h := s.guest("report")
	h.Argv[0], h.Install = "cleanbill-no-such-program", "apt-get install it"
	x := s.run(h)
	says(t, x, core.Failed, "is not installed")
	if x.Remedy != h.Install || x.Code != hook.CodeMissing {
		t.Errorf("%+v", x)
	}
	h.Asked = false
	says(t, s.run(h), core.Skipped, "is not installed")
}

func TestTheSourceDoesNotSayWhichProgramExaminesIt(t *testing.T) {
	s := newStage(t)
	s.write("bin/liar", "#!/bin/sh\n")
	check(t, os.Chmod(filepath.Join(s.source, "bin", "liar"), 0o755))
	s.env["PATH"] = filepath.Join(s.source, "bin") + ":bin:" + s.env["PATH"]
	h := s.guest("report")
	h.Argv[0] = "liar"
	says(t, s.run(h), core.Failed, "is not installed")
}

func TestAPinnedProgramMustBeTheOne(t *testing.T) {
	s := newStage(t)
	h := s.guest("report")
	h.SHA256 = strings.Repeat("0", 64)
	says(t, s.run(h), core.Failed, "SHA-256")
	h.SHA256 = ""
	h.Version = hook.Version{Argv: []string{guestName, "report"}, Pattern: `"scanner_version":"v([^"]*)"`, Want: "1.9.0"}
	x := s.run(h)
	says(t, x, core.Complete)
	if x.Version != "1.9.0" {
		t.Errorf("%+v", x)
	}
	h.Version.Want = "2.0.0"
	says(t, s.run(h), core.Failed, `its version is "1.9.0", and must be "2.0.0"`)
}

func TestAReportThatIsALinkIsNotRead(t *testing.T) {
	s := newStage(t)
	secret := filepath.Join(t.TempDir(), "secret")
	check(t, os.WriteFile(secret, []byte("secret"), 0o600))
	h := s.guest("symlink", secret, "{output}")
	h.From, h.ReportFile, h.Exits = hook.FromFile, "report", []int{0, 42}
	says(t, s.run(h), core.Failed, "no plain file")
}

func TestTheShimIsNoCommandForPeople(t *testing.T) {
	if _, asked := hook.Shim([]string{"gate", "x"}); asked {
		t.Error("another command was taken for the shim")
	}
	if _, asked := hook.Shim(nil); asked {
		t.Error("no command was taken for the shim")
	}
}
