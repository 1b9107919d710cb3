package gate

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/internal/revision"
	"github.com/cleanbill-ci/cleanbill/core/target"
)

// ErrNoBase is why a change is not judged: what it would be merged into cannot be read. The change itself never takes
// the base's place.
var ErrNoBase = errors.New("the base of the change cannot be read")

// errNotOnBase is what reading finds of a file of the repository that the base does not have.
var errNotOnBase = fmt.Errorf("the base of the change does not have it: %w", fs.ErrNotExist)

// sources is where the judged sources are, and the one reader of everything that may excuse what is found in them:
// policies and the files that they name, statements, waivers, baselines, settings of tools. When a change is judged, what
// lies in the repository is read from the base of the change and never from the change. A nil *sources reads the disk.
type sources struct {
	gate *Gate
	// dir is the root of what is judged, as it was named.
	dir    string
	change core.Change
	// hint says how the platform gets the base onto this machine.
	hint string
	// hooks are those that run, and hooksOnly is true if nothing but them looks at the sources.
	hooks     HookSettings
	hooksOnly bool

	// The rest is set when a change is judged.
	place      revision.Place
	around     string // the top of the outermost repository that the place lies in; empty if there is none
	repository *revision.Repository
	base       *revision.Tree
	limits     Limits

	mu sync.Mutex
	// asked are the files of the repository that were asked for, relative to its root: what they say now is not heard.
	asked map[string]bool
	// judged are the directories of the source trees that were examined.
	judged map[core.Digest]string
	// keeps says that images stay open after they were examined, which are then kept.
	keeps bool
	kept  []*target.Target
}

// openSources finds the sources of a plan and, if it is about a change, opens its base.
func (g *Gate) openSources(p Plan) (*sources, error) {
	s := &sources{gate: g, dir: p.Source, change: p.Change, hint: p.FetchHint, limits: p.Limits.Filled(), asked: map[string]bool{}, judged: map[core.Digest]string{}}
	for _, t := range p.Targets {
		if dir, ok := target.SourceDir(t); ok && s.dir == "" {
			s.dir = dir
		}
	}
	s.dir = cmp.Or(s.dir, ".")
	if p.Change.Base == "" {
		return s, nil
	}
	err := s.openBase()
	if err == nil {
		return s, nil
	}
	return nil, errors.Join(s.noBase(err), s.close())
}

func (s *sources) openBase() (err error) {
	if s.place, err = revision.Find(s.dir); err != nil {
		return err
	}
	for at, err := revision.Find(filepath.Dir(s.place.Root)); err == nil && at.Root != s.place.Root; {
		s.around = at.Root
		if at.Root == filepath.Dir(at.Root) {
			break
		}
		at, err = revision.Find(filepath.Dir(at.Root))
	}
	if s.repository, err = s.place.Open(); err != nil {
		return err
	}
	if s.base, err = s.repository.Tree(s.change.Base, s.limits); err != nil {
		return err
	}
	s.change.Base = s.base.Commit
	return nil
}

// noBase says why the base cannot be read, and how to get it onto this machine.
func (s *sources) noBase(err error) error {
	hint := "fetch it with: git fetch origin " + s.change.Base
	if s.hint != "" {
		hint = s.hint + ", or " + hint
	}
	if errors.Is(err, revision.ErrNoRepository) {
		hint = "check out the repository with its history, and run this in it"
	}
	if !errors.Is(err, ErrNoBase) {
		err = fmt.Errorf("%w: %w", ErrNoBase, err)
	}
	return &core.Failure{Doing: "read the base of the change, " + s.change.Base + ", in " + s.dir,
		Err: err, Hint: hint}
}

// changing reports whether a change is judged.
func (s *sources) changing() bool { return s != nil && s.base != nil }

// about returns what evidence says of the change; nil if nothing is known.
func (s *sources) about() *core.Change {
	if s.change == (core.Change{}) {
		return nil
	}
	c := s.change
	return &c
}

func (s *sources) close() error {
	var errs []error
	for _, t := range s.kept {
		errs = append(errs, t.Close())
	}
	s.kept = nil
	if s.repository != nil {
		errs = append(errs, s.repository.Close())
	}
	return errors.Join(errs...)
}

// keep takes over the closing of an image that will be published.
func (s *sources) keep(t *target.Target) bool {
	if _, ok := t.Content(); s == nil || !s.keeps || !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, t)
	return true
}

// read reads a file that may excuse something. What the base of a change lacks is fs.ErrNotExist; a base that cannot be
// read is ErrNoBase.
func (s *sources) read(name string, largest int64) ([]byte, error) {
	inside, ok, err := s.within(name)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return localfile.Read(name, largest)
	}
	s.ask(inside)
	raw, err := s.base.Read(inside, largest)
	return raw, s.baseError(err)
}

func (s *sources) ask(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[name] = true
}

// baseError tells what the base does not have from what cannot be read of it.
func (s *sources) baseError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return errNotOnBase
	}
	return fmt.Errorf("%w: %w", ErrNoBase, localfile.Pathless(err))
}

// within reports whether a file lies in the repository of the change that is judged, and where. Every way counts that
// leads there: other spellings of a directory, links, mounts and letters that a file system does not tell apart. What lies
// in a repository around it is an error: a change can make a submodule of the directory that is judged, and would then
// have all else read as it is.
func (s *sources) within(name string) (string, bool, error) {
	if !s.changing() {
		return "", false, nil
	}
	inside, ok, err := below(s.place.Root, name)
	if err != nil || ok || s.around == "" {
		return inside, ok, err
	}
	if _, outer, err := below(s.around, name); err != nil || outer {
		return "", false, cmp.Or(err, fmt.Errorf("%s lies in the repository around the one that is judged, and nobody says what "+
			"of it was merged", name))
	}
	return "", false, nil
}

// below returns the path of a file relative to a directory that it lies in.
func below(dir, name string) (string, bool, error) {
	root, err := os.Stat(dir)
	if err != nil {
		return "", false, err
	}
	absolute, err := filepath.Abs(name)
	if err != nil {
		return "", false, err
	}
	for _, way := range []string{absolute, real(absolute)} {
		rest := "."
		for at := way; ; at = filepath.Dir(at) {
			if info, err := os.Stat(at); err == nil && os.SameFile(info, root) {
				return filepath.ToSlash(rest), true, nil
			}
			if at == filepath.Dir(at) {
				break
			}
			rest = filepath.Join(filepath.Base(at), rest)
		}
	}
	return "", false, nil
}

// checkAdvisories refuses a set that lies in the repository and that the change edits: nothing but the change says what
// it lacks. The index of a directory names everything else in it by digest.
func (s *sources) checkAdvisories(ref string) error {
	dir, ok := strings.CutPrefix(ref, "oci:")
	if !ok || !s.brings(dir) {
		return nil
	}
	inside, _, err := s.within(filepath.Join(dir, "index.json"))
	if err != nil {
		return err
	}
	state, _, err := s.stateOf(inside)
	if err != nil || state == "" {
		return err
	}
	return &core.Failure{Doing: "judge a change with the advisories " + ref, Usage: true,
		Err:  fmt.Errorf("%s %s, and the policy of the base names nobody who must have signed them", inside, state),
		Hint: "name a signer in the policy: advisories: {signed-by: [{key: cosign.pub}]}, or let it list \"allow: [advisories]\""}
}

// brings reports whether the commit of the change that is judged may have something at a path: files that jobs keep
// there between runs, such as a cache in the project's own folder, are in no commit.
func (s *sources) brings(name string) bool {
	if !s.changing() || name == "" {
		return false
	}
	inside, ok, err := s.within(name)
	if err != nil || !ok {
		return err != nil
	}
	head, err := s.repository.Tree("HEAD", s.limits)
	if err != nil {
		return true
	}
	_, err = head.Stat(inside)
	return !errors.Is(err, fs.ErrNotExist)
}

// real follows the links in a path as far as it exists.
func real(name string) string {
	for at, rest := name, ""; ; at, rest = filepath.Dir(at), filepath.Join(filepath.Base(at), rest) {
		if followed, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(followed, rest)
		}
		if at == filepath.Dir(at) {
			return name
		}
	}
}

// examined remembers the directory of a source tree.
func (s *sources) examined(subject core.Digest, dir string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.judged[subject] = dir
}

// inTree returns the path in the repository of a file of a source tree that was examined.
func (s *sources) inTree(subject core.Digest, name string) (string, bool) {
	dir, ok := s.judged[subject]
	if !ok {
		return "", false
	}
	inside, ok, err := s.within(dir)
	if err != nil || !ok || !fs.ValidPath(name) {
		return "", false
	}
	return path.Join(inside, name), true
}
