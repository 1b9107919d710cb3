package report

import (
	"fmt"

	"github.com/cleanbill-ci/cleanbill/core"
)

// htmlStack is the layers of an image, with bars of their sizes and findings.
type htmlStack struct {
	Subjects string
	Size     string
	Files    int
	Layers   htmlCutRows[htmlLayerRow]
}

type htmlLayerRow struct {
	Number    int
	CreatedBy string
	Base      bool
	Size      string
	Width     float64 // of the bar of its size, in percent
	Findings  int
	Packages  int
	Counts    []htmlCount
	Link      string
}

// layerPlace is a layer of a subject.
type layerPlace struct {
	subject core.Digest
	layer   int
}

// layerCounts are how many findings and packages came with each layer.
type layerCounts struct {
	findings map[layerPlace]core.Counts
	packages map[layerPlace]int
}

func countLayers(e *core.Evidence) layerCounts {
	c := layerCounts{findings: map[layerPlace]core.Counts{}, packages: map[layerPlace]int{}}
	for i := range e.Findings {
		if f := &e.Findings[i]; f.Origin != nil {
			at := layerPlace{f.Subject, f.Origin.Layer}
			c.findings[at] = plusSeverity(c.findings[at], bounded(f.Severity))
		}
	}
	for i := range e.Packages {
		if p := &e.Packages[i]; p.Origin != nil {
			c.packages[layerPlace{p.Subject, p.Origin.Layer}]++
		}
	}
	return c
}

// htmlStacksOf are the stacks of layers of all images.
func htmlStacksOf(e *core.Evidence, data *htmlData) htmlCutRows[htmlStack] {
	counts := countLayers(e)
	return cutRows(e.Images, htmlStacks, func(image core.ImageFacts) htmlStack { return stackOf(&image, counts, data) })
}

func stackOf(image *core.ImageFacts, counts layerCounts, data *htmlData) htmlStack {
	s := htmlStack{Subjects: safeCut(data.names.label(image.Subject)), Files: image.Files}
	filter := ""
	if data.several {
		filter = fmt.Sprintf("&subject=%d", data.subject(image.Subject))
	}
	var largest, size int64
	most := 0
	for i, l := range image.Layers {
		largest, size = max(largest, l.Size), size+l.Size
		most = max(most, counts.findings[layerPlace{image.Subject, i}].Findings)
	}
	s.Size = bytesWords(size)
	number := -1
	s.Layers = cutRows(image.Layers, htmlRows, func(l core.LayerFacts) htmlLayerRow {
		number++
		at := layerPlace{image.Subject, number}
		c := counts.findings[at]
		return htmlLayerRow{Number: number, CreatedBy: safeCut(l.CreatedBy), Size: bytesWords(l.Size), Width: percent(l.Size, largest),
			Base: image.Base != nil && number < image.Base.Layers, Packages: counts.packages[at], Findings: c.Findings,
			Counts: severityBar(c, most), Link: fmt.Sprintf("#findings?layer=%d%s", number, filter)}
	})
	return s
}

func percent(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return rounded(100 * float64(part) / float64(whole))
}

func plusSeverity(c core.Counts, s core.Severity) core.Counts {
	c.Findings++
	switch s {
	case core.SeverityCritical:
		c.Critical++
	case core.SeverityHigh:
		c.High++
	case core.SeverityMedium:
		c.Medium++
	case core.SeverityLow:
		c.Low++
	case core.SeverityNone:
		c.None++
	default:
		c.Unknown++
	}
	return c
}

// bytesWords is a size for people, in binary units.
func bytesWords(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	size, prefix := float64(n)/unit, 0
	for size >= unit && prefix < 4 {
		size, prefix = size/unit, prefix+1
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMGTP"[prefix])
}
