// Package network is patience with servers: a transport that notices those that hang, repeats what is worth repeating,
// goes on where a connection broke, never speaks in plain text over a network, and says in one sentence what was wrong.
//
// It knows HTTP and nothing of what is fetched: registries are in core/internal/registry.
package network
