package gate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/revision"
	"github.com/cleanbill-ci/cleanbill/core/secret"
)

// The words for how much of a history is searched for secrets, beside "REVISION..".
const (
	// HistoryAll is every commit that leads to HEAD.
	HistoryAll = "all"
	// HistoryNone is no commit, also where a change is judged.
	HistoryNone = "none"
)

// head is the commit whose files were checked out.
const head = "HEAD"

// CheckHistory reports what is wrong with a word for how much of a history is searched.
func CheckHistory(word string) error {
	if word == "" || word == HistoryAll || word == HistoryNone {
		return nil
	}
	if since, ok := strings.CutSuffix(word, ".."); ok && since != "" && !strings.Contains(since, "..") {
		return nil
	}
	return &core.Failure{Doing: "understand the history " + word, Usage: true,
		Err:  fmt.Errorf("%s, %s or REVISION.. was expected, not %q", HistoryAll, HistoryNone, word),
		Hint: "for example: --history, or --history=v1.4.."}
}

// searchHistory looks for secrets in the commits of the repository that a source tree lies in, and joins them with what
// was found in the tree. Without a word from the plan these are the commits that a change adds to its base.
func (s *sources) searchHistory(ctx context.Context, word string, d *secret.Detector, dir string, l Limits,
	e *core.Evidence) error {
	if word == HistoryNone || word == "" && !s.changing() || len(e.Subjects) != 1 {
		return nil
	}
	pasts, closing, err := s.pasts(word, dir)
	if closing != nil {
		defer closing()
	}
	if err != nil {
		e.Examinations = append(e.Examinations, core.Examination{Name: core.ExamineSecrets, Subject: e.Subjects[0].Digest,
			Tool: "secrets/history", Version: secret.Version, Status: core.Failed,
			Why:    []string{"the history cannot be read: " + err.Error()},
			Remedy: "check out the repository with its history, or leave out --history"})
		return nil
	}
	for _, past := range pasts {
		found, examined, err := d.History(ctx, past, l)
		if err != nil {
			return err
		}
		examined.Subject = e.Subjects[0].Digest
		e.Examinations = append(e.Examinations, examined)
		joinSecrets(e, found)
	}
	return nil
}

// pasts says which commits are searched, in order.
func (s *sources) pasts(word, dir string) (pasts []secret.Past, closing func(), err error) {
	place, err := revision.Find(dir)
	if err != nil {
		if word == "" && errors.Is(err, revision.ErrNoRepository) {
			return nil, nil, nil // and so of no change
		}
		return nil, nil, err
	}
	inside, ok, err := below(place.Root, dir)
	if err != nil || !ok {
		return nil, nil, errors.Join(err, fs.ErrNotExist)
	}
	if s.changing() && sameFile(place.Root, s.place.Root) {
		added := secret.Past{Repository: s.repository, Dir: inside, Head: head, Without: s.base.Commit}
		switch {
		case word == "":
			return []secret.Past{added}, nil, nil
		case word == HistoryAll:
			merged := secret.Past{Repository: s.repository, Dir: inside, Head: s.base.Commit, Merged: true}
			return []secret.Past{added, merged}, nil, nil
		}
		added.Without = strings.TrimSuffix(word, "..")
		return []secret.Past{added}, nil, nil
	}
	if word == "" {
		_, belongs, err := s.within(dir)
		if err == nil && belongs {
			err = errors.New("it lies in a repository of its own within that of the change, and nobody says what of it " +
				"was merged")
		}
		return nil, nil, err
	}
	repository, err := place.Open()
	if err != nil {
		return nil, nil, err
	}
	past := secret.Past{Repository: repository, Dir: inside, Head: head, Merged: !s.changing()}
	if word != HistoryAll {
		past.Without = strings.TrimSuffix(word, "..")
	}
	return []secret.Past{past}, func() { _ = repository.Close() }, nil // which was only read
}

func sameFile(a, b string) bool {
	ia, err := os.Stat(a)
	if err != nil {
		return false
	}
	ib, err := os.Stat(filepath.Clean(b))
	return err == nil && os.SameFile(ia, ib)
}

// joinSecrets adds the secrets of a history. One that stands in the tree too is one finding with both places, of which the
// one in the tree comes first.
func joinSecrets(e *core.Evidence, found []core.Finding) {
	known := map[string]int{}
	for i, f := range e.Findings {
		if f.Kind == core.KindSecret {
			known[f.Fingerprint] = i
		}
	}
	for _, f := range found {
		f.Subject = e.Subjects[0].Digest
		i, ok := known[f.Fingerprint]
		if !ok {
			known[f.Fingerprint] = len(e.Findings)
			e.Findings = append(e.Findings, f)
			continue
		}
		same := &e.Findings[i]
		same.Suppressions = secret.SuppressedBoth(same.Suppressions, f.Suppressions)
		if same.Locations[len(same.Locations)-1].Commit == "" {
			same.Locations = append(same.Locations, f.Locations...)
		}
	}
}

// onlyInHistory reports whether a finding is in no file of the tree: the lines that it names are of another version.
func onlyInHistory(f *core.Finding) bool {
	return len(f.Locations) > 0 && f.Locations[0].Commit != ""
}
