// Package known holds what several families of rules know by name: variables that hold secrets, ports of remote
// administration, sockets of container engines, and the parts of an image's name.
package known

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// secretWords are parts of names of variables that hold secrets, and harmlessWords parts of such names that do not.
func secretWords() []string {
	return []string{
		"password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "privatekey", "secretkey", "authkey",
		"encryptionkey", "signingkey", "credential", "credentials", "pwd", "connectionstring", "masterkey",
	}
}

func harmlessWords() []string {
	return []string{
		"file", "path", "dir", "name", "id", "url", "uri", "endpoint", "enabled", "ttl", "length", "type", "expiry",
		"expires",
		"expiration", "timeout", "public", "policy", "username", "user", "header", "host", "port", "issuer", "audience",
		"size",
		"max", "min", "count", "limit", "limits", "algorithm", "lifetime", "rotation", "version", "interval", "required",
		"mount", "store", "ref",
		"provider", "class", "region", "namespace", "location", "prefix", "suffix", "duration", "symbol", "mode", "regex",
		"pattern", "use", "allow", "disable", "enable", "empty",
	}
}

// SecretName reports whether a variable of that name usually holds a secret. It looks at the words of the name, so that
// TOKEN_FILE and MAX_TOKENS are none.
func SecretName(name string) bool {
	words := wordsOf(name)
	if len(words) == 0 {
		return false
	}
	for _, w := range words {
		if slices.Contains(harmlessWords(), w) {
			return false
		}
	}
	for i, w := range words {
		if slices.Contains(secretWords(), w) || i > 0 && slices.Contains(secretWords(), words[i-1]+w) {
			return true
		}
	}
	return false
}

// wordsOf splits at anything but letters and digits, and where a capital follows a small letter.
func wordsOf(name string) []string {
	var words []string
	var word []byte
	flush := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
		}
		word = nil
	}
	for i := range len(name) {
		c := name[i]
		upper := c >= 'A' && c <= 'Z'
		switch {
		case upper && i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z':
			flush()
			word = append(word, c)
		case upper || c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			word = append(word, c)
		default:
			flush()
		}
	}
	flush()
	return words
}

// Literal reports whether a value is there and is itself what the variable holds: no reference to another one, no
// placeholder, no switch.
func Literal(value string) bool {
	v := strings.Trim(strings.TrimSpace(value), `"'`)
	switch {
	case len(v) < 3, strings.Contains(v, "$"), strings.Contains(v, "{{"), strings.HasPrefix(v, "<"), strings.HasPrefix(v,
		"%"),
		strings.HasPrefix(v, "/"), strings.Trim(v, "*xX.") == "":
		return false
	}
	switch strings.ToLower(v) {
	case "true", "false", "yes", "none", "null", "nil", "undefined", "disabled", "enabled", "changeme", "placeholder",
		"redacted":
		return false
	}
	_, err := strconv.ParseFloat(v, 64)
	return err != nil || len(v) >= 6
}

// SecretValue reports whether a value is a credential by its own form, whatever the variable is called.
func SecretValue(value string) bool {
	for _, form := range []struct {
		prefix string
		length int
	}{
		{"AKIA", 20}, {"ASIA", 20}, {"ghp_", 40}, {"gho_", 40}, {"ghs_", 40}, {"github_pat_", 60}, {"glpat-", 26}, {"xoxb-",
			30},
		{"xoxp-", 30}, {"sk_live_", 24}, {"npm_", 40}, {"dckr_pat_", 30}, {"AIza", 39}, {"hvs.", 28},
	} {
		if at := strings.Index(value, form.prefix); at >= 0 && tokenLength(value[at:]) >= form.length {
			return true
		}
	}
	return strings.Contains(value, "PRIVATE KEY-----")
}

func tokenLength(s string) int {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.') {
			return i
		}
	}
	return len(s)
}

// AdminPort returns what listens on a port that nobody should reach from outside; empty for other ports. A port
// may have
// a protocol behind it and a range.
func AdminPort(port string) string {
	port, protocol, _ := strings.Cut(port, "/")
	if protocol != "" && !strings.EqualFold(protocol, "tcp") {
		return ""
	}
	first, last, isRange := strings.Cut(port, "-")
	low, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return ""
	}
	high := low
	if isRange {
		if high, err = strconv.Atoi(strings.TrimSpace(last)); err != nil {
			return ""
		}
	}
	for _, p := range adminPorts() {
		if low <= p.port && p.port <= high {
			return p.name
		}
	}
	return ""
}

type adminPort struct {
	port int
	name string
}

func adminPorts() []adminPort {
	return []adminPort{
		{22, "SSH"}, {23, "Telnet"}, {111, "RPC"}, {135, "Windows RPC"}, {139, "NetBIOS"}, {445, "SMB"}, {512, "rexec"},
		{513, "rlogin"}, {514, "rsh"}, {2375, "the Docker API without TLS"}, {2376, "the Docker API"}, {2379, "etcd"},
		{3389, "RDP"}, {5900, "VNC"}, {5985, "WinRM"}, {10250, "the kubelet"}, {10255, "the kubelet"},
	}
}

// DataPort returns which database listens on a port; empty for other ports.
func DataPort(port string) string {
	switch port {
	case "3306":
		return "MySQL"
	case "5432":
		return "PostgreSQL"
	case "6379":
		return "Redis"
	case "27017":
		return "MongoDB"
	case "9200":
		return "Elasticsearch"
	case "11211":
		return "memcached"
	case "1433":
		return "SQL Server"
	case "5984":
		return "CouchDB"
	case "9042":
		return "Cassandra"
	}
	return ""
}

// EngineSocket reports whether a path of the host is, or holds, the socket of a container engine.
func EngineSocket(p string) bool {
	p = path.Clean(p)
	p = strings.TrimPrefix(p, "/var")
	for _, s := range []string{
		"/run/docker.sock", "/run/containerd/containerd.sock", "/run/crio/crio.sock", "/run/podman/podman.sock",
		"/run/k3s/containerd/containerd.sock", "/run/dockershim.sock", "/run/cri-dockerd.sock",
		"/run/buildkit/buildkitd.sock",
	} {
		if p == s || p == "/run" || p == path.Dir(s) {
			return true
		}
	}
	return false
}

// HostPath reports whether a path of the host gives away the host.
func HostPath(p string) bool {
	p = path.Clean(p)
	for _, s := range []string{"/etc", "/proc", "/sys", "/root", "/boot", "/dev", "/home", "/lib/modules", "/usr", "/bin",
		"/sbin",
		"/var/lib/kubelet", "/var/lib/docker", "/var/lib/containerd", "/var/log", "/var/lib/etcd"} {
		if p == s || strings.HasPrefix(p, s+"/") && s != "/dev" && s != "/home" && s != "/usr" && s != "/var/log" &&
			s != "/sys" && s != "/proc" && s != "/etc" {
			return true
		}
	}
	return p == "/" || p == "/var" || p == "/var/lib" || p == "/etc/kubernetes" || p == "/etc/shadow"
}

// Reference is an image's name in its parts.
type Reference struct{ Name, Tag, Digest string }

// ParseReference splits an image's name.
//
// https://github.com/distribution/reference
func ParseReference(s string) Reference {
	name, digest, _ := strings.Cut(s, "@")
	r := Reference{Name: name, Digest: digest}
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		r.Name, r.Tag = name[:colon], name[colon+1:]
	}
	return r
}

// Pinned reports whether the name means one content for ever.
func (r Reference) Pinned() bool { return r.Digest != "" }

// Latest reports whether the name means whatever was pushed last.
func (r Reference) Latest() bool { return r.Digest == "" && (r.Tag == "" || r.Tag == "latest") }

// NonRoot reports whether an image's name says that it does not run as root.
func NonRoot(image string) bool {
	return strings.Contains(image, "nonroot") || strings.Contains(image, "non-root") || strings.Contains(image,
		"rootless") ||
		strings.Contains(image, "unprivileged") || strings.HasPrefix(image, "cgr.dev/chainguard/") &&
		!strings.HasSuffix(image, "-dev")
}

// Root reports whether a user is root. Users may have a group behind them.
func Root(user string) bool {
	user, _, _ = strings.Cut(strings.TrimSpace(user), ":")
	return user == "root" || user != "" && strings.Trim(user, "0") == ""
}
