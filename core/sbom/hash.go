package sbom

import (
	"maps"
	"slices"
	"strings"
)

// hashAlgorithm is an algorithm under the names that evidence and the formats use.
type hashAlgorithm struct {
	own, cycloneDX, spdx string
	digits               int // of the hexadecimal form
}

// hashAlgorithms are those that both formats have.
func hashAlgorithms() []hashAlgorithm {
	return []hashAlgorithm{
		{"md5", "MD5", "MD5", 32},
		{"sha1", "SHA-1", "SHA1", 40},
		{"sha256", "SHA-256", "SHA256", 64},
		{"sha384", "SHA-384", "SHA384", 96},
		{"sha512", "SHA-512", "SHA512", 128},
		{"sha3-256", "SHA3-256", "SHA3-256", 64},
		{"sha3-384", "SHA3-384", "SHA3-384", 96},
		{"sha3-512", "SHA3-512", "SHA3-512", 128},
		{"blake2b-256", "BLAKE2b-256", "BLAKE2b-256", 64},
		{"blake2b-384", "BLAKE2b-384", "BLAKE2b-384", 96},
		{"blake2b-512", "BLAKE2b-512", "BLAKE2b-512", 128},
		{"blake3", "BLAKE3", "BLAKE3", 64},
	}
}

// hash is one hash of a package.
type hash struct {
	algorithm hashAlgorithm
	value     string
}

// hashesOf returns the hashes that the formats can express, in the order of the table, and the rest by name.
func hashesOf(m map[string]string) (known []hash, others map[string]string) {
	if len(m) == 0 {
		return nil, nil
	}
	rest := maps.Clone(m)
	names := slices.Sorted(maps.Keys(m))
	for _, a := range hashAlgorithms() {
		for _, name := range names {
			if plainName(name) == plainName(a.own) && isHex(m[name], a.digits) {
				known = append(known, hash{a, strings.ToLower(m[name])})
				delete(rest, name)
				break
			}
		}
	}
	return known, rest
}

// ownHash returns our name of an algorithm and the value in our form, if it is one.
func ownHash(algorithm, value string) (string, string, bool) {
	for _, a := range hashAlgorithms() {
		if plainName(a.own) == plainName(algorithm) && isHex(value, a.digits) {
			return a.own, strings.ToLower(value), true
		}
	}
	return "", "", false
}

func plainName(algorithm string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(algorithm), "-", ""), "_", "")
}

func isHex(s string, digits int) bool {
	return len(s) == digits && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
