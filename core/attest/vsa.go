package attest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
)

// aheadOfTime is how far a summary's time may be in the future: clocks differ.
const aheadOfTime = 5 * time.Minute

// SummaryDemands are what a summary has to say to count. The zero value wants that it passed, by this program.
type SummaryDemands struct {
	// Verifier is who has to have verified; empty means VerifierID.
	Verifier string
	// Policy is the digest of the policy that it has to have passed; empty means any.
	Policy core.Digest
	// MaxAge is how old the verdict may be; 0 means any age.
	MaxAge time.Duration
	// Resource is the name that it has to be about; empty means any: the digest says what it is about.
	Resource string
}

// Summarized is what a summary that counts says.
type Summarized struct {
	Verifier string `json:"verifier"`
	Resource string `json:"resource"`
	// Policy is the address of the policy, as the summary says it.
	Policy       string      `json:"policy"`
	PolicyDigest core.Digest `json:"policyDigest"`
	// Verified is when it passed.
	Verified time.Time `json:"verified"`
	Levels   []string  `json:"levels"`
}

// Latest returns the latest summary that counts, of what trusted signers said of one digest, and who said it; nil with the
// reasons if none does. A verdict that did not pass takes back those of the same verifier by the same policy before it, so
// that nobody passes an image by an older one.
func (d SummaryDemands) Latest(all []signature.Verified, now time.Time) (latest *Summarized, by string, reasons []string) {
	passed := make([]Summarized, len(all))
	failed := map[core.Digest]time.Time{}
	for i, v := range all {
		if v.PredicateType != TypeVSA {
			continue
		}
		s, err := d.Read(v.Predicate, now)
		if err == nil {
			passed[i] = s
			continue
		}
		if errors.Is(err, errNotPassed) && s.Verified.After(failed[s.PolicyDigest]) {
			failed[s.PolicyDigest] = s.Verified
		}
		reasons = append(reasons, fmt.Sprintf("the summary by %s: %v", v.Signer, err))
	}
	for i, s := range passed {
		at, taken := failed[s.PolicyDigest]
		switch {
		case s.Verified.IsZero():
		case taken && !s.Verified.After(at):
			reasons = append(reasons, fmt.Sprintf("the summary by %s: it passed at %s, and did not at %s", all[i].Signer,
				seconds(s.Verified), seconds(at)))
		case latest == nil || s.Verified.After(latest.Verified):
			latest, by = &passed[i], all[i].Signer
		}
	}
	slices.Sort(reasons)
	return latest, by, slices.Compact(reasons)
}

// errNotPassed is for a verdict that is wanted in everything but that.
var errNotPassed = errors.New("it did not pass")

// Read returns what a predicate of type TypeVSA says, or why that is not what is demanded. That somebody who is trusted
// said it, and of which digest, was verified before.
//
// https://slsa.dev/spec/v1.1/verification_summary#how-to-verify
func (d SummaryDemands) Read(predicate []byte, now time.Time) (Summarized, error) {
	var s summary
	if err := json.Unmarshal(predicate, &s); err != nil {
		return Summarized{}, errors.New("it is not a verification summary: " + redact.Limited(err.Error(), 200))
	}
	out := Summarized{Verifier: s.Verifier.ID, Resource: s.Resource, Policy: s.Policy.URI, Levels: s.Levels}
	var err error
	if hex, ok := s.Policy.Digest["sha256"]; ok {
		if out.PolicyDigest, err = core.ParseDigest("sha256:" + hex); err != nil {
			return out, fmt.Errorf("it names its policy by %q, which is no digest", redact.Limited(hex, 80))
		}
	}
	if out.Verified, err = time.Parse(time.RFC3339, s.Verified); err != nil {
		return out, fmt.Errorf("its time %q is none", redact.Limited(s.Verified, 60))
	}
	want := d.Verifier
	if want == "" {
		want = VerifierID
	}
	age := now.Sub(out.Verified)
	switch {
	case s.Verifier.ID != want:
		return out, fmt.Errorf("its verifier is %q, and %q is wanted", redact.Limited(s.Verifier.ID, 120), want)
	case d.Policy != "" && out.PolicyDigest != d.Policy:
		return out, fmt.Errorf("it is about the policy %s (%s), and %s is wanted", redact.Limited(s.Policy.URI, 80), out.PolicyDigest, d.Policy)
	case d.Resource != "" && strings.TrimPrefix(s.Resource, "oci://") != d.Resource:
		return out, fmt.Errorf("it is about %q, and %q is wanted", redact.Limited(s.Resource, 200), d.Resource)
	case age < -aheadOfTime:
		return out, fmt.Errorf("its time, %s, is in the future", seconds(out.Verified))
	case s.Result != resultPassed:
		return out, fmt.Errorf("%w: its result is %q", errNotPassed, redact.Limited(s.Result, 40))
	case want == VerifierID && !slices.Contains(s.Levels, LevelPassed):
		return out, errors.New("it does not say that the policy was passed")
	case d.MaxAge > 0 && age > d.MaxAge:
		return out, fmt.Errorf("it is of %s, which is %s ago, and at most %s is wanted", seconds(out.Verified),
			age.Truncate(time.Second), d.MaxAge)
	}
	return out, nil
}
