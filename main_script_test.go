package main

import (
	"archive/zip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// exits runs a program and checks its exit code, which testscript itself only tells apart as zero and not zero:
//
//	exits CODE PROGRAM ARGUMENT...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENT...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	got := 0
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("run %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("%s exited with %d, want %d", args[1], got, want)
	}
}

// shownin checks that the last command printed what a document shows of it, between ``` and a line of "  …":
//
//	shownin FILE FIRST-WORD
func shownin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: shownin FILE FIRST-WORD")
	}
	_, block, found := strings.Cut(ts.ReadFile(args[0]), "```\n"+args[1])
	shown, _, ended := strings.Cut(args[1]+block, "  …\n")
	if !found || !ended {
		ts.Fatalf("%s shows no output that begins with %s", args[0], args[1])
	}
	if printed := ts.ReadFile("stdout"); !strings.HasPrefix(printed, shown) {
		ts.Fatalf("%s shows\n%s\nand the command prints\n%s", args[0], shown, printed)
	}
}

// exports packs the records of a directory as OSV exports them: ECOSYSTEM/*.json into ECOSYSTEM/all.zip, of June 2024.
//
//	exports DIR
func exports(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: exports DIR")
	}
	all, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*", "*.json"))
	ts.Check(err)
	byEcosystem := map[string][]string{}
	for _, name := range all {
		byEcosystem[filepath.Dir(name)] = append(byEcosystem[filepath.Dir(name)], name)
	}
	for dir, records := range byEcosystem {
		out, err := os.Create(filepath.Join(dir, "all.zip"))
		ts.Check(err)
		z := zip.NewWriter(out)
		for _, name := range records {
			raw, err := os.ReadFile(name)
			ts.Check(err)
			w, err := z.CreateHeader(&zip.FileHeader{Name: filepath.Base(name), Method: zip.Deflate,
				Modified: time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)})
			ts.Check(err)
			_, err = w.Write(raw)
			ts.Check(err)
		}
		ts.Check(z.Close())
		ts.Check(out.Close())
	}
}

// damage changes one byte in every blob of an OCI layout, the manifest left out.
//
//	damage DIR
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage DIR")
	}
	blobs, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "blobs", "sha256", "*"))
	ts.Check(err)
	for _, name := range blobs {
		raw, err := os.ReadFile(name)
		ts.Check(err)
		if strings.Contains(string(raw), "schemaVersion") {
			continue
		}
		raw[len(raw)/2] ^= 1
		ts.Check(os.WriteFile(name, raw, 0o644))
	}
}

// subject sets a variable to the digest of the first subject of a document of evidence.
//
//	subject VARIABLE FILE
func subject(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: subject VARIABLE FILE")
	}
	var document struct {
		Evidence struct {
			Subjects []struct{ Digest string }
		}
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &document))
	if len(document.Evidence.Subjects) == 0 {
		ts.Fatalf("%s has no subject", args[1])
	}
	ts.Setenv(args[0], document.Evidence.Subjects[0].Digest)
}

// keypair writes a private key and its public half, as openssl makes them:
//
//	keypair NAME
func keypair(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: keypair NAME")
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	ts.Check(err)
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	ts.Check(err)
	for suffix, block := range map[string]*pem.Block{
		".key": {Type: "PRIVATE KEY", Bytes: pkcs8},
		".pub": {Type: "PUBLIC KEY", Bytes: public},
	} {
		ts.Check(os.WriteFile(ts.MkAbs(args[0]+suffix), pem.EncodeToMemory(block), 0o600))
	}
}

// cleanimage writes an image of two platforms in which there is nothing to find, and sets a variable to its digest:
//
//	cleanimage DIR VARIABLE
func cleanimage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cleanimage DIR VARIABLE")
	}
	index, err := images.BuildIndex(images.Clean("amd64"), images.Clean("arm64"))
	ts.Check(err)
	ts.Check(images.WriteLayout(ts.MkAbs(args[0]), index))
	digest, err := index.Digest()
	ts.Check(err)
	ts.Setenv(args[1], digest.String())
}
