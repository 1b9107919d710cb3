package inventory

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The readers of package databases that the extractor uses trust what they read: a forged offset panics in a goroutine
// of theirs, where nobody can recover, a chain of pages that is a circle fills the memory, and a truncated file of one
// format reads as a shorter list. This file walks a database the way they will, and refuses it first. It reads offsets
// and lengths and nothing else.

// errNotRPM is for a file that has none of the formats.
var errNotRPM = errors.New("it is no rpm database: neither Berkeley DB, NDB nor SQLite")

const sqliteMagic = "SQLite format 3\x00"

// checkRPM returns how many packages the database holds, or why it must not be read.
func checkRPM(ctx context.Context, content io.ReaderAt, size int64, database string) (packages int, err error) {
	head := make([]byte, 72)
	if n, err := content.ReadAt(head, 0); n < len(head) {
		return 0, fmt.Errorf("it is too short: %w", err)
	}
	switch {
	case string(head[:16]) == sqliteMagic:
		return checkSQLite(ctx, database)
	case string(head[:4]) == "RpmP":
		return checkNDB(content, size)
	case binary.LittleEndian.Uint32(head[12:]) == bdbHashMagic:
		return checkBDB(content, size, binary.LittleEndian)
	case binary.BigEndian.Uint32(head[12:]) == bdbHashMagic:
		return checkBDB(content, size, binary.BigEndian)
	}
	return 0, errNotRPM
}

// checkHeader bounds the numbers of index entries and data bytes with which a package header begins.
//
// https://rpm-software-management.github.io/rpm/manual/format_header.html
func checkHeader(first []byte, length int64) error {
	if len(first) < 8 {
		return errors.New("a package header is too short")
	}
	entries, data := int64(binary.BigEndian.Uint32(first)), int64(binary.BigEndian.Uint32(first[4:]))
	if entries*16+data+8 > length {
		return fmt.Errorf("a package header of %d bytes claims %d entries and %d bytes of data", length, entries, data)
	}
	return nil
}

// The parts of Berkeley DB's hash format that are read.
//
// https://github.com/berkeleydb/libdb/blob/v5.3.28/src/dbinc/db_page.h
const (
	bdbHashMagic = 0x061561

	bdbPageSizeAt = 20
	bdbLastPageAt = 32

	bdbPageHeader   = 26
	bdbNextAt       = 16
	bdbEntriesAt    = 20
	bdbFreeAt       = 22
	bdbTypeAt       = 25
	bdbUnsortedHash = 2
	bdbOffPage      = 3
	bdbOverflow     = 7
	bdbSortedHash   = 13
	bdbOffPageSize  = 12
)

// bdbCheck is a walk through one Berkeley DB.
type bdbCheck struct {
	content  io.ReaderAt
	order    binary.ByteOrder
	pageSize int64
	last     uint32
	// budget is how many overflow pages may still be visited: every page belongs to one value.
	budget int64
}

func checkBDB(content io.ReaderAt, size int64, order binary.ByteOrder) (packages int, err error) {
	head := make([]byte, 72)
	if _, err := content.ReadAt(head, 0); err != nil {
		return 0, err
	}
	c := bdbCheck{content: content, order: order}
	c.pageSize, c.last = int64(order.Uint32(head[bdbPageSizeAt:])), order.Uint32(head[bdbLastPageAt:])
	if c.pageSize < 512 || c.pageSize > 64<<10 || c.pageSize&(c.pageSize-1) != 0 {
		return 0, fmt.Errorf("its pages have %d bytes", c.pageSize)
	}
	if want := (int64(c.last) + 1) * c.pageSize; size < want {
		return 0, fmt.Errorf("it is cut off: it has %d of %d bytes", size, want)
	}
	c.budget = int64(c.last) + 1
	for n := range c.last + 1 {
		found, err := c.hashPage(n)
		if err != nil {
			return packages, fmt.Errorf("page %d: %w", n, err)
		}
		packages += found
	}
	return packages, nil
}

// read fills part with the beginning of a page.
func (c *bdbCheck) read(n uint32, part []byte) error {
	_, err := c.content.ReadAt(part, int64(n)*c.pageSize)
	if errors.Is(err, io.EOF) {
		err = nil // the last page; sizes were checked
	}
	return err
}

// hashPage follows the values of a page that are stored elsewhere, which all packages are.
func (c *bdbCheck) hashPage(n uint32) (values int, err error) {
	var head [bdbPageHeader]byte
	if err := c.read(n, head[:]); err != nil {
		return 0, err
	}
	if t := head[bdbTypeAt]; t != bdbUnsortedHash && t != bdbSortedHash {
		return 0, nil
	}
	page := make([]byte, c.pageSize)
	if err := c.read(n, page); err != nil {
		return 0, err
	}
	entries := int(c.order.Uint16(page[bdbEntriesAt:]))
	if entries%2 != 0 || bdbPageHeader+2*entries > len(page) {
		return 0, fmt.Errorf("it has %d entries", entries)
	}
	for i := 1; i < entries; i += 2 { // keys and values take turns
		at := int(c.order.Uint16(page[bdbPageHeader+2*i:]))
		if at >= len(page) {
			return values, fmt.Errorf("a value is at byte %d of %d", at, len(page))
		}
		if page[at] != bdbOffPage {
			continue
		}
		if at+bdbOffPageSize > len(page) {
			return values, fmt.Errorf("a value is at byte %d of %d", at, len(page))
		}
		if err := c.chain(c.order.Uint32(page[at+4:])); err != nil {
			return values, err
		}
		values++
	}
	return values, nil
}

// chain follows one value through its pages.
func (c *bdbCheck) chain(n uint32) error {
	var first []byte
	var length int64
	var page [bdbPageHeader + 8]byte // of the content no more is needed than how it begins
	for n != 0 {
		if c.budget--; c.budget < 0 || n > c.last {
			return errors.New("a value goes in circles or out of the file")
		}
		if err := c.read(n, page[:]); err != nil {
			return err
		}
		content := c.pageSize - bdbPageHeader
		next := c.order.Uint32(page[bdbNextAt:])
		if next == 0 {
			content = int64(c.order.Uint16(page[bdbFreeAt:]))
		}
		if page[bdbTypeAt] != bdbOverflow || content > c.pageSize-bdbPageHeader {
			return fmt.Errorf("page %d of a value is none", n)
		}
		if first == nil {
			first = append(first, page[bdbPageHeader:][:min(content, 8)]...)
		}
		length += content
		n = next
	}
	return checkHeader(first, length)
}

// The parts of NDB, SUSE's format, that are read.
//
// https://github.com/rpm-software-management/rpm/blob/master/lib/backend/ndb/rpmpkg.cc
const (
	ndbSlotSize  = 16
	ndbPageSlots = 4096 / ndbSlotSize
	ndbMaxPages  = 2048
	ndbBlobHead  = 16
)

func checkNDB(content io.ReaderAt, size int64) (packages int, err error) {
	head := make([]byte, 32)
	if _, err := content.ReadAt(head, 0); err != nil {
		return 0, err
	}
	version, pages := binary.LittleEndian.Uint32(head[4:]), int64(binary.LittleEndian.Uint32(head[12:]))
	if version != 0 || pages == 0 || pages > ndbMaxPages {
		return 0, fmt.Errorf("it has the NDB version %d and %d pages of slots", version, pages)
	}
	slots := make([]byte, (pages*ndbPageSlots-2)*ndbSlotSize)
	if n, err := content.ReadAt(slots, 32); n < len(slots) {
		return 0, fmt.Errorf("it is cut off within its slots: %w", err)
	}
	left := size
	for ; len(slots) > 0; slots = slots[ndbSlotSize:] {
		if string(slots[:4]) != "Slot" {
			return packages, errors.New("it has a slot that is none")
		}
		index := binary.LittleEndian.Uint32(slots[4:])
		if index == 0 {
			continue
		}
		length, err := checkBlob(content, size, index, int64(binary.LittleEndian.Uint32(slots[8:]))*ndbSlotSize)
		if err != nil {
			return packages, fmt.Errorf("package %d: %w", index, err)
		}
		if left -= length; left < 0 {
			return packages, errors.New("its packages together are longer than the file")
		}
		packages++
	}
	return packages, nil
}

func checkBlob(content io.ReaderAt, size int64, index uint32, at int64) (int64, error) {
	head := make([]byte, ndbBlobHead+8)
	if n, err := content.ReadAt(head, at); n < len(head) {
		return 0, fmt.Errorf("it is beyond the end of the file: %w", err)
	}
	length := int64(binary.LittleEndian.Uint32(head[12:]))
	switch {
	case string(head[:4]) != "BlbS" || binary.LittleEndian.Uint32(head[4:]) != index:
		return 0, errors.New("it is not where its slot says")
	case at+ndbBlobHead+length > size:
		return 0, fmt.Errorf("its %d bytes go beyond the end of the file", length)
	}
	return length, checkHeader(head[ndbBlobHead:], length)
}

// checkSQLite asks for an ordinary table with an ordinary column: a forged schema could make the list of packages a
// computation without an end.
func checkSQLite(ctx context.Context, database string) (packages int, err error) {
	db, err := sql.Open("sqlite", database)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var ordinary bool
	err = db.QueryRowContext(ctx, `SELECT count(*) = 1 FROM sqlite_schema
		WHERE lower(name) = 'packages' AND type = 'table' AND lower(sql) NOT LIKE 'create virtual%'`).Scan(&ordinary)
	if err == nil && ordinary {
		err = db.QueryRowContext(ctx, `SELECT count(*) = 1 FROM pragma_table_xinfo('Packages')
			WHERE lower(name) = 'blob' AND hidden = 0`).Scan(&ordinary)
	}
	if err != nil {
		return 0, fmt.Errorf("read its schema: %w", err)
	}
	if !ordinary {
		return 0, errors.New("it has no ordinary table of packages")
	}
	rows, err := db.QueryContext(ctx, "SELECT substr(CAST(blob AS BLOB), 1, 8), length(CAST(blob AS BLOB)) FROM Packages")
	if err != nil {
		return 0, fmt.Errorf("read its packages: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var first []byte
		var length int64
		if err := rows.Scan(&first, &length); err != nil {
			return packages, fmt.Errorf("read its packages: %w", err)
		}
		if err := checkHeader(first, length); err != nil {
			return packages, err
		}
		packages++
	}
	return packages, rows.Err()
}
