package github

import "github.com/cleanbill-ci/cleanbill/core/misconfig/rule"

// check is a rule with how it is checked.
type check struct {
	rule.Rule
	check func(*file, func(rule.Hit))
}

// checks is every rule of this family.
func checks() []check {
	return []check{
		headCheckout(), scriptInjection(), widePermissions(), missingPermissions(), unpinnedAction(), unpinnedImage(),
		selfHosted(),
		unsecureCommands(), curlPipeShell(),
	}
}

// Rules returns every rule of this family.
func Rules() []rule.Rule {
	var all []rule.Rule
	for _, c := range checks() {
		all = append(all, c.Rule)
	}
	return all
}
