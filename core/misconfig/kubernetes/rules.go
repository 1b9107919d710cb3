package kubernetes

import "github.com/cleanbill-ci/cleanbill/core/misconfig/rule"

// check is a rule with how it is checked.
type check struct {
	rule.Rule
	check func(*file, func(rule.Hit))
}

// checks is every rule of this family beside the Pod Security Standards.
func checks() []check {
	return []check{
		engineSocket(), clusterAdmin(), anonymousBinding(), rbacWildcard(), rbacEscalation(), rbacSecrets(), secretVariable(),
		secretAsVariable(), secretManifest(), writableSecret(), unencryptedStorage(), latestImage(), resourceLimits(),
		missingProbes(),
		writableRoot(), serviceAccountToken(), networkPolicy(), ingressTLS(),
	}
}

// Rules returns every rule of this family.
func Rules() []rule.Rule {
	var all []rule.Rule
	for _, s := range standards() {
		all = append(all, s.Rule)
	}
	for _, c := range checks() {
		all = append(all, c.Rule)
	}
	return all
}
