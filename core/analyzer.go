package core

import (
	"context"
	"io"
	"io/fs"
)

// Analyzer looks at single files. The walk opens, bounds and closes them; images and source trees feed the same
// analyzers. Methods are called from several goroutines at once.
type Analyzer interface {
	Info() Info
	// Wants reports whether Analyze should see the file. It is called for every regular file, so it looks at the name,
	// size and mode only. The path is relative, slash-separated and clean.
	Wants(path string, info fs.FileInfo) bool
	// Analyze reads one file. An error means that this file could not be analyzed; the walk turns it into an incomplete
	// Examination that names the file, and goes on. The walk fills in Subject, Origin and the layers of locations.
	Analyze(ctx context.Context, f File) (Found, error)
}

// Info describes an Analyzer.
type Info struct {
	// Name is unique among all analyzers, lower-case with slashes ("os/dpkg").
	Name    string
	Version string
	// Examines is the name of the Examination that a failure of this analyzer makes incomplete.
	Examines string
}

// File is one regular file, valid until Analyze returns.
type File struct {
	// Path is relative to the root, slash-separated and clean.
	Path string
	Info fs.FileInfo
	// Content is the whole file; it may be read in any order and by several goroutines.
	Content *io.SectionReader
	// Related holds the files that the analyzer named as a Relater, as they stood when the layer of this file was the
	// top one, or in the source tree. It is nil for analyzers that name none.
	Related fs.FS
}

// Found is what an Analyzer saw in one file.
type Found struct {
	Packages []Package
	Findings []Finding
	// Distro is set by the analyzer of os-release.
	Distro *Distro
	// Problems are what the analyzer could not make sense of although the rest is good.
	Problems []Problem
}

// Problem is a gap in an analysis.
type Problem struct {
	Path string
	Why  string
}

// Sniffer is an Analyzer that can decline a file by its beginning, before the content is kept.
type Sniffer interface {
	Analyzer
	// Sniff sees up to SniffLength bytes, less only for a shorter file.
	Sniff(path string, head []byte) bool
}

// SniffLength is how much of a file Sniff sees, in bytes.
const SniffLength = 512

// Relater is an Analyzer that reads other files beside the one it was given. The walk keeps those (small ones: see the
// limits) and calls Analyze after all layers were read.
type Relater interface {
	Analyzer
	// Related reports whether the walk must keep the file with this path.
	Related(path string) bool
}

// Anchored is an Analyzer whose files have fixed places, which are found there even if a symbolic link on the way
// leads elsewhere.
type Anchored interface {
	Analyzer
	// Anchors are files or directories, relative to the root.
	Anchors() []string
}

// Follower is an Analyzer that says which symbolic links to files of an image it follows. Any other that wants a file by
// the name of a link, and not by the file's own, is shown it under the link's; its layer may have to be read again for that.
type Follower interface {
	Analyzer
	// Follows is asked for the path of the link.
	Follows(link string) bool
}

// Glancer is an Analyzer that never reads a file: its name, size and mode say it all. File.Content may be empty, so that
// the walk keeps nothing of files that nobody else wants.
type Glancer interface {
	Analyzer
	Glances()
}
