// Command starter makes the set of advisories that is embedded in Cleanbill, from the same sources as a whole set, by
// the rule in its README. The same sources give the same files.
//
//	go run ./core/advisory/starter -from ../shared/data -out core/advisory/starter/set
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// best is how many records of an ecosystem are taken besides those that are known to be exploited, in order of their
// EPSS score. What has no line here has none.
var best = map[string]int{
	"AlmaLinux": 150, "Alpine": 800, "Bitnami": 400, "Debian": 1500, "Go": 2000, "Maven": 540, "npm": 745, "NuGet": 20,
	"Packagist": 600, "PyPI": 1000, "RubyGems": 500, "Ubuntu": 300, "crates.io": 400,
}

// releases are those of distributions that are taken: supported ones, as far as the sources know them.
var releases = map[string][]string{
	"AlmaLinux": {"AlmaLinux:9", "AlmaLinux:10"},
	"Alpine":    {"Alpine:v3.20", "Alpine:v3.21", "Alpine:v3.22", "Alpine:v3.23", "Alpine:v3.24", "Alpine:edge"},
	"Debian":    {"Debian:11", "Debian:12", "Debian:13"},
	"Ubuntu":    {"Ubuntu:18.04"},
}

func main() {
	from := flag.String("from", "", "directory that holds osv/, kev.json, epss.csv.gz and eol-distros.csv")
	out := flag.String("out", "", "directory to replace with the set")
	flag.Parse()
	report, err := run(context.Background(), *from, *out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "starter:", err)
		os.Exit(1)
	}
	fmt.Printf("%d records, %d shards, %d bytes, %s\n", report.Records, report.Shards, report.Bytes, report.Digest)
}

func run(ctx context.Context, from, out string) (advisory.BuildReport, error) {
	if from == "" || out == "" {
		return advisory.BuildReport{}, errors.New("-from and -out are needed")
	}
	work, err := os.MkdirTemp(filepath.Dir(out), ".starter-*")
	if err != nil {
		return advisory.BuildReport{}, err
	}
	defer os.RemoveAll(work)
	chosen, err := choose(ctx, from, filepath.Join(work, "all"))
	if err != nil {
		return advisory.BuildReport{}, err
	}
	options := advisory.BuildOptions{From: filepath.Join(from, "osv"), FactsOnly: true}
	options.Select = func(r advisory.Record, affected []advisory.Affected) []advisory.Affected {
		affected = supported(affected)
		if len(affected) == 0 || !chosen[key(r, affected)] {
			return nil
		}
		return affected
	}
	report, err := advisory.Build(ctx, options, filepath.Join(work, "set"))
	if err != nil {
		return report, err
	}
	if err := os.RemoveAll(out); err != nil {
		return report, err
	}
	return report, os.Rename(filepath.Join(work, "set"), out)
}

func key(r advisory.Record, affected []advisory.Affected) string {
	return advisory.Family(affected[0].Ecosystem) + " " + r.ID
}

func supported(affected []advisory.Affected) []advisory.Affected {
	return slices.DeleteFunc(slices.Clone(affected), func(a advisory.Affected) bool {
		wanted, ok := releases[advisory.Family(a.Ecosystem)]
		return ok && !slices.Contains(wanted, a.Ecosystem)
	})
}

// candidate is a record that may be among the best known of its ecosystem.
type candidate struct {
	key, family string
	cves        []string
	score       float64
}

// choose builds the whole set once, and picks from it.
func choose(ctx context.Context, from, all string) (map[string]bool, error) {
	var candidates []candidate
	options := advisory.BuildOptions{From: filepath.Join(from, "osv"), FactsOnly: true}
	options.Select = func(r advisory.Record, affected []advisory.Affected) []advisory.Affected {
		if a := supported(affected); len(a) > 0 {
			candidates = append(candidates, candidate{key: key(r, a), family: advisory.Family(a[0].Ecosystem), cves: r.CVEs()})
		}
		return affected
	}
	if _, err := advisory.Build(ctx, options, all); err != nil {
		return nil, err
	}
	set, err := advisory.Open(ctx, all, advisory.OpenOptions{})
	if err != nil {
		return nil, err
	}
	return pick(ctx, set, candidates)
}

func pick(ctx context.Context, set *advisory.Set, candidates []candidate) (map[string]bool, error) {
	chosen := map[string]bool{}
	for i := range candidates {
		c := &candidates[i]
		for _, cve := range c.cves {
			facts, err := set.Facts(ctx, cve)
			if err != nil {
				return nil, err
			}
			if facts.Exploited != nil {
				chosen[c.key] = true
			}
			if facts.EPSS != nil {
				c.score = max(c.score, facts.EPSS.Score)
			}
		}
	}
	slices.SortFunc(candidates, func(a, b candidate) int {
		return cmp.Or(strings.Compare(a.family, b.family), cmp.Compare(b.score, a.score), strings.Compare(a.key, b.key))
	})
	taken := map[string]int{}
	for _, c := range candidates {
		if c.score > 0 && taken[c.family] < best[c.family] && !chosen[c.key] {
			chosen[c.key] = true
			taken[c.family]++
		}
	}
	return chosen, nil
}
