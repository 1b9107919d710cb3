package advisory

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	shardMagic = "CBAS"
	// formatVersion is the version of shards, filters and the index that this program writes and reads.
	formatVersion = 2
	// shardTarget is the size at which a shard is split, blockTarget that at which a block ends; raw bytes. A smaller
	// block is faster to search, a larger one compresses better; a smaller shard costs a scan less to fetch, and everybody
	// a longer manifest.
	shardTarget = 96 << 10
	blockTarget = 96 << 10
	// factsTarget is the size at which a shard of facts is split: nearly every finding needs one, and little of it.
	factsTarget = 32 << 10
	// maxBlock bounds one raw block: the largest value besides blockTarget, with room for growth.
	maxBlock = 32 << 20
	// encoderWindow is how far back a block refers, in bytes: more than all but a few blocks have.
	encoderWindow = 256 << 10
	// maxShard bounds one stored shard.
	maxShard = 64 << 20

	headerSize = 12
	blockEntry = 20
)

// entry is one key of a table with its value.
type entry struct {
	hash  uint64
	key   string
	value []byte
}

// size is the entry's share of a raw block.
func (e *entry) size() int { return len(e.key) + len(e.value) + 6 }

// hashOf places a key in its table. A cryptographic hash keeps anyone from choosing names that share a place.
func hashOf(key string) uint64 {
	sum := sha256.Sum256([]byte(key))
	return binary.BigEndian.Uint64(sum[:8])
}

// datedID is an id that ends in a year and a number, as most do.
var datedID = regexp.MustCompile(`(?:^|[^0-9])((?:19|20)[0-9]{2})[-:]([0-9]{1,9})$`)

// idHash places an id: by its year and number, if it has them. What is found in an image is mostly of the last years, and
// what lies together is fetched together; it also compresses better.
func idHash(id string) uint64 {
	hash := hashOf(id)
	m := datedID.FindStringSubmatch(id)
	if m == nil {
		return hash
	}
	year, err1 := strconv.ParseUint(m[1], 10, 16)
	number, err2 := strconv.ParseUint(m[2], 10, 32)
	if err1 != nil || err2 != nil {
		return hash
	}
	return year<<48 | number<<16 | hash&0xffff
}

// hash places a key of a table of this kind.
func (k tableKind) hash(key string) uint64 {
	switch k {
	case recordsTable, idsTable, factsTable:
		return idHash(key)
	}
	return hashOf(key)
}

// sortEntries orders entries as shards hold them.
func sortEntries(entries []entry) {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.key,
			b.key))
	})
}

// encodeShard writes sorted entries as one shard. See the package comment for its form.
func encodeShard(kind tableKind, entries []entry, z *zstd.Encoder) ([]byte, error) {
	var blocks, prints, frames []byte
	count := 0
	for rest := entries; len(rest) > 0; count++ {
		n := blockLength(rest)
		var e encoder
		for _, en := range rest[:n] {
			e.string(en.key)
			e.number(uint64(len(en.value)))
			e.b = append(e.b, en.value...)
			prints = binary.LittleEndian.AppendUint16(prints, uint16(en.hash))
		}
		if len(e.b) > maxBlock {
			return nil, fmt.Errorf("the entry of %q has %d bytes, more than a block may have (%d)", rest[0].key, len(e.b),
				maxBlock)
		}
		frame := z.EncodeAll(e.b, nil)
		blocks = binary.LittleEndian.AppendUint64(blocks, rest[0].hash)
		for _, size := range []int{n, len(frame), len(e.b)} {
			blocks = binary.LittleEndian.AppendUint32(blocks, uint32(size))
		}
		frames = append(frames, frame...)
		rest = rest[n:]
	}
	if count > 1<<16-1 {
		return nil, fmt.Errorf("a shard of %d blocks is too large", count)
	}
	out := append([]byte(shardMagic), formatVersion, byte(kind))
	out = binary.LittleEndian.AppendUint16(out, uint16(count))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(entries)))
	return slices.Concat(out, blocks, prints, frames), nil
}

// blockLength says how many entries the next block holds. Entries with one hash stay together.
func blockLength(entries []entry) int {
	size := 0
	for i := range entries {
		if size >= blockTarget && entries[i].hash != entries[i-1].hash {
			return i
		}
		size += entries[i].size()
	}
	return len(entries)
}

// shard is a decoded header and the blocks, still compressed. It is safe for concurrent use.
type shard struct {
	blocks []block
	prints []byte
	mu     sync.Mutex // guards raw of the blocks
}

type block struct {
	first   uint64
	keys    int
	from    int // index of the first fingerprint
	rawSize int
	frame   []byte
	raw     []byte // once decompressed
}

var errShard = errors.New("malformed shard")

// decodeShard checks the whole header, so that a search can trust it. It keeps data.
func decodeShard(kind tableKind, data []byte) (*shard, error) {
	if len(data) < headerSize || string(data[:4]) != shardMagic {
		return nil, fmt.Errorf("%w: it does not begin with %q", errShard, shardMagic)
	}
	if data[4] != formatVersion {
		return nil, fmt.Errorf("%w: version %d, and this program reads version %d", errShard, data[4], formatVersion)
	}
	if data[5] != byte(kind) {
		return nil, fmt.Errorf("%w: it holds kind %d, want %d", errShard, data[5], kind)
	}
	count, keys := int(binary.LittleEndian.Uint16(data[6:])), int64(binary.LittleEndian.Uint32(data[8:]))
	rest := data[headerSize:]
	if int64(len(rest)) < int64(count)*blockEntry+2*keys {
		return nil, fmt.Errorf("%w: truncated header", errShard)
	}
	table, rest := rest[:count*blockEntry], rest[count*blockEntry:]
	prints, frames := rest[:2*keys], rest[2*keys:]
	s := &shard{prints: prints, blocks: make([]block, count)}
	var from int64
	for i := range s.blocks {
		at := table[i*blockEntry:]
		b := &s.blocks[i]
		b.first, b.from = binary.LittleEndian.Uint64(at), int(from)
		n, stored, raw := int64(binary.LittleEndian.Uint32(at[8:])), int64(binary.LittleEndian.Uint32(at[12:])),
			int64(binary.LittleEndian.Uint32(at[16:]))
		if i > 0 && b.first <= s.blocks[i-1].first || n == 0 || from+n > keys || stored > int64(len(frames)) ||
			raw > maxBlock {
			return nil, fmt.Errorf("%w: block %d contradicts the header", errShard, i)
		}
		b.keys, b.rawSize, b.frame = int(n), int(raw), frames[:stored]
		frames, from = frames[stored:], from+n
	}
	if from != keys || len(frames) != 0 {
		return nil, fmt.Errorf("%w: the blocks do not fill it", errShard)
	}
	return s, nil
}

// find returns the value of a key, which is absent if ok is false.
func (s *shard) find(key string, hash uint64, z *zstd.Decoder) (value []byte, ok bool, err error) {
	i := sort.Search(len(s.blocks), func(i int) bool { return s.blocks[i].first > hash }) - 1
	if i < 0 || !s.mayHold(&s.blocks[i], hash) {
		return nil, false, nil
	}
	raw, err := s.open(&s.blocks[i], z)
	if err != nil {
		return nil, false, err
	}
	d := decoder{b: raw}
	for range s.blocks[i].keys {
		k, v := d.entry()
		if d.err != nil {
			return nil, false, fmt.Errorf("%w: block %d: %w", errShard, i, d.err)
		}
		if string(k) == key {
			return v, true, nil
		}
	}
	return nil, false, nil
}

// entry reads a key and its value without copying them.
func (d *decoder) entry() (key, value []byte) { return d.bytes(), d.bytes() }

func (d *decoder) bytes() []byte {
	n := d.number()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (s *shard) mayHold(b *block, hash uint64) bool {
	want := binary.LittleEndian.AppendUint16(nil, uint16(hash))
	prints := s.prints[2*b.from : 2*(b.from+b.keys)]
	for i := 0; i < len(prints); i += 2 {
		if prints[i] == want[0] && prints[i+1] == want[1] {
			return true
		}
	}
	return false
}

// open decompresses a block once.
func (s *shard) open(b *block, z *zstd.Decoder) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.raw != nil {
		return b.raw, nil
	}
	raw, err := z.DecodeAll(b.frame, make([]byte, 0, min(b.rawSize, 1<<20)))
	if err != nil {
		return nil, fmt.Errorf("%w: decompress: %w", errShard, err)
	}
	if len(raw) != b.rawSize {
		return nil, fmt.Errorf("%w: a block has %d bytes, want %d", errShard, len(raw), b.rawSize)
	}
	b.raw = raw
	return raw, nil
}

// all calls yield for every entry, in order.
func (s *shard) all(z *zstd.Decoder, yield func(key string, value []byte) error) error {
	for i := range s.blocks {
		raw, err := s.open(&s.blocks[i], z)
		if err != nil {
			return err
		}
		d := decoder{b: bytes.Clone(raw)}
		for range s.blocks[i].keys {
			k, v := d.entry()
			if d.err != nil {
				return fmt.Errorf("%w: block %d: %w", errShard, i, d.err)
			}
			if err := yield(string(k), v); err != nil {
				return err
			}
		}
	}
	return nil
}
