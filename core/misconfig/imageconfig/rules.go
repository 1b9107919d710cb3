package imageconfig

import "github.com/cleanbill-ci/cleanbill/core/misconfig/rule"

// check is a rule with how it is checked.
type check struct {
	rule.Rule
	check func(*file, func(rule.Hit))
}

// checks is every rule about configurations; those about files are in Files.
func checks() []check {
	return []check{
		rootUser(), secretVariable(), curlPipeShell(), adminPort(), missingHealthcheck(), fromTheFuture(), old(),
	}
}

// Rules returns every rule of this family.
func Rules() []rule.Rule {
	var all []rule.Rule
	for _, r := range []func() rule.Rule{setuid, worldWritable, shellLeft, managerLeft} {
		all = append(all, r())
	}
	for _, c := range checks() {
		all = append(all, c.Rule)
	}
	return all
}
