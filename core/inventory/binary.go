package inventory

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// minExecutable is below the size of any linked program that could carry a list of modules.
const minExecutable = 4 << 10

// mayBeExecutable does not look at the mode: an executable that was copied without its bit is still what gets deployed.
func mayBeExecutable(_ string, info fs.FileInfo) bool { return info.Size() >= minExecutable }

// isExecutable knows linked executables and libraries by their first bytes: ELF but for objects and core dumps, PE,
// Mach-O and WebAssembly.
func isExecutable(head []byte) bool {
	if len(head) < 20 {
		return false
	}
	switch {
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		order := binary.ByteOrder(binary.LittleEndian)
		if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
			order = binary.BigEndian
		}
		kind := elf.Type(order.Uint16(head[16:]))
		return kind != elf.ET_REL && kind != elf.ET_CORE
	case bytes.HasPrefix(head, []byte("MZ")), bytes.HasPrefix(head, []byte("\x00asm")):
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
		if isGo := hasSection(s.file.Content, ".go.buildinfo", "__go_buildinfo"); isGo {
			s.problem("it is a Go program whose list of modules cannot be read: %s", printable(err.Error()))
		}
		return nil
	}
	if err := s.extractAll(ctx); err != nil {
		return err
	}
	s.found.Packages = slices.DeleteFunc(s.found.Packages, isUnversionedMain(info.Main.Path))
	return nil
}

// isUnversionedMain is true for the program itself when it was built from a working copy: there is nothing to look up.
func isUnversionedMain(main string) func(core.Package) bool {
	return func(p core.Package) bool {
		return p.Name == main && (p.Version == "" || p.Version == "(devel)") || isLocalModule(p)
	}
}

// examineRustBinary reads the list that cargo-auditable embeds, if there is one.
func examineRustBinary(ctx context.Context, s *analysis) error {
	if data, size := rustSection(s.file.Content); data != nil && size > s.limits.MetadataSize {
		s.problem("its list of crates has %d bytes: more than %d are not believable", size, s.limits.MetadataSize)
		return nil
	} else if data == nil && !isWasm(s.file.Content) {
		return nil
	}
	return s.extractAll(ctx)
}

func isWasm(r io.ReaderAt) bool {
	head := make([]byte, 4)
	_, err := r.ReadAt(head, 0)
	return err == nil && string(head) == "\x00asm"
}

// rustSection finds cargo-auditable's section.
//
// https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md
func rustSection(r io.ReaderAt) (io.ReaderAt, int64) {
	for _, sec := range sectionsOf(r) {
		switch sec.name {
		case ".dep-v0", ".rust-deps-v0", "rdep-v0", "rust-deps-v0":
			return sec.data, sec.size
		}
	}
	return nil, 0
}

func hasSection(r io.ReaderAt, names ...string) bool {
	return slices.ContainsFunc(sectionsOf(r), func(s section) bool { return slices.Contains(names, s.name) })
}

type section struct {
	name string
	data io.ReaderAt
	size int64
}

// sectionsOf lists the sections of an executable; none if it is broken or of another kind.
func sectionsOf(r io.ReaderAt) []section {
	head := make([]byte, 4)
	if _, err := r.ReadAt(head, 0); err != nil {
		return nil
	}
	var sections []section
	switch {
	case string(head) == elf.ELFMAG:
		f, err := elf.NewFile(r)
		if err != nil {
			return nil
		}
		for _, s := range f.Sections {
			sections = append(sections, section{s.Name, s.ReaderAt, int64(min(s.FileSize, 1<<62))})
		}
	case strings.HasPrefix(string(head), "MZ"):
		f, err := pe.NewFile(r)
		if err != nil {
			return nil
		}
		for _, s := range f.Sections {
			sections = append(sections, section{s.Name, s.ReaderAt, int64(s.Size)})
		}
	default:
		f, err := macho.NewFile(r)
		if err != nil {
			return nil
		}
		for _, s := range f.Sections {
			sections = append(sections, section{s.Name, s.ReaderAt, int64(min(s.Size, 1<<62))})
		}
	}
	return sections
}
