package verify_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

func sha256Of(s string) core.Digest {
	sum := sha256.Sum256([]byte(s))
	return core.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

func sha512Of(s string) core.Digest {
	sum := sha512.Sum512([]byte(s))
	return core.Digest("sha512:" + hex.EncodeToString(sum[:]))
}

func TestReaderTellsWhatIsWrong(t *testing.T) {
	const content = "the bytes of a layer"
	for _, tc := range []struct {
		name   string
		size   int64
		digest core.Digest
		want   []string // in the error; none: the content is right
		cut    bool     // the error is io.ErrUnexpectedEOF
	}{
		{name: "right", size: 20, digest: sha256Of(content)},
		{name: "right, sha512", size: 20, digest: sha512Of(content)},
		{name: "right, size unknown", size: verify.UnknownSize, digest: sha256Of(content)},
		{name: "other digest", size: 20, digest: sha256Of("x"),
			want: []string{string(sha256Of("x")), string(sha256Of(content)), "20 bytes"}},
		{name: "truncated", size: 21, digest: sha256Of(content), want: []string{"20 of the 21 bytes"}, cut: true},
		{name: "too long", size: 19, digest: sha256Of(content), want: []string{"more than the 19 bytes"}},
		{name: "promised empty", size: 0, digest: sha256Of(""), want: []string{"more than the 0 bytes"}},
		{name: "malformed digest", size: 20, digest: "md5:00", want: []string{"not a digest"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for how, wrap := range map[string]func(io.Reader) io.Reader{
				"whole": func(r io.Reader) io.Reader { return r }, "bytewise": iotest.OneByteReader, "eof with data": iotest.DataErrReader,
			} {
				got, err := io.ReadAll(verify.Reader(wrap(strings.NewReader(content)), tc.size, tc.digest))
				check(t, how, err, tc.want, tc.cut)
				if tc.want == nil && string(got) != content {
					t.Errorf("%s: read %q", how, got)
				}
				if tc.size >= 0 && int64(len(got)) > tc.size {
					t.Errorf("%s: handed out %d bytes, more than the %d promised", how, len(got), tc.size)
				}
			}
			check(t, "Bytes", verify.Bytes([]byte(content), tc.size, tc.digest), tc.want, false)
		})
	}
}

func check(t *testing.T, how string, err error, want []string, cut bool) {
	t.Helper()
	if (err != nil) != (want != nil) {
		t.Fatalf("%s: error %v, want one with %q", how, err, want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) && how != "Bytes" {
			t.Errorf("%s: error %q does not say %q", how, err, w)
		}
	}
	if cut && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%s: %v is not io.ErrUnexpectedEOF", how, err)
	}
}

func TestReaderErrorsStay(t *testing.T) {
	r := verify.Reader(strings.NewReader("abc"), 3, sha256Of("abd"))
	_, first := io.ReadAll(r)
	_, second := r.Read(make([]byte, 1))
	var mismatch *verify.MismatchError
	if !errors.As(first, &mismatch) || second != first {
		t.Errorf("first %v, then %v: want the same mismatch twice", first, second)
	}
}

func TestReaderPassesOnTheErrorsOfItsSource(t *testing.T) {
	broken := errors.New("connection reset")
	_, err := io.ReadAll(verify.Reader(io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(broken)), 3, sha256Of("abc")))
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the source's error", err)
	}
}

func BenchmarkReader(b *testing.B) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	digest := sha256Of(string(content))
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := io.Copy(io.Discard, verify.Reader(bytes.NewReader(content), int64(len(content)), digest)); err != nil {
			b.Fatal(err)
		}
	}
}
