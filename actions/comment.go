package actions

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core/report"
)

const (
	// maxComment bounds the text of a comment, in bytes, with room for the mark below what GitHub takes.
	maxComment = report.CommentLimit
	// commentTime is how long the job waits for the comment in all: the verdict is there already.
	commentTime = 2 * time.Minute
)

// allGone is what an earlier comment says once the change brings nothing any more.
const allGone = "This change brings no findings any more."

// comment says on the pull request what is new, in one comment that each run keeps up to date. There is none where nothing
// was ever new. It is a courtesy: what keeps it from being written is told, and the verdict is the same.
func (a *Adapter) comment(ctx context.Context, d report.Document) {
	token := a.input("comment-token")
	if token == "" || a.request == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commentTime)
	defer cancel()
	var text strings.Builder
	_, err := report.Comment(&text, d, maxComment)
	var github *api
	if err == nil {
		github, err = newAPI(a.getenv("GITHUB_API_URL"), a.getenv("GITHUB_REPOSITORY"), token)
	}
	if err == nil {
		err = github.stick(ctx, a.request, a.mark(), text.String(), allGone)
	}
	switch {
	case err == nil:
	case mayNot(err):
		a.annotate([]annotation{{level: levelNotice, title: "No comment on the pull request", message: err.Error() +
			"\nThe token may not write one: the job needs the permission pull-requests: write, and requests from forks have none."}})
	default:
		a.annotate([]annotation{{level: levelWarning, title: "No comment on the pull request", message: err.Error()}})
	}
}

// mark begins each comment of this category, where nobody sees it.
func (a *Adapter) mark() string {
	return "<!-- cleanbill:" + strings.ReplaceAll(url.PathEscape(a.input("category")), "-", "%2D") + " -->"
}

// input is what the workflow says of an input; action.yml hands it on with underscores, as a shell would have it.
func (a *Adapter) input(name string) string {
	return strings.TrimSpace(a.getenv("INPUT_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))))
}
