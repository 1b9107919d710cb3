package inventory

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// rustProgram is an ELF executable with nothing but a list of crates, as cargo-auditable embeds it.
func rustProgram(t testing.TB, list string) []byte {
	t.Helper()
	var data bytes.Buffer
	z := zlib.NewWriter(&data)
	if _, err := z.Write([]byte(list)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	names := []byte("\x00.dep-v0\x00.shstrtab\x00")
	const header = 64
	at := uint64(header)
	sections := []elf.Section64{
		{},
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: at, Size: uint64(data.Len())},
		{Name: 9, Type: uint32(elf.SHT_STRTAB), Off: at + uint64(data.Len()), Size: uint64(len(names))},
	}
	h := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: header,
		Shoff: at + uint64(data.Len()+len(names)), Shentsize: 64, Shnum: uint16(len(sections)), Shstrndx: 2,
	}
	copy(h.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	var b bytes.Buffer
	for _, part := range []any{h, data.Bytes(), names, sections, make([]byte, minExecutable)} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestRustProgramListsItsCrates(t *testing.T) {
	got := drive(t, tree{"usr/bin/tool": rustProgram(t, `{"packages":[{"name":"libc","version":"0.2.1","kind":"runtime"},{"name":"cc","version":"1","kind":"build"}]}`)}).clean(t)
	if diff := cmp.Diff([]string{"pkg:cargo/libc@0.2.1"}, purls(got.packages)); diff != "" {
		t.Error(diff)
	}
}

func TestRustProgramIsBounded(t *testing.T) {
	bomb := rustProgram(t, `{"packages":[]`+strings.Repeat(" ", 20<<20)+`}`)
	got := drive(t, tree{"usr/bin/tool": bomb})
	var exceeded *limit.Exceeded
	if !errors.As(got.failed["usr/bin/tool"], &exceeded) {
		t.Errorf("%v", got.failed)
	}
	if got := drive(t, tree{"usr/bin/tool": rustProgram(t, "no JSON")}); len(got.failed) == 0 {
		t.Error("nothing is said of a broken list")
	}
}
