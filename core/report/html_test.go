package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"github.com/cleanbill-ci/cleanbill/core"
)

func htmlOf(t testing.TB, d Document) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// elementsOf are all elements of a page, as a browser would make them.
func elementsOf(t testing.TB, page []byte) []*html.Node {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var all []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			all = append(all, n)
		}
	}
	return all
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// textOf is all text within an element, without that of style and scripts.
func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode && c.Parent.Data != "script" && c.Parent.Data != "style" {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

func only(t testing.TB, elements []*html.Node, tag string, is func(*html.Node) bool) *html.Node {
	t.Helper()
	var found []*html.Node
	for _, n := range elements {
		if n.Data == tag && is(n) {
			found = append(found, n)
		}
	}
	if len(found) != 1 {
		t.Fatalf("the page has %d <%s> of that kind, want one", len(found), tag)
	}
	return found[0]
}

// htmlContent is the page's data as its script reads it.
type htmlContent struct {
	Texts        []string      `json:"texts"`
	FindingTotal int           `json:"findingTotal"`
	FindingShown int           `json:"findingShown"`
	PackageShown int           `json:"packageShown"`
	Findings     []htmlFinding `json:"findings"`
	FindingOn    [][]int       `json:"findingOn"`
	Packages     []htmlPackage `json:"packages"`
}

func contentOf(t testing.TB, page []byte) htmlContent {
	t.Helper()
	data := only(t, elementsOf(t, page), "script", func(n *html.Node) bool { return attribute(n, "type") == "application/json" })
	var c htmlContent
	if err := json.Unmarshal([]byte(data.FirstChild.Data), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestHTMLRunsAndStylesOnlyWhatItsPolicyNames(t *testing.T) {
	for name, d := range documents() {
		t.Run(name, func(t *testing.T) {
			elements := elementsOf(t, htmlOf(t, d))
			policy := attribute(only(t, elements, "meta", func(n *html.Node) bool {
				return attribute(n, "http-equiv") == "Content-Security-Policy"
			}), "content")
			script := only(t, elements, "script", func(n *html.Node) bool { return attribute(n, "type") == "" })
			style := only(t, elements, "style", func(*html.Node) bool { return true })
			want := "default-src 'none'; style-src " + sourceHash(style.FirstChild.Data) + "; script-src " +
				sourceHash(script.FirstChild.Data) + "; base-uri 'none'; form-action 'none'; " +
				"require-trusted-types-for 'script'; trusted-types 'none'"
			if policy != want {
				t.Errorf("the policy is\n%s\nwant\n%s", policy, want)
			}
			first := slices.IndexFunc(elements, func(n *html.Node) bool { return n.Data == "style" || n.Data == "script" })
			if at := slices.IndexFunc(elements, func(n *html.Node) bool { return attribute(n, "http-equiv") != "" }); at > first {
				t.Error("the policy comes after what it should hold back")
			}
		})
	}
}

func TestHTMLLoadsNothing(t *testing.T) {
	known := strings.Fields(`html head body meta title style script a header div span nav button main section h1 h2 h3 p ul ol li b
		svg rect details summary table thead tbody tr th td code pre dl dt dd strong footer noscript`)
	for name, d := range documents() {
		for _, n := range elementsOf(t, htmlOf(t, d)) {
			if !slices.Contains(known, n.Data) {
				t.Errorf("%s: the page has a <%s>", name, n.Data)
			}
			for _, a := range n.Attr {
				switch {
				case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src", a.Key == "srcset", a.Key == "action":
					t.Errorf("%s: <%s> has %s=%q", name, n.Data, a.Key, a.Val)
				case a.Key == "href" && !strings.HasPrefix(a.Val, "#"):
					t.Errorf("%s: a link leads to %q", name, a.Val)
				}
			}
		}
	}
	for _, asset := range []string{htmlStyle, htmlScript} {
		for _, word := range []string{"@import", "url(", "fetch(", "XMLHttpRequest", "WebSocket", "sendBeacon", "innerHTML", "eval(", "</", "\r"} {
			if strings.Contains(asset, word) {
				t.Errorf("the page's own files have %q", word)
			}
		}
	}
}

func TestHTMLShowsHostileTextAsText(t *testing.T) {
	page := htmlOf(t, hostileDocument())
	for i, r := range string(page) {
		if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar || r == '\u2028' || r == '\u2029' {
			t.Fatalf("the page holds %U after %q", r, page[max(0, i-60):i])
		}
	}
	body := only(t, elementsOf(t, page), "body", func(*html.Node) bool { return true })
	if shown := textOf(body); !strings.Contains(shown, `\x1b[2J::error::x\n::warning::y | <img src=x onerror=1>`) || !strings.Contains(shown, `\u202e`) {
		t.Error("hostile text is not shown as it is")
	}
	data := only(t, elementsOf(t, page), "script", func(n *html.Node) bool { return attribute(n, "type") == "application/json" })
	if strings.ContainsAny(data.FirstChild.Data, "<>&") {
		t.Error("the page's data has characters that could end it")
	}
	c := contentOf(t, page)
	if !slices.ContainsFunc(c.Texts, func(s string) bool { return strings.Contains(s, "<img src=x onerror=1>") }) {
		t.Error("the page's data has lost the text")
	}
}

func TestHTMLCannotBeLeftByWhatEndsAnElement(t *testing.T) {
	const evil = "</script></style></title></noscript><!--<script>alert(1)</script>-->]]>\u2028{{.}}${1}"
	d := comparedDocument()
	plain := len(elementsOf(t, htmlOf(t, d)))
	for i := range d.Evidence.Findings {
		f := &d.Evidence.Findings[i]
		if f.Kind == core.KindSuppression {
			continue // the same wish twice is shown once
		}
		f.Title, f.Rule, f.References = evil, "R"+evil+f.Rule, []string{"https://example.org/" + evil, "javascript:" + evil}
	}
	d.Evidence.Subjects[0].Name = evil
	d.Verdict.Policy.Name = evil
	page := htmlOf(t, d)
	if n := len(elementsOf(t, page)); n != plain {
		t.Errorf("the page has %d elements with hostile names and %d without", n, plain)
	}
	if n := len(contentOf(t, page).Findings); n != len(d.Evidence.Findings) {
		t.Errorf("the data has %d findings, want %d", n, len(d.Evidence.Findings))
	}
}

func TestHTMLIsTheSameForTheSameDocument(t *testing.T) {
	for name, d := range documents() {
		want := htmlOf(t, d)
		slices.Reverse(d.Evidence.Findings)
		slices.Reverse(d.Evidence.Packages)
		if got := htmlOf(t, d); !bytes.Equal(got, want) {
			t.Errorf("%s: another page for evidence in another order", name)
		}
		if !bytes.Equal(htmlOf(t, d), htmlOf(t, d)) {
			t.Errorf("%s: another page for the same document", name)
		}
	}
}

func TestHTMLCanBeReadWithoutScripts(t *testing.T) {
	for name, want := range map[string][]string{
		"refused": {"Refused", "registry.example/team/shop:1.4.2", "12 findings", "openssl", "3.0.14-1~deb12u2",
			"apt-get update && apt-get install --only-upgrade -y libssl3 openssl", "via openid-client → oauth → @team/<login> → … → keys",
			"aws-access-token in app/.env:3", "revoke the key", "the archive is truncated", "replace the file or remove it from the image",
			"linux/arm64/v8", "security/shop.openvex.json", "oci:advisories of 2026-11-23", "built in"},
		"undecided": {"Undecided", "Close the gaps below", "only the embedded starter set of 1893 advisories was used", "cleanbill advisories build"},
		"passed":    {"Passed", "everything that it requires was examined"},
		"examined":  {"Examined", "Nothing was judged."},
		"compared": {"14 were there before", "curl-2025", "expired after 2026-10-31", "not reachable from outside",
			"gitleaks:allow in deploy/run.sh suppresses github-pat", "jose-2026 of team-auth, until 2026-12-31"},
	} {
		text := textOf(only(t, elementsOf(t, htmlOf(t, documents()[name])), "body", func(*html.Node) bool { return true }))
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: the page does not say %q", name, w)
			}
		}
	}
}

// withPath lets the finding of jose name the package of which it is known what brings it in.
func withPath(d Document) Document {
	for i := range d.Evidence.Findings {
		if f := &d.Evidence.Findings[i]; f.Package != nil && f.Package.Name == "jose" {
			f.Package.Purl = "pkg:npm/jose@4.11.1"
		}
	}
	return d
}

func TestHTMLDataHasEveryFindingAndWhatWasDecided(t *testing.T) {
	d := withPath(refusedDocument())
	c := contentOf(t, htmlOf(t, d))
	if c.FindingShown != len(d.Evidence.Findings) || c.FindingTotal != c.FindingShown {
		t.Errorf("%d of %d findings are shown, want all %d", c.FindingShown, c.FindingTotal, len(d.Evidence.Findings))
	}
	if c.PackageShown != len(d.Evidence.Packages) {
		t.Errorf("%d packages are shown, want %d", c.PackageShown, len(d.Evidence.Packages))
	}
	var decisions [4]int
	for i, f := range c.Findings {
		decisions[f.Decision] += len(c.FindingOn[i])
	}
	want := [4]int{len(d.Verdict.Refusals), len(d.Verdict.Warnings), len(d.Verdict.Ignored), 0}
	if decisions != want {
		t.Errorf("decisions are %v, want %v", decisions, want)
	}
	if first := c.Findings[0]; first.Rule != "CVE-2026-0003" || first.Exploited == "" || len(c.FindingOn[0]) != 2 {
		t.Errorf("the first finding is %+v on %v, want the exploited one on both platforms", first, c.FindingOn[0])
	}
	jose := slices.IndexFunc(c.Findings, func(f htmlFinding) bool { return f.Rule == "GHSA-c2qf-rxjj-qqgw" })
	if p := c.Packages[*c.Findings[jose].Package]; p.Name != "jose" || !slices.Contains(p.Via, "openid-client") {
		t.Errorf("the package %+v does not say what brings it in", p)
	}
}

func TestHTMLShowsRulesThatSpeakOfNoFinding(t *testing.T) {
	d := passedDocument()
	d.Verdict.Decision = core.Refused
	d.Verdict.Refusals = []core.Outcome{{Rule: "rego: signed", Action: core.ActionFail, Subject: amd64Digest, Message: "nobody signed the base"}}
	c := contentOf(t, htmlOf(t, d))
	if len(c.Findings) != 1 || c.Findings[0].Decision != htmlRefused || c.Texts[c.Findings[0].Title] != "nobody signed the base" {
		t.Errorf("the findings are %+v", c.Findings)
	}
}

func TestHTMLShowsLayersBySizeAndFindings(t *testing.T) {
	d := manyFindings(480)
	d.Evidence.Images[0].Base = &core.BaseImage{Name: "debian", Layers: 2}
	elements := elementsOf(t, htmlOf(t, d))
	chart := only(t, elements, "table", func(n *html.Node) bool { return attribute(n, "class") == "layers" })
	var rows []string
	widths := map[string][]string{}
	for n := range chart.Descendants() {
		switch {
		case n.Data == "tr":
			rows = append(rows, strings.Join(strings.Fields(textOf(n)), " "))
		case n.Data == "rect" && len(rows) > 1:
			widths[attribute(n, "class")] = append(widths[attribute(n, "class")], attribute(n, "width"))
		}
	}
	if len(rows) != 13 || rows[1] != "0RUN install step-0 base image1.0 MiB 0.82 % 540 40 critical" {
		t.Errorf("the layers are %q", rows)
	}
	if got := widths["size"]; got[0] != "0.82" || got[11] != "100" {
		t.Errorf("bars of sizes have widths %q", got)
	}
	total := 0
	for i := range d.Evidence.Images[0].Layers {
		link := fmt.Sprintf("#findings?layer=%d", i)
		n := only(t, elements, "a", func(n *html.Node) bool { return attribute(n, "href") == link })
		var count int
		if _, err := fmt.Sscan(textOf(n), &count); err != nil {
			t.Fatal(err)
		}
		total += count
	}
	if total != 480 {
		t.Errorf("the layers have %d findings, want 480", total)
	}
}

func TestHTMLLinksOnlyWebPages(t *testing.T) {
	links, notes := htmlReferences([]string{"https://example.org/a?b=1", "http://example.org", "javascript:alert(1)", "data:text/html,x",
		"//example.org", "CIS Docker 4.1", "https://user:secret@example.org/", "https://example.org/\u202ex", "HTTPS://EXAMPLE.org/x", "https:///x"})
	if want := []string{"https://example.org/a?b=1", "http://example.org", "HTTPS://EXAMPLE.org/x"}; !slices.Equal(links, want) {
		t.Errorf("links are %q, want %q", links, want)
	}
	for _, note := range notes {
		if strings.Contains(note, "secret") {
			t.Errorf("a credential is shown: %s", note)
		}
	}
	for _, link := range links {
		if u, err := url.Parse(link); err != nil || u.Host == "" {
			t.Errorf("%s is no address", link)
		}
	}
}

// manyFindings is a refused image with n different findings in n/8 packages of twelve layers.
func manyFindings(n int) Document {
	d := passedDocument()
	e, v := &d.Evidence, d.Verdict
	e.Packages = nil
	image := core.ImageFacts{Subject: amd64Digest, Platform: core.Platform{OS: "linux", Architecture: "amd64"}, Files: 40 * n}
	for i := range 12 {
		image.Layers = append(image.Layers, core.LayerFacts{Digest: digestOfAll("1"), DiffID: digestOfAll("2"), Size: int64(1+i*i) << 20,
			CreatedBy: fmt.Sprintf("RUN install step-%d", i)})
	}
	e.Images = []core.ImageFacts{image}
	for i := range max(1, n/8) {
		name := fmt.Sprintf("package-%d", i)
		p := core.Package{Subject: amd64Digest, Name: name, Version: "1.2." + fmt.Sprint(i%90), Ecosystem: []string{"Debian:12", "npm", "PyPI", "Go"}[i%4],
			Analyzer: "x", Origin: &core.Origin{Layer: i % 12, DiffID: digestOfAll("2"), CreatedBy: image.Layers[i%12].CreatedBy},
			Locations: []core.Location{{Path: "srv/app/node_modules/" + name + "/package.json"}}, Via: []string{"framework", "toolkit"}}
		p.Purl = "pkg:generic/" + name + "@" + p.Version
		e.Packages = append(e.Packages, p)
	}
	v.Decision = core.Refused
	for i := range n {
		p := e.Packages[i%len(e.Packages)]
		f := vulnerability(amd64Digest, fmt.Sprintf("CVE-2026-%d", 10000+i), p.Name, p.Version, "2.0", core.Severities()[i%6])
		score := float64(i%100) / 10
		f.Score, f.Vector, f.SeveritySource = &score, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CVSS 3.1"
		f.Title = fmt.Sprintf("a flaw in the parser of %s lets whoever sends a message of %d bytes read memory that is not theirs", p.Name, i)
		f.Package = &core.PackageRef{Name: p.Name, Version: p.Version, Purl: p.Purl, Ecosystem: p.Ecosystem}
		f.Origin, f.Locations = p.Origin, p.Locations
		f.Aliases = []string{fmt.Sprintf("GHSA-aaaa-bbbb-%d", i), fmt.Sprintf("DSA-%d", i)}
		f.References = []string{fmt.Sprintf("https://nvd.nist.gov/vuln/detail/%s", f.Rule), fmt.Sprintf("https://example.org/advisories/%d", i)}
		f.SeenBy = []string{"osv"}
		e.Findings = append(e.Findings, f)
		switch {
		case f.Severity >= core.SeverityHigh:
			v.Refusals = append(v.Refusals, outcome("severe-with-fix", core.ActionFail, f))
		default:
			v.Warnings = append(v.Warnings, outcome("everything-else", core.ActionWarn, f))
		}
	}
	v.Counts = core.CountsOf(e)
	return d
}

func TestHTMLIsBoundedAndSaysWhatItCut(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes 50,000 findings")
	}
	const n = 50_000
	page := htmlOf(t, manyFindings(n))
	if limit := htmlFindingBytes + htmlPackageBytes + 2<<20; len(page) > limit {
		t.Errorf("the page has %d bytes, want at most %d", len(page), limit)
	}
	c := contentOf(t, page)
	if c.FindingTotal != n || c.FindingShown != len(c.Findings) || c.FindingShown >= n || c.FindingShown < n/10 {
		t.Fatalf("%d of %d findings are shown, %d are there", c.FindingShown, c.FindingTotal, len(c.Findings))
	}
	says := fmt.Sprintf("This page holds the %s most urgent of 50,000", thousands(c.FindingShown))
	if body := textOf(only(t, elementsOf(t, page), "body", func(*html.Node) bool { return true })); !strings.Contains(body, says) {
		t.Errorf("the page does not say %q", says)
	}
	last := c.Findings[len(c.Findings)-1]
	for _, f := range c.Findings {
		if f.Decision > last.Decision || f.Decision == last.Decision && f.Severity < last.Severity {
			t.Fatalf("the page holds %s and cuts what is more urgent than that", f.Rule)
		}
	}
	t.Logf("50,000 findings: %d bytes with %d of them", len(page), c.FindingShown)
}

func TestHTMLLeavesOutScoresThatAreNoNumbers(t *testing.T) {
	d := passedDocument()
	score := math.NaN()
	f := vulnerability(amd64Digest, "CVE-2026-1", "x", "1", "2", core.SeverityHigh)
	f.Score, f.EPSS = &score, &core.EPSS{Score: math.Inf(1), Percentile: 0.5}
	d.Evidence.Findings = []core.Finding{f}
	got := contentOf(t, htmlOf(t, d)).Findings[0]
	if got.Score != nil || got.EPSS != nil || got.Percentile == nil || *got.Percentile != 0.5 {
		t.Errorf("the finding is %+v", got)
	}
}

func TestHTMLIsBoundedForPackagesToo(t *testing.T) {
	d := passedDocument()
	for i := range 40_000 {
		made := fmt.Sprintf("%d %s", i, strings.Repeat("x", htmlText))
		d.Evidence.Packages = append(d.Evidence.Packages, core.Package{Subject: amd64Digest, Name: fmt.Sprintf("p%d", i), Version: "1",
			Licenses: []string{made}, Origin: &core.Origin{CreatedBy: made}})
	}
	page := htmlOf(t, d)
	if limit := htmlPackageBytes + 2<<20; len(page) > limit {
		t.Errorf("the page has %d bytes, want at most %d", len(page), limit)
	}
	c := contentOf(t, page)
	says := fmt.Sprintf("This page holds %s of 40,001", thousands(c.PackageShown))
	if body := textOf(only(t, elementsOf(t, page), "body", func(*html.Node) bool { return true })); c.PackageShown < 1000 || !strings.Contains(body, says) {
		t.Errorf("the page does not say %q", says)
	}
}

func BenchmarkHTML10k(b *testing.B) {
	d := manyFindings(10_000)
	var page bytes.Buffer
	for b.Loop() {
		page.Reset()
		if err := HTML(&page, d); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(page.Len()), "page-bytes")
}
