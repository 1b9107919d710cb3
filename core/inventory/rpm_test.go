package inventory

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
			if p.Name == "dbus" && (p.Version != "1:1.10.24-7.el7" || p.Source.Name != "dbus" || p.Ecosystem != "Red Hat:enterprise_linux:7.9") {
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
