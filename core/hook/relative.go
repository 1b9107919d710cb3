package hook

import (
	"bytes"
	"io"
	"net/url"
)

// relative makes absolute paths of the scanned directory relative in a report, before it is read: an analyser that names
// the checkout's place would give the same flaw another fingerprint on every machine.
type relative struct {
	r        io.Reader
	from, to [][]byte
	longest  int
	buffer   []byte
	ready    []byte
	end      error
}

// newRelative reads r with dir taken out of its paths, as it stands in plain text and in file URIs.
func newRelative(r io.Reader, dir string) io.Reader {
	x := &relative{r: r}
	escaped := (&url.URL{Path: dir}).EscapedPath()
	for _, prefix := range []string{"file://" + escaped, "file://" + dir, dir} {
		// A base that ends without a slash stands alone, in quotes.
		x.replace(prefix+"/", "")
		x.replace(prefix+`"`, `"`)
	}
	return x
}

func (x *relative) replace(from, to string) {
	x.from, x.to = append(x.from, []byte(from)), append(x.to, []byte(to))
	x.longest = max(x.longest, len(from))
}

// Read implements io.Reader.
func (x *relative) Read(p []byte) (int, error) {
	for len(x.ready) == 0 {
		if x.end != nil && len(x.buffer) == 0 {
			return 0, x.end
		}
		x.fill()
	}
	n := copy(p, x.ready)
	x.ready = x.ready[n:]
	return n, nil
}

const relativeChunk = 64 << 10

// fill replaces in one more chunk. The last bytes wait, because something to replace may begin in them.
func (x *relative) fill() {
	if x.end == nil {
		chunk := make([]byte, relativeChunk)
		n, err := x.r.Read(chunk)
		x.buffer = append(x.buffer, chunk[:n]...)
		x.end = err
	}
	keep := x.longest - 1
	if x.end != nil {
		keep = 0
	}
	var out []byte
	for len(x.buffer) > keep {
		at, which := x.next()
		if at < 0 || at >= len(x.buffer)-keep {
			safe := len(x.buffer) - keep
			out = append(out, x.buffer[:safe]...)
			x.buffer = x.buffer[safe:]
			break
		}
		out = append(append(out, x.buffer[:at]...), x.to[which]...)
		x.buffer = x.buffer[at+len(x.from[which]):]
	}
	x.ready = out
}

// next finds the first place where something is replaced; at the same place the first rule wins.
func (x *relative) next() (at, which int) {
	at = -1
	for i, from := range x.from {
		if found := bytes.Index(x.buffer, from); found >= 0 && (at < 0 || found < at) {
			at, which = found, i
		}
	}
	return at, which
}
