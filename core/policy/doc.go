// Package policy judges evidence: it reads a policy, checks it, and turns evidence into one core.Verdict.
//
// A policy is a YAML file of rules whose conditions are CEL expressions (https://cel.dev) over typed findings,
// packages, images, subjects, examinations and the evidence as a whole. docs/policy.md is the reference: a test holds that
// it names every key, field and function. How rules combine is simple on purpose:
//
//   - Every finding is decided by exactly one rule: the first, in the order of the file, that applies and whose condition
//     holds. The rules of the file come before those of the policy that it extends, so an owner can make an exception
//     and a reader finds it at the top. A finding that no rule matches is a warning, never nothing.
//   - Rules that are locked come before all others, so that a project cannot excuse what its organisation refuses.
//   - Where it is not known whether a rule applies, one that fails does, and one that warns or ignores does not.
//   - A rule that fails makes the verdict Refused, whatever else is missing.
//   - Otherwise every examination that the policy requires must exist, for every subject, and every examination that
//     exists must be complete, unless the policy says that it accepts the gap. If not, the verdict is Undecided.
//   - A rule that cannot be evaluated is a gap as well: it might have been the one that refuses.
//   - Only otherwise is the verdict Passed. Evidence without a subject never passes.
//
// Expressions call the functions of functions.go, which are pure, typed and counted: glob, purlMatches, compareVersions,
// olderThan, licensesAllowed, licensesDenied, registryOf, repositoryOf, fromRegistry and daysSince.
//
// Judging is pure. Nothing in this room reads a file, a clock, the environment or the network; the built-in profiles are
// embedded, and what a policy extends comes by way of a Resolver. Who found the policy file, and on which commit, is not
// its concern either.
package policy
