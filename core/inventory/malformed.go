package inventory

import (
	"bytes"
	"context"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"io"
	"slices"
)

// Operating systems are less strict than the parsers of the standard library. Linux, for example, runs programs whose
// section headers are nonsense, because it does not need them. What such a program was built from cannot be read, and
// that has to be said.

// checkExecutable names an executable that cannot be looked into.
func checkExecutable(ctx context.Context, s *analysis) error {
	head := make([]byte, 1<<10)
	n, err := s.file.Content.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	head = head[:n]
	if bytes.Contains(head, []byte(upxMark)) { // the packer puts its mark behind the program headers
		s.problem("%s", whyPacked)
		return nil
	}
	if _, err := parseExecutable(s.file.Content); err != nil && mayRun(s.file.Content, head) {
		return s.explainMalformed(ctx, err)
	}
	return nil
}

const (
	upxMark = "UPX!"
	goMark  = "\xff Go buildinf:"

	whyPacked = "it is packed with UPX, so that what it was built from cannot be seen"
)

func (s *analysis) explainMalformed(ctx context.Context, reason error) error {
	isGo, err := s.holds(ctx, []byte(goMark))
	switch {
	case err != nil:
		return err
	case isGo:
		s.problem("it is a Go program whose list of modules cannot be read: %s", printable(reason.Error()))
	default:
		s.problem("it is an executable whose headers cannot be read: %s", printable(reason.Error()))
	}
	return nil
}

// holds looks for a mark in the file, in parts, and no further than what may be kept of a file.
func (s *analysis) holds(ctx context.Context, mark []byte) (bool, error) {
	return s.find(ctx, s.content(), mark, func(int64) bool { return true })
}

// find looks for the marks in r until one is accepted, by where it begins.
func (s *analysis) find(ctx context.Context, r io.ReaderAt, mark []byte, accept func(at int64) bool) (bool, error) {
	const part = 1 << 20
	buf := make([]byte, part)
	for start := int64(0); start < s.limits.KeptSize; start += part - int64(len(mark)) + 1 {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n, err := r.ReadAt(buf, start)
		if err != nil && err != io.EOF {
			return false, err
		}
		for at := 0; ; at++ {
			next := bytes.Index(buf[at:n], mark)
			if next < 0 {
				break
			}
			if at += next; accept(start + int64(at)) {
				return true, nil
			}
		}
		if err == io.EOF {
			break
		}
	}
	return false, nil
}

// mayRun reports whether an operating system would look further than the first bytes: an ELF program or library in
// either byte order, since Linux does not look at the one that is declared; a DOS header that leads to that of a
// Windows program, which old programs and fonts do not have; a Mach-O program or library.
func mayRun(r io.ReaderAt, head []byte) bool {
	const dosHeader = 0x40 // the longest that is looked at
	if len(head) < dosHeader {
		return false
	}
	switch {
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		programs := []elf.Type{elf.ET_EXEC, elf.ET_DYN}
		return slices.Contains(programs, elf.Type(binary.LittleEndian.Uint16(head[16:]))) ||
			slices.Contains(programs, elf.Type(binary.BigEndian.Uint16(head[16:])))
	case bytes.HasPrefix(head, []byte("MZ")):
		var mark [4]byte
		_, err := r.ReadAt(mark[:], int64(binary.LittleEndian.Uint32(head[0x3c:])))
		return err == nil && string(mark[:]) == "PE\x00\x00"
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if magic := order.Uint32(head); magic == macho.Magic32 || magic == macho.Magic64 {
			kinds := []macho.Type{macho.TypeExec, macho.TypeDylib, macho.TypeBundle}
			return slices.Contains(kinds, macho.Type(order.Uint32(head[12:])))
		}
	}
	return false
}

// parseExecutable lists the sections of an executable.
func parseExecutable(r io.ReaderAt) ([]section, error) {
	head := make([]byte, 4)
	if _, err := r.ReadAt(head, 0); err != nil {
		return nil, err
	}
	switch {
	case string(head) == elf.ELFMAG:
		return elfSections(r)
	case bytes.HasPrefix(head, []byte("MZ")):
		return peSections(r)
	}
	return machoSections(r)
}

func elfSections(r io.ReaderAt) ([]section, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, err
	}
	var sections []section
	for _, s := range f.Sections {
		sections = append(sections, section{s.Name, s.Open, int64(min(max(s.FileSize, s.Size), 1<<62)), int64(min(s.Offset, 1<<62))})
	}
	return sections, nil
}

func peSections(r io.ReaderAt) ([]section, error) {
	f, err := pe.NewFile(r)
	if err != nil {
		return nil, err
	}
	var sections []section
	for _, s := range f.Sections {
		sections = append(sections, section{s.Name, s.Open, int64(max(s.Size, s.VirtualSize)), int64(s.Offset)})
	}
	return sections, nil
}

func machoSections(r io.ReaderAt) ([]section, error) {
	f, err := macho.NewFile(r)
	if err != nil {
		return nil, err
	}
	var sections []section
	for _, s := range f.Sections {
		sections = append(sections, section{s.Name, s.Open, int64(min(s.Size, 1<<62)), int64(s.Offset)})
	}
	return sections, nil
}
