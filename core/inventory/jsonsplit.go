package inventory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/google/osv-scalibr/extractor"
	"github.com/tidwall/jsonc"

	"github.com/cleanbill-ci/cleanbill/core"
)

// The extractors of JSON lockfiles look for the line of each package by reading the document from its beginning, which
// takes minutes for the lockfile of a large project and forever for a forged one. So they are given one entry at a
// time, and the line is counted on the way.

// splitting says where a lockfile has its entries.
type splitting struct {
	// containers are the names of the objects or lists of entries at the top. If there are several, all are read.
	containers []string
	// older is the container of the same entries for older versions of the package manager, which nests them under the
	// same name. It adds what the containers lack.
	older string
	// prepare makes plain JSON of the content, without moving lines.
	prepare func([]byte) []byte
}

// npmLock is read as the npm from version 7 on reads it, and then as the older ones do. Both lists say the same in a file
// that npm wrote, but nobody holds a forged one to that.
//
// https://docs.npmjs.com/cli/v11/configuring-npm/package-lock-json
func npmLock() splitting {
	return splitting{containers: []string{"packages"}, older: "dependencies"}
}

// https://bun.com/docs/pm/lockfile
func bunLock() splitting { return splitting{containers: []string{"packages"}, prepare: jsonc.ToJSON} }

func pipfileLock() splitting { return splitting{containers: []string{"default", "develop"}} }

func composerLock() splitting { return splitting{containers: []string{"packages", "packages-dev"}} }

// examineSplit gives the extractor the entries of a lockfile one by one.
func examineSplit(how splitting) func(context.Context, *analysis) error {
	return func(ctx context.Context, s *analysis) error {
		content, err := s.readAll()
		if err != nil {
			return err
		}
		content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
		if how.prepare != nil {
			content = how.prepare(content)
			if err := s.checkMembers(ctx, bytes.NewReader(content), 1, how.containers); err != nil {
				return err
			}
		}
		document, err := readDocument(content)
		if err != nil {
			return fmt.Errorf("it is no JSON object: %w", err)
		}
		seen := make(lockedPackages)
		for _, f := range document.fields {
			if slices.Contains(how.containers, f.key) {
				c := container{document: document, name: f.key, seen: seen}
				if err := s.examineContainer(ctx, c, f); err != nil {
					return err
				}
			}
		}
		for _, f := range document.fields {
			if how.older != "" && f.key == how.older {
				c := container{document: document, name: f.key, nested: f.key, known: seen}
				if err := s.examineContainer(ctx, c, f); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

func (s *analysis) examineContainer(ctx context.Context, c container, f field) error {
	if f.isNull() {
		return nil
	}
	return s.examineEntries(ctx, c, f.value, f.line, 0)
}

// container is where the entries of a document are.
type container struct {
	document     document
	name, nested string
	// seen gets the packages of the entries. Those that are in known are left out.
	seen, known lockedPackages
}

// lockedPackages are packages by name, version or commit, and scope.
type lockedPackages map[lockedPackage]bool

type lockedPackage struct {
	name, version, commit string
	scope                 core.Scope
}

func lockedAs(p *extractor.Package) lockedPackage {
	l := lockedPackage{name: p.Name, version: p.Version, scope: scopeOf(p.Metadata)}
	if p.SourceCode != nil && p.SourceCode.Commit != "" {
		l.version, l.commit = "", p.SourceCode.Commit
	}
	return l
}

// has reports whether p is there, for at least the same use.
func (l lockedPackages) has(p *extractor.Package) bool {
	as := lockedAs(p)
	runtime := as
	runtime.scope = ""
	return l[as] || l[runtime]
}

// maxNesting is how deep entries may hold entries: far more than npm has ever nested.
const maxNesting = 200

// examineEntries reads the members of content, which begins at the line.
func (s *analysis) examineEntries(ctx context.Context, c container, content []byte, line, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("its entries are nested more than %d deep", maxNesting)
	}
	whole := false
	err := eachMember(content, func(e field) error {
		whole = true
		if err := ctx.Err(); err != nil {
			return err
		}
		at := line + e.line - 1
		var inner field
		if c.nested != "" {
			inner = e.detach(c.nested)
		}
		s.examineEntry(ctx, c, e, at)
		if len(inner.value) == 0 || inner.isNull() {
			return s.exceeded
		}
		return s.examineEntries(ctx, c, inner.value, at+inner.line-1, depth+1)
	})
	if err != nil && !whole {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return err
}

func (s *analysis) examineEntry(ctx context.Context, c container, e field, line int) {
	content := c.document.only(c.name, e)
	packages, err := s.extract(ctx, io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content))))
	if err != nil && ctx.Err() == nil {
		s.problem("the entry in line %d cannot be read: %s", line, printable(err.Error()))
	}
	if from := downloadedFrom(e.value); !servedAs(from, packages) {
		s.problem("the entry in line %d is downloaded from %s, which is another package or version than it says", line, printable(from))
	}
	for _, p := range packages {
		if p.Version == "" && (p.SourceCode == nil || p.SourceCode.Commit == "") {
			if from := downloadedFrom(e.value); from != "" {
				s.problem("the entry in line %d is downloaded from %s and has no version", line, printable(from))
			}
			continue // a directory of the project
		}
		if c.known.has(p) {
			continue
		}
		if c.seen != nil {
			c.seen[lockedAs(p)] = true
		}
		before := len(s.found.Packages)
		s.keep(p)
		for i := before; i < len(s.found.Packages); i++ {
			s.found.Packages[i].Locations[0].Line = line
		}
	}
}

// downloadedFrom returns where npm gets an entry from; empty for a directory.
func downloadedFrom(entry []byte) string {
	var e struct {
		Resolved string `json:"resolved"`
	}
	if json.Unmarshal(entry, &e) != nil || !strings.Contains(e.Resolved, "://") || strings.HasPrefix(e.Resolved, "file:") {
		return ""
	}
	return e.Resolved
}

// servedAs reports whether one of the packages is what an address says that it serves. npm installs what is there,
// whatever the entry calls it. Registries name it NAME/-/BASE-VERSION.tgz; other addresses do not tell.
//
// https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md#dist
func servedAs(address string, packages []*extractor.Package) bool {
	u, err := url.Parse(address)
	if err != nil || len(packages) == 0 {
		return true
	}
	name, file, ok := strings.Cut(u.Path, "/-/")
	if !ok || strings.Contains(file, "/") || !strings.HasSuffix(file, ".tgz") {
		return true
	}
	return slices.ContainsFunc(packages, func(p *extractor.Package) bool {
		version, _, _ := strings.Cut(p.Version, "+")
		return p.Version == "" || strings.HasSuffix(name, "/"+p.Name) && file == path.Base(p.Name)+"-"+version+".tgz"
	})
}

// document is a JSON object whose members keep their order and lines.
type document struct{ fields []field }

// maxFields is how many members a lockfile may have at its top: a hundred times those of real ones.
const maxFields = 1000

func readDocument(content []byte) (document, error) {
	if trimmed := bytes.TrimSpace(content); len(trimmed) == 0 || trimmed[0] != '{' {
		return document{}, errors.New("it does not begin with a brace")
	}
	var d document
	err := eachMember(content, func(f field) error {
		if len(d.fields) == maxFields {
			return fmt.Errorf("it has more than %d members", maxFields)
		}
		d.fields = append(d.fields, f)
		return nil
	})
	return d, err
}

// only is the document with nothing in its containers but one entry, and its short fields, such as versions.
func (d document) only(container string, e field) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for _, f := range d.fields {
		if len(f.value) <= 64 && f.value[0] != '{' && f.value[0] != '[' && f.key != container {
			writeField(&b, f.key, f.value)
			b.WriteByte(',')
		}
	}
	writeKey(&b, container)
	if e.listed {
		b.WriteByte('[')
		b.Write(e.value)
		b.WriteString("]}")
	} else {
		b.WriteByte('{')
		writeField(&b, e.key, e.value)
		b.WriteString("}}")
	}
	return b.Bytes()
}

func writeField(b *bytes.Buffer, key string, value []byte) {
	writeKey(b, key)
	b.Write(value)
}

func writeKey(b *bytes.Buffer, key string) {
	k, _ := json.Marshal(key) // a string can always be written
	b.Write(k)
	b.WriteByte(':')
}

// detach removes a member of the entry and returns it.
func (f *field) detach(key string) field {
	var rest bytes.Buffer
	var found field
	rest.WriteByte('{')
	err := eachMember(f.value, func(m field) error {
		if m.key == key {
			found = m
			return nil
		}
		if rest.Len() > 1 {
			rest.WriteByte(',')
		}
		writeField(&rest, m.key, m.value)
		return nil
	})
	if err != nil || f.listed || found.value == nil {
		return field{} // the extractor says what is wrong
	}
	rest.WriteByte('}')
	f.value = rest.Bytes()
	return found
}
