package report

import "github.com/cleanbill-ci/cleanbill/core/internal/redact"

// SafeText returns foreign text as one line that is safe to print on a terminal or in a log: see redact.Text. It is
// here for the platform adapters, which show names, titles and errors that others wrote.
func SafeText(s string) string { return redact.Text(s) }

// SafeTextLimited is SafeText with at most limit bytes.
func SafeTextLimited(s string, limit int) string { return redact.Limited(s, limit) }

// SafeMarkdown returns foreign text as one line of Markdown that only shows it, also within a table cell.
func SafeMarkdown(s string) string { return redact.Markdown(s) }

// SafeMarkdownCode returns foreign text as a Markdown code span, also within a table cell.
func SafeMarkdownCode(s string) string { return redact.MarkdownCode(s) }

// SafeReference returns an image reference or URL without credentials.
func SafeReference(s string) string { return redact.Reference(s) }
