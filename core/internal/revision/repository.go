package revision

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
)

// Bounds on what makes no sense beyond them.
const (
	maxCommit     = 1 << 20  // bytes of a commit or a tag
	maxTree       = 64 << 20 // bytes of one directory's list
	maxAlternates = 16       // repositories whose objects are shared
	maxPacks      = 64       // files that are kept open
	largeObject   = 64 << 20 // bytes of an object up to which it is read into memory
	maxTags       = 8        // tags of tags
	maxSteps      = 1000     // commits to go back
	maxName       = 1024     // bytes of a revision's name
)

// Missing is the error for what the repository does not have, as a shallow or partial clone does not have everything.
type Missing struct {
	// Revision is what was asked for, Object what of it is missing.
	Revision, Object string
	// Shallow is true if the clone was cut.
	Shallow bool
}

// Error says what is missing, and why that may be.
func (m *Missing) Error() string {
	what := "the repository does not have " + m.Revision
	if m.Object != "" && m.Object != m.Revision {
		what = fmt.Sprintf("the repository does not have all of %s (%s is missing)", m.Revision, m.Object)
	}
	if m.Shallow {
		what += ": it is a shallow clone"
	}
	return what
}

// Repository is an open repository. It is safe for use by several goroutines. Close it.
type Repository struct {
	place   Place
	shallow bool
	refs    *filesystem.Storage

	mu     sync.Mutex
	stores []*filesystem.ObjectStorage
}

// Open opens the repository at a place.
func (p Place) Open() (*Repository, error) {
	own := dotgit.NewRepositoryFilesystem(osfs.New(p.gitDir), osfs.New(p.commonDir))
	r := &Repository{place: p, refs: filesystem.NewStorage(own, cache.NewObjectLRU(cache.MiByte))}
	config, err := r.refs.Config()
	if err != nil {
		return nil, fmt.Errorf("read the repository's configuration: %w", err)
	}
	if f := config.Raw.Section("extensions").Option("objectformat"); f != "" && f != "sha1" {
		return nil, fmt.Errorf("the repository names its objects by %s; only sha1 can be read", f)
	}
	shallow, err := r.refs.Shallow()
	if err != nil {
		return nil, fmt.Errorf("read what the clone left out: %w", err)
	}
	r.shallow = len(shallow) > 0
	dirs, err := objectDirs(filepath.Join(p.commonDir, "objects"))
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		// What is larger is read as a stream: memory does not grow with it. Of streams the library gets those wrong whose
		// parts are copied from behind, which the hash tells.
		r.stores = append(r.stores, filesystem.NewObjectStorageWithOptions(dotgit.New(osfs.New(filepath.Dir(dir))),
			cache.NewObjectLRU(8*cache.MiByte),
			filesystem.Options{LargeObjectThreshold: largeObject, ExclusiveAccess: true, MaxOpenDescriptors: maxPacks}))
	}
	return r, nil
}

// objectDirs lists a directory of objects and those that it borrows from.
//
// https://git-scm.com/docs/gitrepository-layout#Documentation/gitrepository-layout.txt-objectsinfoalternates
func objectDirs(first string) ([]string, error) {
	dirs := []string{first}
	for i := 0; i < len(dirs); i++ {
		raw, err := localfile.Read(filepath.Join(dirs[i], "info", "alternates"), maxPointer)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, fmt.Errorf("read which objects are shared: %w", err)
		}
		for line := range strings.Lines(string(raw)) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			dir := beside(dirs[i], line)
			if filepath.Base(dir) != "objects" || len(dirs) == maxAlternates {
				return nil, fmt.Errorf("the repository borrows objects from %s, which is not supported", dir)
			}
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

// Place says where the repository is.
func (r *Repository) Place() Place { return r.place }

// Close closes the files that are open.
func (r *Repository) Close() error {
	var all []error
	for _, s := range r.stores {
		all = append(all, s.Close())
	}
	return errors.Join(all...)
}

// Resolve returns the full name of the commit that a revision names: a hash or its beginning, HEAD, a branch, a tag, a
// branch of a remote, each with any number of ^ and ~N behind it.
//
// https://git-scm.com/docs/gitrevisions
func (r *Repository) Resolve(name string) (string, error) {
	start, back, err := splitRevision(name)
	if err != nil {
		return "", err
	}
	h, err := r.lookup(start)
	if err != nil {
		return "", err
	}
	h, commit, err := r.commit(name, h)
	for ; err == nil && back > 0; back-- {
		if len(commit.parents) == 0 {
			return "", fmt.Errorf("%s goes back further than the history", name)
		}
		h, commit, err = r.commit(name, commit.parents[0])
	}
	return h.String(), err
}

// splitRevision takes the ^ and ~N off a revision, and adds up how far they go back.
func splitRevision(name string) (start string, back int, err error) {
	wrong := fmt.Errorf("%q is not the name of a revision: want a commit's hash, a branch or a tag", shortened(name))
	end := strings.IndexAny(name, "^~")
	if end < 0 {
		end = len(name)
	}
	start, rest := name[:end], name[end:]
	for rest != "" && back <= maxSteps {
		digits := 1
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		n, number := 1, rest[1:digits]
		if number != "" {
			if n, err = strconv.Atoi(number); err != nil || rest[0] == '^' && n != 1 {
				return "", 0, wrong
			}
		}
		if back += n; digits < len(rest) && !strings.ContainsRune("^~", rune(rest[digits])) {
			return "", 0, wrong
		}
		rest = rest[digits:]
	}
	if back > maxSteps || !validName(start) {
		return "", 0, wrong
	}
	return start, back, nil
}

// validName keeps names to what git accepts as a reference, so that none leads to another file.
//
// https://git-scm.com/docs/git-check-ref-format
func validName(name string) bool {
	if name == "" || len(name) > maxName || strings.ContainsAny(name, " ~^:?*[\\\x7f") || strings.Contains(name, "..") ||
		strings.Contains(name, "@{") || strings.HasPrefix(name, "-") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") || strings.HasSuffix(part, ".") {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(c rune) bool { return c < ' ' })
}

func shortened(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}

// lookup finds the object that a plain name stands for, in git's order.
func (r *Repository) lookup(name string) (plumbing.Hash, error) {
	isHash := isHex(name)
	switch {
	case isHash && len(name) == 64:
		return plumbing.ZeroHash, fmt.Errorf("%s is a sha256 name; only repositories of sha1 can be read", name)
	case isHash && len(name) == 40:
		return plumbing.NewHash(name), nil
	}
	for _, form := range []string{"%s", "refs/%s", "refs/tags/%s", "refs/heads/%s", "refs/remotes/%s", "refs/remotes/%s/HEAD"} {
		full := fmt.Sprintf(form, name)
		if full != "HEAD" && !strings.HasPrefix(full, "refs/") {
			continue
		}
		ref, err := storer.ResolveReference(r.refs, plumbing.ReferenceName(full))
		switch {
		case err == nil:
			return ref.Hash(), nil
		case !errors.Is(err, plumbing.ErrReferenceNotFound) && !errors.Is(err, fs.ErrNotExist) && !isDirectory(err):
			return plumbing.ZeroHash, fmt.Errorf("read the reference %s: %w", full, err)
		}
	}
	if isHash && len(name) >= 7 && len(name) < 40 {
		return r.abbreviated(name)
	}
	return plumbing.ZeroHash, &Missing{Revision: name, Shallow: r.shallow}
}

// isDirectory tells the reference "origin", which is a folder of others, from one that cannot be read.
func isDirectory(err error) bool { return errors.Is(err, dotgit.ErrIsDir) }

func isHex(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdef") == "" }

// abbreviated finds the one commit whose name begins so.
func (r *Repository) abbreviated(name string) (plumbing.Hash, error) {
	prefix, err := hex.DecodeString(name[:len(name)&^1])
	if err != nil {
		return plumbing.ZeroHash, err
	}
	found := map[plumbing.Hash]bool{}
	for _, s := range r.stores {
		hashes, err := s.HashesWithPrefix(prefix)
		if err != nil {
			return plumbing.ZeroHash, fmt.Errorf("look for %s: %w", name, err)
		}
		for _, h := range hashes {
			if !strings.HasPrefix(h.String(), name) {
				continue
			}
			if kind, _, err := r.object(h, maxCommit); err == nil && kind == plumbing.CommitObject {
				found[h] = true
			}
		}
	}
	for h := range found {
		if len(found) > 1 {
			return h, fmt.Errorf("%s is the beginning of %d commits; write more of it", name, len(found))
		}
		return h, nil
	}
	return plumbing.ZeroHash, &Missing{Revision: name, Shallow: r.shallow}
}

// commitHead is what is needed of a commit.
type commitHead struct {
	tree    plumbing.Hash
	parents []plumbing.Hash
	// authored and committed are in seconds since 1970; 0 where the commit does not say, or says nonsense.
	authored, committed int64
}

// commit reads a commit, or the one that a tag is of.
func (r *Repository) commit(name string, h plumbing.Hash) (plumbing.Hash, commitHead, error) {
	for range maxTags {
		kind, raw, err := r.object(h, maxCommit)
		if err != nil {
			return h, commitHead{}, r.explain(name, err)
		}
		switch kind {
		case plumbing.CommitObject:
			c, err := parseCommit(raw)
			return h, c, err
		case plumbing.TagObject:
			line, _, _ := bytes.Cut(raw, []byte("\n"))
			text, ok := strings.CutPrefix(string(line), "object ")
			if !ok || len(text) != 40 || !isHex(text) {
				return h, commitHead{}, fmt.Errorf("the tag %s names no object", h)
			}
			h = plumbing.NewHash(text)
		default:
			return h, commitHead{}, fmt.Errorf("%s is a %s, not a commit", name, kind)
		}
	}
	return h, commitHead{}, fmt.Errorf("%s is a tag of too many tags", name)
}

// parseCommit reads the header of a commit.
func parseCommit(raw []byte) (commitHead, error) {
	var c commitHead
	for line := range bytes.Lines(raw) {
		key, value, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		valid := len(value) == 40 && isHex(value)
		switch {
		case key == "tree" && valid && c.tree.IsZero():
			c.tree = plumbing.NewHash(value)
		case key == "parent" && valid && !c.tree.IsZero():
			c.parents = append(c.parents, plumbing.NewHash(value))
		case key == "author" && !c.tree.IsZero():
			c.authored = seconds(value)
		case key == "committer" && !c.tree.IsZero():
			c.committed = seconds(value)
			return c, nil
		case c.tree.IsZero():
			return c, errors.New("a commit begins with no tree")
		default:
			return c, nil
		}
	}
	if c.tree.IsZero() {
		return c, errors.New("a commit is empty")
	}
	return c, nil
}

// latest is the last second that a date of four digits can name.
const latest = 253402300799

// seconds reads the time behind a name and an address: "A <a@example.org> 1700000000 +0100".
func seconds(person string) int64 {
	fields := strings.Fields(person[strings.LastIndexByte(person, '>')+1:])
	if len(fields) == 0 {
		return 0
	}
	n, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil || n < 0 || n > latest {
		return 0
	}
	return n
}

// explain names the revision in an error about something that is missing.
func (r *Repository) explain(revision string, err error) error {
	var m *Missing
	if errors.As(err, &m) {
		return &Missing{Revision: revision, Object: m.Object, Shallow: r.shallow}
	}
	return err
}

// object reads an object of at most largest bytes, and checks that it is what its name says.
func (r *Repository) object(h plumbing.Hash, largest int64) (plumbing.ObjectType, []byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.stores {
		size, err := s.EncodedObjectSize(h)
		if errors.Is(err, plumbing.ErrObjectNotFound) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && size > largest {
			err = &limit.Exceeded{Limit: "metadata-size", Max: largest, Unit: "bytes", What: "object " + h.String()}
		}
		if err != nil {
			return 0, nil, fmt.Errorf("read the object %s: %w", h, err)
		}
		return read(s, h, size)
	}
	return 0, nil, &Missing{Object: h.String()}
}

func read(s *filesystem.ObjectStorage, h plumbing.Hash, size int64) (_ plumbing.ObjectType, _ []byte, err error) {
	o, err := s.EncodedObject(plumbing.AnyObject, h)
	if err != nil {
		return 0, nil, fmt.Errorf("read the object %s: %w", h, err)
	}
	content, err := o.Reader()
	if err != nil {
		return 0, nil, fmt.Errorf("read the object %s: %w", h, err)
	}
	defer content.Close()
	raw, err := io.ReadAll(io.LimitReader(content, size+1))
	if err != nil {
		return 0, nil, fmt.Errorf("read the object %s: %w", h, err)
	}
	if plumbing.ComputeHash(o.Type(), raw) != h {
		return 0, nil, fmt.Errorf("the object %s is damaged: its content has another hash", h)
	}
	return o.Type(), raw, nil
}
