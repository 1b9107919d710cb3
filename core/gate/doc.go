// Package gate runs the stages in their one order: open, read, match, judge, report. It is the only room that knows all
// of them; catalog.go is the one table of what it runs.
//
// A Plan comes in, a Result goes out, Events tell on the way. The gate decides nothing itself: what could not be looked
// at becomes an Examination, and policy judges. Nothing that belongs to one CI platform may enter it; a Platform
// translates.
package gate
