# What a verdict has to say, and that it is at most a week old. cosign calls this with the whole statement:
#   cosign verify-attestation --type https://slsa.dev/verification_summary/v1 --policy vsa.rego …
package signature

import rego.v1

# The digest of the policy: a verdict by a laxer one does not count.
policy := "0000000000000000000000000000000000000000000000000000000000000000"

week := ((7 * 24) * 3600) * 1000000000

default allow := false

allow if {
	input.predicateType == "https://slsa.dev/verification_summary/v1"
	input.predicate.verifier.id == "https://github.com/cleanbill-ci/cleanbill"
	input.predicate.verificationResult == "PASSED"
	input.predicate.policy.digest.sha256 == policy
	age := time.now_ns() - time.parse_rfc3339_ns(input.predicate.timeVerified)
	age <= week
	age >= -300000000000
}
