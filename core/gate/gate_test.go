package gate_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// judgedAt is the time of all verdicts in these tests: while Debian 12 and Alpine 3.20 are supported.
var judgedAt = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

func newGate() *gate.Gate {
	return &gate.Gate{
		Version: "test", Commit: "none",
		Now: func() time.Time { return judgedAt },
		Getenv: func(name string) string {
			if name == "CLEANBILL_ADVISORIES" {
				return gate.StarterAdvisories // tests need no network
			}
			return ""
		},
	}
}

// starterOK is a policy that accepts the embedded starter set, for images that are to pass.
func starterOK(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, file, "version: 1\nextends: standard\nstarter-ok: true\n")
	return file
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func layout(t *testing.T, spec images.Spec) string {
	t.Helper()
	image, err := images.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "image")
	if err := images.WriteLayout(dir, image); err != nil {
		t.Fatal(err)
	}
	return dir
}

func run(t *testing.T, p gate.Plan) *gate.Result {
	t.Helper()
	r, err := newGate().Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestACleanImagePassesWherePolicyAcceptsTheStarterSet(t *testing.T) {
	r := run(t, gate.Plan{Targets: []string{layout(t, images.Clean("amd64"))}, Policy: starterOK(t)})
	if r.Verdict.Decision != core.Passed {
		t.Errorf("got %v: %+v %+v", r.Verdict.Decision, r.Verdict.Gaps, r.Verdict.Refusals)
	}
}

func TestTheStarterSetAloneRefusesButDoesNotPass(t *testing.T) {
	for spec, want := range map[string]core.Decision{"clean": core.Undecided, "vulnerable": core.Refused} {
		image := images.Clean("amd64")
		if spec == "vulnerable" {
			image = images.Vulnerable("amd64")
		}
		r := run(t, gate.Plan{Targets: []string{layout(t, image)}})
		if r.Verdict.Decision != want {
			t.Errorf("%s: got %v, want %v", spec, r.Verdict.Decision, want)
		}
		if want == core.Undecided && !strings.Contains(r.Verdict.Gaps[0].Remedy, "cleanbill advisories build") {
			t.Errorf("the gap does not say how to close it: %+v", r.Verdict.Gaps)
		}
	}
}

// Nothing that could not be read may pass, under any policy; and whatever could be opened gets a report.
func TestHostileImagesNeverPass(t *testing.T) {
	policy := starterOK(t)
	for _, h := range images.HostileImages() {
		t.Run(h.Name, func(t *testing.T) {
			if testing.Short() && h.Name == "million-entries" {
				t.Skip("a million entries take half a minute under the race detector")
			}
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "image")
			if err := h.Write(dir); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "verdict.json")
			r, err := newGate().Run(t.Context(), gate.Plan{
				Targets: []string{dir}, Policy: policy, Outputs: []gate.Output{{Format: "json", Path: file}},
			})
			if err != nil {
				if gate.ExitCode(r, err) == core.ExitPassed || !strings.Contains(err.Error(), "image") {
					t.Errorf("exit %d with %v", gate.ExitCode(r, err), err)
				}
				return
			}
			if h.NeverPasses && r.Verdict.Decision == core.Passed {
				t.Error("it passed")
			}
			if h.NeverPasses && len(r.Verdict.Gaps) == 0 && r.Verdict.Decision != core.Refused {
				t.Error("nothing says why")
			}
			read, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer read.Close()
			if _, err := report.ReadDocument(read, file, 1<<30); err != nil {
				t.Errorf("the report cannot be read back: %v", err)
			}
		})
	}
}

func TestEveryPlatformOfAnIndexIsJudgedAndAttestationsAreNot(t *testing.T) {
	index, err := images.BuildIndex(images.Clean("amd64"), images.Vulnerable("arm64"))
	if err != nil {
		t.Fatal(err)
	}
	attested, err := images.Attested(index)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "index")
	if err := images.WriteLayout(dir, attested); err != nil {
		t.Fatal(err)
	}
	policy := starterOK(t)

	r := run(t, gate.Plan{Targets: []string{dir}, Policy: policy})
	if r.Verdict.Decision != core.Refused {
		t.Errorf("one bad platform: %v", r.Verdict.Decision)
	}
	var platforms []string
	for _, s := range r.Evidence.Subjects {
		if s.Platform != nil {
			platforms = append(platforms, s.Platform.String())
		}
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, platforms); diff != "" {
		t.Errorf("platforms: -want +got\n%s", diff)
	}

	r = run(t, gate.Plan{Targets: []string{dir}, Policy: policy, Platforms: []core.Platform{{OS: "linux", Architecture: "arm64"}}})
	if r.Verdict.Decision != core.Refused {
		t.Errorf("the bad platform alone: %v", r.Verdict.Decision)
	}
}

func TestAnImageInARegistryIsTheSameAsInALayout(t *testing.T) {
	image, err := images.Build(images.Vulnerable("amd64"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	reference, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/team/app:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(reference, image); err != nil {
		t.Fatal(err)
	}
	fromRegistry := run(t, gate.Plan{Targets: []string{reference.String()}})
	fromLayout := run(t, gate.Plan{Targets: []string{layout(t, images.Vulnerable("amd64"))}})
	fromRegistry.Evidence.Subjects[0].Name = fromLayout.Evidence.Subjects[0].Name
	ignoreTarget := func(x core.Examination) bool { return x.Name == core.ExamineTarget }
	for _, r := range []*gate.Result{fromRegistry, fromLayout} {
		r.Evidence.Examinations = slices.DeleteFunc(r.Evidence.Examinations, ignoreTarget)
	}
	if diff := cmp.Diff(fromLayout.Evidence, fromRegistry.Evidence); diff != "" {
		t.Errorf("-layout +registry\n%s", diff)
	}
}

func TestASavedArchiveHasOneDigestHoweverItIsCompressed(t *testing.T) {
	image, err := images.Build(images.Clean("amd64"))
	if err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "app.tar")
	if err := images.WriteSave(plain, "team/app:1", image); err != nil {
		t.Fatal(err)
	}
	compressed := plain + ".gz"
	write(t, compressed, gzipped(t, plain))
	var digests []core.Digest
	for _, file := range []string{plain, compressed} {
		r := run(t, gate.Plan{Targets: []string{file}, Policy: starterOK(t)})
		if r.Verdict.Decision != core.Passed {
			t.Errorf("%s: %v %+v", file, r.Verdict.Decision, r.Verdict.Gaps)
		}
		digests = append(digests, r.Evidence.Subjects[0].Digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("one image, two digests: %v", digests)
	}
}

func gzipped(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAFailingTargetBesideAGoodOneKeepsTheVerdictFromPassing(t *testing.T) {
	good := layout(t, images.Clean("amd64"))
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	server.Close()
	missing := strings.TrimPrefix(server.URL, "http://") + "/team/app:1"
	r, err := newGate().Run(t.Context(), gate.Plan{Targets: []string{good, missing}, Policy: starterOK(t)})
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict.Decision != core.Undecided {
		t.Errorf("got %v", r.Verdict.Decision)
	}
	if all := string(mustJSON(t, r.Verdict.Gaps)); !strings.Contains(all, missing) {
		t.Errorf("the gaps do not name %s: %s", missing, all)
	}
	if _, err := newGate().Run(t.Context(), gate.Plan{Targets: []string{missing}}); err == nil || core.Usage(err) {
		t.Errorf("alone: %v", err)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheSameContentTwiceIsTheUsersMistake(t *testing.T) {
	dir := layout(t, images.Clean("amd64"))
	_, err := newGate().Run(t.Context(), gate.Plan{Targets: []string{dir, "oci:" + dir}})
	if !core.Usage(err) {
		t.Errorf("got %v", err)
	}
}

func TestTheLimitOnTimeEndsTheRunAndSaysSo(t *testing.T) {
	_, err := newGate().Run(t.Context(), gate.Plan{
		Targets: []string{layout(t, images.Clean("amd64"))}, Limits: gate.Limits{Time: time.Nanosecond},
	})
	if err == nil || !strings.Contains(err.Error(), "--limit time=") || gate.ExitCode(nil, err) != core.ExitUndecided {
		t.Errorf("got %v", err)
	}
}

func TestASourceTreeOfNothingButGitsFilesDoesNotPass(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".git", "refs"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, ".git", "HEAD"), "ref: refs/heads/main\n")
	r := run(t, gate.Plan{Targets: []string{dir}, Policy: starterOK(t)})
	if gaps := string(mustJSON(t, r.Verdict.Gaps)); r.Verdict.Decision != core.Undecided || !strings.Contains(gaps, "there is nothing to judge") {
		t.Errorf("got %v: %s", r.Verdict.Decision, gaps)
	}
	write(t, filepath.Join(dir, "build.sh"), "#!/bin/sh\n")
	if r := run(t, gate.Plan{Targets: []string{dir}, Policy: starterOK(t)}); r.Verdict.Decision != core.Passed {
		t.Errorf("with sources that lock nothing: %v: %+v", r.Verdict.Decision, r.Verdict.Gaps)
	}
}

func TestAnInterruptedRunLeavesNothing(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	ctx, cancel := context.WithCancel(t.Context())
	g := newGate()
	g.Progress = func(e gate.Event) {
		if e.Kind == gate.EventLayer {
			cancel()
		}
	}
	file := filepath.Join(t.TempDir(), "verdict.json")
	_, err := g.Run(ctx, gate.Plan{Targets: []string{layout(t, images.Clean("amd64"))}, Outputs: []gate.Output{{Format: "json", Path: file}}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a report: %v", err)
	}
	left, err := os.ReadDir(temporary)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAReportIsWholeOrAbsentAndFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	write(t, victim, "precious")
	link := filepath.Join(dir, "report")
	if err := os.Symlink(victim, link); err != nil {
		t.Fatal(err)
	}
	if err := gate.WriteFile(link, func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(victim); err != nil || string(content) != "precious" {
		t.Errorf("the link was followed: %q, %v", content, err)
	}
	if err := gate.WriteFile(filepath.Join(dir, "half"), func(w io.Writer) error { return errors.New("no") }); err == nil {
		t.Error("no error")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestTwoReportsInOneFileAreTheUsersMistake(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := errors.Join(os.Mkdir("d", 0o755), os.Symlink("d", "link")); err != nil {
		t.Fatal(err)
	}
	target := layout(t, images.Clean("amd64"))
	for name, files := range map[string][2]string{
		"the same":               {"a", "a"},
		"with a dot":             {"a", "./a"},
		"absolute":               {"a", filepath.Join(dir, "a")},
		"through a link":         {"d/a", "link/a"},
		"through a link, upward": {"a", "link/../a"},
	} {
		_, err := newGate().Run(t.Context(), gate.Plan{Targets: []string{target},
			Outputs: []gate.Output{{Format: "json", Path: files[0]}, {Format: "text", Path: files[1]}}})
		if !core.Usage(err) || !strings.Contains(err.Error(), "a file of its own") {
			t.Errorf("%s: %v, want a usage failure", name, err)
		}
	}
	_, err := newGate().Run(t.Context(), gate.Plan{Targets: []string{target},
		Outputs: []gate.Output{{Format: "json", Path: "absent/a"}}})
	if !core.Usage(err) || core.HintOf(err) != "create the directory first" {
		t.Errorf("a directory that is not there: %v", err)
	}
}

func TestEvidenceOfSeveralJobsIsJudgedTogether(t *testing.T) {
	dir := t.TempDir()
	good, bad := evidenceFile(t, dir, "good", images.Clean("amd64")), evidenceFile(t, dir, "bad", images.Vulnerable("arm64"))
	policy := starterOK(t)
	judge := func(digests []core.Digest, files ...string) (*gate.Result, error) {
		return newGate().Judge(t.Context(), gate.JudgePlan{Documents: files, Digests: digests, Policy: policy})
	}

	r, err := judge([]core.Digest{good.digest}, good.file)
	if err != nil || r.Verdict.Decision != core.Passed {
		t.Errorf("good: %v, %v", r, err)
	}
	r, err = judge([]core.Digest{good.digest, bad.digest}, good.file, bad.file)
	if err != nil || r.Verdict.Decision != core.Refused {
		t.Errorf("both: %v, %v", r, err)
	}
	r, err = judge([]core.Digest{good.digest}, good.file, good.file)
	if err != nil || r.Verdict.Decision != core.Passed {
		t.Fatalf("the same twice: %v, %v", r, err)
	}
	once, _ := judge([]core.Digest{good.digest}, good.file)
	if len(r.Evidence.Packages) != len(once.Evidence.Packages) {
		t.Errorf("packages were doubled: %d, %d", len(r.Evidence.Packages), len(once.Evidence.Packages))
	}
}

func TestEvidenceAboutSomethingElseIsNotJudged(t *testing.T) {
	dir := t.TempDir()
	good, bad := evidenceFile(t, dir, "good", images.Clean("amd64")), evidenceFile(t, dir, "bad", images.Vulnerable("arm64"))
	for story, plan := range map[string]gate.JudgePlan{
		"another digest":   {Documents: []string{good.file}, Digests: []core.Digest{bad.digest}},
		"one of them":      {Documents: []string{good.file, bad.file}, Digests: []core.Digest{bad.digest}},
		"one has no file":  {Documents: []string{good.file}, Digests: []core.Digest{good.digest, bad.digest}},
		"no digest":        {Documents: []string{good.file}},
		"no document":      {Digests: []core.Digest{good.digest}},
		"no such document": {Documents: []string{filepath.Join(dir, "none")}, Digests: []core.Digest{good.digest}},
	} {
		if r, err := newGate().Judge(t.Context(), plan); !core.Usage(err) {
			t.Errorf("%s: %v, %v", story, r, err)
		}
	}
}

type scanned struct {
	file   string
	digest core.Digest
}

func evidenceFile(t *testing.T, dir, name string, spec images.Spec) scanned {
	t.Helper()
	g := newGate()
	r, err := g.Scan(t.Context(), gate.Plan{Targets: []string{layout(t, spec)}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, name+".json")
	if err := gate.WriteFile(file, func(w io.Writer) error { return report.WriteJSON(w, g.EvidenceDocument(r)) }); err != nil {
		t.Fatal(err)
	}
	return scanned{file: file, digest: r.Evidence.Subjects[0].Digest}
}

// platform is an adapter whose Publish fails if told to.
type platform struct {
	plan      gate.Plan
	planErr   error
	publish   error
	published *gate.Result
}

func (p *platform) Plan(context.Context) (gate.Plan, error) { return p.plan, p.planErr }

func (p *platform) Publish(_ context.Context, r *gate.Result) error {
	p.published = r
	return p.publish
}

func TestWhatCannotBePublishedDoesNotPassAndDoesNotExcuse(t *testing.T) {
	clean, vulnerable := layout(t, images.Clean("amd64")), layout(t, images.Vulnerable("amd64"))
	policy, broken := starterOK(t), errors.New("no room")
	for story, c := range map[string]struct {
		platform platform
		exit     int
	}{
		"pass":                    {platform{plan: gate.Plan{Targets: []string{clean}, Policy: policy}}, 0},
		"pass, unpublished":       {platform{plan: gate.Plan{Targets: []string{clean}, Policy: policy}, publish: broken}, 3},
		"refusal":                 {platform{plan: gate.Plan{Targets: []string{vulnerable}}}, 1},
		"refusal, unpublished":    {platform{plan: gate.Plan{Targets: []string{vulnerable}}, publish: broken}, 1},
		"wrong input":             {platform{planErr: &core.Failure{Doing: "read", Err: broken, Usage: true}}, 2},
		"no target":               {platform{}, 2},
		"report that cannot be":   {platform{plan: gate.Plan{Targets: []string{clean}, Policy: policy, Outputs: []gate.Output{{Format: "json", Path: "/dev/full"}}}}, 3},
		"refusal without report":  {platform{plan: gate.Plan{Targets: []string{vulnerable}, Outputs: []gate.Output{{Format: "json", Path: "/dev/full"}}}}, 1},
		"report of no known form": {platform{plan: gate.Plan{Targets: []string{clean}, Outputs: []gate.Output{{Format: "pdf", Path: "x"}}}}, 2},
	} {
		exit, err := newGate().Serve(t.Context(), &c.platform)
		if exit != c.exit {
			t.Errorf("%s: exit %d, want %d (%v)", story, exit, c.exit, err)
		}
		if (exit == 0 || exit == 1 && c.platform.publish == nil && len(c.platform.plan.Outputs) == 0) != (err == nil) {
			t.Errorf("%s: exit %d with error %v", story, exit, err)
		}
	}
}

// The package lists of real images equal what their own databases say.
func TestRealRootFilesystemsAreListedWhole(t *testing.T) {
	for file, c := range map[string]struct {
		database string
		list     func(*testing.T, []byte) map[string]int
		typ      string
	}{
		"alpine-minirootfs-3.9.6-x86_64.tar.gz":    {"lib/apk/db/installed", apkList, "apk"},
		"alpine-minirootfs-3.10.3-x86_64.tar.gz":   {"lib/apk/db/installed", apkList, "apk"},
		"alpine-minirootfs-3.18.9-x86_64.tar.gz":   {"lib/apk/db/installed", apkList, "apk"},
		"alpine-minirootfs-3.20.3-x86_64.tar.gz":   {"lib/apk/db/installed", apkList, "apk"},
		"alpine-minirootfs-20240923-x86_64.tar.gz": {"lib/apk/db/installed", apkList, "apk"},
		"debian-bookworm-minbase-amd64.tar.gz":     {"var/lib/dpkg/status", dpkgList, "deb"},
	} {
		for _, compression := range []images.Compression{images.Gzip, images.Zstd} {
			t.Run(file+"/"+string(compression), func(t *testing.T) {
				rootfs := images.SharedRootfs(t, file)
				if testing.Short() && compression == images.Zstd {
					t.Skip("one compression is enough in short mode")
				}
				want := c.list(t, fileInTar(t, rootfs, c.database))
				r := run(t, gate.Plan{Targets: []string{layout(t, images.FromRootfs(rootfs, "amd64", compression))}})
				got := map[string]int{}
				for _, p := range r.Evidence.Packages {
					if strings.HasPrefix(p.Purl, "pkg:"+c.typ+"/") && p.Visible() {
						got[p.Name+" "+p.Version+" "+p.Architecture]++
					}
				}
				if len(want) == 0 {
					t.Fatal("the database has no packages")
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("-database +ours\n%s", diff)
				}
				for _, x := range r.Evidence.Examinations {
					if x.Status != core.Complete && x.Name != core.ExamineAdvisories {
						t.Errorf("%s is %s: %v", x.Name, x.Status, x.Why)
					}
				}
			})
		}
	}
}

func TestABusyboxWithoutAPackageDatabaseDoesNotPass(t *testing.T) {
	rootfs := images.SharedRootfs(t, "busybox-glibc-amd64-rootfs.tar.gz")
	r := run(t, gate.Plan{Targets: []string{layout(t, images.FromRootfs(rootfs, "amd64", images.Gzip))}, Policy: starterOK(t)})
	if r.Verdict.Decision != core.Undecided {
		t.Errorf("got %v", r.Verdict.Decision)
	}
}

func fileInTar(t *testing.T, archive, path string) []byte {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if strings.TrimPrefix(h.Name, "./") == path {
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return content
		}
	}
}

// apkList and dpkgList read a database in the simplest way that can be right, apart from the code that they test.
func apkList(t *testing.T, database []byte) map[string]int {
	return paragraphs(database, func(fields map[string]string) string {
		return fields["P"] + " " + fields["V"] + " " + fields["A"]
	})
}

func dpkgList(t *testing.T, database []byte) map[string]int {
	return paragraphs(database, func(fields map[string]string) string {
		if fields["Status"] != "install ok installed" {
			return ""
		}
		return fields["Package"] + " " + fields["Version"] + " " + fields["Architecture"]
	})
}

func paragraphs(database []byte, describe func(map[string]string) string) map[string]int {
	list := map[string]int{}
	for paragraph := range strings.SplitSeq(string(database), "\n\n") {
		fields := map[string]string{}
		for line := range strings.Lines(paragraph) {
			if key, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, " ") {
				if _, seen := fields[key]; !seen {
					fields[key] = strings.TrimSpace(value)
				}
			}
		}
		if len(fields) > 0 {
			if s := describe(fields); s != "" {
				list[s]++
			}
		}
	}
	return list
}
