package shell

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func parse(t testing.TB, text string) *Script {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s
}

func TestWhatIsDownloadedAndExecutedUnseenIsFound(t *testing.T) {
	for text, want := range map[string]int{
		"curl -fsSL https://x.example/install.sh | sh":                                    1,
		"curl https://x.example | sudo -E bash -":                                         1,
		"wget -qO- https://x.example | tee /tmp/x | bash -s -- --yes":                     1,
		"curl https://x.example | tar -xz":                                                0,
		"curl https://x.example | python3":                                                1,
		"curl https://x.example | python3 -m json.tool":                                   0,
		"curl https://x.example | python3 -c 'import sys'":                                0,
		"curl https://x.example | sh install.sh":                                          0,
		`bash -c "$(curl -fsSL https://x.example)"`:                                       1,
		"bash <(curl -s https://x.example)":                                               1,
		"eval $(wget -qO- https://x.example)":                                             1,
		"source <(curl -s https://x.example)":                                             1,
		"echo $(curl -s https://x.example)":                                               0,
		"curl -o get.sh https://x.example/get.sh && sh get.sh":                            1,
		"curl -fsSLO https://x.example/get.sh; chmod +x get.sh; ./get.sh":                 1,
		"wget https://x.example/get.sh; bash get.sh":                                      1,
		"curl -o get.sh https://x.example/get.sh && sha256sum -c sums && sh get.sh":       0,
		"if true; then (curl https://x.example; true) | (cd /; sh); fi":                   1,
		"cat install.sh | sh":                                                             0,
		"set -o pipefail; apt-get update && curl -sL https://x.example \\\n  | bash - \n": 1,
	} {
		if got := parse(t, text).Unverified(); len(got) != want {
			t.Errorf("%q: %v, want %d", text, got, want)
		}
	}
}

func TestPlacesAreWhereTheCommandsAre(t *testing.T) {
	s := parse(t, "true\n  sudo x \"$A\" $B")
	if c := s.Commands[1]; c.Line != 2 || c.Column != 3 {
		t.Errorf("%+v", c)
	}
	want := []Use{{"A", true, 2, 11}, {"B", false, 2, 15}}
	if !slices.Equal(s.Uses, want) {
		t.Errorf("%+v, want %+v", s.Uses, want)
	}
}

func TestModesAreRead(t *testing.T) {
	for _, tc := range []struct {
		mode         string
		setsID, open bool
	}{
		{"755", false, false}, {"0777", false, true}, {"1777", false, false}, {"4755", true, false}, {"2755", true, false},
		{"u+s", true, false}, {"+s", true, false}, {"g-s", false, false}, {"a+w", false, true}, {"o+w", false, true},
		{"go=rw", false, true}, {"u+w", false, false}, {"o-w", false, false}, {"a+rwxt", false, false}, {"$MODE", false,
			false},
		{"ugo+rwX", false, true}, {"", false, false},
	} {
		if SetsID(tc.mode) != tc.setsID || WorldWritable(tc.mode) != tc.open {
			t.Errorf("%q: setuid %v, world-writable %v", tc.mode, SetsID(tc.mode), WorldWritable(tc.mode))
		}
	}
	mode, files := parse(t, "sudo chmod -R 777 /a /b").Commands[0].Mode()
	if mode != "777" || !slices.Equal(files, []string{"/a", "/b"}) {
		t.Errorf("%q %v", mode, files)
	}
}

func TestVerificationThatIsSwitchedOffIsFound(t *testing.T) {
	for text, want := range map[string]string{
		"curl -fsSLk https://x.example": "-fsSLk", "curl -okay https://x.example": "", "curl --insecure x": "--insecure",
		"wget --no-check-certificate x": "--no-check-certificate", "pip install --trusted-host=x y": "--trusted-host",
		"git -c http.sslVerify=false clone x": "http.sslVerify=false", "npm config set strict-ssl false": "strict-ssl false",
		"apk add --allow-untrusted x.apk": "--allow-untrusted", "apt-get install x": "",
	} {
		if got := parse(t, text).Commands[0].Insecure(); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestIntricateScriptsEndInTime(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("(", maxScript-1), strings.Repeat("$(", maxScript/2-1), strings.Repeat("a|", maxScript/2-1) + "a",
		strings.Repeat("{ a|", maxScript/8) + "a" + strings.Repeat(";}", maxScript/8), strings.Repeat("if ", maxScript/3),
		strings.Repeat("echo $(", maxScript/9) + strings.Repeat(")", maxScript/9), strings.Repeat("$a", maxScript/2),
		strings.Repeat("x", maxScript+1),
	} {
		began := time.Now()
		_, err := Parse(text)
		t.Logf("%.20q… %v: %v", text, time.Since(began), err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"curl x | sh", "bash <(curl x)", "chmod -R a+w x", "a=$b \"$c\" $(d) <<E\nx\nE\n",
		"sudo", "env -u"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		for _, c := range append(s.Commands, s.Unverified()...) {
			if c.Line < 1 || c.Column < 1 || len(c.Args) == 0 {
				t.Fatalf("%q: %+v has no place", text, c)
			}
			c.Insecure()
			mode, _ := c.Mode()
			SetsID(mode)
			WorldWritable(mode)
		}
	})
}
