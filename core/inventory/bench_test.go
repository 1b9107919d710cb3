package inventory

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
)

// benchmark analyzes one file over and over.
func benchmark(b *testing.B, analyzer, name string, content io.ReaderAt, size int64) {
	b.Helper()
	a := analyzersNamed(b, analyzer)[0]
	f := core.File{
		Path: name, Info: memoryInfo{name: path.Base(name), size: size, mode: 0o755}, Content: io.NewSectionReader(content, 0, size),
	}
	packages := 0
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		found, err := a.Analyze(b.Context(), f)
		if err != nil {
			b.Fatal(err)
		}
		packages = len(found.Packages)
	}
	b.ReportMetric(float64(packages), "packages")
}

func benchmarkBytes(b *testing.B, analyzer, name string, content []byte) {
	b.Helper()
	benchmark(b, analyzer, name, bytes.NewReader(content), int64(len(content)))
}

func BenchmarkDpkgStatus(b *testing.B) {
	var status strings.Builder
	for i := range 500 {
		fmt.Fprintf(&status, "Package: package-%d\nStatus: install ok installed\nPriority: optional\nSection: libs\nInstalled-Size: 100\n"+
			"Maintainer: Somebody <a@b>\nArchitecture: amd64\nSource: source-%d (1.0-%d)\nVersion: 1.0-%d\nDepends: libc6 (>= 2.34)\n"+
			"Description: something that is there\n with a line\n .\n and another one\n\n", i, i/3, i, i)
	}
	benchmarkBytes(b, "os/dpkg", "var/lib/dpkg/status", []byte(status.String()))
}

func BenchmarkApkDatabase(b *testing.B) {
	var db strings.Builder
	for i := range 200 {
		fmt.Fprintf(&db, "C:Q1x=\nP:package-%d\nV:1.%d-r0\nA:x86_64\nL:MIT\no:origin\nF:usr/lib\n", i, i)
		for f := range 50 {
			fmt.Fprintf(&db, "R:file-%d\nZ:Q1abcdefghijklmnop=\n", f)
		}
		db.WriteString("\n")
	}
	benchmarkBytes(b, "os/apk", "lib/apk/db/installed", []byte(db.String()))
}

func BenchmarkRPMDatabase(b *testing.B) {
	samples := rpmSamples(b)
	for _, name := range []string{"centos7-plain/Packages", "sle15-bci/Packages.db", "fedora35/rpmdb.sqlite"} {
		if content := samples[name]; content != nil {
			b.Run(name, func(b *testing.B) { benchmarkBytes(b, "os/rpm", "var/lib/rpm/"+filepath.Base(name), content) })
		}
	}
}

func BenchmarkPackageJSON(b *testing.B) {
	benchmarkBytes(b, "javascript/packagejson", "node_modules/a/package.json", []byte(`{"name":"a","version":"1.0.0","license":"MIT",
		"description":"`+strings.Repeat("x", 1000)+`","scripts":{"test":"x"},"dependencies":{"b":"^1.0.0","c":"^2.0.0"}}`))
}

func BenchmarkPackageLock(b *testing.B) {
	var lock strings.Builder
	lock.WriteString(`{"lockfileVersion":3,"packages":{"":{}`)
	for i := range 1000 {
		fmt.Fprintf(&lock, ",\n\"node_modules/package-%d\":{\"version\":\"1.%d.0\",\"resolved\":\"https://registry.npmjs.org/p/-/p.tgz\",\"integrity\":\"sha512-x\"}", i, i)
	}
	lock.WriteString("}}")
	benchmarkBytes(b, "javascript/packagelockjson", "package-lock.json", []byte(lock.String()))
}

func BenchmarkWheelMetadata(b *testing.B) {
	benchmarkBytes(b, "python/wheelegg", "a.dist-info/METADATA", []byte("Metadata-Version: 2.1\nName: a\nVersion: 1.0\nLicense: MIT\n"+
		strings.Repeat("Requires-Dist: b (>=1)\n", 30)+"\n"+strings.Repeat("description\n", 1000)))
}

func BenchmarkJavaArchive(b *testing.B) {
	entries := pomProperties("com.example", "app", "1.0")
	for i := range 50 {
		entries[fmt.Sprintf("BOOT-INF/lib/lib-%d-1.0.jar", i)] = string(jar(b, pomProperties("org.lib", fmt.Sprintf("lib-%d", i), "1.0")))
	}
	benchmarkBytes(b, "java/archive", "app.jar", jar(b, entries))
}

func BenchmarkGoBinary(b *testing.B) {
	f, err := os.Open(goProgram(b))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	benchmark(b, "go/binary", "app", f, info.Size())
}

// BenchmarkWants asks all analyzers about one file of node_modules, which is the most frequent question of all.
func BenchmarkWants(b *testing.B) {
	analyzers, err := Analyzers(Options{})
	if err != nil {
		b.Fatal(err)
	}
	info := memoryInfo{name: "index.js", size: 3000, mode: 0o644}
	b.ReportAllocs()
	for b.Loop() {
		for _, a := range analyzers {
			if a.Wants("usr/src/app/node_modules/lodash/fp/index.js", info) {
				b.Fatal(a.Info().Name)
			}
		}
	}
}

// BenchmarkFinish merges 20,000 packages, half of them copies.
func BenchmarkFinish(b *testing.B) {
	var packages []core.Package
	for i := range 20_000 {
		p := npm(fmt.Sprint("path-", i), at1(i%5))
		p.Purl = fmt.Sprintf("pkg:npm/p%d@1", i/2)
		packages = append(packages, p)
	}
	b.ReportAllocs()
	for b.Loop() {
		e := core.Evidence{Packages: append([]core.Package(nil), packages...)}
		Finish(&e)
	}
}
