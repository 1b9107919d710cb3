package shell

import (
	"path"
	"slices"
	"strings"
)

// Plain returns the command without what only starts another: sudo, env, exec and the like.
func (c Command) Plain() Command {
	for range 8 {
		skip := 0
		switch c.Name() {
		case "sudo", "doas", "env", "exec", "command", "nohup", "time", "nice", "xargs", "builtin", "timeout":
			skip = 1
			for skip < len(c.Args) && (strings.HasPrefix(c.Args[skip], "-") || strings.Contains(c.Args[skip], "=") ||
				startsWithDigit(c.Args[skip])) {
				if c.Args[skip] == "-u" || c.Args[skip] == "-g" || c.Args[skip] == "-I" {
					skip++
				}
				skip++
			}
		}
		if skip == 0 || skip >= len(c.Args) {
			return c
		}
		c.Args = c.Args[skip:]
	}
	return c
}

func startsWithDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

// Downloads reports whether the command fetches from the network to its output or a file.
func (c Command) Downloads() bool {
	switch p := c.Plain(); p.Name() {
	case "curl", "wget", "fetch", "aria2c":
		return true
	case "busybox":
		return len(p.Args) > 1 && p.Args[1] == "wget"
	}
	return false
}

// interprets reports whether the command executes what it reads from its input.
func (c Command) interprets() bool {
	p := c.Plain()
	if !isInterpreter(p.Name()) {
		return false
	}
	for i, a := range p.Args[1:] {
		switch {
		case a == "-" || a == "-s" || a == "/dev/stdin":
			return true
		case a == "-c" || a == "-m" || a == "-e" || a == "-n" || a == "-p":
			return false // the program is a word
		case strings.HasPrefix(a, "-") || strings.HasPrefix(a, "+"):
		case i > 0 && p.Args[i] == "-o": // an option of sh with a value
		default:
			return false // a file
		}
	}
	return true
}

func isInterpreter(name string) bool {
	switch name {
	case "sh", "bash", "ash", "dash", "zsh", "ksh", "fish", "perl", "ruby", "node", "php", "pwsh":
		return true
	}
	return strings.HasPrefix(name, "python")
}

// Unverified returns the commands that execute what was downloaded, unseen: curl | sh and its relatives.
func (s *Script) Unverified() []Command {
	var all []Command
	for _, stages := range s.Pipelines {
		fetched := false
		for _, stage := range stages {
			for _, c := range stage {
				if fetched && c.interprets() {
					all = append(all, c)
				}
			}
			fetched = fetched || slices.ContainsFunc(stage, Command.Downloads)
		}
	}
	for _, f := range s.Fed {
		name := f.To.Plain().Name()
		if (isInterpreter(name) || name == "eval" || name == "source" || name == ".") && slices.ContainsFunc(f.From,
			Command.Downloads) {
			all = append(all, f.To)
		}
	}
	all = append(all, s.downloadedAndRun()...)
	slices.SortStableFunc(all, func(a, b Command) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return slices.CompactFunc(all, func(a, b Command) bool { return a.Line == b.Line && a.Column == b.Column })
}

// downloadedAndRun finds files that are executed after they were downloaded, where nothing in the script could have
// verified them.
func (s *Script) downloadedAndRun() []Command {
	verifies := func(c Command) bool {
		switch c.Plain().Name() {
		case "sha256sum", "sha512sum", "sha384sum", "sha1sum", "md5sum", "shasum", "gpg", "gpgv", "cosign", "minisign",
			"openssl", "b2sum":
			return true
		}
		return false
	}
	if slices.ContainsFunc(s.Commands, verifies) {
		return nil
	}
	var all []Command
	saved := map[string]bool{}
	for _, c := range s.Commands {
		p := c.Plain()
		if p.Downloads() {
			if file := p.output(); file != "" {
				saved[path.Clean(file)] = true
			}
			continue
		}
		if saved[path.Clean(p.Args[0])] && p.Args[0] != "" {
			all = append(all, c)
			continue
		}
		if isInterpreter(p.Name()) || p.Name() == "source" || p.Name() == "." {
			for _, a := range p.Args[1:] {
				if saved[path.Clean(a)] && a != "" {
					all = append(all, c)
					break
				}
			}
		}
	}
	return all
}

// output is the file that a download is written to.
func (c Command) output() string {
	for i, a := range c.Args[1:] {
		next := ""
		if i+2 < len(c.Args) {
			next = c.Args[i+2]
		}
		switch {
		case c.Name() == "curl" && isShort(a, 'o') || a == "--output" || c.Name() == "wget" && isShort(a, 'O') ||
			a == "--output-document":
			return next
		case c.Name() == "curl" && (isShort(a, 'O') || a == "--remote-name"), c.Name() == "wget" && i == len(c.Args)-2:
			return c.remoteName()
		}
	}
	return ""
}

// isShort reports whether a is a bundle of one-letter options that ends in o.
func isShort(a string, o byte) bool {
	return len(a) > 1 && a[0] == '-' && a[1] != '-' && a[len(a)-1] == o
}

func (c Command) remoteName() string {
	for _, a := range c.Args[1:] {
		if strings.Contains(a, "://") {
			return path.Base(a)
		}
	}
	return ""
}

// Insecure returns what switches verification off in a command that fetches or installs; empty if nothing does.
func (c Command) Insecure() string {
	p := c.Plain()
	for i, a := range p.Args {
		switch p.Name() {
		case "curl":
			if a == "--insecure" || len(a) > 1 && a[0] == '-' && a[1] != '-' && bundleHas(a, 'k') {
				return a
			}
		case "wget":
			if a == "--no-check-certificate" {
				return a
			}
		case "apt-get", "apt":
			if slices.Contains([]string{"--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories"}, a) {
				return a
			}
		case "apk":
			if a == "--allow-untrusted" {
				return a
			}
		case "yum", "dnf", "microdnf", "tdnf":
			if a == "--nogpgcheck" {
				return a
			}
		case "zypper":
			if a == "--no-gpg-checks" {
				return a
			}
		case "rpm":
			if a == "--nosignature" {
				return a
			}
		case "pip", "pip3":
			if strings.HasPrefix(a, "--trusted-host") {
				return "--trusted-host"
			}
		case "npm", "yarn":
			if a == "strict-ssl" && i+1 < len(p.Args) && p.Args[i+1] == "false" || a == "strict-ssl=false" {
				return "strict-ssl false"
			}
		case "git":
			if strings.EqualFold(a, "http.sslVerify=false") || strings.EqualFold(a, "http.sslVerify") && i+1 < len(p.Args) &&
				p.Args[i+1] == "false" {
				return "http.sslVerify=false"
			}
		}
	}
	return ""
}

// bundleHas reports whether a bundle of curl's one-letter options has o, before one that takes a value.
func bundleHas(bundle string, o byte) bool {
	for i := 1; i < len(bundle); i++ {
		switch bundle[i] {
		case o:
			return true
		case 'o', 'H', 'd', 'u', 'x', 'A', 'e', 'X', 'F', 'T', 'b', 'c', 'm', 'w', 'E':
			return false
		}
	}
	return false
}

// Mode returns the mode argument of a chmod and the files that it changes, or nothing for other commands.
func (c Command) Mode() (mode string, files []string) {
	p := c.Plain()
	if p.Name() != "chmod" {
		return "", nil
	}
	for _, a := range p.Args[1:] {
		switch {
		case mode == "" && strings.HasPrefix(a, "-") && !isSymbolicRemoval(a):
		case mode == "":
			mode = a
		default:
			files = append(files, a)
		}
	}
	return mode, files
}

// isSymbolicRemoval tells the mode "-x" from an option.
func isSymbolicRemoval(a string) bool { return strings.Trim(a[1:], "rwxXst") == "" && a != "-" }

// SetsID reports whether a mode sets the setuid or setgid bit.
func SetsID(mode string) bool {
	if bits, ok := octal(mode); ok {
		return bits&0o6000 != 0
	}
	return symbolic(mode, func(who, op, what string) bool {
		return op != "-" && strings.Contains(what, "s") && (who == "" || strings.ContainsAny(who, "uga"))
	})
}

// WorldWritable reports whether a mode lets everybody write, where no sticky bit protects what others wrote.
func WorldWritable(mode string) bool {
	if bits, ok := octal(mode); ok {
		return bits&0o002 != 0 && bits&0o1000 == 0
	}
	sticky := symbolic(mode, func(_, op, what string) bool { return op != "-" && strings.Contains(what, "t") })
	return !sticky && symbolic(mode, func(who, op, what string) bool {
		return op != "-" && strings.Contains(what, "w") && strings.ContainsAny(who, "oa")
	})
}

func octal(mode string) (int, bool) {
	if mode == "" || len(mode) > 5 {
		return 0, false
	}
	n := 0
	for _, d := range mode {
		if d < '0' || d > '7' {
			return 0, false
		}
		n = n*8 + int(d-'0')
	}
	return n, true
}

// symbolic asks for each clause of a symbolic mode.
//
// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/chmod.html
func symbolic(mode string, is func(who, op, what string) bool) bool {
	for clause := range strings.SplitSeq(mode, ",") {
		at := strings.IndexAny(clause, "+-=")
		if at < 0 {
			continue
		}
		if is(clause[:at], clause[at:at+1], clause[at+1:]) {
			return true
		}
	}
	return false
}
