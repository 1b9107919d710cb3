package inventory

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/distro"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// osRelease reads the distribution's name.
//
// https://www.freedesktop.org/software/systemd/man/latest/os-release.html
type osRelease struct{}

const maxOSRelease = 64 << 10

func osReleasePaths() []string { return []string{"etc/os-release", "usr/lib/os-release"} }

// Info implements core.Analyzer.
func (osRelease) Info() core.Info {
	return core.Info{Name: "os/release", Version: "1", Examines: core.ExamineDistro}
}

// Anchors implements core.Anchored.
func (osRelease) Anchors() []string { return osReleasePaths() }

// Wants implements core.Analyzer.
func (osRelease) Wants(p string, info fs.FileInfo) bool { return at(osReleasePaths()...)(p, info) }

// Analyze implements core.Analyzer.
func (osRelease) Analyze(_ context.Context, f core.File) (core.Found, error) {
	if f.Content.Size() > maxOSRelease {
		return core.Found{}, &limit.Exceeded{Limit: "metadata-size", Max: maxOSRelease, Unit: "bytes", What: f.Path}
	}
	content, err := io.ReadAll(io.NewSectionReader(f.Content, 0, f.Content.Size()))
	if err != nil {
		return core.Found{}, err
	}
	d, err := parseOSRelease(content)
	if err != nil {
		return core.Found{}, err
	}
	return core.Found{Distro: &d}, nil
}

// parseOSRelease reads assignments as a shell would, without its expansions.
func parseOSRelease(content []byte) (core.Distro, error) {
	d := core.Distro{ID: "linux"} // the default of the specification
	fields := map[string]*string{
		"ID": &d.ID, "VERSION_ID": &d.VersionID, "VERSION_CODENAME": &d.Codename, "PRETTY_NAME": &d.PrettyName,
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, maxOSRelease+1)
	for lines.Scan() {
		key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		value = unquote(value)
		if err := believable(strings.ToLower(key), value, maxVersion); err != nil {
			if _, matters := fields[key]; matters || key == "ID_LIKE" {
				return core.Distro{}, fmt.Errorf("its %s is not text: %s", key, printable(value))
			}
			continue
		}
		if field := fields[key]; field != nil {
			*field = value
		}
		if key == "ID_LIKE" {
			d.IDLike = strings.Fields(value)
		}
	}
	if err := lines.Err(); err != nil {
		return core.Distro{}, err
	}
	d.Ecosystem = distro.Ecosystem(d)
	return d, nil
}

// unquote takes off one pair of quotes and, in double quotes or none, the backslashes.
func unquote(v string) string {
	if len(v) >= 2 && v[0] == '\'' && v[len(v)-1] == '\'' {
		return v[1 : len(v)-1]
	}
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		v = v[1 : len(v)-1]
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] == '\\' && i+1 < len(v) {
			i++
		}
		b.WriteByte(v[i])
	}
	return b.String()
}
