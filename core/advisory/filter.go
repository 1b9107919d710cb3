package advisory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

const (
	filterMagic = "CBAF"
	// filterBits says how often a filter takes an absent key for a present one: once in 2 to the power of it.
	filterBits = 8
	// maxFilterKeys bounds a filter's memory, at four bytes a key.
	maxFilterKeys = 1 << 24

	filterHeader = 12
)

// filter tells most keys that a table lacks from those that it may hold, in a little more than a byte for each key, so
// that the shards of names that no advisory knows need not be fetched. It is a Golomb-coded set.
//
// https://github.com/bitcoin/bips/blob/master/bip-0158.mediawiki#golomb-coded-sets
type filter struct {
	values []uint32 // sorted
}

// place maps a hash evenly to the numbers below keys << filterBits.
func place(hash uint64, keys int) uint32 {
	high, _ := bits.Mul64(hash, uint64(keys)<<filterBits)
	return uint32(high)
}

// encodeFilter writes the filter of the entries' keys. See the package comment for its form.
func encodeFilter(entries []entry) ([]byte, error) {
	if len(entries) > maxFilterKeys {
		return nil, fmt.Errorf("a table of %d keys is too large for a filter", len(entries))
	}
	places := make([]uint32, len(entries))
	for i := range entries {
		places[i] = place(hashOf(entries[i].key), len(entries)) // evenly, wherever the table puts the key
	}
	slices.Sort(places)
	out := append([]byte(filterMagic), formatVersion, filterBits, 0, 0)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(entries)))
	var w bitWriter
	last := uint32(0)
	for _, at := range places {
		delta := at - last
		last = at
		for range delta >> filterBits {
			w.bit(1)
		}
		w.bit(0)
		for b := filterBits - 1; b >= 0; b-- {
			w.bit(delta >> b & 1)
		}
	}
	return append(out, w.b...), nil
}

var errFilter = errors.New("malformed filter")

func decodeFilter(data []byte) (*filter, error) {
	if len(data) < filterHeader || string(data[:4]) != filterMagic || data[4] != formatVersion || data[5] != filterBits {
		return nil, fmt.Errorf("%w: it does not begin as one of version %d", errFilter, formatVersion)
	}
	keys := int(binary.LittleEndian.Uint32(data[8:]))
	if keys > maxFilterKeys || keys > len(data)*8/(filterBits+1) {
		return nil, fmt.Errorf("%w: it claims %d keys", errFilter, keys)
	}
	f := &filter{values: make([]uint32, keys)}
	r, last := bitReader{b: data[filterHeader:]}, uint64(0)
	for i := range f.values {
		delta := uint64(0)
		for r.bit() == 1 {
			delta++
		}
		for range filterBits {
			delta = delta<<1 | uint64(r.bit())
		}
		if last += delta; r.ended || last >= uint64(keys)<<filterBits {
			return nil, fmt.Errorf("%w: it ends after %d of %d keys", errFilter, i, keys)
		}
		f.values[i] = uint32(last)
	}
	return f, nil
}

// mayHold reports false only for a key that the table lacks.
func (f *filter) mayHold(key string) bool {
	_, found := slices.BinarySearch(f.values, place(hashOf(key), len(f.values)))
	return found
}

// bitWriter appends bits, the most significant of a byte first.
type bitWriter struct {
	b    []byte
	used int // bits of the last byte
}

func (w *bitWriter) bit(v uint32) {
	if w.used == 0 {
		w.b = append(w.b, 0)
	}
	w.b[len(w.b)-1] |= byte(v) << (7 - w.used)
	w.used = (w.used + 1) % 8
}

// bitReader reads what bitWriter wrote. Beyond the end it reads zeros.
type bitReader struct {
	b     []byte
	at    int
	ended bool
}

func (r *bitReader) bit() uint32 {
	if r.at >= len(r.b)*8 {
		r.ended = true
		return 0
	}
	v := r.b[r.at/8] >> (7 - r.at%8) & 1
	r.at++
	return uint32(v)
}
