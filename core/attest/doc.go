// Package attest says things about digests that others can check: it makes in-toto statements, signs them, keeps them
// beside what they are about in a registry, reads them there, and moves images together with them.
//
// What a statement says is decided elsewhere, and so is whether anything may be signed at all: nothing in this room judges.
// Whose signatures count is for core/internal/signature; this room makes them.
package attest
