package misconfig

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/dockerfile"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

// buildFiles examines what images are built by, beside the ignore file of the context.
type buildFiles struct{ known func(id string) bool }

var _ core.Relater = buildFiles{}

func (buildFiles) Info() core.Info {
	return core.Info{Name: "misconfig/dockerfile", Examines: core.ExamineMisconfigurations}
}

func (buildFiles) Wants(p string, _ fs.FileInfo) bool { return !installed(p) && dockerfile.Wants(p) }

// Related reports whether a file is an ignore file.
//
// https://docs.docker.com/build/concepts/context/#dockerignore-files
func (buildFiles) Related(p string) bool {
	ext := path.Ext(p)
	return ext == ".dockerignore" || ext == ".containerignore"
}

func (b buildFiles) Analyze(ctx context.Context, f core.File) (core.Found, error) {
	text, err := whole(f)
	if err != nil {
		return core.Found{}, err
	}
	s := rule.NewSource(f.Path, text)
	c := rule.NewCollector(s)
	dockerfile.Examine(ctx, c, s, ignoreFile(f))
	return c.Found(b.known), ctx.Err()
}

// maxIgnore is the longest ignore file that is read, in bytes.
const maxIgnore = 256 << 10

// ignoreFile is the ignore file that a build takes: the one of the Dockerfile, or that of the context, which is its
// folder or the root. Nil for none.
func ignoreFile(f core.File) []byte {
	if f.Related == nil {
		return nil
	}
	dir := path.Dir(f.Path)
	for _, name := range []string{
		f.Path + ".dockerignore", path.Join(dir, ".dockerignore"), path.Join(dir, ".containerignore"), ".dockerignore",
		".containerignore",
	} {
		if text, err := readRelated(f.Related, name, maxIgnore); err == nil {
			return text
		}
	}
	return nil
}

// readRelated reads a file beside another, bounded.
func readRelated(files fs.FS, name string, most int64) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s is longer than %d bytes", name, most)
	}
	return text, err
}

// maxText is the longest file that is read, in bytes. Each family has a smaller bound of its own.
const maxText = 11 << 20

// whole reads a file.
func whole(f core.File) ([]byte, error) {
	text := make([]byte, min(f.Content.Size(), maxText))
	if _, err := io.ReadFull(io.NewSectionReader(f.Content, 0, int64(len(text))), text); err != nil {
		return nil, err
	}
	return text, nil
}
