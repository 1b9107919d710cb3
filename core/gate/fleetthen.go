package gate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/attest"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// predicateVulns begins the types of lists of vulnerabilities, of whatever version.
//
// https://github.com/in-toto/attestation/blob/main/spec/predicates/vulns.md
const predicateVulns = "https://in-toto.io/attestation/vulns"

// waiverReason begins the reason that such a list gives for what a waiver excused.
const waiverReason = "waiver "

// knownThen is what was known of an image when that was attested: ids of flaws, with the package that each is of, and
// what was made of it. The package is empty where only the id is said.
type knownThen map[thenKey]thenFlaw

type thenKey struct{ id, purl string }

// thenFlaw is what was made of a flaw then.
type thenFlaw struct {
	// Waiver is the id of the waiver that excused it.
	Waiver string
}

// of returns what was known of a finding.
func (k knownThen) of(f *core.Finding) (thenFlaw, bool) {
	purl := ""
	if f.Package != nil {
		purl = f.Package.Purl
	}
	for _, id := range append([]string{f.Rule}, f.Aliases...) {
		for _, p := range []string{purl, ""} {
			if flaw, ok := k[thenKey{id, p}]; ok {
				return flaw, true
			}
		}
	}
	return thenFlaw{}, false
}

// knownThen reads what was known of an image: the list of vulnerabilities that is attested to it or, without one, the
// evidence, which is much larger; to the image itself or to its index. It counts by the same signers as the bills of
// materials do.
func (f *fleet) knownThen(ctx context.Context, s *shelves, r *released, index *indexOf) (*knownThen, error) {
	known, err := f.thenIn(ctx, s, r, r.heard, r.Digest)
	if known != nil || err != nil {
		return known, err
	}
	said, err := f.from(ctx, s, r.shelf, r.Digest, isEvidence)
	if err != nil {
		return nil, err
	}
	known, err = f.thenIn(ctx, s, r, said, r.Digest)
	if known != nil || err != nil || index == nil {
		return known, err
	}
	shelf, err := index.beside(ctx)
	if err != nil {
		return nil, err
	}
	if index.then == nil {
		if index.then, err = f.from(ctx, s, shelf, index.digest, func(t string) bool {
			return isVulns(t) || isEvidence(t)
		}); err != nil {
			return nil, err
		}
	}
	return f.thenIn(ctx, s, r, index.then, index.digest)
}

func isVulns(predicateType string) bool { return ofType(predicateType, predicateVulns) }

func isEvidence(predicateType string) bool { return predicateType == report.PredicateType }

func (f *fleet) thenIn(ctx context.Context, s *shelves, r *released, said []heard,
	about core.Digest) (*knownThen, error) {
	var known *knownThen
	for _, one := range said {
		v, err := one.verified, one.err
		if err != nil && f.plan.AllowUnsigned && !r.Authenticated() {
			v, err = one.Claims(about)
		}
		if err != nil {
			continue // why was said of the bills of materials
		}
		documents := [][]byte{v.Predicate}
		switch {
		case v.PredicateType == attest.TypeReference:
			err := f.ask(ctx, s, func() (err error) {
				documents, err = attest.Referred(ctx, s.repository, v.Predicate, maxDocument, report.DocumentMediaType)
				return err
			})
			if err != nil {
				return nil, err
			}
		case !isVulns(v.PredicateType) && !isEvidence(v.PredicateType):
			continue
		}
		for _, raw := range documents {
			if known == nil {
				known = &knownThen{}
			}
			if isVulns(v.PredicateType) {
				err = known.addList(raw)
			} else {
				err = known.addDocument(raw, r.Digest)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return known, nil
}

// addList adds a list of vulnerabilities.
func (k knownThen) addList(raw []byte) error {
	var p struct {
		Scanner struct {
			Result []struct {
				ID          string `json:"id"`
				Annotations []struct {
					Package string `json:"package"`
					Reason  string `json:"reason"`
				} `json:"annotations"`
			} `json:"result"`
		} `json:"scanner"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return fmt.Errorf("read a list of vulnerabilities: %w", err)
	}
	for _, x := range p.Scanner.Result {
		key, flaw := thenKey{id: x.ID}, thenFlaw{}
		for _, a := range x.Annotations {
			if key.purl == "" {
				key.purl = a.Package
			}
			if waiver, ok := strings.CutPrefix(a.Reason, waiverReason); ok {
				flaw.Waiver = waiver
			}
		}
		k[key] = flaw
	}
	return nil
}

// addDocument adds what a document of evidence says of an image.
func (k knownThen) addDocument(raw []byte, about core.Digest) error {
	d, err := report.ReadDocument(bytes.NewReader(raw), "what is attested", maxDocument)
	if err != nil {
		return err
	}
	waivers := map[string]string{}
	if d.Verdict != nil {
		for _, o := range d.Verdict.Ignored {
			if o.Subject == about {
				waivers[o.Fingerprint] = o.Waiver
			}
		}
	}
	for i := range d.Evidence.Findings {
		x := &d.Evidence.Findings[i]
		if x.Subject != about || x.Package == nil {
			continue
		}
		for _, id := range append([]string{x.Rule}, x.Aliases...) {
			k[thenKey{id, x.Package.Purl}] = thenFlaw{Waiver: waivers[x.Fingerprint]}
		}
	}
	return nil
}
