// Package rego evaluates rules that teams wrote for Open Policy Agent or Conftest, on the same evidence as the rules of
// the policy file and in this process.
//
// The conventions are those of Conftest (https://www.conftest.dev): rules called deny, violation or warn, or with such a
// prefix ("deny_root"), in any package, give a set of messages, or of objects with a "msg". Rules called exception excuse
// others of their package by name. Both dialects are read, Rego v1 and the older v0, file by file.
//
// It differs from Conftest where that would let something pass in silence:
//
//   - input is the member "evidence" of the document that --output json writes, and a rule that asks for a member that
//     evidence does not have is an error when it is loaded, and so is one that asks for data that no module defines.
//   - An error of a built-in function is an error of the rule, and a rule that gives something else than messages is one.
//   - An exception turns the messages of its rules into warnings; they do not vanish.
//
// Rules reach nothing outside. Only functions that are listed in builtins.go exist: none that speaks with the network,
// reads a file, the environment or a clock, or gives another result tomorrow. time.now_ns is the time of the verdict, and
// times are in UTC, because zones are files of the machine. Steps and memory are limited by counting, so that a rule that
// is stopped is stopped everywhere at the same place. A deadline, far beyond what the limits allow, catches only what
// cannot be counted.
package rego
