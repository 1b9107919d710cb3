package limit

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// setting is one limit that users can change by name.
type setting struct {
	name  string
	field func(*Limits) *int64
	bytes bool
}

func settings() []setting {
	return []setting{
		{name: "entries", field: func(l *Limits) *int64 { return &l.Entries }},
		{name: "path-length", field: func(l *Limits) *int64 { return &l.PathLength }},
		{name: "file-size", field: func(l *Limits) *int64 { return &l.FileSize }, bytes: true},
		{name: "layer-size", field: func(l *Limits) *int64 { return &l.LayerSize }, bytes: true},
		{name: "total-size", field: func(l *Limits) *int64 { return &l.TotalSize }, bytes: true},
		{name: "ratio", field: func(l *Limits) *int64 { return &l.Ratio }},
		{name: "metadata-size", field: func(l *Limits) *int64 { return &l.MetadataSize }, bytes: true},
		{name: "kept-size", field: func(l *Limits) *int64 { return &l.KeptSize }, bytes: true},
		{name: "nesting", field: func(l *Limits) *int64 { return &l.Nesting }},
		{name: "history-commits", field: func(l *Limits) *int64 { return &l.HistoryCommits }},
		{name: "history-size", field: func(l *Limits) *int64 { return &l.HistorySize }, bytes: true},
	}
}

// timeSetting is one limit on time.
type timeSetting struct {
	name  string
	field func(*Limits) *time.Duration
}

func times() []timeSetting {
	return []timeSetting{
		{name: "history-time", field: func(l *Limits) *time.Duration { return &l.HistoryTime }},
		{name: "time", field: func(l *Limits) *time.Duration { return &l.Time }},
	}
}

// Names returns the names that Set accepts, in the order of the fields.
func Names() []string {
	var names []string
	for _, s := range settings() {
		names = append(names, s.name)
	}
	for _, s := range times() {
		names = append(names, s.name)
	}
	return names
}

// Set changes one limit from the form NAME=VALUE. Sizes take the suffixes KiB, MiB and GiB, time those of Go's
// durations.
func (l *Limits) Set(assignment string) error {
	name, value, ok := strings.Cut(assignment, "=")
	if !ok {
		return errors.New("it has to be NAME=VALUE")
	}
	for _, s := range times() {
		if s.name != name {
			continue
		}
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is not a time: want one such as 90s or 1h", value)
		}
		*s.field(l) = d
		return nil
	}
	for _, s := range settings() {
		if s.name != name {
			continue
		}
		n, err := parseCount(value, s.bytes)
		if err != nil {
			return err
		}
		*s.field(l) = n
		return nil
	}
	return fmt.Errorf("there is no limit %q: want one of %s", name, strings.Join(Names(), ", "))
}

func parseCount(value string, bytes bool) (int64, error) {
	digits, unit := value, int64(1)
	want := "a whole number above 0"
	if bytes {
		want += ", or one such as 500MiB"
		for suffix, factor := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
			if d, ok := strings.CutSuffix(value, suffix); ok {
				digits, unit = d, factor
			}
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is not %s", value, want)
	}
	return n * unit, nil
}
