package core

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strconv"
)

// FingerprintOf makes a Finding's fingerprint from the parts that make it the same finding: its kind, then what stays
// the same when code moves, images are rebuilt and advisories gain aliases. Parts are length-prefixed, so that no two
// lists of parts collide by concatenation. The result is 32 hex digits.
func FingerprintOf(kind FindingKind, parts ...string) string {
	h := sha256.New()
	for _, part := range append([]string{string(kind)}, parts...) {
		io.WriteString(h, strconv.Itoa(len(part)))
		io.WriteString(h, ":")
		io.WriteString(h, part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
