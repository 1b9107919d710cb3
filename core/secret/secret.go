package secret

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Version is of gitleaks' rules, which findings and examinations name.
const Version = "gitleaks 8.30.1"

// Detector looks for secrets. It is safe for use by several goroutines.
type Detector struct {
	scanner *scanner
	ignored *ignoreList
}

// New reads the rules, and the .gitleaks.toml and .gitleaksignore of a tree by read: of the base of a change, so that a
// change does not excuse itself. The error is a core.Failure of the user's input.
func New(read ReadFile) (*Detector, error) {
	set, err := loadRules(read)
	if err != nil {
		return nil, err
	}
	s, err := newScanner(set)
	if err != nil {
		return nil, &core.Failure{Doing: "read the rules for secrets", Err: err, Usage: true}
	}
	ignored, err := loadIgnored(read)
	if err != nil {
		return nil, err
	}
	return &Detector{scanner: s, ignored: ignored}, nil
}

// Images returns the detector for the files of images, in which a distribution has directories of its own.
func (d *Detector) Images() core.Analyzer { return inImages{d} }

// inImages passes over what distributions fill.
type inImages struct{ *Detector }

// Follows implements core.Follower. Only a link that is named like what keeps secrets can make a file that a distribution
// has put there worth looking at: in every image links lead from etc to manuals, certificates and the like.
func (d inImages) Follows(link string) bool { return keepsSecrets(link) }

// Wants implements core.Analyzer.
func (d inImages) Wants(path string, info fs.FileInfo) bool {
	return info.Size() > 0 && (!system(path) && !filled(path) || keepsSecrets(path))
}

// Info implements core.Analyzer.
func (d *Detector) Info() core.Info {
	return core.Info{Name: "secrets", Version: Version, Examines: core.ExamineSecrets}
}

// Wants implements core.Analyzer. It looks at nothing but the name: what is text is told by the beginning of a file.
func (d *Detector) Wants(path string, info fs.FileInfo) bool {
	return info.Size() > 0 && (!filled(path) || keepsSecrets(path))
}

// Sniff declines what is no text, unless a rule is about the name of the file.
func (d *Detector) Sniff(path string, head []byte) bool {
	return isText(head) || len(d.scanner.named(path)) > 0
}

// isText reports whether a file that begins so is text. Texts in UTF-16, as some systems write them, have zero bytes.
func isText(head []byte) bool {
	return bytes.IndexByte(head, 0) < 0 || wide(head) != 0
}

// wide returns the order of the bytes of a text in UTF-16 ('l' or 'b'), or 0.
func wide(head []byte) byte {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}) && !bytes.HasPrefix(head, []byte{0xff, 0xfe, 0, 0}):
		return 'l'
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return 'b'
	}
	return 0
}

const (
	// window is how much of a file is scanned at once, and overlap how much of it is scanned again with the next, in bytes.
	window  = 1 << 20
	overlap = 2 * endless
)

// Analyze implements core.Analyzer.
func (d *Detector) Analyze(ctx context.Context, f core.File) (core.Found, error) {
	var found core.Found
	matches, more, err := d.read(ctx, f.Content, f.Content.Size(), f.Path, "")
	if err != nil {
		return core.Found{}, err
	}
	if more {
		found.Problems = append(found.Problems, core.Problem{Path: f.Path,
			Why: fmt.Sprintf("more than %d secrets were found in a part of it, and not all are told", maxMatches)})
	}
	for _, m := range slices.Concat(d.scanner.named(f.Path), matches) {
		found.Findings = append(found.Findings, d.finding(m))
	}
	return found, nil
}

// read returns the matches in the content of a file, and whether there are more.
func (d *Detector) read(ctx context.Context, content io.ReaderAt, size int64, path, commit string) (
	matches []*match, more bool, err error) {
	var order byte
	text := make([]byte, 0, min(size, window))
	line, seen := 1, map[string]bool{}
	for offset := int64(0); offset < size; {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		text = text[:min(size-offset, window)]
		if _, err := content.ReadAt(text, offset); err != nil && err != io.EOF {
			return nil, false, fmt.Errorf("read it: %w", err)
		}
		if offset == 0 {
			if order = wide(text); order == 0 && !isText(text[:min(len(text), core.SniffLength)]) {
				break // wanted for its name alone
			}
		}
		part, many := d.scanner.scan(narrow(text, order), path, commit, line)
		more = more || many
		for _, m := range part {
			if place := fmt.Sprintf("%s %d", m.rule.id, offset+int64(m.from)); !seen[place] {
				seen[place] = true
				matches = append(matches, m)
			}
		}
		next := int64(len(text))
		if offset+next < size {
			next -= overlap
		}
		line += bytes.Count(narrow(text[:next], order), []byte{'\n'})
		offset += next
	}
	return matches, more, nil
}

// narrow turns a text in UTF-16 into UTF-8.
func narrow(text []byte, order byte) []byte {
	if order == 0 {
		return text
	}
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = uint16(text[2*i]) | uint16(text[2*i+1])<<8
		if order == 'b' {
			units[i] = uint16(text[2*i])<<8 | uint16(text[2*i+1])
		}
	}
	return []byte(string(utf16.Decode(units)))
}

// finding tells of a match without telling the secret.
func (d *Detector) finding(m *match) core.Finding {
	f := core.Finding{
		Kind: core.KindSecret, Rule: m.rule.id, Title: m.rule.description,
		Severity: core.SeverityHigh, SeveritySource: "cleanbill", Weaknesses: []string{"CWE-798"}, SeenBy: []string{"gitleaks rules"},
		Locations:   []core.Location{{Path: m.path, Line: m.number, Column: m.column}},
		Fix:         core.Fix{Text: "revoke it, issue another, and keep that outside of files; deleting it does not undo that it was seen"},
		Fingerprint: core.FingerprintOf(core.KindSecret, append([]string{m.rule.id, m.path}, m.identity()...)...),
	}
	if m.secret != "" {
		f.Secret = &core.SecretFacts{Entropy: m.entropy}
	}
	for _, s := range slices.Concat(m.suppressions, inline(m), d.ignored.about(m)) {
		// The configuration is read from the base where a change is judged.
		f.Suppressions = append(f.Suppressions, core.Suppression{Kind: s.kind, By: s.by, Path: s.path, Line: s.line, Reason: s.reason,
			Base: s.kind == core.SuppressedConfig})
	}
	return f
}

// maxAround is how much of a line tells one secret from another, on each side of it, in bytes.
const maxAround = 60

// identity tells secrets of one rule in one file apart, whatever line they stand in: by what stands around them, and by
// one byte of a hash of the secret, which is enough to notice that another took its place and too little to guess it by.
func (m *match) identity() []string {
	if m.secret == "" {
		return nil
	}
	before, after, _ := strings.Cut(m.line, m.secret)
	before, after = strings.TrimSpace(before), strings.TrimSpace(after)
	before, after = before[max(0, len(before)-maxAround):], after[:min(len(after), maxAround)]
	sum := sha256.Sum256([]byte(m.secret))
	return []string{before, after, fmt.Sprintf("%02x", sum[0])}
}
