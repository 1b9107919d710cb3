package inventory

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
)

const (
	// maxTOMLDepth is how deep arrays and inline tables may nest, and maxTOMLParts how many parts a dotted key may
	// have: lockfiles need five. The parser recurses for each level, and a stack that overflows ends the whole process.
	maxTOMLDepth, maxTOMLParts = 128, 32
	// What the parser keeps in memory for a key, table or inline table, and for an element, in bytes.
	tomlKeyCost, tomlElementCost = 256, 64
)

// checkTOML bounds what a file costs the parser of TOML, which has no bounds of its own and recurses. The parser keeps
// the full name of each key, so that a long table name is paid for once for each key in it.
//
// https://toml.io/en/v1.0.0
func checkTOML(ctx context.Context, s *analysis) error {
	t := newTOMLScan(s.content(), s.limits.KeptSize)
	for n := 0; ; n++ {
		if n%(1<<20) == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		err := t.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errTOMLCost):
			return s.tooCostly()
		case err != nil:
			return err
		}
	}
}

var errTOMLCost = errors.New("it costs too much")

// tomlScan knows strings, comments and brackets. It may be wrong only after the parser has given up.
type tomlScan struct {
	in        *bufio.Reader
	cost, max int64
	// name and dots are of the text since the last delimiter, which is a key if an equals sign follows.
	name, dots int64
	// key is the length of the last key, table that of the name of the current table, and outer those of the keys of
	// the open brackets.
	key, table int64
	outer      []int64
	prefix     int64
	assigned   bool
}

func newTOMLScan(r io.Reader, maximum int64) *tomlScan {
	return &tomlScan{in: bufio.NewReader(r), max: maximum}
}

func (t *tomlScan) charge(n int64) error {
	if t.cost += n; t.cost > t.max {
		return errTOMLCost
	}
	return nil
}

func (t *tomlScan) next() error {
	c, err := t.in.ReadByte()
	if err != nil {
		return err
	}
	if err := t.charge(1); err != nil {
		return err
	}
	switch c {
	case '"', '\'':
		return t.passString(c)
	case '#':
		return t.passComment()
	case '\n':
		t.endLine()
	case '.':
		t.name++
		if t.dots++; t.dots >= maxTOMLParts {
			return fmt.Errorf("it has a key of more than %d parts", maxTOMLParts)
		}
	case '=':
		err := t.chargeKey()
		t.key, t.name, t.dots, t.assigned = t.name, 0, 0, true
		return err
	case ',':
		t.name, t.dots = 0, 0
		return t.charge(tomlElementCost)
	case '[', '{':
		return t.open(c)
	case ']', '}':
		return t.close()
	default:
		t.name++
	}
	return nil
}

// chargeKey pays for a key and, if it is dotted, for the tables that it implies.
func (t *tomlScan) chargeKey() error {
	const ofPart = 16 // in the list that a key is kept as
	return t.charge((tomlKeyCost + 2*(t.table+t.prefix+t.name) + ofPart*t.dots) * (t.dots + 1))
}

func (t *tomlScan) endLine() {
	t.name, t.dots = 0, 0
	if len(t.outer) == 0 {
		t.key, t.assigned = 0, false
	}
}

func (t *tomlScan) open(bracket byte) error {
	if len(t.outer) == maxTOMLDepth {
		return fmt.Errorf("its values are nested more than %d deep", maxTOMLDepth)
	}
	t.outer = append(t.outer, t.key)
	t.prefix += t.key
	t.key, t.name, t.dots = 0, 0, 0
	if bracket == '[' {
		return t.charge(tomlElementCost)
	}
	return t.charge(tomlKeyCost + 2*(t.table+t.prefix))
}

func (t *tomlScan) close() error {
	var err error
	if !t.assigned && t.name > 0 { // the name of a table
		t.table = 0
		err = t.chargeKey()
		t.table = t.name
	}
	if last := len(t.outer) - 1; last >= 0 {
		t.key = t.outer[last]
		t.prefix -= t.key
		t.outer = t.outer[:last]
	}
	t.name, t.dots = 0, 0
	return err
}

func (t *tomlScan) passComment() error {
	for {
		c, err := t.in.ReadByte()
		if err != nil {
			return err
		}
		if c == '\n' {
			return t.in.UnreadByte()
		}
		t.cost++
	}
}

// passString passes over a string of one or more lines, whose first quotation mark was read.
func (t *tomlScan) passString(quote byte) error {
	quotes, err := t.countQuotes(quote, 3)
	switch {
	case err != nil:
		return err
	case quotes == 1:
		t.name++
		return nil // it was empty
	}
	long := quotes == 2
	for {
		c, err := t.in.ReadByte()
		if err != nil {
			return err
		}
		t.cost++
		t.name++
		switch {
		case c == '\\' && quote == '"':
			_, err = t.in.ReadByte()
		case c == '\n' && !long:
			return t.in.UnreadByte() // the parser gives up here
		case c == quote && !long:
			return nil
		case c == quote:
			// Up to two quotation marks may stand before the three that end it.
			if quotes, err = t.countQuotes(quote, 1<<30); quotes >= 2 {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

// countQuotes reads further quotation marks, so that there are up to most of them with the one that was read before.
func (t *tomlScan) countQuotes(quote byte, most int) (int, error) {
	for n := 0; ; n++ {
		if n == most-1 {
			return n, nil
		}
		c, err := t.in.ReadByte()
		if err != nil {
			return n, err
		}
		if c != quote {
			return n, t.in.UnreadByte()
		}
		t.cost++
	}
}
