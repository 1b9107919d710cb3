package advisory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// errValue is the error for bytes that are no value. Values come from shards whose digest was verified, so that it
// means a set made by something else.
var errValue = errors.New("malformed value")

// encoder appends the primitive forms that all values are made of: uvarint numbers, strings preceded by their length,
// and lists preceded by their number of members.
type encoder struct{ b []byte }

func (e *encoder) number(n uint64) { e.b = binary.AppendUvarint(e.b, n) }

func (e *encoder) string(s string) {
	e.number(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) strings(l []string) {
	e.number(uint64(len(l)))
	for _, s := range l {
		e.string(s)
	}
}

func (e *encoder) vectors(l []Vector) {
	e.number(uint64(len(l)))
	for _, v := range l {
		e.string(v.Type)
		e.string(v.Score)
	}
}

func (e *encoder) flag(b bool) {
	if b {
		e.number(1)
	} else {
		e.number(0)
	}
}

// time writes whole seconds since 1970, or 0 for no time. Earlier times are no dates of advisories.
func (e *encoder) time(t time.Time) {
	if t.IsZero() || t.Unix() < 0 {
		e.number(0)
		return
	}
	e.number(uint64(t.Unix()))
}

// decoder reads what encoder wrote. The first error sticks.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) fail() {
	d.b = nil
	if d.err == nil {
		d.err = errValue
	}
}

func (d *decoder) string() string {
	n := d.number()
	if n > uint64(len(d.b)) {
		d.fail()
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

// length reads the number of members of a list. Each has at least size bytes, which bounds what a lie can allocate.
func (d *decoder) length(size int) int {
	n := d.number()
	if n > uint64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) strings() []string {
	n := d.length(1)
	if n == 0 {
		return nil
	}
	l := make([]string, n)
	for i := range l {
		l[i] = d.string()
	}
	return l
}

func (d *decoder) vectors() []Vector {
	n := d.length(2)
	if n == 0 {
		return nil
	}
	l := make([]Vector, n)
	for i := range l {
		l[i] = Vector{Type: d.string(), Score: d.string()}
	}
	return l
}

func (d *decoder) time() time.Time {
	n := d.number()
	if n == 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(n), 0).UTC()
}

func (d *decoder) flag() bool {
	n := d.number()
	if n > 1 {
		d.fail()
	}
	return n == 1
}

func (d *decoder) probability() float64 {
	n := d.number()
	if n > million {
		d.fail()
		return 0
	}
	return float64(n) / million
}

// end returns the sticky error, or one for bytes that are left over.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%w: %d bytes too many", errValue, len(d.b))
	}
	return d.err
}

// encodeAffected writes what one advisory says of a package: its id, the name, urgency, module, ranges (1 for semantic
// order or 0, then kind and version of each event), versions and vectors.
func encodeAffected(a *Affected) []byte {
	var e encoder
	e.string(a.ID)
	e.string(a.Name)
	e.string(a.Urgency)
	e.string(a.Module)
	e.number(uint64(len(a.Ranges)))
	for _, r := range a.Ranges {
		semver := uint64(0)
		if r.Semver {
			semver = 1
		}
		e.number(semver)
		e.number(uint64(len(r.Events)))
		for _, ev := range r.Events {
			e.number(uint64(ev.Kind))
			e.string(ev.Version)
		}
	}
	e.strings(a.Versions)
	e.vectors(a.Severity)
	return e.b
}

// encodeList writes the value of a table of packages: all that advisories say of one.
func encodeList(affected [][]byte) []byte {
	var e encoder
	e.number(uint64(len(affected)))
	for _, a := range affected {
		e.b = append(e.b, a...)
	}
	return e.b
}

func decodeList(ecosystem string, b []byte) ([]Affected, error) {
	d := decoder{b: b}
	list := make([]Affected, d.length(7))
	for i := range list {
		a := &list[i]
		a.Ecosystem = ecosystem
		a.ID, a.Name, a.Urgency, a.Module = d.string(), d.string(), d.string(), d.string()
		if n := d.length(2); n > 0 {
			a.Ranges = make([]Range, n)
		}
		total := 0
		for j := range a.Ranges {
			a.Ranges[j] = d.rangeOfEvents()
			if total += len(a.Ranges[j].Events); total > maxEvents {
				d.fail()
			}
		}
		a.Versions, a.Severity = d.strings(), d.vectors()
	}
	return list, d.end()
}

func (d *decoder) rangeOfEvents() Range {
	r := Range{Semver: d.number() == 1}
	if n := d.length(2); n > 0 {
		r.Events = make([]Event, n)
	}
	for i := range r.Events {
		kind := d.number()
		if kind < uint64(Introduced) || kind > uint64(Limit) {
			d.fail()
			return r
		}
		r.Events[i] = Event{Kind: EventKind(kind), Version: d.string()}
	}
	return r
}

// encodeRecord writes the value of a table of records; the id is its key.
func encodeRecord(r *Record) []byte {
	var e encoder
	e.time(r.Modified)
	e.time(r.Published)
	e.strings(r.Aliases)
	e.strings(r.Upstream)
	e.strings(r.Related)
	e.vectors(r.Severity)
	e.string(r.Rating)
	e.string(r.Summary)
	e.strings(r.References)
	e.number(uint64(len(r.Packages)))
	for _, p := range r.Packages {
		e.string(p.Ecosystem)
		e.string(p.Name)
	}
	return e.b
}

func decodeRecord(id string, b []byte) (Record, error) {
	d := decoder{b: b}
	r := Record{ID: id, Modified: d.time(), Published: d.time()}
	r.Aliases, r.Upstream, r.Related = d.strings(), d.strings(), d.strings()
	r.Severity = d.vectors()
	r.Rating, r.Summary, r.References = d.string(), d.string(), d.strings()
	if n := d.length(2); n > 0 {
		r.Packages = make([]PackageName, n)
	}
	for i := range r.Packages {
		r.Packages[i] = PackageName{Ecosystem: d.string(), Name: d.string()}
	}
	return r, d.end()
}

// encodeFacts writes the value of the table of facts: CVSS vectors; 0, or 1 and the date and 1 for ransomware; 0, or 1 and
// EPSS score and percentile in millionths.
func encodeFacts(f *Facts) []byte {
	var e encoder
	e.vectors(f.Vectors)
	e.flag(f.Exploited != nil)
	if f.Exploited != nil {
		e.string(f.Exploited.Since)
		e.flag(f.Exploited.Ransomware)
	}
	e.flag(f.EPSS != nil)
	if f.EPSS != nil {
		e.number(millionths(f.EPSS.Score))
		e.number(millionths(f.EPSS.Percentile))
	}
	return e.b
}

func decodeFacts(b []byte) (Facts, error) {
	d := decoder{b: b}
	f := Facts{Vectors: d.vectors()}
	if d.flag() {
		f.Exploited = &core.Exploited{Since: d.string(), Ransomware: d.flag()}
	}
	if d.flag() {
		f.EPSS = &core.EPSS{Score: d.probability(), Percentile: d.probability()}
	}
	return f, d.end()
}

// million is in how many parts probabilities are stored: FIRST publishes five decimals, and once published nine.
const million = 1_000_000

func millionths(p float64) uint64 { return uint64(math.Round(p * million)) }

// encodeNames writes the value of the table of ids: family and id of each record that the id is another name of.
func encodeNames(l []RecordName) []byte {
	var e encoder
	e.number(uint64(len(l)))
	for _, n := range l {
		e.string(n.Family)
		e.string(n.ID)
	}
	return e.b
}

func decodeNames(b []byte) ([]RecordName, error) {
	d := decoder{b: b}
	l := make([]RecordName, d.length(2))
	for i := range l {
		l[i] = RecordName{Family: d.string(), ID: d.string()}
	}
	return l, d.end()
}

// encodePair writes the value of the table eol: last day of support, last day of paid support.
func encodePair(a, b string) []byte {
	var e encoder
	e.string(a)
	e.string(b)
	return e.b
}

func decodePair(b []byte) (first, second string, err error) {
	d := decoder{b: b}
	first, second = d.string(), d.string()
	return first, second, d.end()
}
