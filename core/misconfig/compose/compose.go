// Package compose examines Compose files: what services may do to the host, and what they are given. One rule is one
// file.
//
// https://github.com/compose-spec/compose-spec/blob/main/spec.md
package compose

import (
	"context"
	"path"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

// Wants reports whether a file is a Compose file by its name.
func Wants(p string) bool {
	name := strings.ToLower(path.Base(p))
	return (strings.HasPrefix(name, "docker-compose") || strings.HasPrefix(name, "compose") || strings.HasPrefix(name,
		"podman-compose")) &&
		(strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".yaml"))
}

// file is a Compose file that was read.
type file struct{ services []service }

// service is one service.
type service struct {
	yamldoc.Node
	name string
	key  yamldoc.Node
}

// Examine looks for what is wrong with the services of a document.
func Examine(ctx context.Context, c *rule.Collector, doc yamldoc.Node) {
	f := &file{}
	for _, p := range doc.Get("services").Pairs() {
		if p.Value.IsMap() {
			f.services = append(f.services, service{p.Value, p.Key.Text(), p.Key})
		}
	}
	for _, r := range checks() {
		if ctx.Err() != nil {
			return
		}
		r.check(f, func(h rule.Hit) { c.Hit(r.Rule, h) })
	}
}

// hit is a hit on a node of a service.
func (s service) hit(at yamldoc.Node, detail string, more ...string) rule.Hit {
	if !at.Exists() {
		at = s.key
	}
	what := "service " + s.name
	if detail != "" {
		what += ": " + detail
	}
	return rule.Hit{Detail: what, Line: at.Line(), Column: at.Column(), Start: s.key.Line(),
		Object: append([]string{s.name}, more...)}
}

// mount is a path of the host that a service mounts.
type mount struct {
	source string
	at     yamldoc.Node
}

func (s service) mounts() []mount {
	var all []mount
	for _, v := range s.Get("volumes").Items() {
		switch {
		case v.IsScalar():
			source, _, _ := strings.Cut(v.Text(), ":")
			all = append(all, mount{source, v})
		case v.Get("type").Text() == "bind" || v.Get("source").Exists():
			all = append(all, mount{v.Get("source").Text(), v.Get("source")})
		}
	}
	return all
}

// variables are the environment of a service, in either form.
func (s service) variables() []yamldoc.Pair {
	env := s.Get("environment")
	return env.Pairs()
}

// published is a port that a service publishes on the host.
type published struct {
	port string // of the container
	// local is true if only the host itself reaches it.
	local bool
	at    yamldoc.Node
}

func (s service) ports() []published {
	var all []published
	for _, p := range s.Get("ports").Items() {
		if p.IsMap() {
			all = append(all, published{p.Get("target").Text(), isLocal(p.Get("host_ip").Text()), p.Get("target")})
			continue
		}
		text := p.Text()
		at := strings.LastIndexByte(text, ':')
		host := ""
		if at > 0 {
			host = text[:at]
		}
		all = append(all, published{text[at+1:], isLocal(host), p})
	}
	return all
}

func isLocal(host string) bool {
	return strings.HasPrefix(host, "127.") || strings.HasPrefix(host, "localhost") || strings.HasPrefix(host, "[::1]") ||
		host == "::1"
}
