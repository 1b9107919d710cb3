package advisory

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/signaturetest"
)

// testBucket serves exports as the public bucket does, with entity tags and dates.
type testBucket struct {
	url     string
	dir     string
	whole   atomic.Int64 // answers with a body
	between atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

func newBucket(t testing.TB, dir string) *testBucket {
	t.Helper()
	b := &testBucket{dir: dir}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if f := b.between.Load(); f != nil && (*f)(w, q) {
			return
		}
		name := filepath.Join(b.dir, filepath.FromSlash(q.URL.Path))
		raw, err := os.ReadFile(name)
		if err != nil {
			http.NotFound(w, q)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf("%q", describe("", raw).Digest))
		if q.Header.Get("If-None-Match") == "" {
			b.whole.Add(1)
		}
		http.ServeContent(w, q, "", exported, strings.NewReader(string(raw)))
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	b.url = s.URL
	return b
}

// exported is when the test bucket says that its exports were made.
var exported = time.Date(2024, 5, 31, 23, 0, 0, 0, time.UTC)

func fromBucket(b *testBucket, c *Cache) BuildOptions {
	return BuildOptions{From: b.url, Cache: c, Now: today, Network: Network{Patience: impatient()}}
}

// exportsWithList are exports with ecosystems.txt, as the bucket has them.
func exportsWithList(t testing.TB, by map[string][]file) string {
	t.Helper()
	dir := exportsOf(t, by)
	var names []string
	for name := range by {
		names = append(names, name)
	}
	write(t, filepath.Join(dir, "ecosystems.txt"), strings.Join(names, "\n")+"\nGIT\n[EMPTY]\n")
	return dir
}

func TestASetIsBuiltFromAnAddressAsFromADirectory(t *testing.T) {
	dir := exportsWithList(t, small())
	b := newBucket(t, dir)
	for name, cache := range map[string]*Cache{"with a cache": cacheOf(t), "without": nil} {
		t.Run(name, func(t *testing.T) {
			o := fromBucket(b, cache)
			o.EPSS = b.url + "/epss.csv"
			out := filepath.Join(t.TempDir(), "set")
			report, err := Build(t.Context(), o, out)
			if err != nil {
				t.Fatalf("%v (%s)", err, core.HintOf(err))
			}
			s := mustOpen(t, "oci:"+out, OpenOptions{})
			if l, err := s.Lookup(t.Context(), "Go", "example.org/a"); err != nil || len(l) != 2 {
				t.Errorf("%+v, %v", l, err)
			}
			if !s.Source().AsOf.Equal(exported) || !report.AsOf.Equal(exported) || report.Ecosystems[0].Exported != exported {
				t.Errorf("the set is as of %s, want what the server says: %s", s.Source().AsOf, exported)
			}
			if f, err := s.Facts(t.Context(), "CVE-2024-1"); err != nil || f.Exploited == nil || f.EPSS == nil {
				t.Errorf("facts are %+v, %v", f, err)
			}
			temporary, _ := filepath.Glob(filepath.Join(os.TempDir(), ".new-*"))
			if len(temporary) > 0 {
				t.Errorf("left behind: %q", temporary)
			}
		})
	}
}

func TestWhatDidNotChangeIsNotDownloadedAgain(t *testing.T) {
	dir := exportsWithList(t, small())
	b, cache := newBucket(t, dir), cacheOf(t)
	out := filepath.Join(t.TempDir(), "set")
	first, err := Build(t.Context(), fromBucket(b, cache), out)
	if err != nil {
		t.Fatal(err)
	}
	before := b.whole.Load()
	second, err := Build(t.Context(), fromBucket(b, cache), out)
	if err != nil || second.Digest != first.Digest {
		t.Fatalf("%s, then %s, %v", first.Digest, second.Digest, err)
	}
	// The optional lists that the bucket lacks are asked for each time.
	if again := b.whole.Load() - before; again != 0 {
		t.Errorf("%d files were downloaded again", again)
	}
	by := small()
	by["Go"] = by["Go"][:1]
	b.dir = exportsWithList(t, by)
	third, err := Build(t.Context(), fromBucket(b, cache), out)
	if err != nil || third.Digest == first.Digest || third.Records != first.Records-1 {
		t.Errorf("%+v, %v", third, err)
	}
	for _, name := range files(t, filepath.Join(cache.dir, "exports")) {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, raw[:len(raw)/2], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if fourth, err := Build(t.Context(), fromBucket(b, cache), out); err != nil || fourth.Digest != third.Digest {
		t.Errorf("with a damaged cache: %+v, %v", fourth, err)
	}
}

func TestOnlyTheChosenEcosystemsAreDownloaded(t *testing.T) {
	b, cache := newBucket(t, exportsWithList(t, small())), cacheOf(t)
	var asked []string
	log := func(_ http.ResponseWriter, q *http.Request) bool { asked = append(asked, q.URL.Path); return false }
	b.between.Store(&log)
	o := fromBucket(b, cache)
	o.Ecosystems = []string{"Debian", "Maven"}
	out := filepath.Join(t.TempDir(), "set")
	if _, err := Build(t.Context(), o, out); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, "oci:"+out, OpenOptions{})
	if !s.Covers("Debian:12") || s.Covers("Go") || s.Covers("Maven") {
		t.Errorf("it covers Debian: %v, Go: %v, Maven: %v", s.Covers("Debian:12"), s.Covers("Go"), s.Covers("Maven"))
	}
	for _, path := range asked {
		if strings.Contains(path, "Go") || strings.Contains(path, "PyPI") {
			t.Errorf("%s was asked for", path)
		}
	}
}

func TestServersOfExportsMayFail(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(n int64, w http.ResponseWriter, q *http.Request) bool
		says string // nothing: it succeeds
	}{
		{"503 twice", func(n int64, w http.ResponseWriter, _ *http.Request) bool {
			if n <= 2 {
				w.WriteHeader(503)
			}
			return n <= 2
		}, ""},
		{"429 for ever", func(_ int64, w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(429); return true }, "429"},
		{"an export that is gone", func(_ int64, w http.ResponseWriter, q *http.Request) bool {
			if strings.Contains(q.URL.Path, "PyPI") {
				http.NotFound(w, q)
				return true
			}
			return false
		}, "ecosystems.txt lists PyPI"},
		{"a page of a hotel", func(_ int64, w http.ResponseWriter, q *http.Request) bool {
			if strings.Contains(q.URL.Path, "PyPI") {
				fmt.Fprint(w, "<html>log in</html>")
				return true
			}
			return false
		}, "not a valid zip"},
		{"half a body, then the connection", func(n int64, w http.ResponseWriter, q *http.Request) bool {
			if strings.Contains(q.URL.Path, "Go") && q.Header.Get("Range") == "" {
				w.Header().Set("Content-Length", "100000")
				_, _ = w.Write([]byte("PK"))
				panic(http.ErrAbortHandler)
			}
			return false
		}, "broke"},
		{"a redirect to another machine in plain text", func(_ int64, w http.ResponseWriter, q *http.Request) bool {
			http.Redirect(w, q, "http://192.0.2.1/x?token=secret", http.StatusFound)
			return true
		}, "plain HTTP"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, cache := newBucket(t, exportsWithList(t, small())), cacheOf(t)
			var n atomic.Int64
			f := func(w http.ResponseWriter, q *http.Request) bool { return tc.do(n.Add(1), w, q) }
			b.between.Store(&f)
			out := filepath.Join(t.TempDir(), "set")
			_, err := Build(t.Context(), fromBucket(b, cache), out)
			switch {
			case tc.says == "" && err != nil:
				t.Errorf("%v (%s)", err, core.HintOf(err))
			case tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)):
				t.Errorf("%v, want an error that says %q", err, tc.says)
			}
			if err != nil {
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("%v shows a token", err)
				}
				if left := files(t, out); len(left) > 0 {
					t.Errorf("left behind: %q", left)
				}
			}
			for _, name := range files(t, filepath.Join(cache.dir, "exports")) {
				if strings.HasPrefix(filepath.Base(name), ".") {
					t.Errorf("left behind: %s", name)
				}
			}
		})
	}
}

func TestADownloadGoesOnWhereItBroke(t *testing.T) {
	by := many()
	b, cache := newBucket(t, exportsWithList(t, by)), cacheOf(t)
	var asked atomic.Int64
	f := func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.Contains(q.URL.Path, "npm") {
			return false
		}
		if asked.Add(1) > 2 {
			return false
		}
		raw, err := os.ReadFile(filepath.Join(b.dir, "npm", "all.zip"))
		if err != nil {
			return false
		}
		from := 0
		_, _ = fmt.Sscanf(q.Header.Get("Range"), "bytes=%d-", &from)
		w.Header().Set("ETag", fmt.Sprintf("%q", describe("", raw).Digest))
		w.Header().Set("Content-Length", fmt.Sprint(len(raw)-from))
		if from > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(raw)-1, len(raw)))
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(raw[from : from+(len(raw)-from)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	b.between.Store(&f)
	report, err := Build(t.Context(), fromBucket(b, cache), filepath.Join(t.TempDir(), "set"))
	if err != nil || asked.Load() != 3 {
		t.Fatalf("asked %d times: %v", asked.Load(), err)
	}
	if _, want := built(t, by); report.Records != want.Records {
		t.Errorf("%d records, want %d", report.Records, want.Records)
	}
}

func TestADownloadOfTwoVersionsIsRefused(t *testing.T) {
	b := newBucket(t, exportsWithList(t, many()))
	var asked atomic.Int64
	f := func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.Contains(q.URL.Path, "npm") {
			return false
		}
		w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprint(asked.Add(1))))
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(make([]byte, 500))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	b.between.Store(&f)
	_, err := Build(t.Context(), fromBucket(b, nil), filepath.Join(t.TempDir(), "set"))
	if err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("%v, want that it has changed", err)
	}
}

func fallback(b *testBucket, c *Cache, now time.Time) FallbackOptions {
	o := options(c)
	o.Now = now
	return FallbackOptions{OpenOptions: o, Bucket: b.url, Build: BuildOptions{Network: Network{Patience: impatient()}}}
}

func TestWithoutAPublishedSetOneIsBuiltOfWhatIsNeeded(t *testing.T) {
	failed := fmt.Errorf("nobody published anything")
	b, cache := newBucket(t, exportsWithList(t, small())), cacheOf(t)
	open := func(now time.Time, ecosystems ...string) *Set {
		t.Helper()
		s, err := Fallback(t.Context(), ecosystems, failed, fallback(b, cache, now))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open(today, "Debian:12", "Go", "Go")
	if !s.Covers("Debian:12") || !s.Covers("Go") || s.Covers("PyPI") || s.Source().Note != "" || s.Source().Starter {
		t.Errorf("source is %+v", s.Source())
	}
	if !strings.HasSuffix(s.Source().Name, " Debian, Go") {
		t.Errorf("it is called %q", s.Source().Name)
	}
	// It says what it is doing meanwhile, and does no more than it must.
	var told []string
	telling := fallback(b, cacheOf(t), today)
	telling.Progress = func(line string) { told = append(told, line) }
	if _, err := Fallback(t.Context(), []string{"Debian:12", "Go"}, failed, telling); err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(told, "\n"); !strings.Contains(all, "read Debian: 1 record") || !strings.Contains(all, "read Go: 2 records") ||
		strings.Contains(all, "PyPI") {
		t.Errorf("it told:\n%s", all)
	}
	// Within half a day nobody is asked.
	down := func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(500); return true }
	b.between.Store(&down)
	if s := open(today.Add(11*time.Hour), "Go", "Debian:11"); s.Source().Note != "" || s.Source().Starter {
		t.Errorf("after 11 hours: %+v", s.Source())
	}
	// Later the old set is better than none, and says so.
	if s := open(today.Add(13*time.Hour), "Go", "Debian:12"); !strings.Contains(s.Source().Note, "could not be read") || s.Source().Starter {
		t.Errorf("after 13 hours, without a server: %+v", s.Source())
	}
	// For other ecosystems there is nothing but the starter set.
	if s := open(today, "PyPI"); !s.Source().Starter || !strings.Contains(s.Source().Note, "nobody published") {
		t.Errorf("another ecosystem, without a server: %+v", s.Source())
	}
	b.between.Store(nil)
	before := b.whole.Load()
	if s := open(today.Add(13*time.Hour), "Go", "Debian:12"); s.Source().Note != "" || b.whole.Load() != before {
		t.Errorf("after 13 hours: %+v, %d downloads", s.Source(), b.whole.Load()-before)
	}
	// A set of everything serves as well.
	if _, err := BuildCached(t.Context(), fromBucket(b, cache), ""); err != nil {
		t.Fatal(err)
	}
	b.between.Store(&down)
	o := fallback(b, cache, today.Add(100*time.Hour))
	o.Offline = true
	if s, err := Fallback(t.Context(), []string{"PyPI"}, failed, o); err != nil || !s.Covers("PyPI") {
		t.Errorf("offline: %v", err)
	}
}

func TestTheFallbackIsNoWayAroundASignature(t *testing.T) {
	b := newBucket(t, exportsWithList(t, small()))
	failed := fmt.Errorf("it is not signed")
	o := fallback(b, cacheOf(t), today)
	o.Trust.Keys = append(o.Trust.Keys, trusting(t, signaturetest.NewKey(t)).Keys...)
	if s, err := Fallback(t.Context(), []string{"Go"}, failed, o); err != failed || s != nil {
		t.Errorf("%v, %v", s, err)
	}
}

func TestWithoutACacheTheStarterSetSaysWhy(t *testing.T) {
	b := newBucket(t, exportsWithList(t, small()))
	s, err := Fallback(t.Context(), []string{"Go"}, fmt.Errorf("no such host"), fallback(b, nil, today))
	if err != nil || !s.Source().Starter || !strings.Contains(s.Source().Note, "CLEANBILL_CACHE_DIR") || !strings.Contains(s.Source().Note, "no such host") {
		t.Errorf("%+v, %v", s.Source(), err)
	}
}
