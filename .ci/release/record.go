package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// recordFile is what the action reads in a release commit, to know what it may run.
const recordFile = "RELEASE"

// record names what was built, by digest.
type record struct {
	Version string
	Commit  string
	sums    []sum
}

type sum struct{ sha256, file string }

func (r *record) add(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("hash %s: %w", path, err)
	}
	r.sums = append(r.sums, sum{hex.EncodeToString(h.Sum(nil)), filepath.Base(path)})
	return nil
}

// encode writes the version, the commit that was built, and a line for each file as sha256sum has it.
func (r *record) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "version %s\ncommit %s\n", r.Version, r.Commit)
	for _, s := range r.sums {
		fmt.Fprintf(&b, "%s  %s\n", s.sha256, s.file)
	}
	return b.Bytes()
}
