//go:build clients

package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// visit is a visit to a page: .ci/tools/browser does it in Chromium. Pictures go to $CLEANBILL_SCREENSHOTS, if that is
// set, for people to look at.
type visit struct {
	t       *testing.T
	browser string
	script  browserScript
}

type browserScript struct {
	URL      string           `json:"url"`
	Width    int              `json:"width"`
	Height   int              `json:"height"`
	Dark     bool             `json:"dark"`
	NoScript bool             `json:"noScript"`
	Steps    []map[string]any `json:"steps"`
}

type browserReport struct {
	Results    []json.RawMessage `json:"results"`
	Requests   []string          `json:"requests"`
	Complaints []string          `json:"complaints"`
}

func visitPage(t *testing.T, name string, page []byte) *visit {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".html")
	if err := os.WriteFile(path, page, 0o644); err != nil {
		t.Fatal(err)
	}
	return &visit{t: t, browser: clients.Tool(t, "browser"), script: browserScript{URL: "file://" + path, Width: 1200, Height: 900}}
}

func (v *visit) step(kind string, value any) *visit {
	v.script.Steps = append(v.script.Steps, map[string]any{kind: value})
	return v
}

func (v *visit) eval(expression string) *visit { return v.step("eval", expression) }

// picture keeps a picture of the whole page, if somebody wants to look.
func (v *visit) picture(name string) *visit {
	if dir := os.Getenv("CLEANBILL_SCREENSHOTS"); dir != "" {
		v.step("whole", filepath.Join(dir, name+".png"))
	}
	return v
}

// run visits the page. Whatever the page asks for besides itself, and whatever the browser complains of, is an error.
func (v *visit) run() []json.RawMessage {
	v.t.Helper()
	r := v.look()
	for _, request := range r.Requests {
		if address, _, _ := strings.Cut(request, "#"); address != v.script.URL && !strings.HasPrefix(v.script.URL, address+"#") {
			v.t.Errorf("the page asked for %s", request)
		}
	}
	for _, c := range r.Complaints {
		v.t.Errorf("the browser complains: %s", c)
	}
	return r.Results
}

func (v *visit) look() browserReport {
	v.t.Helper()
	script, err := json.Marshal(v.script)
	if err != nil {
		v.t.Fatal(err)
	}
	command := exec.Command(v.browser)
	command.Stdin = bytes.NewReader(script)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		v.t.Fatalf("%v\n%s", err, stderr.String())
	}
	var r browserReport
	if err := json.Unmarshal(out, &r); err != nil {
		v.t.Fatal(err)
	}
	return r
}

func value[T any](t *testing.T, raw json.RawMessage) T {
	t.Helper()
	var to T
	if err := json.Unmarshal(raw, &to); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return to
}

// contrasts is an expression for the texts of a page that are too faint to read: by WCAG 2.2, 4.5 to 1, or 3 to 1 for what
// is large. Colours are drawn to be read as the browser shows them, whatever they are written in.
//
// https://www.w3.org/TR/WCAG22/#contrast-minimum
const contrasts = `(() => {
	const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
	const seen = new Map();
	const colour = c => {
		if (!seen.has(c)) {
			context.clearRect(0, 0, 1, 1); context.fillStyle = c; context.fillRect(0, 0, 1, 1);
			seen.set(c, [...context.getImageData(0, 0, 1, 1).data]);
		}
		return seen.get(c);
	};
	const light = c => { const [r, g, b] = c.map(x => x / 255).map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const behind = e => { for (; e; e = e.parentElement) { const c = colour(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255, 255]; };
	const faint = new Set();
	let texts = 0;
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) {
		const e = walker.currentNode.parentElement;
		if (!walker.currentNode.data.trim() || !e.checkVisibility() || e.closest("script, style, .unseen, :disabled")) continue;
		texts++;
		const style = getComputedStyle(e), size = parseFloat(style.fontSize);
		const a = light(colour(style.color)), b = light(behind(e));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < (size >= 24 || size >= 18.66 && style.fontWeight >= 700 ? 3 : 4.5)) faint.add(e.className + ": " + ratio.toFixed(2) + " " + e.textContent.trim().slice(0, 40));
	}
	return { texts, faint: [...faint] };
})()`

func TestClientHTMLLoadsNothingAndCanBeReadInAnyColoursAndWidth(t *testing.T) {
	all := documents()
	all["many"] = manyFindings(500)
	for name, d := range all {
		page := htmlOf(t, d)
		for _, width := range []int{390, 1200} {
			t.Run(fmt.Sprintf("%s at %d", name, width), func(t *testing.T) {
				v := visitPage(t, name, page)
				v.script.Width, v.script.Dark = width, true // dark by the browser's wish, then light by the button
				results := v.eval(`document.querySelector(".open")?.click()`).eval(`document.documentElement.scrollWidth`).
					eval(contrasts).picture(fmt.Sprintf("%s-%d-dark", name, width)).
					eval(`document.getElementById("theme").click()`).
					eval(contrasts).picture(fmt.Sprintf("%s-%d-light", name, width)).
					eval(`[...document.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent.trim().slice(0, 40))`).run()
				if off := value[[]string](t, results[5]); width < 500 && len(off) > 0 {
					t.Errorf("these tables go on where nobody sees them: %q", off)
				}
				if wide := value[int](t, results[1]); wide > width {
					t.Errorf("the page is %d pixels wide", wide)
				}
				for colours, i := range map[string]int{"dark": 2, "light": 4} {
					faint := value[struct {
						Texts int
						Faint []string
					}](t, results[i])
					if faint.Texts < 20 || len(faint.Faint) > 0 {
						t.Errorf("%s: of %d texts these are too faint: %q", colours, faint.Texts, faint.Faint)
					}
				}
			})
		}
	}
}

// axe returns an expression for what axe-core finds wrong with a page, by WCAG 2.2 AA and by its own advice.
//
// https://github.com/dequelabs/axe-core/blob/develop/doc/rule-descriptions.md
func axe(t *testing.T) string {
	t.Helper()
	// .ci/run installs it beside the clients.
	source, err := os.ReadFile(filepath.Join(filepath.Dir(clients.Tool(t, "browser")), "axe", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(source) + `;axe.run(document, { resultTypes: ["violations"] }).then(r =>
		({ passes: r.passes.length, violations: r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html.slice(0, 200))) }))`
}

type axeResult struct {
	Passes     int
	Violations []string
}

func TestClientHTMLCanBeUsedByEverybody(t *testing.T) {
	check := axe(t)
	many := manyFindings(80)
	for name, d := range map[string]Document{"refused": refusedDocument(), "compared": comparedDocument(), "passed": passedDocument(), "many": many} {
		for _, width := range []int{390, 1200} {
			v := visitPage(t, name, htmlOf(t, d))
			v.script.Width, v.script.Dark = width, width == 390
			r := v.eval(`document.querySelector(".open")?.click()`).eval(check).run()
			if got := value[axeResult](t, r[1]); got.Passes < 20 || len(got.Violations) > 0 {
				t.Errorf("%s at %d: %d rules hold, and these do not: %q", name, width, got.Passes, got.Violations)
			}
		}
	}
	bad := bytes.Replace(htmlOf(t, many), []byte("</main>"), []byte("<button></button></main>"), 1)
	if got := value[axeResult](t, visitPage(t, "bad", bad).eval(check).run()[0]); len(got.Violations) != 1 {
		t.Errorf("of a button without a name it says %q", got.Violations)
	}
}

// A test that a page loads nothing and runs nothing is worth something only if the browser would tell of it.
func TestClientHTMLBrowserTellsOfWhatAPageMustNotDo(t *testing.T) {
	page := htmlOf(t, refusedDocument())
	page = bytes.Replace(page, []byte("</main>"), []byte(`</main><img src="http://127.0.0.1:9/x.png"><script>document.title = "owned"</script><p style="color: red" onclick="x">`), 1)
	r := visitPage(t, "bad", page).eval("document.title").look()
	if title := value[string](t, r.Results[0]); title == "owned" {
		t.Error("a script ran that the policy does not name")
	}
	for _, want := range []string{"http://127.0.0.1:9/x.png", "inline script", "inline style"} {
		if !slices.ContainsFunc(r.Complaints, func(c string) bool { return strings.Contains(c, want) }) {
			t.Errorf("the browser does not tell of %s: %q", want, r.Complaints)
		}
	}
}

const (
	shownRowsExpression = `[...document.querySelectorAll("#explorer tbody tr:not(.detail) .open")].map(e => e.textContent)`
	shownLine           = `document.querySelector(".chips .shown").textContent`
	choose              = `(facet, value) => document.querySelector('input[name="' + facet + '"][value="' + value + '"]').click()`
)

func TestClientHTMLFiltersAndSearches(t *testing.T) {
	v := visitPage(t, "refused", htmlOf(t, withPath(refusedDocument())))
	r := v.eval(shownLine).
		eval(`(`+choose+`)("decision", "refused")`).eval(shownRowsExpression).eval(shownLine).eval(`location.hash`).
		eval(`(`+choose+`)("exploited", "yes")`).eval(shownRowsExpression).
		eval(`document.querySelector(".clear").click()`).
		eval(`document.getElementById("q").focus()`).step("keys", "JOSE").step("sleep", 250).eval(shownRowsExpression).eval(`location.hash`).
		eval(`(document.querySelector(".open").click(), document.querySelector(".detail").textContent)`).
		eval(`document.querySelector("[data-view=package]").click()`).eval(`document.querySelector("#explorer tbody .link").textContent`).
		eval(`document.querySelector(".clear").click()`).
		eval(`location.hash = "#findings?kind=secret&view=list"`).step("sleep", 100).eval(shownRowsExpression).run()
	if got := value[string](t, r[0]); got != "134 findings in 129 rows" {
		t.Errorf("at first it shows %q", got)
	}
	refused := []string{"CVE-2026-0003", "aws-access-token", "GHSA-c2qf-rxjj-qqgw", "CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0004", "CVE-2026-0005"}
	got := value[[]string](t, r[2])
	slices.Sort(got)
	slices.Sort(refused)
	if !slices.Equal(got, refused) {
		t.Errorf("refused are %q, want %q", got, refused)
	}
	if got := value[string](t, r[3]); got != "12 findings in 7 rows" {
		t.Errorf("of the refused it says %q", got)
	}
	if got := value[string](t, r[4]); got != "#findings?decision=refused" {
		t.Errorf("the address ends in %q", got)
	}
	if got := value[[]string](t, r[6]); !slices.Equal(got, []string{"CVE-2026-0003"}) {
		t.Errorf("exploited are %q", got)
	}
	if got := value[[]string](t, r[9]); !slices.Equal(got, []string{"GHSA-c2qf-rxjj-qqgw"}) {
		t.Errorf("the search finds %q", got)
	}
	if got := value[string](t, r[10]); got != "#findings?q=JOSE" {
		t.Errorf("the address of the search ends in %q", got)
	}
	if got := value[string](t, r[11]); !strings.Contains(got, "openid-client → oauth → @team/<login> → tokens → jwt → keys → jose") {
		t.Errorf("what it says of a finding lacks what brings the package in: %s", got)
	}
	if got := value[string](t, r[13]); got != "jose 4.11.1" {
		t.Errorf("by package it shows %q", got)
	}
	if got := value[[]string](t, r[16]); !slices.Equal(got, []string{"aws-access-token"}) {
		t.Errorf("the address of secrets shows %q", got)
	}
}

func TestClientHTMLOpensWithTheFilterOfItsAddress(t *testing.T) {
	v := visitPage(t, "refused", htmlOf(t, refusedDocument()))
	v.script.URL += "#findings?kind=secret&severity=high&severity=nonsense&page=99&view=__proto__&q=%3Cb%3E"
	r := v.eval(shownLine).eval(`document.getElementById("q").value`).eval(`document.querySelector(".clear").click()`).
		eval(`[...document.querySelectorAll("#explorer input:checked")].length`).run()
	if got := value[string](t, r[0]); got != "0 findings" {
		t.Errorf("it shows %q", got)
	}
	if got := value[string](t, r[1]); got != "<b>" {
		t.Errorf("it searches %q", got)
	}
	if got := value[int](t, r[3]); got != 0 {
		t.Errorf("%d filters are left", got)
	}
}

func TestClientHTMLCanBeUsedWithKeysAlone(t *testing.T) {
	const focus = `(e => (e.id || e.name || e.className || e.tagName) + (e.value ? "=" + e.value : ""))(document.activeElement)`
	v := visitPage(t, "refused", htmlOf(t, refusedDocument()))
	r := v.step("keys", "\t").eval(focus).step("keys", "\r").eval(`document.activeElement.id`).
		step("keys", "/").eval(focus).step("keys", "\t").eval(`document.activeElement.dataset.view`).
		// On to a checkbox of the filters, which stand before the search, and to the first finding.
		eval(`document.querySelector('input[name="decision"]').focus()`).step("keys", " ").eval(shownLine).eval(focus).
		eval(`document.querySelector(".open").focus()`).step("keys", "\r").
		eval(`document.activeElement.getAttribute("aria-expanded") + " " + (document.getElementById(document.activeElement.getAttribute("aria-controls")) !== null)`).
		eval(`getComputedStyle(document.activeElement).outlineStyle + " " + getComputedStyle(document.activeElement).outlineWidth`).
		eval(`[...document.querySelectorAll("button, a[href], input, select, summary")].filter(e => e.checkVisibility() && e.tabIndex < 0).length`).
		eval(`[...document.querySelectorAll("button, input, select")].filter(e => !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length)).length`).
		eval(`["header", "nav", "main", "footer", "h1"].filter(s => document.querySelectorAll(s).length !== 1)`).
		eval(`[...document.querySelectorAll("h1, h2, h3")].filter((h, i, all) => i > 0 && h.tagName[1] - all[i - 1].tagName[1] > 1).length`).run()
	for i, want := range map[int]string{
		0: `"skip"`, 1: `"main"`, 2: `"q"`, 3: `"list"`, 5: `"12 findings in 7 rows"`, 6: `"decision=refused"`, 8: `"true true"`,
		9: `"solid 2px"`, 10: "0", 11: "0", 12: "[]", 13: "0",
	} {
		if got := string(r[i]); got != want {
			t.Errorf("step %d: %s, want %s", i, got, want)
		}
	}
}

func TestClientHTMLChangesItsColours(t *testing.T) {
	const page = `getComputedStyle(document.body).backgroundColor`
	r := visitPage(t, "passed", htmlOf(t, passedDocument())).eval(page).eval(`document.getElementById("theme").click()`).eval(page).
		eval(`document.getElementById("theme").getAttribute("aria-label")`).eval(`document.getElementById("theme").click()`).eval(page).run()
	if light, dark, again := string(r[0]), string(r[2]), string(r[5]); light == dark || light != again || string(r[3]) != `"Use light colours"` {
		t.Errorf("colours are %s, %s, %s; the button says %s", light, dark, again, r[3])
	}
}

func TestClientHTMLShowsHostileNamesAsText(t *testing.T) {
	d := hostileDocument()
	for i := range d.Evidence.Findings {
		d.Evidence.Findings[i].References = []string{"javascript:document.title='owned'", "https://example.org/\"onclick=alert(1)", "https://example.org/ok"}
	}
	r := visitPage(t, "hostile", htmlOf(t, d)).
		eval(`document.querySelectorAll(".open").forEach(b => b.click())`).
		eval(`[...document.querySelectorAll("img, iframe, object, embed, link, base, form")].length`).
		eval(`[...document.querySelectorAll(".detail a")].filter(a => !/^https:\/\/example\.org\//.test(a.href) || a.rel !== "noopener noreferrer").length`).
		eval(`[...document.querySelectorAll(".detail a")].length`).
		eval(`document.querySelector(".open").textContent.includes("<img src=x onerror=1>") && document.querySelector(".open").textContent.includes("\\u202e")`).
		eval(`document.title`).run()
	if string(r[1]) != "0" || string(r[2]) != "0" || string(r[3]) == "0" || string(r[4]) != "true" || strings.Contains(string(r[5]), `"owned"`) {
		t.Errorf("elements %s, bad links %s of %s, shown as text %s, title %s", r[1], r[2], r[3], r[4], r[5])
	}
}

func TestClientHTMLPrintsWhatIsThere(t *testing.T) {
	pdf := filepath.Join(t.TempDir(), "report.pdf")
	v := visitPage(t, "many", htmlOf(t, manyFindings(2_400)))
	r := v.eval(`dispatchEvent(new Event("beforeprint"))`).eval(shownLine).
		eval(`document.querySelectorAll("#explorer tbody tr").length`).
		step("media", "print").
		eval(`["header", ".facets", ".search", ".pages"].filter(s => document.querySelector(s).checkVisibility())`).
		eval(`document.documentElement.scrollWidth <= innerWidth`).
		step("media", "screen").eval(`dispatchEvent(new Event("afterprint"))`).
		eval(`document.querySelectorAll("#explorer tbody tr").length`).
		step("pdf", pdf).run()
	if got := value[string](t, r[1]); got != "2,400 findings; printed are 1,000 of 2,400 rows" {
		t.Errorf("printed it says %q", got)
	}
	if string(r[2]) != "1000" || string(r[3]) != "[]" || string(r[4]) != "true" || string(r[6]) != "50" {
		t.Errorf("printed %s rows, with %s shown, fits %s; %s rows afterwards", r[2], r[3], r[4], r[6])
	}
	data, err := os.ReadFile(pdf)
	if err != nil {
		t.Fatal(err)
	}
	if pages := bytes.Count(data, []byte("/Type /Page\n")); pages < 20 {
		t.Errorf("1,000 rows were printed on %d pages", pages)
	}
}

func TestClientHTMLCanBeReadWithoutScripts(t *testing.T) {
	v := visitPage(t, "refused", htmlOf(t, refusedDocument()))
	v.script.NoScript = true
	v.picture("no-script")
	r := v.eval(`document.body.innerText`).run()
	text := value[string](t, r[0])
	for _, want := range []string{"Refused", "openssl", "apt-get install --only-upgrade", "the archive is truncated", "needs JavaScript"} {
		if !strings.Contains(text, want) {
			t.Errorf("without scripts the page does not show %q", want)
		}
	}
}

func TestClientHTMLIsQuickWithTenThousandFindings(t *testing.T) {
	for _, n := range []int{10_000, 100_000} {
		d := manyFindings(n)
		if n > 10_000 {
			d.Evidence.Images = []core.ImageFacts{}
		}
		page := htmlOf(t, d)
		r := visitPage(t, "many", page).
			eval(`performance.getEntriesByName("interactive")[0].startTime`).
			eval(`document.querySelectorAll("#explorer tbody tr").length`).
			eval(`(() => { const t = performance.now(); (` + choose + `)("severity", "high"); document.body.offsetHeight; return performance.now() - t; })()`).
			eval(shownLine).
			eval(`(() => { const t = performance.now(); document.querySelector("[data-view=package]").click(); document.body.offsetHeight; return performance.now() - t; })()`).run()
		if string(r[1]) != "50" || !strings.HasSuffix(value[string](t, r[3]), " findings") {
			t.Errorf("%d findings: %s rows, then %s", n, r[1], r[3])
		}
		t.Logf("%d findings: page of %.1f MB, interactive after %.0f ms, a filter takes %.0f ms, grouping %.0f ms", n,
			float64(len(page))/1e6, value[float64](t, r[0]), value[float64](t, r[2]), value[float64](t, r[4]))
	}
}
