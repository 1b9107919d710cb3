// Package policy judges evidence: it reads a policy, checks it, and turns evidence into one core.Verdict.
//
// A policy is a YAML file of rules whose conditions are CEL expressions (https://cel.dev) over typed findings,
// packages, images and subjects. How rules combine is simple on purpose:
//
//   - Every finding is decided by exactly one rule: the first, in the order of the file, whose condition holds. The
//     rules of the file come before those of the policy that it extends, so an owner can make an exception and a reader
//     finds it at the top. A finding that no rule matches is a warning, never nothing.
//   - A rule that fails makes the verdict Refused, whatever else is missing.
//   - Otherwise every examination that the policy requires must exist, for every subject, and every examination that
//     exists must be complete, unless the policy says that it accepts the gap. If not, the verdict is Undecided.
//   - A rule that cannot be evaluated is a gap as well: it might have been the one that refuses.
//   - Only otherwise is the verdict Passed. Evidence without a subject never passes.
//
// Judging is pure. Nothing in this room reads a file, a clock, the environment or the network; the built-in profiles
// are embedded. Who found the policy file, and on which commit, is not its concern either.
package policy
