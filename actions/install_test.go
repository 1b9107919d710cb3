package actions_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// release is a place with one program, and an action that names it.
type release struct {
	action string // the directory with install.sh and RELEASE
	temp   string // RUNNER_TEMP
	mirror string
}

// program is what is installed, as good as any.
const program = "#!/bin/sh\necho installed\n"

// newRelease serves what answers for the program, whose digest the action has.
func newRelease(t *testing.T, record string, answer http.HandlerFunc) release {
	t.Helper()
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("there is no release for this system")
	}
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	r := release{action: t.TempDir(), temp: t.TempDir(), mirror: server.URL}
	script, err := os.ReadFile("install.sh")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"install.sh": string(script), "RELEASE": record} {
		if err := os.WriteFile(filepath.Join(r.action, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// install runs the script as action.yml does, and returns the program's path, the log and the exit code.
func (r release) install(t *testing.T) (path, log string, code int) {
	t.Helper()
	output := filepath.Join(t.TempDir(), "output")
	cmd := exec.Command("bash", filepath.Join(r.action, "install.sh"))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "RUNNER_TEMP=" + r.temp, "GITHUB_OUTPUT=" + output, "CLEANBILL_MIRROR=" + r.mirror}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(output)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.TrimPrefix(string(data), "binary=")), said.String(), cmd.ProcessState.ExitCode()
}

func sha256Of(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// recordOf is a RELEASE whose programs all have the digest.
func recordOf(digest string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version v1.2.3\ncommit %040d\n", 1)
	for _, platform := range []string{"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"} {
		fmt.Fprintf(&b, "%s  cleanbill_%s\n", digest, platform)
	}
	return b.String()
}

func TestTheReleasedProgramIsInstalled(t *testing.T) {
	asked := make(chan string, 1)
	r := newRelease(t, recordOf(sha256Of(program)), func(w http.ResponseWriter, req *http.Request) {
		asked <- req.URL.Path
		fmt.Fprint(w, program)
	})
	path, log, code := r.install(t)
	if code != 0 || !strings.HasPrefix(path, r.temp) {
		t.Fatalf("exit code %d, program %q\n%s", code, path, log)
	}
	if got, want := <-asked, "/v1.2.3/cleanbill_"+runtime.GOOS+"_"; !strings.HasPrefix(got, want) {
		t.Errorf("asked for %s, want %s…", got, want)
	}
	if said, err := exec.Command(path).Output(); err != nil || string(said) != "installed\n" {
		t.Errorf("it says %q, %v", said, err)
	}
}

func TestWhatIsNotTheReleasedProgramIsNotInstalled(t *testing.T) {
	right := sha256Of(program)
	serve := func(content string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, content) }
	}
	for name, tc := range map[string]struct {
		record string
		answer http.HandlerFunc
		says   string
		code   int
	}{
		"another program":   {recordOf(right), serve(program + "echo more\n"), "is not what was released", 3},
		"a truncated one":   {recordOf(right), serve(program[:len(program)-1]), "is not what was released", 3},
		"an empty one":      {recordOf(right), serve(""), "Cleanbill", 3},
		"none":              {recordOf(right), http.NotFound, "could not be fetched", 3},
		"a broken transfer": {recordOf(right), broken, "could not be fetched", 3},
		"another scheme": {recordOf(right), func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		}, "could not be fetched", 3},
		"a record without digests":  {"version v1.2.3\n", serve(program), "cannot be installed", 3},
		"a record of other systems": {"version v1.2.3\n" + right + "  cleanbill_plan9_mips\n", serve(program), "cannot be installed", 3},
		"a record with half a digest": {strings.ReplaceAll(recordOf(right), right, right[:32]), serve(program),
			"cannot be installed", 3},
		"a record with a path as version": {strings.Replace(recordOf(right), "v1.2.3", "v1/../..", 1), serve(program),
			"cannot be installed", 3},
		"an empty record": {"", serve(program), "cannot be installed", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRelease(t, tc.record, tc.answer)
			path, log, code := r.install(t)
			if path != "" || code != tc.code || !strings.Contains(log, tc.says) {
				t.Errorf("exit code %d, program %q; want %d and %q\n%s", code, path, tc.code, tc.says, log)
			}
			if strings.Count(log, "::error title=") != 1 {
				t.Errorf("want one annotation\n%s", log)
			}
			left, err := filepath.Glob(filepath.Join(r.temp, "*", "cleanbill"))
			if err != nil || len(left) > 0 {
				t.Errorf("there is a program all the same: %v, %v", left, err)
			}
		})
	}
}

// broken promises more than it sends.
func broken(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100000")
	fmt.Fprint(w, program)
}
