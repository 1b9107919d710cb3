package inventory

import (
	"bytes"
	"compress/zlib"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// minExecutable is below the size of any linked program that could carry a list of modules.
const minExecutable = 4 << 10

// mayBeExecutable does not look at the mode: an executable that was copied without its bit is still what gets deployed.
func mayBeExecutable(_ string, info fs.FileInfo) bool { return info.Size() >= minExecutable }

// isExecutable knows executables and libraries by their first bytes: ELF, PE and Mach-O. ELF files say of what type
// they are, but Go reads the list of modules in one of any type, and so do we.
func isExecutable(head []byte) bool {
	if len(head) < 20 {
		return false
	}
	switch {
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)), bytes.HasPrefix(head, []byte("MZ")):
		return true
	}
	switch magic := binary.LittleEndian.Uint32(head); magic {
	case macho.Magic32, macho.Magic64:
		return true
	}
	switch magic := binary.BigEndian.Uint32(head); magic {
	case macho.Magic32, macho.Magic64:
		return true
	case macho.MagicFat: // and Java classes, whose version stands where the number of architectures does
		return binary.BigEndian.Uint32(head[4:]) < 20
	}
	return false
}

// examineGoBinary asks the standard library first, because the extractor says of neither a broken executable nor one
// that is not Go's why it found nothing. Only parts of the file are read.
func examineGoBinary(ctx context.Context, s *analysis) error {
	info, err := buildinfo.Read(s.file.Content)
	if err != nil {
		return s.explainNoModules(ctx, err)
	}
	if err := s.extractAll(ctx); err != nil {
		return err
	}
	s.found.Packages = slices.DeleteFunc(s.found.Packages, isUnversionedMain(info.Main.Path))
	return s.checkModuleList(ctx, info)
}

// isUnversionedMain is true for the program itself when it was built from a working copy: there is nothing to look up.
func isUnversionedMain(main string) func(core.Package) bool {
	return func(p core.Package) bool {
		return p.Name == main && (p.Version == "" || p.Version == "(devel)") || isLocalModule(p)
	}
}

// examineRustBinary reads the list that cargo-auditable embeds, if there is one. It is compressed, so it is inflated
// once within bounds before the extractor does it without.
//
// https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md
func examineRustBinary(ctx context.Context, s *analysis) error {
	list, ok := rustSection(s.file.Content)
	if !ok {
		return nil
	}
	if list.size > s.limits.MetadataSize {
		return &limit.Exceeded{Limit: "metadata-size", Max: s.limits.MetadataSize, Unit: "bytes", What: s.file.Path}
	}
	inflated, err := zlib.NewReader(list.open())
	if err != nil {
		return fmt.Errorf("inflate its list of crates: %w", err)
	}
	n, err := io.Copy(io.Discard, io.LimitReader(inflated, s.limits.MetadataSize+1))
	if err != nil {
		return fmt.Errorf("inflate its list of crates: %w", err)
	}
	if n > s.limits.MetadataSize {
		return &limit.Exceeded{Limit: "metadata-size", Max: s.limits.MetadataSize, Unit: "bytes", What: s.file.Path}
	}
	return s.extractAll(ctx)
}

func rustSection(r io.ReaderAt) (section, bool) {
	for _, name := range []string{".dep-v0", ".rust-deps-v0", "rdep-v0", "rust-deps-v0"} {
		for _, s := range sectionsOf(r) {
			if s.name == name {
				return s, true
			}
		}
	}
	return section{}, false
}

func hasSection(r io.ReaderAt, names ...string) bool {
	return slices.ContainsFunc(sectionsOf(r), func(s section) bool { return slices.Contains(names, s.name) })
}

type section struct {
	name string
	open func() io.ReadSeeker
	size int64 // in memory or in the file, whichever is larger
	// offset is where it begins in the file.
	offset int64
}

// sectionsOf lists the sections of an executable; none if it is broken, which checkExecutable says, or of another kind.
func sectionsOf(r io.ReaderAt) []section {
	sections, err := parseExecutable(r)
	if err != nil {
		return nil
	}
	return sections
}
