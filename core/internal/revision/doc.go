// Package revision reads one commit of the git repository that sources were checked out from: what a change would be
// merged into, which the change itself cannot edit.
//
// It reads only. It needs no git program, runs no hook, obeys no configuration and reaches no network, and every object
// is hashed again before it is believed: whoever writes into the repository's folder cannot give a commit other content.
//
// https://git-scm.com/docs/gitrepository-layout
package revision
