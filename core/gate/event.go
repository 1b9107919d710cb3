package gate

import "github.com/cleanbill-ci/cleanbill/core"

// EventKind says what an Event tells.
type EventKind int

// The kinds of Event, in the order in which they come.
const (
	EventOpening    EventKind = iota // Target is being opened
	EventOpened                      // Target was opened to Subject
	EventLayer                       // a layer is being read
	EventAdvisories                  // advisories are being obtained, as Text says
	EventMatching                    // Count packages are matched against advisories
	EventWritten                     // a report was written to Path
	EventPushing                     // what passed is pushed and attested, to be named Target
	EventFleet                       // released images are being asked about, as Text says
)

// Event tells what a run is doing. Events of one run come one at a time.
type Event struct {
	Kind    EventKind
	Target  string
	Subject core.Subject
	Layer   LayerProgress
	Count   int
	Text    string
	Path    string
}

// LayerProgress is how far one layer was read.
type LayerProgress struct {
	Digest core.Digest
	Index  int
	// Read and Size are bytes of the blob as stored.
	Read, Size int64
	Files      int
	Done       bool
}
