package report

import (
	"bufio"
	"crypto/sha256"
	_ "embed" // for the page's own files
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
)

// The page's files. The style and the script are written into each report as they are: the policy in its head names
// their hashes, and nothing else may run or style there.
var (
	//go:embed html/head.tmpl
	htmlHead string
	//go:embed html/body.tmpl
	htmlBody string
	//go:embed html/report.css
	htmlStyle string
	//go:embed html/report.js
	htmlScript string
)

// HTML writes the report as one page for a browser: one file that loads nothing, with everything in it that the page
// shows. The result, what to fix, what could not be examined and what was excused are in the page itself, and can be
// read without JavaScript; the lists of findings and packages are data that the page's script shows. Lists that were
// cut say how much of them is shown.
//
// All foreign text is made safe as by SafeText before it enters the page, and then escaped for the place where it
// stands. The page's content security policy allows its own style and script by their hashes, and nothing else.
func HTML(w io.Writer, d Document) error {
	b := bufio.NewWriterSize(w, 64<<10)
	if err := writeHTML(b, d); err != nil {
		return fmt.Errorf("write the HTML report: %w", err)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write the HTML report: %w", err)
	}
	return nil
}

func writeHTML(w *bufio.Writer, d Document) error {
	data := newHTMLData(d)
	view := newHTMLView(d, data)
	// A template's end must be outside of any element that holds style, script or data, so these stand between two.
	parts := []func() error{
		func() error { return htmlTemplate("head", htmlHead).Execute(w, view) },
		func() error { return writeAll(w, "<style>", htmlStyle, "</style>\n</head>\n") },
		func() error { return htmlTemplate("body", htmlBody).Execute(w, view) },
		func() error { return writeAll(w, `<script type="application/json" id="data">`) },
		func() error { return data.write(w) },
		func() error { return writeAll(w, "</script>\n<script>", htmlScript, "</script>\n</body>\n</html>\n") },
	}
	for _, part := range parts {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func htmlTemplate(name, text string) *template.Template {
	return template.Must(template.New(name).Funcs(template.FuncMap{"number": thousands}).Parse(text))
}

func writeAll(w io.Writer, texts ...string) error {
	for _, text := range texts {
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}

// htmlPolicy is the content security policy of the page. Trusted Types forbid the script itself to make markup from
// text: whatever it shows is text.
//
// https://www.w3.org/TR/CSP3/ and https://www.w3.org/TR/trusted-types/
func htmlPolicy() string {
	return "default-src 'none'; style-src " + sourceHash(htmlStyle) + "; script-src " + sourceHash(htmlScript) +
		"; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
}

func sourceHash(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// thousands writes a number with commas, as the page's script does.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
