// Package advisory holds known vulnerabilities by package: it builds a set from OSV exports, moves sets between
// directories and registries, opens one, and looks packages up in it. What a match means, and how bad it is, is decided
// in core/vuln; no package, image or policy may enter here.
//
// # A set
//
// A set is one OCI artifact: an image manifest with artifact type [ArtifactType], a small index as its configuration,
// and shards and filters as its layers. On disk it is an OCI image layout, and the embedded starter set has the same
// form. Copying an image copies a set; an update moves only the shards whose digests changed; a look-up reads only the
// shards that it needs, each verified against the digest in the manifest, which the reference or its signature vouches
// for.
//
//   - https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidelines-for-artifact-usage
//   - https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
//
// # The index
//
// The configuration blob is JSON (see [index]): the version of the format, the dates of the sources, the ecosystems
// with their numbers of records, and the tables. A table is a map from keys to values, cut into shards by the leading
// bits of each key's hash. That is the first 64 bits of its SHA-256; but for an id that ends in a year and a number, in
// the tables of records, ids and facts, 16 bits of the year, 32 of the number and the lowest 16 of the SHA-256: what is
// found in one image is mostly of the last years. A shard is split in two while it would hold more than shardTarget
// (factsTarget) bytes, so that growth changes the shards that grew and no others. The index lists each table's bits; its
// shards follow each other among the manifest's layers in that order. Bits that no shard has hold no keys.
//
//	packages  Ecosystem[:release]  package name → the advisories that affect it, with ranges and versions
//	records   Ecosystem            advisory id → aliases, CVSS vectors, dates, summary, references, packages
//	ids                            any other name of an advisory → the records that have it
//	facts                          CVE id → CVSS vectors that any record of exactly this CVE has, the date added to CISA's
//	                               catalog and ransomware use, EPSS score and percentile
//	eol                            os-release id and version → end of support
//
// Package names and ecosystems are written canonically ([Canonical], [NormalName]) on both sides. A reader passes over
// tables of kinds that it does not know.
//
// # A shard
//
// All integers are little-endian. A shard is
//
//	"CBAS"  magic
//	u8      version of the format, 2
//	u8      kind of table
//	u16     number of blocks
//	u32     number of keys
//	blocks  × { u64 hash of the first key, u32 keys, u32 stored bytes, u32 raw bytes }
//	keys    × u16 lowest 16 bits of the hash, in the order of the keys
//	blocks  each one zstd frame
//
// Keys are in ascending order of (hash, key). The 16-bit fingerprints answer most look-ups of absent keys without
// decompressing anything; a present key costs one block. A raw block is a row of entries, each a key and a value, both
// preceded by their length as uvarint. Values are described at their encoders in values.go.
//
// # A filter
//
// Most packages have no advisories, and to learn that, nobody should have to fetch the shards of half an ecosystem. A
// table of packages or ids that has more than one shard is followed by a filter, which tells most absent keys:
//
//	"CBAF"  magic
//	u8      version of the format, 2
//	u8      p, 8
//	u16     0
//	u32     number of keys n
//	        the first 64 bits of the keys' SHA-256, each mapped to it × n × 2^p / 2^64, sorted, as differences in
//	        Golomb-Rice code with parameter p: the quotient as ones, a zero, and p bits of the remainder; the first bit is the highest of a byte
package advisory
