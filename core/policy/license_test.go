package policy

import (
	"strings"
	"testing"
)

func TestLicensesAreAllowedAndDeniedByWhatMayBeChosen(t *testing.T) {
	permissive := []string{"MIT", "Apache-2.0", "BSD-*"}
	for _, tt := range []struct {
		licenses        []string
		allow           []string
		deny            []string
		allowed, denied bool
	}{
		{[]string{"MIT"}, permissive, []string{"GPL-*"}, true, false},
		{[]string{"mit"}, permissive, []string{"MIT"}, true, true},
		{[]string{"BSD-3-Clause"}, permissive, nil, true, false},
		{[]string{"ISC"}, permissive, nil, false, false},
		{nil, permissive, permissive, false, false},
		{[]string{"MIT OR GPL-3.0-only"}, permissive, []string{"GPL-*"}, true, false},
		{[]string{"MIT AND GPL-3.0-only"}, permissive, []string{"GPL-*"}, false, true},
		{[]string{"MIT", "GPL-3.0-only"}, permissive, []string{"GPL-*"}, false, true},
		{[]string{"(MIT OR GPL-2.0-only) AND (Apache-2.0 OR AGPL-3.0-only)"}, permissive, []string{"GPL-*", "AGPL-*"}, true, false},
		{[]string{"MIT OR GPL-2.0-only AND AGPL-3.0-only"}, []string{"GPL-2.0-only"}, []string{"MIT"}, false, false},
		{[]string{"GPL-2.0-only"}, []string{"GPL-2.0-or-later"}, []string{"GPL-2.0"}, true, true},
		{[]string{"GPL-3.0-only"}, []string{"GPL-2.0-or-later"}, []string{"GPL-2.0-or-later"}, true, true},
		{[]string{"GPL-2.0-only"}, []string{"GPL-3.0-or-later"}, []string{"GPL-3.0-or-later"}, false, false},
		{[]string{"GPL-2.0-or-later"}, []string{"GPL-3.0-only"}, []string{"GPL-3.0-only"}, true, false},
		{[]string{"GPL-2.0+"}, []string{"GPL-2.0-only"}, []string{"GPL-2.0-only"}, true, true},
		{[]string{"GPL-3.0-or-later"}, []string{"GPL-2.0-only"}, []string{"GPL-2.0-only"}, false, false},
		{[]string{"LGPL-2.1-or-later"}, []string{"GPL-3.0-only"}, []string{"GPL-*"}, false, false},
		{[]string{"MPL-1.1+"}, []string{"MPL-2.0"}, nil, true, false},
		{[]string{"GPL-2.0-only WITH Classpath-exception-2.0"}, []string{"GPL-2.0-only"}, []string{"GPL-2.0-only"}, true, true},
		{[]string{"GPL-2.0-only WITH Classpath-exception-2.0"}, []string{"GPL-2.0-only WITH Classpath-exception-2.0"},
			[]string{"GPL-2.0-only WITH GCC-exception-3.1"}, true, false},
		{[]string{"GPL-2.0-only"}, []string{"GPL-2.0-only WITH Classpath-exception-2.0"}, nil, false, false},
		{[]string{"GPL-2.0-only WITH Classpath-exception-2.0"}, []string{"* WITH Classpath-exception-2.0"}, nil, true, false},
		{[]string{"LicenseRef-acme"}, []string{"LicenseRef-*"}, []string{"LicenseRef-acme"}, true, true},
		{[]string{"MIT License"}, []string{"mit license"}, []string{"GPL-*"}, true, false},
		{[]string{"MIT License"}, permissive, []string{"MIT"}, false, true}, // badly declared: any word counts against it
		{[]string{"GPL-3.0-only AND"}, permissive, []string{"GPL-*"}, false, true},
		{[]string{"see LICENSE, GPL-3.0+"}, permissive, []string{"GPL-3.0*"}, false, true},
		{[]string{"NOASSERTION"}, permissive, permissive, false, false},
		{[]string{"MIT-0"}, []string{"MIT"}, []string{"MIT"}, false, false},
		{[]string{strings.Repeat("(", 40) + "MIT" + strings.Repeat(")", 40)}, permissive, []string{"GPL-*"}, false, false},
	} {
		allow, err := parseLicenseList(tt.allow)
		if err != nil {
			t.Fatal(err)
		}
		deny, err := parseLicenseList(tt.deny)
		if err != nil {
			t.Fatal(err)
		}
		if got := allow.allowed(tt.licenses); got != tt.allowed {
			t.Errorf("%q allowed by %q: %v", tt.licenses, tt.allow, got)
		}
		if got := deny.denied(tt.licenses); got != tt.denied {
			t.Errorf("%q denied by %q: %v", tt.licenses, tt.deny, got)
		}
	}
}

// Whatever a package declares, it is read or not, and asking more lists never turns a denial around.
func FuzzLicense(f *testing.F) {
	for _, seed := range []string{"MIT", "(MIT OR GPL-2.0+) AND BSD-3-Clause", "GPL-2.0-only WITH Classpath-exception-2.0", "((", "AND OR",
		"MIT or apache-2.0", "* AND *", "-only", "+", "a-99999999999999999999+"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		few, err := parseLicenseList([]string{"GPL-2.0-or-later"})
		if err != nil {
			t.Fatal(err)
		}
		more, err := parseLicenseList([]string{"GPL-2.0-or-later", "MIT", "A*"})
		if err != nil {
			t.Fatal(err)
		}
		if few.allowed([]string{s}) && !more.allowed([]string{s}) {
			t.Errorf("%q is allowed by a list and not by a longer one", s)
		}
		if few.denied([]string{s}) && !more.denied([]string{s}) {
			t.Errorf("%q is denied by a list and not by a longer one", s)
		}
		if _, ok := parseLicense(s); ok && len(s) > maxLicense {
			t.Errorf("an expression of %d bytes is read", len(s))
		}
		if own, err := parseLicenseList([]string{s}); err == nil && strings.TrimSpace(s) != "" && !own.denied([]string{s}) {
			t.Errorf("%q is not denied by itself", s)
		}
	})
}
