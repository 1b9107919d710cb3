package imageconfig

import (
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
)

var now = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func found(c Config, id string) []core.Finding {
	c.Now = now
	var all []core.Finding
	for _, f := range Examine(c) {
		if f.Rule == id {
			all = append(all, f)
		}
	}
	return all
}

func flags(t *testing.T, id string, configs ...Config) {
	t.Helper()
	for _, c := range configs {
		if got := found(c, id); len(got) != 1 || got[0].Fingerprint == "" {
			t.Errorf("%s finds %d in %+v", id, len(got), c)
		}
	}
}

func spares(t *testing.T, id string, configs ...Config) {
	t.Helper()
	for _, c := range configs {
		if got := found(c, id); len(got) != 0 {
			t.Errorf("%s finds %s in %+v", id, got[0].Title, c)
		}
	}
}

func user(name string) Config { return Config{Facts: core.ImageFacts{User: name}} }

func history(line string) Config {
	return Config{Facts: core.ImageFacts{Layers: []core.LayerFacts{{CreatedBy: line}}}}
}

func created(at time.Time) Config { return Config{Facts: core.ImageFacts{Created: at}} }

func TestRootIsFound(t *testing.T) {
	flags(t, "image-root-user", user(""), user("root"), user("0:0"))
	spares(t, "image-root-user", user("1000"), user("app"),
		Config{Facts: core.ImageFacts{Platform: core.Platform{OS: "windows"}}})
}

func TestSecretsAreFoundAndNotShown(t *testing.T) {
	flags(t, "image-secret-variable", Config{Env: []string{"PATH=/bin", "DB_PASSWORD=hunter22"}},
		history("RUN |2 TOKEN=hunter22 A=b /bin/sh -c make # buildkit"))
	spares(t, "image-secret-variable", Config{Env: []string{"DB_PASSWORD=", "GPG_KEY=ABCDEF0123"}},
		history("RUN /bin/sh -c make TOKEN=hunter22"))
	if got := found(Config{Env: []string{"DB_PASSWORD=hunter22"}}, "image-secret-variable"); strings.Contains(got[0].Title,
		"hunter22") {
		t.Error("the secret shows")
	}
}

func TestCurlPipeShellInHistoryIsFound(t *testing.T) {
	flags(t, "image-curl-pipe-shell", history("RUN /bin/sh -c curl -fsSL https://x.example | sh # buildkit"),
		history("/bin/sh -c wget -qO- x | bash"), history("|1 A=b /bin/sh -c curl x | sh"))
	spares(t, "image-curl-pipe-shell", history(`/bin/sh -c #(nop)  CMD ["curl x | sh"]`), history("COPY curl | sh"),
		history("if ("), history(""))
}

func TestPortsOfAdministrationAreFound(t *testing.T) {
	flags(t, "image-admin-port", Config{Facts: core.ImageFacts{ExposedPorts: []string{"22/tcp", "80/tcp"}}})
	spares(t, "image-admin-port", Config{Facts: core.ImageFacts{ExposedPorts: []string{"80/tcp"}}})
}

func TestMissingHealthchecksAreFound(t *testing.T) {
	flags(t, "image-missing-healthcheck", Config{Facts: core.ImageFacts{ExposedPorts: []string{"80/tcp"}}})
	spares(t, "image-missing-healthcheck", Config{}, Config{Facts: core.ImageFacts{ExposedPorts: []string{"80/tcp"},
		Healthcheck: true}})
}

func TestDatesAreLookedAt(t *testing.T) {
	flags(t, "image-from-the-future", created(now.AddDate(0, 0, 2)))
	spares(t, "image-from-the-future", created(now), created(time.Time{}))
	flags(t, "image-old", created(now.AddDate(-1, 0, 0)))
	spares(t, "image-old", created(now.AddDate(0, -1, 0)), created(time.Time{}), created(time.Unix(0, 0)),
		created(time.Date(1980, 1, 1, 0, 0, 1, 0, time.UTC)))
}

// glance shows a file to the analyzer as the walk does.
func glance(t *testing.T, name string, mode fs.FileMode) []string {
	t.Helper()
	info := image.NewFileInfo(name[strings.LastIndexByte(name, '/')+1:], 1, mode)
	if !(Files{}).Wants(name, info) {
		return nil
	}
	got, err := Files{}.Analyze(t.Context(), core.File{Path: name, Info: info,
		Content: io.NewSectionReader(strings.NewReader(""), 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, f := range got.Findings {
		rules = append(rules, f.Rule)
	}
	return rules
}

func TestModesAndNamesOfFilesAreLookedAt(t *testing.T) {
	for _, tc := range []struct {
		name string
		mode fs.FileMode
		want string
	}{
		{"usr/bin/su", 0o755 | fs.ModeSetuid, "image-setuid"}, {"usr/bin/wall", 0o755 | fs.ModeSetgid, "image-setuid"},
		{"app/x", 0o777, "image-world-writable"}, {"app/x", 0o755, ""}, {"bin/busybox", 0o755, "image-shell"}, {"bin/busybox",
			0o644, ""},
		{"opt/bin/bash", 0o755, ""}, {"sbin/apk", 0o755, "image-package-manager"}, {"usr/bin/bash",
			0o4777&0o777 | fs.ModeSetuid, "image-setuid image-world-writable image-shell"},
	} {
		if got := strings.Join(glance(t, tc.name, tc.mode), " "); got != tc.want {
			t.Errorf("%s %v: %q, want %q", tc.name, tc.mode, got, tc.want)
		}
	}
}

func TestManyOpenFilesOfAFolderAreOneFinding(t *testing.T) {
	removed := 2
	var all []core.Finding
	for _, name := range []string{"app/a", "app/b", "app/c", "etc/x"} {
		all = append(all, core.Finding{Rule: "image-world-writable", Locations: []core.Location{{Path: name}},
			Origin: &core.Origin{Layer: 1}})
	}
	all = append(all, core.Finding{Rule: "image-world-writable", Locations: []core.Location{{Path: "app/d"}},
		Origin: &core.Origin{Layer: 1, RemovedIn: &removed}},
		core.Finding{Rule: "image-setuid", Locations: []core.Location{{Path: "app/e"}}})
	got := Fold(all)
	if len(got) != 4 || len(got[1].Locations) != 3 || !strings.Contains(got[1].Title, "3 in app") ||
		got[3].Origin.RemovedIn == nil {
		t.Errorf("%+v", got)
	}
}

func FuzzExamine(f *testing.F) {
	f.Add("RUN |1 A=b /bin/sh -c curl x | sh # buildkit", "A=b")
	f.Add("|", "=")
	f.Fuzz(func(t *testing.T, line, env string) {
		c := history(line)
		c.Env, c.Now = []string{env}, now
		for _, one := range Examine(c) {
			if one.Fingerprint == "" || one.Title == "" {
				t.Fatalf("%+v", one)
			}
		}
	})
}
