package sonar

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/hook"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
)

const token = "squ_0123456789abcdef" // gitleaks:allow a token of the test server

// server speaks the documented API of one project. Every answer can be replaced.
type server struct {
	// answers are by endpoint, and are given in turn; the last again and again.
	answers map[string][]answer
	// issues and hotspots are all that there are.
	issues, hotspots []string
	// old is a server before version 10: it knows no bearer's tokens and no impacts.
	old bool
	// anonymous lets everybody ask.
	anonymous bool

	mu    sync.Mutex
	asked []*url.URL
	found map[string][]string
}

type answer struct {
	status int
	header map[string]string
	body   string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL)
	endpoint := strings.TrimPrefix(r.URL.Path, "/sonar/")
	user, _, basic := r.BasicAuth()
	if endpoint != "api/server/version" && !s.anonymous && !(basic && user == token) && (s.old || r.Header.Get("Authorization") != "Bearer "+token) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if turns := s.answers[endpoint]; len(turns) > 0 {
		if len(turns) > 1 {
			s.answers[endpoint] = turns[1:]
		}
		for name, value := range turns[0].header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(turns[0].status)
		fmt.Fprint(w, turns[0].body)
		return
	}
	q := r.URL.Query()
	switch endpoint {
	case "api/server/version":
		fmt.Fprint(w, "2025.1.0.102418")
	case "api/ce/task":
		fmt.Fprintf(w, `{"task":{"id":%q,"type":"REPORT","componentKey":"app","status":"SUCCESS","analysisId":"AX-1","branch":"feature/x","branchType":"BRANCH"}}`, q.Get("id"))
	case "api/ce/component":
		fmt.Fprint(w, `{"queue":[],"current":{"id":"1","status":"SUCCESS"}}`)
	case "api/qualitygates/project_status":
		fmt.Fprint(w, `{"projectStatus":{"status":"OK","conditions":[{"status":"OK","metricKey":"new_coverage","comparator":"LT","errorThreshold":"80","actualValue":"90"}],"ignoredConditions":false}}`)
	case "api/issues/search":
		s.page(w, q, "issues", s.search(q.Get("types")))
	case "api/hotspots/search":
		s.page(w, q, "hotspots", s.hotspots)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// search returns the issues of a type or, without one, those that impact security as far as the server knows of that.
func (s *server) search(types string) []string {
	if found, ok := s.found[types]; ok {
		return found
	}
	found := slices.DeleteFunc(slices.Clone(s.issues), func(text string) bool {
		var x issue
		if json.Unmarshal([]byte(text), &x) != nil {
			return true
		}
		_, security := x.security()
		if types != "" {
			return x.Type != types
		}
		return !s.old && !security
	})
	if s.found == nil {
		s.found = map[string][]string{}
	}
	s.found[types] = found
	return found
}

func (s *server) page(w http.ResponseWriter, q url.Values, name string, all []string) {
	p, _ := strconv.Atoi(q.Get("p"))
	ps, _ := strconv.Atoi(q.Get("ps"))
	if p*ps > maxResults {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"errors":[{"msg":"Can return only the first 10000 results"}]}`)
		return
	}
	from, to := min((p-1)*ps, len(all)), min(p*ps, len(all))
	fmt.Fprintf(w, `{"paging":{"pageIndex":%d,"pageSize":%d,"total":%d},%q:[%s],"components":[{"key":"app:src/a.go","path":"src/a.go"},{"key":"app"}]}`,
		p, ps, len(all), name, strings.Join(all[from:to], ","))
}

// ask asks a server about a scan, or what change makes of that.
func ask(t *testing.T, s *server, change func(*Options)) (hook.Report, error) {
	t.Helper()
	listening := httptest.NewServer(s)
	t.Cleanup(listening.Close)
	o := Options{Task: &Task{Project: "app", ID: "T-1", Server: listening.URL + "/sonar"}, URL: listening.URL + "/sonar/", Token: token, Wait: 2 * time.Second,
		UserAgent: "test", Transport: http.DefaultTransport, Log: hclog.NewNullLogger(), Poll: time.Millisecond,
		Patience: network.Patience{Attempts: 2, Delay: time.Millisecond, Header: 500 * time.Millisecond}.Filled()}
	if change != nil {
		change(&o)
	}
	question, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := question.Ask(t.Context())
	if text, failed := json.Marshal(r); failed != nil || strings.Contains(string(text), token) || err != nil && strings.Contains(err.Error(), token) {
		t.Errorf("the token is told: %v %s", err, text)
	}
	return r, err
}

const (
	vulnerability = `{"key":"I1","rule":"go:S2068","severity":"BLOCKER","component":"app:src/a.go","project":"app","hash":"h1","line":3,
		"textRange":{"startLine":3,"endLine":4,"startOffset":2,"endOffset":9},"type":"VULNERABILITY","message":"Mend this.","status":"OPEN"}`
	impacting = `{"key":"I2","rule":"go:S1","severity":"CRITICAL","component":"app:src/b.go","project":"app","hash":"h2","line":5,"type":"CODE_SMELL",
		"message":"This too.","impacts":[{"softwareQuality":"SECURITY","severity":"MEDIUM"},{"softwareQuality":"RELIABILITY","severity":"HIGH"}]}`
	smell     = `{"key":"I3","rule":"go:S2","severity":"MINOR","component":"app:src/b.go","project":"app","type":"CODE_SMELL","message":"Smells."}`
	leak      = `{"key":"I4","rule":"secrets:S6290","severity":"BLOCKER","component":"app:src/c.go","project":"app","line":1,"type":"VULNERABILITY","message":"Revoke this."}`
	toReview  = `{"key":"H1","component":"app:src/a.go","project":"app","securityCategory":"dos","vulnerabilityProbability":"MEDIUM","status":"TO_REVIEW","line":7,"message":"Is it safe?","ruleKey":"go:S5852"}`
	errorGate = `{"projectStatus":{"status":"ERROR","conditions":[{"status":"ERROR","metricKey":"new_security_rating","comparator":"GT","errorThreshold":"1","actualValue":"5"},
		{"status":"OK","metricKey":"new_coverage","comparator":"LT","errorThreshold":"80","actualValue":"90"}]}}`
)

func TestWhatAServerFoundBecomesFindings(t *testing.T) {
	s := &server{issues: []string{vulnerability, impacting, smell, leak}, hotspots: []string{toReview}}
	base := ""
	r, err := ask(t, s, func(o *Options) { base = strings.TrimSuffix(o.URL, "/") })
	if err != nil {
		t.Fatal(err)
	}
	type told struct {
		Kind             core.FindingKind
		Rule, Title      string
		Severity         core.Severity
		Place            core.Location
		Weakness, Linked string
	}
	var got []told
	for _, f := range r.Findings {
		x := told{Kind: f.Kind, Rule: f.Rule, Title: f.Title, Severity: f.Severity, Place: f.Locations[0], Weakness: strings.Join(f.Weaknesses, ""),
			Linked: strings.TrimPrefix(f.References[0], base)}
		if f.Fingerprint == "" || !slices.Equal(f.SeenBy, []string{"sonarqube"}) || f.SeveritySource != "sonarqube" {
			t.Errorf("%+v", f)
		}
		got = append(got, x)
	}
	slices.SortFunc(got, func(a, b told) int { return strings.Compare(a.Rule, b.Rule) })
	want := []told{
		{core.KindCode, "go:S1", "This too.", core.SeverityMedium, core.Location{Path: "src/b.go", Line: 5}, "", "/project/issues?branch=feature%2Fx&id=app&issues=I2&open=I2"},
		{core.KindCode, "go:S2068", "Mend this.", core.SeverityCritical, core.Location{Path: "src/a.go", Line: 3, EndLine: 4, Column: 3}, "",
			"/project/issues?branch=feature%2Fx&id=app&issues=I1&open=I1"},
		{core.KindCode, "go:S5852", "to be reviewed: Is it safe?", core.SeverityMedium, core.Location{Path: "src/a.go", Line: 7}, "",
			"/security_hotspots?branch=feature%2Fx&hotspots=H1&id=app"},
		{core.KindSecret, "secrets:S6290", "Revoke this.", core.SeverityCritical, core.Location{Path: "src/c.go", Line: 1}, "CWE-798",
			"/project/issues?branch=feature%2Fx&id=app&issues=I4&open=I4"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	x := r.Examinations[0]
	if len(r.Examinations) != 1 || x.Name != "sonarqube" || x.Status != core.Complete || x.Version != "2025.1.0.102418" || len(x.Granted) != 2 ||
		!strings.HasPrefix(x.Granted[0], "network: 127.0.0.1:") || x.Granted[1] != "secret: SONAR_TOKEN" {
		t.Errorf("%+v", r.Examinations)
	}
	for _, u := range s.asked {
		q := u.Query()
		if strings.HasSuffix(u.Path, "search") && (q.Get("branch") != "feature/x" || q.Get("components")+q.Get("projectKey") != "app") {
			t.Errorf("it asked %s", u)
		}
		if strings.HasSuffix(u.Path, "project_status") && q.Encode() != "analysisId=AX-1" {
			t.Errorf("it asked %s", u)
		}
	}
}

// Servers before version 10 take tokens as a user's name, and give all issues to those who ask for impacts.
func TestAnOldServerIsUnderstood(t *testing.T) {
	many := []string{vulnerability}
	for n := range 12_000 {
		many = append(many, strings.Replace(smell, "I3", fmt.Sprint("S", n), 1))
	}
	r, err := ask(t, &server{issues: many, old: true}, nil)
	if err != nil || len(r.Findings) != 1 || r.Examinations[0].Status != core.Complete {
		t.Errorf("%v %+v", err, r)
	}
}

func TestAFindingKeepsItsFingerprintWhenLinesMove(t *testing.T) {
	fingerprints := func(issues ...string) []string {
		r, err := ask(t, &server{issues: issues}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, f := range r.Findings {
			all = append(all, f.Fingerprint)
		}
		slices.Sort(all)
		return all
	}
	moved := strings.NewReplacer("I1", "J1", `"line":3`, `"line":30`, `"startLine":3,"endLine":4`, `"startLine":30,"endLine":31`).Replace(vulnerability)
	once, twice := fingerprints(vulnerability), fingerprints(vulnerability, moved)
	if !slices.Equal(once, fingerprints(moved)) || len(twice) != 2 || twice[0] == twice[1] || !slices.Contains(twice, once[0]) {
		t.Errorf("%q %q", once, twice)
	}
}

func TestAQualityGateThatFailsIsAFindingForEachCondition(t *testing.T) {
	for name, tc := range map[string]struct {
		body   string
		rules  []string
		title  string
		status core.Completeness
	}{
		"a condition": {errorGate, []string{"refused-by/sonarqube/new_security_rating"}, "new_security_rating is 5, which is greater than 1", core.Complete},
		"none told":   {`{"projectStatus":{"status":"ERROR"}}`, []string{"refused-by/sonarqube/quality-gate"}, "quality gate fails", core.Complete},
		"a warning":   {`{"projectStatus":{"status":"WARN"}}`, []string{"reported-by/sonarqube/quality-gate"}, "quality gate fails", core.Complete},
		"no gate":     {`{"projectStatus":{"status":"NONE","conditions":[]}}`, nil, "", core.Partial},
	} {
		r, err := ask(t, &server{answers: map[string][]answer{"api/qualitygates/project_status": {{200, nil, tc.body}}}}, nil)
		var rules []string
		for _, f := range r.Findings {
			rules = append(rules, f.Rule)
			if !strings.Contains(f.Title, tc.title) || !strings.Contains(f.References[0], "/sonar/dashboard?") {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if err != nil || !slices.Equal(rules, tc.rules) || r.Examinations[0].Status != tc.status {
			t.Errorf("%s: %v %q %+v", name, err, rules, r.Examinations)
		}
	}
}

func TestTheAnalysisIsWaitedFor(t *testing.T) {
	state := func(status string) answer {
		return answer{200, nil, `{"task":{"id":"T-1","componentKey":"app","status":"` + status + `","analysisId":"AX-1","pullRequest":"7"}}`}
	}
	s := &server{answers: map[string][]answer{"api/ce/task": {state("PENDING"), state("IN_PROGRESS"), {503, nil, ""}, state("SUCCESS")}}, issues: []string{vulnerability}}
	r, err := ask(t, s, nil)
	if err != nil || len(r.Findings) != 1 || !strings.Contains(r.Findings[0].References[0], "pullRequest=7") {
		t.Errorf("%v %+v", err, r)
	}
	// The latest analysis of a project is not known before what is queued for it is done.
	s = &server{answers: map[string][]answer{"api/ce/component": {
		{200, nil, `{"queue":[{"status":"PENDING","branch":"main"},{"status":"PENDING","pullRequest":"9"}]}`},
		{200, nil, `{"queue":[{"status":"PENDING","pullRequest":"9"},{"status":"PENDING","branch":"other"}]}`}}}}
	if r, err = ask(t, s, func(o *Options) { o.Task, o.Project, o.Branch = nil, "app", "main" }); err != nil || r.Examinations[0].Status != core.Complete {
		t.Errorf("%v %+v", err, r)
	}
	if asked := s.asked[len(s.asked)-5].Query(); asked.Get("projectKey") != "app" || asked.Get("branch") != "main" {
		t.Errorf("it asked for the gate with %v", asked)
	}
}

func TestWhatCannotBeLearnedIsAnExaminationThatIsNotComplete(t *testing.T) {
	task := func(body string) map[string][]answer {
		return map[string][]answer{"api/ce/task": {{200, nil, body}}}
	}
	at := func(endpoint string, status int, body string) map[string][]answer {
		return map[string][]answer{endpoint: {{status, nil, body}}}
	}
	for name, tc := range map[string]struct {
		answers map[string][]answer
		status  core.Completeness
		why     string
	}{
		"a task that failed":       {task(`{"task":{"status":"FAILED","componentKey":"app","errorMessage":"no memory, said ` + token + `"}}`), core.Failed, "the analysis on the server failed: no memory, said …"},
		"a task that was stopped":  {task(`{"task":{"status":"CANCELED","componentKey":"app"}}`), core.Failed, "the analysis on the server was cancelled"},
		"a task of another state":  {task(`{"task":{"status":"DONE","componentKey":"app"}}`), core.Failed, `says that the analysis is "DONE"`},
		"a task of another":        {task(`{"task":{"status":"SUCCESS","componentKey":"other","analysisId":"1"}}`), core.Failed, `of the project "other", not of app`},
		"a task without analysis":  {task(`{"task":{"status":"SUCCESS","componentKey":"app"}}`), core.Failed, "not which one"},
		"no task":                  {task(`{}`), core.Failed, "did not answer with a task"},
		"a task that never ends":   {task(`{"task":{"status":"PENDING"}}`), core.Failed, "the analysis was not ready within 150ms"},
		"a task that is gone":      {at("api/ce/task", 404, `{"errors":[{"msg":"No activity found for task 'T-1'"}]}`), core.Failed, "api/ce/task of 127.0.0.1"},
		"no permission":            {at("api/ce/task", 403, `{"errors":[{"msg":"Insufficient privileges"}]}`), core.Failed, "403 Forbidden: Insufficient privileges"},
		"a server that is down":    {at("api/ce/task", 502, "<html>"), core.Failed, "502 Bad Gateway"},
		"a page for people":        {at("api/ce/task", 200, "<html>log in</html>"), core.Failed, "byte 1: it is not JSON"},
		"JSON that is cut off":     {task(`{"task":{"status":`), core.Failed, "it is not JSON, or cut off"},
		"JSON of another form":     {task(`{"task":{"status":7}}`), core.Failed, "task.status is number"},
		"two values":               {task(`{"task":{"status":"SUCCESS","componentKey":"app","analysisId":"1"}}{}`), core.Failed, "it is not JSON, or cut off"},
		"no status of the gate":    {at("api/qualitygates/project_status", 200, `{}`), core.Failed, "did not answer with the status"},
		"a gate of another state":  {at("api/qualitygates/project_status", 200, `{"projectStatus":{"status":"GREEN"}}`), core.Failed, `"GREEN"`},
		"a gate that is not found": {at("api/qualitygates/project_status", 404, `{}`), core.Failed, "404 Not Found"},
		"no issues":                {at("api/issues/search", 200, `{}`), core.Partial, "did not answer with issues"},
		"issues of others":         {at("api/issues/search", 200, `{"paging":{"total":1},"issues":[{"key":"1","project":"b","type":"VULNERABILITY"}]}`), core.Partial, `the project "b", not only of app`},
		"issues that are kept":     {at("api/issues/search", 200, `{"paging":{"total":2},"issues":[]}`), core.Partial, "there are 2 issues of the type vulnerability, and gives 0"},
		"no permission for issues": {at("api/issues/search", 403, ``), core.Partial, "api/issues/search of 127.0.0.1"},
		"no hotspots":              {at("api/hotspots/search", 200, `[]`), core.Partial, "api/hotspots/search of 127.0.0.1"},
		"hotspots of others":       {at("api/hotspots/search", 200, `{"paging":{"total":1},"hotspots":[{"key":"1","project":"b"}]}`), core.Partial, `the project "b"`},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := ask(t, &server{answers: tc.answers}, func(o *Options) { o.Wait = 150 * time.Millisecond })
			x := r.Examinations[0]
			if err == nil || x.Status != tc.status || len(x.Why) != 1 || !strings.Contains(x.Why[0], tc.why) || x.Why[0] != err.Error() {
				t.Errorf("%v\n%+v", err, x)
			}
		})
	}
	r, err := ask(t, &server{}, func(o *Options) { o.Token = "another" })
	if err == nil || !strings.Contains(err.Error(), "401 Unauthorized") || r.Examinations[0].Remedy != "set SONAR_TOKEN to a token that has not expired" {
		t.Errorf("a wrong token: %v %+v", err, r)
	}
	r, err = ask(t, &server{}, func(o *Options) { o.Token = "" })
	if err == nil || !strings.Contains(r.Examinations[0].Remedy, "does not answer without one") || len(r.Examinations[0].Granted) != 1 {
		t.Errorf("no token: %v %+v", err, r)
	}
	if r, err = ask(t, &server{anonymous: true}, func(o *Options) { o.Token = "" }); err != nil || r.Examinations[0].Status != core.Complete {
		t.Errorf("no token for a server that answers everybody: %v %+v", err, r)
	}
}

// The server gives out the first ten thousand results of a search.
func TestMoreThanTheServerGivesOutIsAGap(t *testing.T) {
	for total, gap := range map[int]bool{500: false, 501: false, 10_000: false, 10_001: true} {
		var many []string
		for n := range total {
			many = append(many, strings.NewReplacer("I1", fmt.Sprint("I", n), `"hash":"h1"`, fmt.Sprintf(`"hash":"h%d"`, n)).Replace(vulnerability))
		}
		r, err := ask(t, &server{issues: many}, func(o *Options) { o.Wait = time.Minute })
		x := r.Examinations[0]
		if err != nil || len(r.Findings) != min(total, maxResults) || (x.Status == core.Partial) != gap {
			t.Fatalf("%d: %v, %d findings, %+v", total, err, len(r.Findings), x)
		}
		if gap && !strings.Contains(x.Why[0], "there are 10001 issues of the type vulnerability, of which the server gives out 10000") {
			t.Errorf("%q", x.Why)
		}
	}
}

// The token goes to one host, whatever that host says.
func TestTheTokenIsNotSentToAnotherHost(t *testing.T) {
	sent := 0
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { sent++ }))
	defer other.Close()
	_, otherPort, err := net.SplitHostPort(other.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{other.URL + "/api/ce/task?id=T-1", "http://localhost:" + otherPort + "/", "https://sonar.example/", "//192.0.2.1/"} {
		s := &server{answers: map[string][]answer{"api/ce/task": {{307, map[string]string{"Location": to}, ""}}}}
		_, err := ask(t, s, nil)
		if err == nil || !strings.Contains(err.Error(), "to which the token is not sent") {
			t.Errorf("%s: %v", to, err)
		}
	}
	if sent != 0 {
		t.Errorf("%d requests were sent to another host", sent)
	}
	s := &server{answers: map[string][]answer{"api/ce/task": {{302, map[string]string{"Location": "/sonar/api/ce/elsewhere"}, ""}},
		"api/ce/elsewhere": {{200, nil, `{"task":{"id":"T-1","componentKey":"app","status":"SUCCESS","analysisId":"AX-1"}}`}}}}
	if _, err := ask(t, s, nil); err != nil {
		t.Errorf("a redirect on the server itself: %v", err)
	}
	s = &server{answers: map[string][]answer{"api/ce/task": {{302, map[string]string{"Location": "/sonar/api/ce/task"}, ""}}}}
	if _, err := ask(t, s, nil); err == nil || !strings.Contains(err.Error(), "redirects without end") {
		t.Errorf("redirects without end: %v", err)
	}
}

func TestWhatMakesNoSenseIsAMistake(t *testing.T) {
	task := func(server string) *Task { return &Task{Project: "app", ID: "T-1", Server: server} }
	for name, tc := range map[string]struct {
		o    Options
		want string // empty: it makes sense
	}{
		"the cloud":                      {Options{Task: task("https://sonarcloud.io")}, ""},
		"the cloud, with its port":       {Options{Task: task("https://SonarCloud.io:443/")}, ""},
		"a project of the cloud":         {Options{Project: "a:b"}, ""},
		"a server that is named":         {Options{Task: task("https://sonar.example/x"), URL: "https://sonar.example/x/"}, ""},
		"one on this machine":            {Options{Task: task("http://localhost:9000"), URL: "http://localhost:9000"}, ""},
		"a server of the workspace":      {Options{Task: task("https://evil.example")}, "a file of the workspace does not decide where the token goes"},
		"a cloud that is not":            {Options{Task: task("https://sonarcloud.io.evil.example")}, "does not decide"},
		"one on this machine, unnamed":   {Options{Task: task("http://127.0.0.1:1")}, "does not decide"},
		"another server":                 {Options{Task: task("https://evil.example"), URL: "https://sonar.example"}, "and the server is said to be https://sonar.example"},
		"another port":                   {Options{Task: task("https://sonar.example:8443"), URL: "https://sonar.example"}, "is said to be"},
		"another path":                   {Options{Task: task("https://sonar.example/a"), URL: "https://sonar.example/b"}, "is said to be"},
		"plain HTTP":                     {Options{Project: "a", URL: "http://sonar.example"}, "is not sent to sonar.example without encryption"},
		"plain HTTP for HTTPS":           {Options{Task: task("http://sonar.example"), URL: "https://sonar.example"}, "is said to be"},
		"a password":                     {Options{Project: "a", URL: "https://u:hunter2@sonar.example"}, "it has a user or a password in it"},
		"no address":                     {Options{Project: "a", URL: "sonar.example"}, "not an address"},
		"a query":                        {Options{Project: "a", URL: "https://sonar.example?x"}, "more than a host and a path"},
		"a list of projects":             {Options{Project: "a,b"}, "a key has only letters"},
		"no project":                     {Options{Branch: "main"}, "it is empty"},
		"a branch and a pull request":    {Options{Project: "a", Branch: "b", PullRequest: "1"}, "both"},
		"a scan of that project":         {Options{Task: task("https://sonarcloud.io"), Project: "app"}, ""},
		"a scan of another project":      {Options{Task: task("https://sonarcloud.io"), Project: "a"}, "the scan is of the project app, not of a"},
		"a token with a line end":        {Options{Project: "a", Token: "hunter2\n"}, "SONAR_TOKEN is not a token"},
		"a token that is a user's login": {Options{Project: "a", Token: "admin:hunter2"}, "SONAR_TOKEN is not a token"},
	} {
		_, err := New(tc.o)
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tc.want != "" && (err == nil || !core.Usage(err) || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
}

// A file of the workspace may be of another scan than the one of this build.
func TestAScanIsOfTheBranchThatIsNamed(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"": func(o *Options) { o.Branch = "feature/x" },
		"the scan is of the branch feature/x, not of the branch main":    func(o *Options) { o.Branch = "main" },
		"the scan is of the branch feature/x, not of the pull request 7": func(o *Options) { o.PullRequest = "7" },
	} {
		r, err := ask(t, &server{}, change)
		if (err == nil) != (want == "") || err != nil && (err.Error() != want || r.Examinations[0].Status != core.Failed) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestAskingEndsWithTheRun(t *testing.T) {
	listening := httptest.NewServer(&server{answers: map[string][]answer{"api/ce/task": {{200, nil, `{"task":{"status":"PENDING"}}`}}}})
	defer listening.Close()
	question, err := New(Options{Task: &Task{Project: "app", ID: "T-1", Server: listening.URL}, URL: listening.URL, Transport: http.DefaultTransport,
		Log: hclog.NewNullLogger(), Patience: network.Patience{}.Filled(), Token: token})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	started := time.Now()
	if r, err := question.Ask(ctx); err == nil || r.Examinations[0].Status != core.Failed || time.Since(started) > 5*time.Second {
		t.Errorf("%v %+v", err, r)
	}
}
