package report

import (
	"bufio"
	"encoding/json"
	"slices"
)

// htmlTable holds rows as they are written. Rows that are the same but for their subjects are one.
type htmlTable struct {
	rows  [][]byte
	on    [][]int
	index map[string]int
	size  int
	added int // how many of the document's entries the rows stand for
	total int // how many entries the document has
	err   error
}

// add puts an entry into the table and returns the number of its row.
func (t *htmlTable) add(row any, subject int) int {
	raw, err := json.Marshal(row)
	if err != nil {
		t.err = err // not reachable: rows hold texts and finite numbers
	}
	t.added++
	i, seen := t.index[string(raw)]
	if !seen {
		i = len(t.rows)
		t.index[string(raw)] = i
		t.rows, t.on = append(t.rows, raw), append(t.on, nil)
		t.size += len(raw)
	}
	if !slices.Contains(t.on[i], subject) {
		t.on[i] = append(t.on[i], subject)
		t.size += htmlOnBytes
	}
	return i
}

// write writes the rows, and on which subjects they are, where there are several.
func (t *htmlTable) write(w *bufio.Writer, name string, several bool) error {
	if t.err != nil {
		return t.err
	}
	if err := writeAll(w, ",\n\"", name, "s\":["); err != nil {
		return err
	}
	for i, row := range t.rows {
		if err := writeAll(w, listSeparator(i)); err != nil {
			return err
		}
		if _, err := w.Write(row); err != nil {
			return err
		}
	}
	if !several {
		return writeAll(w, "]")
	}
	if err := writeAll(w, "],\n\"", name, "On\":["); err != nil {
		return err
	}
	for i, on := range t.on {
		list, err := json.Marshal(on)
		if err != nil {
			return err
		}
		if err := writeAll(w, listSeparator(i), string(list)); err != nil {
			return err
		}
	}
	return writeAll(w, "]")
}

// listSeparator puts each element on a line of its own.
func listSeparator(i int) string {
	if i == 0 {
		return "\n"
	}
	return ",\n"
}
