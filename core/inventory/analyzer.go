package inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/extractor/filesystem"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// entry is one line of the catalog: an extractor and what it needs to know of the world.
type entry struct {
	// name is the extractor's own.
	name string
	make func(*cpb.PluginConfig) (filesystem.Extractor, error)
	// wants takes the place of the extractor's FileRequired, which is not called: it would drop files above a limit of
	// its own without a word.
	wants func(path string, info fs.FileInfo) bool
	// related names the other files that the extractor opens.
	related func(path string) bool
	// anchors are places that are fixed by the system that writes them.
	anchors []string
	// sniff declines by the beginning of a file.
	sniff func(head []byte) bool
	// unbounded is set for extractors that read single parts of a file, so that its size does not matter.
	unbounded bool
	// manifest is set where a file is about one package, and may be no larger than metadata.
	manifest bool
	// check looks at the file before anything else reads it. An error means that nothing else does.
	check func(context.Context, *analysis) error
	// examine takes the place of analysis.extract where the extractor needs help.
	examine func(context.Context, *analysis) error
	// graph reads from a lockfile how its packages come to be there, and where each stands.
	graph func(content []byte) (*graph, error)
}

// analyzer is an extractor of osv-scalibr as a core.Analyzer.
type analyzer struct {
	entry
	inner   filesystem.Extractor
	limits  limit.Limits
	version string
}

// wrap gives a the optional interfaces that its entry asks for, and no others: the walk treats a core.Relater with
// care, which costs.
func wrap(a *analyzer) core.Analyzer {
	switch {
	case a.related != nil && a.anchors != nil:
		return anchoredRelater{a}
	case a.related != nil:
		return relater{a}
	case a.anchors != nil:
		return anchored{a}
	case a.sniff != nil:
		return sniffer{a}
	}
	return a
}

type (
	anchored        struct{ *analyzer }
	relater         struct{ *analyzer }
	anchoredRelater struct{ *analyzer }
	sniffer         struct{ *analyzer }
)

func (a anchored) Anchors() []string                   { return a.anchors }
func (a relater) Related(path string) bool             { return a.related(path) }
func (a anchoredRelater) Anchors() []string            { return a.anchors }
func (a anchoredRelater) Related(path string) bool     { return a.related(path) }
func (a sniffer) Sniff(_ string, head []byte) bool     { return a.sniff(head) }
func (a *analyzer) Wants(p string, i fs.FileInfo) bool { return a.wants(p, i) }

func (a *analyzer) Info() core.Info {
	return core.Info{Name: a.name, Version: a.version, Examines: core.ExaminePackages}
}

// Analyze implements core.Analyzer.
func (a *analyzer) Analyze(ctx context.Context, f core.File) (core.Found, error) {
	switch size := f.Content.Size(); {
	case a.unbounded:
	case a.manifest && size > a.limits.MetadataSize:
		return core.Found{}, &limit.Exceeded{Limit: "metadata-size", Max: a.limits.MetadataSize, Unit: "bytes", What: f.Path}
	case size > a.limits.KeptSize:
		return core.Found{}, &limit.Exceeded{Limit: "kept-size", Max: a.limits.KeptSize, Unit: "bytes", What: f.Path}
	}
	s := &analysis{analyzer: a, file: f}
	err := s.run(ctx)
	if s.exceeded != nil {
		return core.Found{}, s.exceeded
	}
	if s.unsaid > 0 {
		why := fmt.Sprintf("%d more problems like these", s.unsaid)
		s.found.Problems = append(s.found.Problems, core.Problem{Path: f.Path, Why: why})
	}
	return s.found, err
}

func (s *analysis) run(ctx context.Context) error {
	if s.check != nil {
		if err := s.check(ctx, s); err != nil {
			return err
		}
	}
	examine := s.examine
	if examine == nil {
		examine = extractAll
	}
	if err := examine(ctx, s); err != nil {
		return err
	}
	if s.graph != nil {
		s.relate(s.graph)
	}
	return nil
}

// analysis is the examination of one file.
type analysis struct {
	*analyzer
	file  core.File
	found core.Found
	// unsaid counts the problems beyond those that are told apart.
	unsaid int
	// exceeded is set when more packages were found than may be kept.
	exceeded error
}

// content returns a new reader of the whole file.
func (s *analysis) content() *io.SectionReader {
	return io.NewSectionReader(s.file.Content, 0, s.file.Content.Size())
}

// readAll reads the whole file, at once and into no more memory than it needs.
func (s *analysis) readAll() ([]byte, error) {
	content := make([]byte, s.file.Content.Size())
	_, err := io.ReadFull(s.content(), content)
	return content, err
}

// maxProblems is how many problems of one file are told apart.
const maxProblems = 20

// problem records a gap.
func (s *analysis) problem(format string, args ...any) {
	if len(s.found.Problems) == maxProblems {
		s.unsaid++
		return
	}
	s.found.Problems = append(s.found.Problems, core.Problem{Path: s.file.Path, Why: fmt.Sprintf(format, args...)})
}

// extractAll runs the extractor over the file and keeps all that it found.
func (s *analysis) extractAll(ctx context.Context) error {
	packages, err := s.extract(ctx, s.content())
	for _, p := range packages {
		s.keep(p)
	}
	return s.partly(len(packages), err)
}

// partly turns an error into a problem when some packages were found: what was read is good, and what could not be
// read is named.
func (s *analysis) partly(packages int, err error) error {
	if err == nil || packages == 0 || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	s.problem("only a part of it could be read: %s", printable(err.Error()))
	return nil
}

// extract runs the extractor over r, which stands for the file. Extractors are written by many, for files that nobody
// forged: a panic is an error of this file.
func (s *analysis) extract(ctx context.Context, r *io.SectionReader) (packages []*extractor.Package, err error) {
	defer func() {
		if p := recover(); p != nil {
			packages, err = nil, fmt.Errorf("its extractor cannot read it: %s", printable(fmt.Sprint(p)))
		}
	}()
	var info fs.FileInfo = memoryInfo{name: path.Base(s.file.Path), size: r.Size(), mode: 0o444}
	if s.file.Info != nil {
		info = sized{s.file.Info, r.Size()}
	}
	inventory, err := s.inner.Extract(ctx, &filesystem.ScanInput{
		FS:     surroundings{related: s.file.Related},
		Path:   s.file.Path,
		Info:   info,
		Reader: r,
	})
	for _, p := range inventory.Packages {
		if p != nil { // as from a wheel without a name
			packages = append(packages, p)
		}
	}
	return packages, err
}

// packageCost is what a package takes in memory from its extractor to the report, in bytes.
const packageCost = 1 << 10

// keep converts p and adds it to what was found.
func (s *analysis) keep(p *extractor.Package) {
	c, err := convert(s.name, s.file.Path, p)
	if err != nil {
		s.problem("%v", err)
		return
	}
	if int64(len(s.found.Packages)) >= s.limits.KeptSize/packageCost {
		s.exceeded = s.tooCostly()
		return
	}
	s.found.Packages = append(s.found.Packages, c)
}
