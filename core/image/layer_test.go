package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/layertest"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// readLayer returns "path: content" of all regular files.
func readLayer(t testing.TB, b layertest.Blob, l limit.Limits) ([]string, *Contents, error) {
	t.Helper()
	var files []string
	c, err := layerOf(b).Read(t.Context(), NewReading(l), nil, func(f File, content io.Reader) error {
		body, err := io.ReadAll(io.LimitReader(content, 1<<20))
		files = append(files, f.Path+": "+string(body))
		return err
	})
	return files, c, err
}

func TestReadUnderstandsEveryWayThatLayersAreStored(t *testing.T) {
	plain := layertest.Tar(t, layertest.Dir("d"), layertest.File("d/a", "one"), layertest.File("b", strings.Repeat("x",
		1000)))
	half := len(plain) / 2
	members := append(layertest.Gzip(t, plain[:half]), layertest.Gzip(t, plain[half:])...)
	frames := append(layertest.Zstd(t, plain[:half]), layertest.Zstd(t, plain[half:])...)
	skippable := append([]byte{0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'}, layertest.Zstd(t, plain)...)
	unended := plain[:len(plain)-1024]
	trailing := append(slices.Clone(plain), bytes.Repeat([]byte("hidden behind the end"), 30_000)...)
	for _, tc := range []struct {
		name          string
		stored, plain []byte
		mediaType     string
	}{
		{"gzip", layertest.Gzip(t, plain), plain, layertest.MediaTypeGzip},
		{"zstd", layertest.Zstd(t, plain), plain, layertest.MediaTypeZstd},
		{"tar", plain, plain, layertest.MediaTypeTar},
		{"gzip of several members", members, plain, layertest.MediaTypeGzip},
		{"zstd of several frames", frames, plain, layertest.MediaTypeZstd},
		{"zstd after a skippable frame", skippable, plain, layertest.MediaTypeZstd},
		{"gzip that says it is a tar", layertest.Gzip(t, plain), plain, layertest.MediaTypeTar},
		{"tar that says it is gzip", plain, plain, "application/vnd.docker.image.rootfs.diff.tar.gzip"},
		{"zstd that says it is gzip", layertest.Zstd(t, plain), plain,
			"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"},
		{"tar without its end", layertest.Gzip(t, unended), unended, layertest.MediaTypeGzip},
		{"bytes after the end of the tar", layertest.Gzip(t, trailing), trailing, layertest.MediaTypeGzip},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files, c, err := readLayer(t, layertest.NewBlob(tc.stored, tc.plain, tc.mediaType), limit.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"d/a: one", "b: " + strings.Repeat("x", 1000)}, files); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if c.Uncompressed != int64(len(tc.plain)) || c.Files != 2 {
				t.Errorf("uncompressed = %d, files = %d, want %d, 2", c.Uncompressed, c.Files, len(tc.plain))
			}
		})
	}
	for name, empty := range map[string][]byte{"no bytes": nil, "the end alone": make([]byte, 1024)} {
		for how, stored := range map[string][]byte{"tar": empty, "gzip": layertest.Gzip(t, empty)} {
			t.Run(name+" as "+how, func(t *testing.T) {
				if files, _, err := readLayer(t, layertest.NewBlob(stored, empty, layertest.MediaTypeTar),
					limit.Limits{}); err != nil || files != nil {
					t.Errorf("files %q, error %v", files, err)
				}
			})
		}
	}
}

func TestReadChecksSHA512(t *testing.T) {
	plain := layertest.Tar(t, layertest.File("a", "one"))
	b := layertest.NewBlob(plain, plain, layertest.MediaTypeTar)
	b.DiffID = core.Digest("sha512:" + strings.Repeat("0", 128))
	if _, _, err := readLayer(t, b, limit.Limits{}); err == nil || !strings.Contains(err.Error(),
		"sha512:"+strings.Repeat("0", 128)) {
		t.Errorf("error = %v, want a mismatch", err)
	}
}

func TestReadRefusesWhatCannotBeTrusted(t *testing.T) {
	plain := layertest.Tar(t, layertest.File("a", strings.Repeat("some text ", 50_000)), layertest.File("b", "two"))
	gz := layertest.Gzip(t, plain)
	blob := func(stored []byte, change func(*layertest.Blob)) layertest.Blob {
		b := layertest.NewBlob(stored, plain, layertest.MediaTypeGzip)
		if change != nil {
			change(&b)
		}
		return b
	}
	flipped := slices.Clone(gz)
	flipped[len(flipped)/2] ^= 0xff
	tarLayer := func(entries ...layertest.Entry) layertest.Blob { return layertest.Layer(t, entries...) }
	long := strings.Repeat("long/", 40) + "name"
	for _, tc := range []struct {
		name   string
		blob   layertest.Blob
		limits limit.Limits
		want   string // part of the message
		limit  string // name of the limit
	}{
		{name: "truncated", blob: blob(gz, func(b *layertest.Blob) {
			b.Open = bytesOf(gz[:len(gz)-100])
		}), want: "truncated"},
		{name: "longer than stated", blob: blob(gz, func(b *layertest.Blob) { b.Size -= 10 }), want: "larger than the"},
		{name: "stored bytes are not those of the digest", blob: blob(gz, func(b *layertest.Blob) {
			b.Open = bytesOf(flipped)
		}), want: "the digest of the blob is"},
		{name: "corrupt gzip with the right digest", blob: blob(flipped, nil), want: "inflate the layer"},
		{name: "truncated gzip with the right digest", blob: blob(gz[:len(gz)-20], nil), want: "inflate the layer"},
		{name: "garbage behind gzip", blob: blob(append(slices.Clone(gz), "garbage"...), nil), want: "inflate the layer"},
		{name: "another diff-id", blob: blob(gz, func(b *layertest.Blob) { b.DiffID = layertest.DigestOf(nil) }),
			want: "the digest of the uncompressed layer is"},
		{name: "no tar", blob: layertest.NewBlob(layertest.Gzip(t, bytes.Repeat([]byte("no tar "), 1000)),
			bytes.Repeat([]byte("no tar "), 1000), ""),
			want: "tar archive after 0 entries"},
		{name: "truncated tar", blob: layertest.NewBlob(plain[:5000], plain[:5000], ""), want: "unexpected EOF"},
		{name: "xz", blob: layertest.NewBlob([]byte("\xfd7zXZ\x00........"), nil, ""), want: "compressed with xz"},
		{name: "encrypted", blob: blob(gz, func(b *layertest.Blob) { b.MediaType += "+encrypted" }), want: "encrypted"},
		{name: "blob that cannot be opened", blob: blob(gz, func(b *layertest.Blob) {
			b.Open = func(context.Context) (io.ReadCloser, error) { return nil, errors.New("401 Unauthorized") }
		}), want: "open the blob: 401 Unauthorized"},
		{name: "connection reset", blob: blob(gz, func(b *layertest.Blob) {
			b.Open = func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(bytes.NewReader(gz[:200]), failing{errors.New("connection reset by peer")})), nil
			}
		}), want: "after 200 of"},
		{name: "path out of the root", blob: tarLayer(layertest.File("a/../../etc/passwd", "x")),
			want: `entry "a/../../etc/passwd": the path leads out of the root`},
		{name: "hard link out of the root", blob: tarLayer(layertest.HardLink("a", "../../etc/passwd")),
			want: "leads out of the root"},
		{name: "hard link to a directory", blob: tarLayer(layertest.Dir("d"), layertest.HardLink("a", "d")),
			want: "hard link to the directory"},
		{name: "root that is a file", blob: tarLayer(layertest.File(".", "x")), want: "root directory has an entry"},
		{name: "whiteout of nothing", blob: tarLayer(layertest.File("a/.wh.", "")), want: "names no file"},
		{name: "whiteout of the parent", blob: tarLayer(layertest.File("a/.wh...", "")), want: "names no file"},
		{name: "parents that are links in a circle", blob: tarLayer(layertest.Symlink("a", "b"), layertest.Symlink("b",
			"/a"), layertest.File("a/c", "x")),
			want: `entry "a/c": too many levels of symbolic links`},
		{name: "unknown kind of entry", blob: tarLayer(layertest.Entry{Header: tar.Header{Name: "v", Typeflag: 'V'}}),
			want: "type 'V'"},

		{name: "entries", blob: blob(gz, nil), limits: limit.Limits{Entries: 1}, limit: "entries"},
		{name: "path", blob: tarLayer(layertest.File(long, "")), limits: limit.Limits{PathLength: 100}, limit: "path-length"},
		{name: "link target", blob: tarLayer(layertest.Symlink("l", long)), limits: limit.Limits{PathLength: 100},
			limit: "path-length"},
		{name: "file", blob: blob(gz, nil), limits: limit.Limits{FileSize: 499_999}, limit: "file-size"},
		{name: "layer", blob: blob(gz, nil), limits: limit.Limits{LayerSize: 499_999}, limit: "layer-size"},
		{name: "total", blob: blob(gz, nil), limits: limit.Limits{TotalSize: 499_999}, limit: "total-size"},
		{name: "kept", blob: tarLayer(layertest.Symlink("l", long)), limits: limit.Limits{KeptSize: 200}, limit: "kept-size"},
		{name: "gzip bomb", blob: bomb(t, layertest.Gzip), limits: limit.Limits{Ratio: 100}, limit: "ratio"},
		{name: "zstd bomb", blob: bomb(t, layertest.Zstd), limits: limit.Limits{Ratio: 100}, limit: "ratio"},
		{name: "sparse bomb", blob: sparseBomb(t), limit: "ratio"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := readLayer(t, tc.blob, tc.limits)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error = %v, want %q", err, tc.want)
			}
			var exceeded *limit.Exceeded
			if got := errors.As(err, &exceeded); got != (tc.limit != "") || got && exceeded.Limit != tc.limit {
				t.Errorf("error %q: limit exceeded = %+v, want %q", err, exceeded, tc.limit)
			}
		})
	}
}

func bytesOf(b []byte) func(context.Context) (io.ReadCloser, error) {
	return func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func bomb(t *testing.T, compress func(testing.TB, []byte) []byte) layertest.Blob {
	plain := layertest.Tar(t, layertest.File("zeros", string(make([]byte, 40<<20))))
	return layertest.NewBlob(compress(t, plain), plain, "")
}

// sparseBomb is a GNU sparse file of 8 GiB without any data, in one block.
func sparseBomb(t *testing.T) layertest.Blob {
	t.Helper()
	var h [512]byte
	copy(h[0:], "holes")
	copy(h[100:], "0000644\x00")
	copy(h[108:], "0000000\x00")
	copy(h[116:], "0000000\x00")
	copy(h[124:], "00000000000\x00")
	copy(h[136:], "00000000000\x00")
	h[156] = tar.TypeGNUSparse
	copy(h[257:], "ustar  \x00")
	copy(h[386:], "100000000000000000000000")
	copy(h[386:], "77777777777\x0000000000000\x00")
	copy(h[483:], "77777777777\x00")
	copy(h[148:], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	plain := append(h[:], make([]byte, 1024)...)
	return layertest.NewBlob(layertest.Gzip(t, plain), plain, layertest.MediaTypeGzip)
}

func TestReadShowsRegularFilesOnly(t *testing.T) {
	entry := layertest.Entry{Header: tar.Header{Name: "type-bits", Typeflag: tar.TypeReg, Mode: 0o40000 | 0o4755,
		Size: 1}, Body: "x"}
	b := layertest.Layer(t, layertest.Device("dev/null"), layertest.Fifo("run/pipe"), layertest.Symlink("l", "dev/null"),
		layertest.Executable("/bin/tool", "#!"), layertest.File("./na\xff\xfe", "not UTF-8"), entry,
		layertest.File(strings.Repeat("d/", 200)+"deep", "long name"), layertest.File(".wh..wh.plnk", "aufs"))
	var got []string
	_, err := layerOf(b).Read(t.Context(), NewReading(limit.Limits{}), nil, func(f File, _ io.Reader) error {
		got = append(got, fmt.Sprintf("%s %v", f.Path, f.Info.Mode()))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"bin/tool -rwxr-xr-x", "na\xff\xfe -rw-r--r--", "type-bits urwxr-xr-x",
		strings.Repeat("d/", 200) + "deep -rw-r--r--",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestReadReturnsTheVisitorsErrorAsItIs(t *testing.T) {
	mine := errors.New("mine")
	b := layertest.Layer(t, layertest.File("a", "x"), layertest.File("b", "y"))
	_, err := layerOf(b).Read(t.Context(), NewReading(limit.Limits{}), nil, func(File, io.Reader) error { return mine })
	if err != mine {
		t.Errorf("error = %v, want the visitor's", err)
	}
}

func TestReadEndsWhenTheContextEndsAndTheSourceHangs(t *testing.T) {
	plain := layertest.Tar(t, layertest.File("a", "x"))
	b := layertest.NewBlob(plain, plain, layertest.MediaTypeTar)
	hang := make(chan struct{})
	defer close(hang)
	b.Open = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(hanging(hang)), nil }
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	started := time.Now()
	_, err := layerOf(b).Read(ctx, NewReading(limit.Limits{}), nil, func(File, io.Reader) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want the context's", err)
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

type hanging chan struct{}

func (h hanging) Read([]byte) (int, error) { <-h; return 0, io.EOF }

// TestReadAMillionEntries streams them from a generator, so that the test itself holds none.
func TestReadAMillionEntries(t *testing.T) {
	if testing.Short() {
		t.Skip("writes half a gigabyte through the reader")
	}
	const entries = 1_000_000
	write := func(w io.Writer) error { return writeEmptyFiles(w, entries) }
	h := newHash("sha256:")
	size := &counting{w: h}
	if err := write(size); err != nil {
		t.Fatal(err)
	}
	d := digestOf("sha256:", h)
	open := func(context.Context) (io.ReadCloser, error) {
		r, w := io.Pipe()
		go func() { w.CloseWithError(write(w)) }()
		return r, nil
	}
	b := layertest.Blob{DiffID: d}
	b.Digest, b.Size, b.Open = d, size.n, open
	_, _, err := readLayer(t, b, limit.Limits{})
	if l := limitOf(err); l == nil || l.Limit != "entries" {
		t.Errorf("with the default limits the error is %v, want that of the entries", err)
	}
	n := 0
	c, err := layerOf(b).Read(t.Context(), NewReading(limit.Limits{Entries: entries}), nil, func(File,
		io.Reader) error {
		n++
		return nil
	})
	if err != nil || n != entries {
		t.Fatalf("%d files, error %v", n, err)
	}
	if node, ok := c.Index.Lookup("d999/f999999"); !ok || node.Seq != entries {
		t.Errorf("last entry = %+v, %v", node, ok)
	}
}

// writeEmptyFiles writes an archive of empty files without the cost of a tar.Writer.
func writeEmptyFiles(w io.Writer, entries int) error {
	var block bytes.Buffer
	tw := tar.NewWriter(&block)
	if err := tw.WriteHeader(&tar.Header{Name: "d000/f000000", Typeflag: tar.TypeReg, Mode: 0o644,
		Format: tar.FormatUSTAR}); err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(w, chunkSize)
	header := block.Bytes()[:512]
	zero, err := strconv.ParseInt(string(header[148:154]), 8, 64)
	if err != nil {
		return err
	}
	for i := range entries {
		sum := zero
		for at, n := 11, i; at > 5; at, n = at-1, n/10 {
			header[at] = byte('0' + n%10)
			sum += int64(n % 10)
		}
		for at, n := 3, i/1000; at > 0; at, n = at-1, n/10 {
			header[at] = byte('0' + n%10)
			sum += int64(n % 10)
		}
		for at := 153; at > 147; at, sum = at-1, sum>>3 {
			header[at] = byte('0' + sum&7)
		}
		if _, err := buffered.Write(header); err != nil {
			return err
		}
	}
	if _, err := buffered.Write(make([]byte, 1024)); err != nil {
		return err
	}
	return buffered.Flush()
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.w.Write(p)
}

func TestReadRealRootFileSystems(t *testing.T) {
	archives, _ := filepath.Glob("../../../shared/rootfs/*rootfs*.tar.gz")
	if len(archives) == 0 {
		t.Skip("the shared root file systems are not beside this repository")
	}
	for _, name := range archives {
		t.Run(filepath.Base(name), func(t *testing.T) {
			stored, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			plain := gunzip(t, stored)
			want := make(map[string]int64)
			tr := tar.NewReader(bytes.NewReader(plain))
			for {
				h, err := tr.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if h.Typeflag == tar.TypeReg {
					p, _ := CleanPath(h.Name)
					want[p] = h.Size
				}
			}
			got := make(map[string]int64)
			_, err = layerOf(layertest.NewBlob(stored, plain, "")).Read(t.Context(), NewReading(limit.Limits{}), nil,
				func(f File, content io.Reader) error {
					n, err := io.Copy(io.Discard, content)
					got[f.Path] = n
					return err
				})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzLayer reads arbitrary bytes that have the stated digests: it ends with an error or with a layer whose every
// regular file was shown.
func FuzzLayer(f *testing.F) {
	plain := layertest.Tar(f, layertest.Dir("d"), layertest.File("d/a", "one"), layertest.Symlink("l", "d"),
		layertest.File("l/b", "x"), layertest.HardLink("h", "l/a"), layertest.File("d/.wh.x",
			""), layertest.File("d/.wh..wh..opq", ""))
	f.Add(plain)
	f.Add(layertest.Gzip(f, plain))
	f.Add(layertest.Zstd(f, plain))
	f.Add(plain[:700])
	f.Add([]byte{0x1f, 0x8b})
	f.Add([]byte{})
	limits := limit.Limits{
		LayerSize: 8 << 20, FileSize: 4 << 20, Entries: 1000, PathLength: 300, KeptSize: 1 << 20, Ratio: 100,
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		b := layertest.NewBlob(stored, stored, "")
		// The digest of the uncompressed bytes is not known; the first reading tells it.
		_, _, err := readLayer(t, b, limits)
		if err != nil {
			if _, rest, ok := strings.Cut(err.Error(), "the digest of the uncompressed layer is "); ok {
				b.DiffID = core.Digest(rest[:len("sha256:")+64])
			} else {
				return
			}
		}
		files, c, err := readLayer(t, b, limits)
		if err != nil {
			t.Fatalf("the second reading: %v", err)
		}
		if len(files) != c.Files {
			t.Errorf("%d files shown of %d", len(files), c.Files)
		}
		for _, file := range files {
			p, _, _ := strings.Cut(file, ": ")
			if strings.HasPrefix(p, "/") || p == ".." || strings.HasPrefix(p, "../") || !fs.ValidPath(strings.ToValidUTF8(p,
				"?")) {
				t.Errorf("path %q", p)
			}
		}
	})
}

// archive/tar passes over files that nobody reads by seeking, where an end looks different from one while reading.
func TestReadRefusesATarThatEndsWithinAFileThatNobodyReads(t *testing.T) {
	plain := layertest.Tar(t, layertest.File("a", strings.Repeat("some text ", 50_000)))
	for _, cut := range []int{600, 1500, 1536, len(plain) / 2} {
		b := layertest.NewBlob(plain[:cut], plain[:cut], "")
		_, err := layerOf(b).Read(t.Context(), NewReading(limit.Limits{}), nil, func(File, io.Reader) error { return nil })
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: got %v", cut, err)
		}
	}
}

func TestReadTellsOfDataAfterTheEndOfTheArchive(t *testing.T) {
	archive := layertest.Tar(t, layertest.File("a", "x"))
	second := layertest.Tar(t, layertest.File("b", "y"))
	for _, tc := range []struct {
		name  string
		after []byte
		want  bool
	}{
		{"nothing", nil, false},
		{"zeros up to the record of GNU tar", make([]byte, 10<<10-len(archive)%(10<<10)), false},
		{"a megabyte of zeros", make([]byte, 1<<20), false},
		{"zeros that end anywhere", make([]byte, 77), false},
		{"another archive", second, true},
		{"another archive after a megabyte of zeros", append(make([]byte, 1<<20), second...), true},
		{"one byte at the very end", append(make([]byte, 2*chunkSize), 1), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			plain := slices.Concat(archive, tc.after)
			for _, b := range []layertest.Blob{
				layertest.NewBlob(plain, plain, layertest.MediaTypeTar),
				layertest.NewBlob(slices.Concat(layertest.Gzip(t, archive), layertest.Gzip(t, tc.after)), plain, ""),
			} {
				c, err := layerOf(b).Read(t.Context(), NewReading(limit.Limits{}), nil,
					func(File, io.Reader) error { return nil })
				if err != nil {
					t.Fatal(err)
				}
				if c.Trailing != tc.want {
					t.Errorf("trailing = %v, want %v", c.Trailing, tc.want)
				}
			}
		})
	}
}
