package inventory

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/os/rpm"
	rpmmeta "github.com/google/osv-scalibr/extractor/filesystem/os/rpm/metadata"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// rpmSamples are the databases that the reader's own tests use, from its module in the cache: all three formats, both
// byte orders.
func rpmSamples(t testing.TB) map[string][]byte {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/erikvarga/go-rpmdb").Output()
	if err != nil {
		t.Skipf("the module's source is not here: %v", err)
	}
	found, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "pkg", "testdata", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	samples := make(map[string][]byte)
	for _, p := range found {
		content, err := os.ReadFile(p)
		if err == nil && len(content) > 0 && slices.Contains([]string{"Packages", "Packages.db", "rpmdb.sqlite"}, filepath.Base(p)) {
			samples[filepath.Base(filepath.Dir(p))+"/"+filepath.Base(p)] = content
		}
	}
	if len(samples) < 5 {
		t.Skipf("only %d sample databases are here", len(samples))
	}
	return samples
}

func TestRPMDatabasesOfAllFormatsAreReadWhole(t *testing.T) {
	counts := make(map[string]int)
	for name, content := range rpmSamples(t) {
		got := drive(t, tree{"var/lib/rpm/" + filepath.Base(name): content}).clean(t)
		counts[name] = len(got.packages)
		for _, p := range got.packages {
			if p.Source == nil || p.Architecture == "" || p.Version == "" || len(p.Licenses) == 0 {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
	for _, name := range sortedKeys(counts) {
		t.Log(name, counts[name])
		if counts[name] < 5 && !strings.HasPrefix(name, "libuuid") {
			t.Errorf("%s has only %d packages", name, counts[name])
		}
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "cleanbill-rpm-*")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}

func TestRPMPackageURLSaysEpochArchitectureAndSource(t *testing.T) {
	for name, content := range rpmSamples(t) {
		if !strings.HasPrefix(name, "centos7-plain/") {
			continue
		}
		got := drive(t, tree{
			"var/lib/rpm/Packages": content,
			"etc/os-release":       []byte("ID=\"rhel\"\nVERSION_ID=\"7.9\"\nPRETTY_NAME=\"Red Hat Enterprise Linux\"\n"),
		}).evidence(2)
		i := slices.IndexFunc(purls(got.Packages), func(p string) bool { return strings.Contains(p, "/dbus@") })
		if i < 0 {
			t.Fatal("dbus is not there")
		}
		const want = "pkg:rpm/redhat/dbus@1.10.24-7.el7?arch=x86_64&distro=rhel-7.9&epoch=1&sourcerpm=dbus-1.10.24-7.el7.src.rpm"
		if diff := cmp.Diff(want, purls(got.Packages)[i]); diff != "" {
			t.Error(diff)
		}
		for _, p := range got.Packages {
			if p.Name == "dbus" && (p.Version != "1:1.10.24-7.el7" || p.Source.Name != "dbus" ||
				p.Ecosystem != "Red Hat:enterprise_linux:7.9") {
				t.Errorf("%+v", p)
			}
			if p.Name == "gpg-pubkey" {
				t.Error("a key is reported as a package")
			}
		}
	}
}

func TestBrokenRPMDatabasesAreNotTakenForShortOnes(t *testing.T) {
	samples := rpmSamples(t)
	for _, name := range sortedKeys(samples) {
		content := samples[name]
		cut := content[:len(content)/2]
		got := drive(t, tree{"var/lib/rpm/" + filepath.Base(name): cut})
		if len(got.failed) == 0 && len(got.problems) == 0 {
			t.Errorf("%s: half of it reads as a database of %d packages", name, len(got.packages))
		}
	}
	for _, junk := range []string{"x", strings.Repeat("junk", 100), sqliteMagic + strings.Repeat("\x00", 4096)} {
		if got := drive(t, tree{"var/lib/rpm/Packages": []byte(junk)}); len(got.failed) == 0 {
			t.Errorf("%.20q is taken for a database", junk)
		}
	}
	if got := drive(t, tree{"var/lib/rpm/Packages": nil}); len(got.failed) > 0 {
		t.Errorf("an empty file: %v", got.failed)
	}
}

// TestForgedBerkeleyDBIsRefused has the databases on which the reader panics in its goroutine, or does not end.
func TestForgedBerkeleyDBIsRefused(t *testing.T) {
	for name, forge := range map[string]func(db []byte){
		"value beyond the page":     func(db []byte) { binary.LittleEndian.PutUint16(db[512+26+2:], 9999) },
		"value at the page's edge":  func(db []byte) { binary.LittleEndian.PutUint16(db[512+26+2:], 508); db[512+508] = bdbOffPage },
		"more entries than fit":     func(db []byte) { binary.LittleEndian.PutUint16(db[512+20:], 60000) },
		"chain in a circle":         func(db []byte) { binary.LittleEndian.PutUint32(db[1024+16:], 2) },
		"chain out of the file":     func(db []byte) { binary.LittleEndian.PutUint32(db[1024+16:], 77) },
		"chain through other pages": func(db []byte) { db[1024+25] = 9 },
		"last page longer than one": func(db []byte) { binary.LittleEndian.PutUint16(db[1024+22:], 60000) },
		"header of two billion":     func(db []byte) { binary.BigEndian.PutUint32(db[1024+26:], 1<<31-1) },
		"pages of no size":          func(db []byte) { binary.LittleEndian.PutUint32(db[20:], 0) },
		"more pages than bytes":     func(db []byte) { binary.LittleEndian.PutUint32(db[32:], 1<<30) },
	} {
		t.Run(name, func(t *testing.T) {
			db := berkeleyDB()
			if n, err := checkBDB(bytes.NewReader(db), int64(len(db)), binary.LittleEndian); n != 1 || err != nil {
				t.Fatalf("unforged: %d packages, %v", n, err)
			}
			forge(db)
			if got := drive(t, tree{"var/lib/rpm/Packages": db}); got.failed["var/lib/rpm/Packages"] == nil {
				t.Errorf("%+v", got)
			}
		})
	}
}

// berkeleyDB is the smallest hash database with one value on an overflow page, which is no package.
func berkeleyDB() []byte {
	db := make([]byte, 3*512)
	order := binary.LittleEndian
	order.PutUint32(db[12:], bdbHashMagic)
	order.PutUint32(db[bdbPageSizeAt:], 512)
	order.PutUint32(db[bdbLastPageAt:], 2)
	db[25] = 8
	hash, overflow := db[512:1024], db[1024:]
	hash[25] = bdbSortedHash
	order.PutUint16(hash[20:], 2)
	order.PutUint16(hash[26:], 500)
	order.PutUint16(hash[28:], 400)
	hash[400] = bdbOffPage
	order.PutUint32(hash[404:], 2)
	overflow[25] = bdbOverflow
	order.PutUint16(overflow[22:], 100)
	binary.BigEndian.PutUint32(overflow[26:], 1)
	return db
}

func FuzzRPMDatabase(f *testing.F) {
	f.Add(berkeleyDB())
	ndb := make([]byte, 4096)
	copy(ndb, "RpmP")
	ndb[12] = 1
	for i := 32; i < len(ndb); i += 16 {
		copy(ndb[i:], "Slot")
	}
	f.Add(ndb)
	f.Fuzz(func(t *testing.T, content []byte) {
		if bytes.HasPrefix(content, []byte("SQLite")) {
			return // another team fuzzes SQLite
		}
		drive(t, tree{"var/lib/rpm/Packages": content})
	})
}

// TestRPMDatabasesAreReadAsTheExtractorDoes holds our use of the reader to the extractor's.
func TestRPMDatabasesAreReadAsTheExtractorDoes(t *testing.T) {
	extractor, err := rpm.New(settings(limit.Limits{}.Filled()))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range rpmSamples(t) {
		dir := t.TempDir()
		if err := spool(filepath.Join(dir, rpmFile), bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		want, err := extractor.Extract(t.Context(), &filesystem.ScanInput{FS: surroundings{}, Root: dir, Path: rpmFile})
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := new(analysis).extractRPM(t.Context(), dir)
		if err != nil || len(got) != len(want.Packages) {
			t.Fatalf("%s: %d and %d packages, %v", name, len(got), len(want.Packages), err)
		}
		for i, p := range want.Packages {
			m, h := p.Metadata.(*rpmmeta.Metadata), got[i].Metadata.(*rpmHeader)
			if h.epoch != m.Epoch || h.architecture != m.Architecture || h.sourceRPM != m.SourceRPM {
				t.Errorf("%s: %+v and %+v", name, h, m)
			}
			p.Metadata, got[i].Metadata = nil, nil
			if diff := cmp.Diff(p, got[i]); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}

func TestRPMPackagesAreOfTheirModules(t *testing.T) {
	content, ok := rpmSamples(t)["centos8-modularitylabel/Packages"]
	if !ok {
		t.Skip("the sample with labels is not here")
	}
	got := drive(t, tree{
		"var/lib/rpm/Packages": content,
		"etc/os-release":       []byte("ID=\"centos\"\nVERSION_ID=\"8\"\n"),
	}).clean(t).evidence(2)
	modules := map[string]int{}
	for _, p := range got.Packages {
		if (p.Module != "") != strings.Contains(p.Version, ".module_el8") {
			t.Errorf("%s %s is of module %q", p.Name, p.Version, p.Module)
		}
		if p.Module != "" {
			modules[p.Module]++
		}
		if p.Name == "nodejs" && !strings.Contains(p.Purl, "&rpmmod=nodejs:10&sourcerpm=") {
			t.Error(p.Purl)
		}
	}
	want := map[string]int{"container-tools:rhel8": 16, "javapackages-runtime:201801": 1, "nodejs:10": 3,
		"python36:3.6": 1}
	if diff := cmp.Diff(want, modules); diff != "" {
		t.Error(diff)
	}
}

func TestLabelsOfModulesAreReadOrNamed(t *testing.T) {
	for _, test := range []struct{ label, want, problem string }{
		{"", "", ""},
		{"(none)", "", ""},
		{"nodejs:18:9040020240301110530:rhel9", "nodejs:18", ""},
		{"perl-DBD-SQLite:1.58:8010020190322130114:073fa5fe", "perl-DBD-SQLite:1.58", ""},
		{"nodejs:18", "nodejs:18", ""},
		{"nodejs", "", "nodejs is no label of a module"},
		{":18:1:a", "", ":18:1:a is no label of a module"},
		{"nodejs::1:a", "", "nodejs::1:a is no label of a module"},
		{"node js:18:1:a", "", "node js:18"},
		{"nodejs:18\x1b[2J:1:a", "", "module"},
	} {
		got := drive(t, tree{"var/lib/rpm/rpmdb.sqlite": sqliteOf(t, test.label)})
		if len(got.packages) != 1 || got.packages[0].Module != test.want {
			t.Errorf("%q: %+v, %v", test.label, got.packages, got.failed)
		}
		switch {
		case test.problem == "" && len(got.problems) > 0, test.problem != "" && (len(got.problems) != 1 ||
			!strings.Contains(got.problems[0].Why, "package nodejs: it is not known what module it is of: ") ||
			!strings.Contains(got.problems[0].Why, test.problem)):
			t.Errorf("%q: %+v", test.label, got.problems)
		}
	}
}

// sqliteOf is a database with one package, whose header has the label.
//
// https://rpm-software-management.github.io/rpm/manual/format_header.html
func sqliteOf(t *testing.T, label string) []byte {
	t.Helper()
	var index, data []byte
	tags := []struct {
		tag   uint32
		value string
	}{{1000, "nodejs"}, {1001, "18.19.1"}, {1002, "1.el9"}, {1014, "MIT"}, {1022, "x86_64"},
		{1044, "nodejs-18.19.1-1.el9.src.rpm"}, {5096, label}}
	for _, e := range tags {
		for _, n := range []uint32{e.tag, 6, uint32(len(data)), 1} {
			index = binary.BigEndian.AppendUint32(index, n)
		}
		data = append(append(data, e.value...), 0)
	}
	header := binary.BigEndian.AppendUint32(nil, uint32(len(tags)))
	header = slices.Concat(binary.BigEndian.AppendUint32(header, uint32(len(data))), index, data)
	name := filepath.Join(t.TempDir(), "rpmdb.sqlite")
	db, err := sql.Open("sqlite", name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO Packages VALUES (1, ?)", header); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
