package gitlab

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/report"
)

// maxNote bounds the text of a note, in bytes: GitLab takes a million characters, and nobody reads them.
const maxNote = 60 << 10

// allGone is what an earlier note says once the change brings nothing any more.
const allGone = "This change brings no findings any more."

// note says on the merge request what is new, in one note that each run keeps up to date. There is none where nothing was
// ever new. It is a courtesy: what keeps it from being written is told in the log, and the verdict is the same.
func (a *Adapter) note(ctx context.Context, d report.Document) {
	api, err := newAPI(a.getenv)
	if api == nil && err == nil {
		return
	}
	var text strings.Builder
	if err == nil {
		_, err = report.Comment(&text, d, maxNote)
	}
	if err == nil {
		err = api.stick(ctx, a.mark(), text.String(), allGone)
	}
	if err == nil {
		return
	}
	fmt.Fprintf(a.log, "\nThe note on the merge request was not written: %s\n", report.SafeText(err.Error()))
	if mayNot(err) {
		fmt.Fprintln(a.log, "CLEANBILL_GITLAB_TOKEN needs the scope api and the role Reporter in the request's project.")
	}
}

// mark begins each note of this job, where nobody sees it.
func (a *Adapter) mark() string {
	return "<!-- cleanbill:" + url.PathEscape(a.getenv("CI_JOB_NAME")) + " -->"
}
