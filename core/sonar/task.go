package sonar

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// MaxTask is the largest report-task.txt, in bytes; real ones are smaller than one thousandth of it.
const MaxTask = 1 << 20

// Task is what a scanner writes to report-task.txt: which analysis it started.
type Task struct {
	// Project is the key of the project, ID that of the task of the compute engine.
	Project, ID string
	// Server is where the scanner sent its report. It is not to be believed: see Options.URL.
	Server string
}

// ReadTask reads report-task.txt, which is a file of properties.
//
// https://docs.sonarsource.com/sonarqube-server/latest/analyzing-source-code/scanners/sonarscanner/
func ReadTask(text []byte) (Task, error) {
	values := map[string]string{}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return Task{}, fmt.Errorf("line %d is not NAME=VALUE: is it a report-task.txt?", n)
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if _, twice := values[name]; twice {
			return Task{}, fmt.Errorf("line %d gives %s a second time", n, redact.Limited(name, 40))
		}
		values[name] = strings.NewReplacer(`\:`, ":", `\=`, "=", `\\`, `\`).Replace(value) // as Java writes them
	}
	t := Task{Project: values["projectKey"], ID: values["ceTaskId"], Server: values["serverUrl"]}
	switch {
	case t.ID == "":
		return Task{}, errors.New("it has no ceTaskId: the scanner did not send its report")
	case !isID(t.ID):
		return Task{}, fmt.Errorf("its ceTaskId %q is not the id of a task", redact.Limited(t.ID, 80))
	}
	if err := checkProject(t.Project); err != nil {
		return Task{}, fmt.Errorf("its projectKey is wrong: %w", err)
	}
	if _, err := parseServer(t.Server); err != nil {
		return Task{}, fmt.Errorf("its serverUrl is wrong: %w", err)
	}
	return t, nil
}

// isID reports whether a text is like the ids of Sonar: short, of letters, digits, hyphens and underscores.
func isID(s string) bool {
	return s != "" && len(s) <= 200 && strings.Trim(s, letters+"-_") == ""
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// checkProject refuses what cannot be the key of a project. A key with a comma would be a list.
//
// https://docs.sonarsource.com/sonarqube-server/latest/project-administration/creating-and-importing-projects/
func checkProject(key string) error {
	switch {
	case key == "":
		return errors.New("it is empty")
	case len(key) > 400, strings.Trim(key, letters+"-_.:") != "":
		return fmt.Errorf("a key has only letters, digits and -_.: in it, unlike %q", redact.Limited(key, 80))
	}
	return nil
}

// parseServer reads the address of a server, which may have a path and nothing else.
func parseServer(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil:
		return nil, errors.New("it is not an address") // the text of the error has the address, and that may have a password
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.Hostname() == "", u.Opaque != "":
		return nil, errors.New("it is not an address as in https://sonar.example")
	case u.User != nil:
		return nil, errors.New("it has a user or a password in it: the token is read from SONAR_TOKEN")
	case u.RawQuery != "", u.Fragment != "", u.ForceQuery:
		return nil, errors.New("it has more than a host and a path")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	u.Host = strings.ToLower(u.Host)
	return u, nil
}

// sameServer reports whether two addresses are of one server.
func sameServer(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && a.Hostname() == b.Hostname() && port(a) == port(b) && a.Path == b.Path
}

func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}
