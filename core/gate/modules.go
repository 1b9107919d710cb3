package gate

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/policy/rego"
)

// maxEntries is how many files and directories are looked at for modules.
const maxEntries = 20_000

// The layers of bundles of Rego modules in a registry: one archive, as opa and oras write it, or one layer for each
// module, as "conftest push" does. Data in them is not read: a rule that asks for it is an error.
//
//   - https://www.openpolicyagent.org/docs/management-bundles#oci-registry
//   - https://www.conftest.dev/sharing/
const (
	regoArchive = "application/vnd.oci.image.layer.v1.tar+gzip"
	regoModule  = "application/vnd.cncf.openpolicyagent.policy.layer.v1+rego"
	regoData    = "application/vnd.cncf.openpolicyagent.data.layer.v1+json"
)

// folderFunc gives the Rego modules below a directory, by their paths in it.
type folderFunc func(name string) (map[string][]byte, error)

// Modules implements policy.ModuleResolver.
func (p *policyPlaces) Modules(ctx context.Context, f policy.File) (policy.Modules, error) {
	m := modules{}
	var err error
	switch {
	case strings.HasPrefix(f.Name, policy.BundlePrefix):
		err = p.registryModules(ctx, f.Name, m)
	case isArchive(f.Name), isModule(f.Name):
		err = p.moduleFile(f, m)
	default:
		err = p.moduleFolder(f, m)
	}
	if errors.Is(err, ErrNoBase) {
		return policy.Modules{}, &core.Failure{Doing: "read the Rego rules " + f.Name, Err: err}
	}
	if err == nil && len(m) == 0 {
		err = errors.New("there is no .rego file in it, besides tests; name a directory of them, a .rego file, or a bundle " +
			"(.tar.gz) that opa build made, relative to the policy")
	}
	if err != nil {
		return policy.Modules{}, err
	}
	return policy.Modules{Texts: m, Files: filesOf(f, m)}, nil
}

// filesOf are the files that modules were read from.
func filesOf(f policy.File, m modules) []policy.File {
	switch {
	case strings.HasPrefix(f.Name, policy.BundlePrefix):
		return nil
	case isArchive(f.Name):
		return []policy.File{f}
	}
	var files []policy.File
	for name := range m {
		files = append(files, policy.File{Name: name, From: f.From})
	}
	return files
}

func isArchive(name string) bool { return strings.HasSuffix(name, ".tar.gz") }

// isModule leaves tests out, as Conftest and OPA call them.
func isModule(name string) bool {
	return strings.HasSuffix(name, ".rego") && !strings.HasSuffix(name, "_test.rego")
}

func (p *policyPlaces) moduleFile(f policy.File, m modules) error {
	if isModule(f.Name) {
		text, err := p.File(f, rego.MaxModule)
		if err != nil {
			return err
		}
		return m.add(filepath.ToSlash(f.Name), text)
	}
	packed, err := p.File(f, rego.MaxTotal)
	if err != nil {
		return err
	}
	return m.archive(filepath.ToSlash(f.Name), packed)
}

func (p *policyPlaces) moduleFolder(f policy.File, m modules) error {
	found, err := p.folderOf(f)
	if err != nil {
		return err
	}
	for name, text := range found {
		if err := m.add(path.Join(filepath.ToSlash(f.Name), name), text); err != nil {
			return err
		}
	}
	return nil
}

func (p *policyPlaces) folderOf(f policy.File) (map[string][]byte, error) {
	if !strings.HasPrefix(f.From, policy.BundlePrefix) {
		return p.folder(beside(f.From, f.Name))
	}
	reference, member, err := memberOf(f)
	if err != nil {
		return nil, err
	}
	found := map[string][]byte{}
	for name, text := range p.bundles[reference].files {
		if inside, ok := strings.CutPrefix(name, member+"/"); ok && isModule(name) {
			found[inside] = text
		}
	}
	return found, nil
}

// folder reads the Rego modules below a directory: of the base, if it lies in the repository of a change. There, what
// the change adds to it or takes away counts as asked for, too.
func (s *sources) folder(name string) (map[string][]byte, error) {
	inside, ok, err := s.within(name)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return diskFolder(name)
	}
	found, err := readModules(s.base, inside)
	if err != nil {
		return nil, s.baseError(err)
	}
	for file := range found {
		s.ask(path.Join(inside, file))
	}
	head, err := diskFolder(name)
	if err == nil {
		for file := range head {
			s.ask(path.Join(inside, file))
		}
	}
	return found, nil // what the change has there now may be anything
}

// diskFolder reads a directory of this machine. No symbolic link leads out of it.
func diskFolder(name string) (map[string][]byte, error) {
	if info, err := os.Stat(name); err == nil && !info.IsDir() {
		return nil, errors.New("it is neither a directory nor a bundle (.tar.gz), nor a .rego file")
	}
	root, err := os.OpenRoot(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no directory %s", name)
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return readModules(root.FS(), ".")
}

// readModules reads the modules below a directory of a file system, by their paths in it.
func readModules(in fs.FS, dir string) (map[string][]byte, error) {
	found, entries := modules{}, 0
	err := fs.WalkDir(in, dir, func(p string, d fs.DirEntry, err error) error {
		if entries++; entries > maxEntries {
			return fmt.Errorf("there are more than %d files in it", maxEntries)
		}
		if err != nil || d.IsDir() || !isModule(p) {
			return err
		}
		name := p
		if dir != "." {
			name = strings.TrimPrefix(p, dir+"/")
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is not a regular file", name)
		}
		f, err := in.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, rego.MaxModule+1))
		if err != nil {
			return err
		}
		return found.add(name, text)
	})
	return found, err
}

// modules are texts by their names.
type modules map[string][]byte

func (m modules) add(name string, text []byte) error {
	if len(m) >= rego.MaxModules {
		return fmt.Errorf("there are more than %d modules", rego.MaxModules)
	}
	if _, twice := m[name]; twice {
		return fmt.Errorf("%s is there twice", name)
	}
	if len(text) > rego.MaxModule {
		return fmt.Errorf("%s has more than %d bytes", name, rego.MaxModule)
	}
	m[name] = text
	return nil
}

// archive reads the modules of a bundle. Data in it is not read: a rule that asks for it is an error.
//
// https://www.openpolicyagent.org/docs/management-bundles#bundle-file-format
func (m modules) archive(name string, packed []byte) error {
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
			text, err := io.ReadAll(io.LimitReader(archive, rego.MaxModule+1))
			if err != nil {
				return err
			}
			if err := m.add(path.Join(name, path.Clean("/"+head.Name)), text); err != nil {
				return err
			}
		}
	}
}

// registryModules fetches a bundle by its digest. The policy that names the digest vouches for it.
func (p *policyPlaces) registryModules(ctx context.Context, reference string, m modules) error {
	if err := policy.CheckBundle(reference); err != nil {
		return err
	}
	doing := "fetch the Rego rules " + reference
	ref, err := registry.ParseReference(strings.TrimPrefix(reference, policy.BundlePrefix))
	if err != nil {
		return err
	}
	repository, err := registry.Dial(ctx, ref.Context(), p.gate.policyRegistry(false))
	if err != nil {
		return advice.Failure(ctx, doing, err)
	}
	manifest, err := repository.Resolve(ctx, ref.Identifier())
	if err == nil {
		err = readRegoLayers(ctx, repository, manifest.Raw, reference, m)
	}
	if err != nil {
		return advice.Failure(ctx, doing, err)
	}
	return nil
}

func readRegoLayers(ctx context.Context, from *registry.Repository, raw []byte, reference string, m modules) error {
	var manifest bundleManifest
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return fmt.Errorf("its manifest is not JSON of the right form: %w", err)
	}
	var size int64
	for _, layer := range manifest.Layers {
		_, err := core.ParseDigest(string(layer.Digest))
		switch size += layer.Size; {
		case err != nil:
			return err
		case layer.MediaType == regoData:
			size -= layer.Size
			continue
		case layer.MediaType != regoArchive && layer.MediaType != regoModule:
			return advice.Misuse("make one with: conftest push, or push what opa build made with oras",
				"it is no bundle of Rego rules: it has a layer of the type %q", layer.MediaType)
		case layer.Size < 0 || layer.Size > rego.MaxTotal || size > rego.MaxTotal:
			return advice.Misuse("", "its modules have more than %d bytes", rego.MaxTotal)
		}
		data, err := readLayer(ctx, from, layer)
		if err != nil {
			return err
		}
		title := layer.Annotations[titleAnnotation]
		switch {
		case layer.MediaType == regoArchive:
			err = m.archive(reference, data)
		case isModule(title):
			err = m.add(reference+path.Clean("/"+title), data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
