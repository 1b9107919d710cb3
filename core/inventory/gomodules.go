package inventory

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/binary"
	"io"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
)

// Go reads the list of modules in a program line by line, and passes over a line that it does not know as over a list
// whose frame is broken. The program runs all the same, so one byte takes a module out of the list.

// checkModuleList names what Go passes over in the list that info was read from. Lists of before Go 1.18, which are
// elsewhere in the program, are not looked at.
func (s *analysis) checkModuleList(ctx context.Context, info *buildinfo.BuildInfo) error {
	list, err := s.moduleList(ctx, info)
	if err != nil || list == "" {
		return err
	}
	lines, ok := unframed(list)
	if !ok {
		s.problem("the frame of its list of modules is damaged, and Go reads none of it")
	}
	for line := range strings.Lines(lines) {
		if line = strings.TrimSuffix(line, "\n"); !isModuleLine(line) {
			s.problem("its list of modules has a line that Go passes over: %s", printable(line))
		}
	}
	return nil
}

// moduleList returns the list with its frame; empty if there is none that says what info does.
func (s *analysis) moduleList(ctx context.Context, info *buildinfo.BuildInfo) (string, error) {
	places := []*io.SectionReader{}
	for _, section := range sectionsOf(s.file.Content) {
		if slices.Contains(goSections(), section.name) {
			places = append(places, io.NewSectionReader(s.file.Content, section.offset, section.size))
		}
	}
	for _, place := range append(places, s.content()) {
		list := ""
		found, err := s.find(ctx, place, []byte(goMark), func(at int64) bool {
			var version string
			version, list = s.embedded(place, at)
			return version == info.GoVersion && saysTheSame(list, info)
		})
		if found || err != nil {
			return list, err
		}
	}
	return "", nil
}

// embedded reads what the linker puts behind the mark: a header, and Go's version and the list, each with its length.
//
// https://github.com/golang/go/blob/go1.26.0/src/debug/buildinfo/buildinfo.go
func (s *analysis) embedded(r io.ReaderAt, at int64) (version, list string) {
	const header, flags, inline, align = 32, 15, 2, 16
	if at%align != 0 {
		return "", ""
	}
	buf := make([]byte, header)
	if _, err := r.ReadAt(buf, at); err != nil || buf[flags]&inline == 0 {
		return "", ""
	}
	at += header
	texts := [2]string{}
	for i := range texts {
		length := make([]byte, binary.MaxVarintLen64)
		n, _ := r.ReadAt(length, at)
		size, used := binary.Uvarint(length[:n])
		if used <= 0 || size > uint64(s.limits.MetadataSize) {
			return "", ""
		}
		text := make([]byte, size)
		if n, _ := r.ReadAt(text, at+int64(used)); n < len(text) {
			return "", ""
		}
		texts[i] = string(text)
		at += int64(used) + int64(size)
	}
	return texts[0], texts[1]
}

// moduleFrame is the length of what stands before and after the lines.
const moduleFrame = 16

// unframed returns the lines of a list; false if Go does not see them. They end with a newline.
func unframed(list string) (lines string, ok bool) {
	if len(list) <= 2*moduleFrame {
		return "", false
	}
	lines = list[moduleFrame : len(list)-moduleFrame]
	return lines, strings.HasSuffix(lines, "\n")
}

// saysTheSame tells the list that Go has read from what only looks like it.
func saysTheSame(list string, info *buildinfo.BuildInfo) bool {
	lines, ok := unframed(list)
	if !ok {
		lines = ""
	}
	same, err := debug.ParseBuildInfo(lines)
	if err != nil {
		return false
	}
	same.GoVersion = info.GoVersion
	return same.String() == info.String()
}

var (
	moduleKeyword = regexp.MustCompile(`^[a-z]+$`)
	moduleVersion = regexp.MustCompile(`(?:^|\t)v[0-9]`)
)

// isModuleLine knows the lines that Go knows, of which some are blank. Those of later versions may begin with other
// words, but they do not name a module.
func isModuleLine(line string) bool {
	if line == "" {
		return true
	}
	keyword, rest, ok := strings.Cut(line, "\t")
	if slices.Contains([]string{"path", "mod", "dep", "=>", "build"}, keyword) {
		return ok
	}
	return ok && moduleKeyword.MatchString(keyword) && !moduleVersion.MatchString(rest)
}

// explainNoModules says of a file that Go finds no list in what speaks for one.
func (s *analysis) explainNoModules(ctx context.Context, reason error) error {
	switch {
	case len(s.found.Problems) > 0:
		return nil
	case hasSection(s.file.Content, goSections()...):
		s.problem("it is a Go program whose list of modules cannot be read: %s", printable(reason.Error()))
		return nil
	}
	head := make([]byte, 2)
	if _, err := s.file.Content.ReadAt(head, 0); err != nil || !bytes.Equal(head, []byte("MZ")) {
		return nil
	}
	held, err := s.holds(ctx, []byte(goMark))
	if held {
		s.problem("a Go program is in it, behind the header of another, and its list of modules cannot be read")
	}
	return err
}

func goSections() []string { return []string{".go.buildinfo", "__go_buildinfo"} }
