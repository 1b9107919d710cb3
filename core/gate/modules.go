package gate

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/policy/rego"
)

// maxEntries is how many files and directories are looked at for modules.
const maxEntries = 20_000

// withModules reads the Rego modules that a policy names, beside its file, and returns the policy with them.
func withModules(p *policy.Policy, file string) (*policy.Policy, error) {
	paths := p.Modules()
	if len(paths) == 0 {
		return p, nil
	}
	modules := modules{}
	for _, name := range paths {
		place := name
		if !filepath.IsAbs(place) {
			place = filepath.Join(filepath.Dir(file), name)
		}
		if err := modules.read(filepath.ToSlash(name), place); err != nil {
			return nil, &core.Failure{Doing: "read the Rego rules " + name + " of policy " + file, Err: err, Usage: true,
				Hint: "name a directory of .rego files, or a bundle that opa build made, relative to the policy file"}
		}
	}
	return p.WithModules(modules)
}

// modules are texts by their names.
type modules map[string][]byte

// read takes a directory, a bundle or one module.
func (m modules) read(name, place string) error {
	info, err := os.Stat(place)
	before := len(m)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		err = m.directory(name, place)
	case isModule(place):
		err = m.file(name, place)
	case strings.HasSuffix(place, ".tar.gz"):
		err = m.bundle(name, place)
	default:
		err = errors.New("it is neither a directory nor a bundle (.tar.gz)")
	}
	if err == nil && len(m) == before {
		err = errors.New("there is no .rego file in it, besides tests")
	}
	return err
}

// isModule leaves tests out, as Conftest and OPA call them.
func isModule(name string) bool {
	return strings.HasSuffix(name, ".rego") && !strings.HasSuffix(name, "_test.rego")
}

func (m modules) directory(name, place string) error {
	root, err := os.OpenRoot(place) // so that no symbolic link leads out of it
	if err != nil {
		return err
	}
	defer root.Close()
	entries := 0
	return fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if entries++; entries > maxEntries {
			return fmt.Errorf("there are more than %d files in it", maxEntries)
		}
		if err != nil || d.IsDir() || !isModule(p) {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is not a regular file", p)
		}
		f, err := root.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		return m.add(path.Join(name, p), f)
	})
}

func (m modules) file(name, place string) error {
	text, err := localfile.Read(place, rego.MaxModule)
	if err != nil {
		return err
	}
	return m.add(name, bytes.NewReader(text))
}

// bundle reads the modules of a bundle. Data in it is not read: a rule that asks for it is an error.
//
// https://www.openpolicyagent.org/docs/management-bundles#bundle-file-format
func (m modules) bundle(name, place string) error {
	packed, err := localfile.Read(place, rego.MaxTotal)
	if err != nil {
		return err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	const most = 16 * rego.MaxTotal
	limited := &io.LimitedReader{R: z, N: most}
	for archive, entries := tar.NewReader(limited), 0; ; entries++ {
		head, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case limited.N <= 0, entries > maxEntries:
			return fmt.Errorf("it has more than %d bytes or %d files", most, maxEntries)
		case err != nil:
			return err
		case head.Typeflag == tar.TypeReg && isModule(head.Name):
			if err := m.add(path.Join(name, path.Clean("/"+head.Name)), archive); err != nil {
				return err
			}
		}
	}
}

func (m modules) add(name string, from io.Reader) error {
	if len(m) >= rego.MaxModules {
		return fmt.Errorf("there are more than %d modules", rego.MaxModules)
	}
	if _, twice := m[name]; twice {
		return fmt.Errorf("%s is there twice", name)
	}
	text, err := io.ReadAll(io.LimitReader(from, rego.MaxModule+1))
	if err != nil {
		return err
	}
	if len(text) > rego.MaxModule {
		return fmt.Errorf("%s has more than %d bytes", name, rego.MaxModule)
	}
	m[name] = text
	return nil
}
