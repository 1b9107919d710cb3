package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Cleanbill's aims besides those that are relative to other tools.
const (
	aimResident = 200_000_000 // bytes
	aimStartup  = 60 * time.Millisecond
)

type result struct {
	tool
	version string
	samples []sample
}

func (r *result) wall() time.Duration {
	return median(r.samples, func(s sample) time.Duration { return s.wall })
}

func (r *result) resident() int64 {
	return median(r.samples, func(s sample) int64 { return s.resident })
}

func report(w io.Writer, results []*result, startup []time.Duration) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "tool\tversion\twall\tmin\tmax\tcpu\tresident\tpackages\texit")
	for _, r := range results {
		wall := func(s sample) time.Duration { return s.wall }
		cpu := median(r.samples, func(s sample) time.Duration { return s.cpu })
		last := r.samples[len(r.samples)-1]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d MB\t%d\t%d\n", r.name, cmp.Or(r.version, "-"), seconds(r.wall()),
			seconds(least(r.samples, wall)), seconds(greatest(r.samples, wall)), seconds(cpu), r.resident()/1e6,
			last.packages, last.exit)
	}
	fmt.Fprintln(t)
	compare(t, results, startup)
	return t.Flush()
}

// compare prints every ratio, those that miss their aim as missed.
func compare(w io.Writer, results []*result, startup []time.Duration) {
	floor, ours := find(results, "floor"), find(results, "cleanbill")
	if floor != nil {
		for _, r := range results {
			if r != floor {
				fmt.Fprintf(w, "floor / %s\t%.2f\n", r.name, share(floor, r))
			}
		}
	}
	if ours == nil {
		return
	}
	for _, r := range results {
		if r.aim > 0 {
			ratio := share(ours, r)
			fmt.Fprintf(w, "cleanbill / %s\t%.2f\twant at most %.2f\t%s\n", r.name, ratio, r.aim, met(ratio <= r.aim))
		}
	}
	resident := ours.resident()
	fmt.Fprintf(w, "resident memory\t%d MB\twant under %d MB\t%s\n", resident/1e6, aimResident/1_000_000,
		met(resident < aimResident))
	start := median(startup, func(d time.Duration) time.Duration { return d })
	fmt.Fprintf(w, "startup\t%d ms\twant under %d ms\t%s\n", start.Milliseconds(), aimStartup.Milliseconds(),
		met(start < aimStartup))
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "MISSED"
}

func share(a, b *result) float64 { return a.wall().Seconds() / b.wall().Seconds() }

func find(results []*result, name string) *result {
	i := slices.IndexFunc(results, func(r *result) bool { return r.name == name })
	if i < 0 {
		return nil
	}
	return results[i]
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func median[S any, V cmp.Ordered](samples []S, of func(S) V) V {
	sorted := values(samples, of)
	return sorted[len(sorted)/2]
}

func least[S any, V cmp.Ordered](samples []S, of func(S) V) V { return values(samples, of)[0] }

func greatest[S any, V cmp.Ordered](samples []S, of func(S) V) V {
	sorted := values(samples, of)
	return sorted[len(sorted)-1]
}

// values are those of the samples, sorted.
func values[S any, V cmp.Ordered](samples []S, of func(S) V) []V {
	all := make([]V, 0, len(samples))
	for _, s := range samples {
		all = append(all, of(s))
	}
	slices.Sort(all)
	return all
}
