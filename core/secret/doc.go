// Package secret finds credentials that were left in files: in source trees, in every layer of an image, and in an
// image's configuration. The rules and their configuration are those of gitleaks, which people already have.
//
// The engine that applies the rules is our own, for three reasons. The library's reads every text once in lower case and
// then runs whole regular expressions over it, which on an image takes longer than reading the image; ours finds the
// keywords of all rules in one pass and looks only where one stands. The library drops what an ignore comment, an ignore
// file or an allowlist of the user names; here it stays a finding that says so, and policy decides. And the library's
// configuration goes through state of the whole process. A test holds the two to the same findings.
//
// A secret itself never leaves this room: findings say which rule matched, and where.
package secret
