package inventory

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"
)

// patched is a copy of content with bytes replaced.
func patched(content []byte, at int, with ...byte) []byte {
	c := append([]byte(nil), content...)
	copy(c[at:], with)
	return c
}

// TestExecutablesThatRunButCannotBeReadAreNamed breaks headers as Linux does not mind.
func TestExecutablesThatRunButCannotBeReadAreNamed(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if string(program[:4]) != "\x7fELF" {
		t.Skip("the test itself is no ELF program here")
	}
	plain := rustProgram(t, `{"packages":[]}`)
	beyond := binary.LittleEndian.AppendUint64(nil, uint64(len(program)+4096))
	windows := make([]byte, minExecutable)
	copy(windows, "MZ")
	windows[0x3c] = 0x40
	copy(windows[0x40:], "PE\x00\x00\x64\x86\x00\xff")
	mach := append([]byte("\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00\x02\x00\x00\x00\xff\xff\xff\xff"), windows...)
	for _, c := range []struct {
		name    string
		content []byte
		why     string
	}{
		{"sections beyond the end", patched(program, 0x28, beyond...), "Go program"},
		{"no such section of names", patched(program, 0x3e, 0xf0, 0xff), "Go program"},
		{"short section headers", patched(program, 0x3a, 1, 0), "Go program"},
		{"unknown version", patched(program, 6, 2), "Go program"},
		{"unknown class", patched(program, 4, 0), "Go program"},
		{"unknown byte order", patched(program, 5, 0), "Go program"},
		{"wrong byte order", patched(program, 5, 2), "Go program"},
		{"cut", program[:len(program)/2], "headers cannot be read"},
		{"of an unknown language", patched(plain, 6, 2), "headers cannot be read"},
		{"packed", append(patched(plain[:64], 64), []byte(strings.Repeat("UPX!", 2000))...), "UPX"},
		{"packed, with good headers", patched(plain, 0xf0, []byte("UPX!")...), "UPX"},
		{"of Windows", windows, "headers cannot be read"},
		{"of macOS", mach, "headers cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := drive(t, tree{"usr/bin/x": c.content})
			n := 0
			for _, p := range got.problems {
				if strings.Contains(p.Why, c.why) {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%v %v", got.problems, got.failed)
			}
		})
	}
}

// TestFilesThatCannotRunAreNoProblem is for what ordinary images hold.
func TestFilesThatCannotRunAreNoProblem(t *testing.T) {
	plain := rustProgram(t, `{"packages":[]}`)
	dos := make([]byte, minExecutable)
	copy(dos, "MZ")
	for name, content := range map[string][]byte{
		"kernel module":      patched(plain, 6, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1),
		"core dump":          patched(plain, 6, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 4),
		"no sections":        patched(patched(plain, 0x28, 0, 0, 0, 0, 0, 0, 0, 0), 0x3a, 0, 0, 0, 0, 0, 0),
		"another machine":    patched(plain, 18, 0xb7, 0),
		"DOS program":        dos,
		"text":               []byte(strings.Repeat("MZ is a text\n", 1000)),
		"universal library":  append([]byte("\xca\xfe\xba\xbe\x00\x00\x00\x02"), make([]byte, minExecutable)...),
		"Mach-O object file": append([]byte("\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00\x01"), dos...),
	} {
		t.Run(name, func(t *testing.T) { drive(t, tree{"usr/lib/x": content}).clean(t) })
	}
}
