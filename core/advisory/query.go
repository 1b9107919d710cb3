package advisory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Answer is one record that an id leads to, with what it says of each package.
type Answer struct {
	Record
	// Family is the ecosystem, without a release, whose packages it is about.
	Family string
	// Affects are what it says of each of its packages, sorted by name and ecosystem.
	Affects []Affected
}

// ByID returns every record that has the id, or names it as an alias, as upstream or as related, sorted by family and
// id. None means that the set knows nothing of it. Sets of facts only, as the starter set, know records by their own ids.
func (s *Set) ByID(ctx context.Context, id string) ([]Answer, error) {
	value, ok, err := s.find(ctx, idsTable, "", id)
	if err != nil {
		return nil, err
	}
	var names []RecordName
	if ok {
		if names, err = decodeNames(value); err != nil {
			return nil, fmt.Errorf("records of %s: %w", id, err)
		}
	}
	for t := range s.tables {
		if t.kind == recordsTable {
			names = append(names, RecordName{t.name, id})
		}
	}
	if err := s.Prepare(ctx, Keys{Records: names}); err != nil {
		return nil, err
	}
	var out []Answer
	for _, n := range names {
		r, ok, err := s.record(ctx, n)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, Answer{Record: r, Family: n.Family})
		}
	}
	slices.SortFunc(out, func(a, b Answer) int { return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.ID, b.ID)) })
	out = slices.CompactFunc(out, func(a, b Answer) bool { return a.Family == b.Family && a.ID == b.ID })
	return out, s.fillAnswers(ctx, out)
}

// fillAnswers looks up what the records say of their packages.
func (s *Set) fillAnswers(ctx context.Context, answers []Answer) error {
	var k Keys
	for i := range answers {
		k.Packages = append(k.Packages, answers[i].Packages...)
	}
	if err := s.Prepare(ctx, k); err != nil {
		return err
	}
	for i := range answers {
		a := &answers[i]
		for _, p := range a.Packages {
			list, err := s.Affected(ctx, p.Ecosystem, p.Name)
			if err != nil {
				return err
			}
			for _, l := range list {
				if l.ID == a.ID {
					a.Affects = append(a.Affects, l)
				}
			}
		}
	}
	return nil
}
