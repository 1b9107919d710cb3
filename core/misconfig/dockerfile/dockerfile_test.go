package dockerfile

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/ruletest"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

var family = ruletest.Family(examine)

// examine runs all rules over a text.
func examine(t testing.TB, text string) core.Found {
	t.Helper()
	return examineWith(t, text, nil)
}

func examineWith(t testing.TB, text string, ignore []byte) core.Found {
	t.Helper()
	s := rule.NewSource("Dockerfile", []byte(text))
	c := rule.NewCollector(s)
	Examine(context.Background(), c, s, ignore)
	return c.Found(func(string) bool { return true })
}

func TestFilesAreKnownByTheirNames(t *testing.T) {
	for name, want := range map[string]bool{
		"Dockerfile": true, "a/b/dockerfile": true, "Containerfile": true, "Dockerfile.dev": true, "Dockerfile-alpine": true,
		"app.Dockerfile": true, "app.dockerfile": true, "Dockerfile.md": false, "DockerfileParser.java": false,
		"dockerfile.go":           false,
		"Dockerfile.dockerignore": false, "Dockerfile.tmpl": false, "Dockerfile_test.go": false, "Containerfile.prod": true,
		"mydockerfile": false,
	} {
		if Wants(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestDirectivesHideNothing(t *testing.T) {
	family.Flags(t, "dockerfile-sudo",
		"# escape=`\nFROM alpine:3.20\nRUN true && `\n  sudo ls\nUSER 1\n",
		"FROM alpine:3.20\nSHELL [\"/usr/bin/env\", \"bash\", \"-c\"]\nRUN sudo ls\nUSER 1\n",
		"# syntax=docker/dockerfile:1\n# check=skip=all\nFROM alpine:3.20\nRUN sudo ls\nUSER 1\n")
	family.Spares(t, "dockerfile-sudo",
		"# escape=`\nFROM mcr.microsoft.com/windows/servercore:ltsc2022\nRUN dir C:\\ & (\n",
		"FROM x:1\nSHELL [\"powershell\", \"-Command\"]\nRUN if ($a) { sudo }\n")
	for syntax, want := range map[string]int{
		"docker/dockerfile": 0, "docker/dockerfile:1.7@sha256:" + strings.Repeat("0", 64): 0,
		"docker.io/docker/dockerfile:1": 0, "docker/dockerfile-upstream:master": 0,
		"evil.example/docker/dockerfile:1": 1, "docker/dockerfiles": 1, "evil/frontend": 1,
	} {
		got := examine(t, "# syntax = "+syntax+"\nFROM alpine:3.20\nUSER 1\n").Problems
		if len(got) != want || want > 0 && !strings.Contains(fmt.Sprint(got[0]), "is for the frontend") {
			t.Errorf("%s: %q", syntax, got)
		}
	}
}

func TestPlacesAreThoseOfTheFile(t *testing.T) {
	text := "FROM alpine:3.20\n\nRUN --mount=type=cache,target=/x \\\n  # why\n\n  true && \\\n    sudo ls\n"
	got := family.Found(t, "dockerfile-sudo", text)
	if len(got) != 1 || got[0].Locations[0].Line != 7 || got[0].Locations[0].Column != 5 {
		t.Fatalf("%+v", got)
	}
	heredoc := "FROM alpine:3.20\nRUN <<EOF\ntrue\nsudo ls\nEOF\n"
	if got := family.Found(t, "dockerfile-sudo", heredoc); len(got) != 1 || got[0].Locations[0].Line != 4 {
		t.Fatalf("%+v", got)
	}
	piped := "FROM alpine:3.20\nRUN bash -e <<EOF\nsudo ls\nEOF\n"
	if got := family.Found(t, "dockerfile-sudo", piped); len(got) != 1 || got[0].Locations[0].Line != 3 {
		t.Fatalf("%+v", got)
	}
}

func TestFingerprintsDoNotDependOnLines(t *testing.T) {
	one := family.Found(t, "dockerfile-sudo", "FROM alpine:3.20\nRUN sudo ls\nRUN sudo ls\n")
	two := family.Found(t, "dockerfile-sudo", "# moved\n\nFROM alpine:3.20\n\nRUN sudo \\\n  ls\nRUN true\nRUN sudo ls\n")
	if len(one) != 2 || len(two) != 2 || one[0].Fingerprint != two[0].Fingerprint ||
		one[1].Fingerprint != two[1].Fingerprint {
		t.Errorf("%+v\n%+v", one, two)
	}
	if one[0].Fingerprint == one[1].Fingerprint {
		t.Error("two findings have one fingerprint")
	}
}

func TestCommentsSpeakAgainstFindingsWithAReasonOnly(t *testing.T) {
	for text, reason := range map[string]string{
		"FROM alpine:3.20\n# cleanbill:ignore dockerfile-sudo needed by the installer\nRUN sudo " +
			"ls\n": "needed by the installer",
		"FROM alpine:3.20\n# cleanbill:ignore dockerfile-root-user, dockerfile-sudo both\nRUN true && \\\n sudo ls\n": "both",
		"FROM alpine:3.20\nRUN true && \\\n # cleanbill:ignore dockerfile-sudo in the middle\n sudo " +
			"ls\n": "in the middle",
		"FROM alpine:3.20\n# the installer needs it\n# hadolint ignore=DL3004\nRUN sudo " +
			"ls\n": "the installer needs it",
		"# hadolint global ignore=DL3004,DL3006\nFROM alpine:3.20\nRUN sudo ls\n": "",
		"FROM alpine:3.20\n# cleanbill:ignore dockerfile-sudo twice\n# another comment\nRUN sudo " +
			"ls\n": "twice",
		"FROM alpine:3.20\nRUN <<EOF\nsudo ls # cleanbill:ignore dockerfile-sudo within a " +
			"document\nEOF\n": "within a document",
	} {
		got := family.Found(t, "dockerfile-sudo", text)
		if len(got) != 1 || len(got[0].Suppressions) != 1 || got[0].Suppressions[0].Reason != reason ||
			got[0].Suppressions[0].Kind != core.SuppressedInline || got[0].Suppressions[0].Line == 0 {
			t.Errorf("%q: %+v", text, got)
		}
	}
	for _, text := range []string{
		"FROM alpine:3.20\n# cleanbill:ignore dockerfile-sudo\nRUN sudo ls\n",
		"FROM alpine:3.20\n# cleanbill:ignore dockerfile-root-user another rule\nRUN sudo ls\n",
		"FROM alpine:3.20\n# cleanbill:ignore dockerfile-sudo too far away\n\nRUN true\nRUN sudo ls\n",
		"FROM alpine:3.20\n# cleanbill:ignored dockerfile-sudo another word\nRUN sudo ls\n",
	} {
		if got := family.Found(t, "dockerfile-sudo", text); len(got) != 1 || len(got[0].Suppressions) != 0 {
			t.Errorf("%q: %+v", text, got)
		}
	}
	if got := family.Found(t, "ignore-comment", "FROM alpine:3.20\n# cleanbill:ignore dockerfile-sudo\nRUN sudo "+
		"ls\n"); len(got) != 1 {
		t.Error("a comment without a reason is not told")
	}
}

func TestWhatCannotBeReadIsAProblem(t *testing.T) {
	for _, text := range []string{
		"", "RUN true\n", "FROM alpine\nINCLUDE x\n", "FROM alpine\nRUN <<EOF\n", "FROM alpine\nRUN if true; then\n",
		"FROM alpine\n" + strings.Repeat("ENV a=b\n", maxSteps+1), strings.Repeat("#", maxSize+1),
	} {
		if got := examine(t, text); len(got.Problems) == 0 {
			t.Errorf("%.40q: nothing is said", text)
		}
	}
}

func TestOtherShellsAreLeftAlone(t *testing.T) {
	for _, text := range []string{
		"FROM mcr.microsoft.com/windows/servercore:ltsc2022\nRUN if (Test-Path x) { y }\n",
		"FROM x:1\nSHELL [\"pwsh\", \"-c\"]\nRUN if (Test-Path x) { y }\n",
		"# escape=`\nFROM x:1\nRUN if (Test-Path x) { y }\n",
	} {
		if got := examine(t, text); len(got.Problems) != 0 {
			t.Errorf("%q: %v", text, got.Problems)
		}
	}
}

func TestHostileFilesEndInTime(t *testing.T) {
	var many strings.Builder
	many.WriteString("FROM alpine\n")
	for i := range maxSteps - 1 {
		fmt.Fprintf(&many, "ENV v%d=$v%d$v%d$v%d\n", i, i-1, i-1, i-1)
	}
	for _, text := range []string{
		many.String(), "FROM " + strings.Repeat("${a:-", 10000) + "\n", "ARG a=1\nFROM ${a#" + strings.Repeat("*", 5000) + "}\n",
		"FROM alpine\n" + strings.Repeat("RUN "+strings.Repeat("( ", 20000)+"\n", 20), "FROM a AS a\nFROM a AS a\n",
		"FROM a\n" + strings.Repeat("ONBUILD ", 1000) + "RUN x\n", "FROM a\nRUN" + strings.Repeat(" \\\n", 100000),
	} {
		began := time.Now()
		got := examine(t, text)
		t.Logf("%.20q… %v, %d findings, %v", text, time.Since(began), len(got.Findings), len(got.Problems))
	}
}

func FuzzExamine(f *testing.F) {
	for _, seed := range []string{
		"FROM alpine:3\nRUN <<EOF\nsudo\nEOF\nUSER 0\n", "ARG a=b\nFROM $a AS x\nFROM x\nONBUILD RUN sudo a\nCOPY --from=x --chmod=777 . /\n",
		"# escape=`\nFROM x\nRUN [\"sh\",\"-c\",\"sudo\"]\n", "FROM scratch\n# cleanbill:ignore a b\n# hadolint ignore=DL3002\nADD http://x /\n",
		"FROM a\nRUN --mount=type=cache,target=/var/x --network=host \\\n # c\n curl x | sh\nEXPOSE 22 $a\nENV " +
			"TOKEN=abcdef\nSHELL [\"cmd\"]\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, one := range examine(t, string(text)).Findings {
			if len(one.Locations) != 1 || one.Locations[0].Line < 1 || one.Fingerprint == "" {
				t.Fatalf("%q: %+v has no place", text, one)
			}
		}
	})
}

func BenchmarkExamine(b *testing.B) {
	text := "FROM debian:12\n" + strings.Repeat("RUN apt-get update && apt-get install -y curl && curl -fsSL "+
		"https://x.example | sh\nENV A=b\n", 20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		examine(b, text)
	}
}
