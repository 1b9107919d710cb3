package compose

import (
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func capabilities() check {
	r := rule.Rule{
		ID: "compose-capabilities", Title: "A service has more capabilities than the default", Severity: core.SeverityHigh,
		Why: "Many capabilities, such as SYS_ADMIN, are as good as root on the host. For NET_ADMIN and the like " +
			"the finding is medium.",
		Fix:        "Drop ALL, and add only what is needed.",
		References: []string{"CIS Docker 5.3", "NIST SP 800-190 4.4.3"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, s := range f.services {
			for _, c := range s.Get("cap_add").Items() {
				name := strings.TrimPrefix(strings.ToUpper(c.Text()), "CAP_")
				if name == "" || slices.Contains(defaults(), name) {
					continue
				}
				h := s.hit(c, name, name)
				if !slices.Contains([]string{"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF",
					"SYS_BOOT"}, name) {
					h.Severity = core.SeverityMedium
				}
				report(h)
			}
		}
	}}
}

// defaults are the capabilities that a container has anyway.
//
// https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities
func defaults() []string {
	return []string{
		"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP",
		"SETGID",
		"SETPCAP", "SETUID", "SYS_CHROOT",
	}
}
